// Adaptive Gauss-Hermite quadrature over the effects of a logistic model with one grouping factor, level by level.
//
// The letters are those of skmixed/_likelihood/quadrature/part.py, which says what is computed.
#pragma once

#include "level_rows.hpp"

namespace skmixed {

constexpr Index MOST_INTEGRATED = 3;  // effects of a level

struct NodeRule {
    Index nodes;
    const double *z;            // (nodes, q)
    const double *log_weights;  // (nodes,)
};

struct IntegralPoint {
    const double *beta;      // (p,)
    const double *T, *root;  // (q, q), the root lower in some coordinates
    const double *c;         // (q, levels), the modes
};

struct IntegralSums {
    double *deviances;       // (levels,)
    double *row_gradients;   // (n,), in the linear predictor, as far as beta is concerned
    double *root_gradients;  // (q, q, levels)
};

struct Quadrature {
    Index (*room)(const LevelRows &, const NodeRule &);  // numbers of scratch that a sweep needs
    void (*sweep)(const LevelRows &, const NodeRule &, const IntegralPoint &, const IntegralSums &, double *scratch);
};

}  // namespace skmixed
