// The Laplace deviance of a logistic model with one grouping factor, level by level.
//
// The letters are those of skmixed/_likelihood/laplace.py and curvature.py, which say what is computed.
#pragma once

#include "level_rows.hpp"

namespace skmixed {

struct LaplacePoint {
    const double *beta;       // (p,)
    const double *T, *root;   // (q, q)
    double *c;                // (q, levels), a guess, and then the modes
};

// How the modes are searched for.
struct ModeRules {
    double tolerance, rounding, least_rounding;
    Index steps, halvings;
};

// Sums over all levels.  Directions are (packed T, beta), K + p of them.
struct LaplaceSums {
    double *totals;      // (4,): penalised deviance, log-determinant, log-likelihood, largest predictor
    double *gradient;    // (q, q)
    double *slope;       // (p,)
    double *hessian;     // (K + p, K + p) but for the part of the squared precisions
    double *precisions;  // (K, K), NN'
    double *s_dot;       // (levels, q, K + p)
};

struct Laplace {
    Index (*room)(const LevelRows &);  // numbers of scratch that a sweep needs
    // whether all modes were found; without sums.gradient only totals are
    bool (*sweep)(const LevelRows &, const LaplacePoint &, const ModeRules &, const LaplaceSums &, double *scratch);
};

}  // namespace skmixed
