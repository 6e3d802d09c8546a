// The deviance of a linear mixed model with one grouping factor, and the search for its minimum.
#pragma once

#include "common.hpp"

namespace skmixed {

constexpr Index MOST_PARAMETERS = MOST_EFFECTS * (MOST_EFFECTS + 1) / 2;
constexpr Index WIDEST = 4;  // levels that are looked at together

// -2 log L of one response, as a function of the covariance of the effects.
struct OneFactor {
    Index effects, columns, levels;  // columns: those of X, then the response
    const double *A;                 // packed (K, levels)
    const double *counts;            // levels that each one stands for; null for one
    const double *U;                 // (effects, columns - 1, levels) sums with X
    const double *Uy;                // (effects, levels) sums with the response
    Index effect_stride, column_stride, response_stride;
    const double *gram;  // (columns, columns), with those of a ridge
    double squares;      // of the response, without
    double least_r2;     // residual sum of squares that counts as zero
    double n, nu;
    bool reml;
};

// Variances of projections (count, effects, effects); any covariance where there are none.
struct Structure {
    Index count;
    const double *projections;
};

// Where a search ended.
struct Minimum {
    double *T;            // (effects, effects): where it starts, too
    double *beta;         // (columns - 1,)
    double *pull, *bend;  // the last local model
    double value, r2, noise, radius;
    double evaluations;
    double converged;  // one where no step promises anything more
};

struct Search {
    // numbers that a search needs room for
    Index (*room)(Index effects, Index columns);

    // Newton steps within a trust region until the predicted decrease falls below tol
    void (*minimize)(const OneFactor &, const Structure &, double tol, Index max_iter, double *room, Minimum &);
};

}  // namespace skmixed
