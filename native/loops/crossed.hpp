// Rows of several factors whose levels meet: what a logistic model asks of them at every step of its search.
//
// Effects and sums of levels are those of one factor after the other, (q, levels) each; packed blocks (K, levels);
// values of pairs of levels (q, other q, pairs), one pair of factors after the other.
#pragma once

#include "common.hpp"

namespace skmixed {

// Rows by the levels of several factors.
struct Grouped {
    Index rows, factors;
    const std::int32_t *codes;    // (factors, rows)
    const std::int32_t *sizes;    // (factors,) effects of a level
    const std::int32_t *levels;   // (factors,)
    const std::int32_t *columns;  // of every effect its row of z; negative for ones
    const double *z;              // (columns, rows)
};

// The pairs of levels that meet, one table per pair of factors (first < second) in lexical order.
struct Met {
    const std::int32_t *codes;   // (tables, rows)
    const std::int32_t *counts;  // (tables,) pairs
};

// A number per row, or one for all.
struct PerRow {
    const double *values;
    Index step;  // one or zero
};

struct Crossed {
    // eta = fixed + Z b, the log-likelihood of all rows, their means, weights m mu (1 - mu), and Z'm(y - mu)
    double (*sweep)(const Grouped &, const double *fixed, const double *b, const double *y, PerRow m, double *eta,
                    double *mean, double *weight, double *scores);

    // Z'WZ: packed blocks of the levels, and sums of the pairs
    void (*weigh)(const Grouped &, const Met &, const double *weight, double *blocks, double *pairs);

    // w' z'Mz of every row, from blocks of M and its entries between levels that meet, and Z' of these
    void (*skewed)(const Grouped &, const Met &, const double *mean, const double *weight, const double *blocks,
                   const double *pairs, double *skewed, double *sums);

    // Z b
    void (*spread)(const Grouped &, const double *b, double *out);

    // Z'values
    void (*gather)(const Grouped &, const double *values, double *out);

    // Z'WX, (q, levels, p) of one factor after the other, and X'WX
    void (*with_fixed)(const Grouped &, const double *weight, const double *x, Index p, double *sums, double *gram);
};

}  // namespace skmixed
