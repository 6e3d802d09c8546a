// Rows of a logistic model with one grouping factor.
#pragma once

#include "common.hpp"

namespace skmixed {

// Rows in the order of their levels; what is null is a column of ones, no weights, no offset.
struct LevelRows {
    Index n, p, levels, q;
    Index longest;                  // rows of a level
    const double *x;                // (n, p)
    const double *z[MOST_EFFECTS];  // q columns
    const double *y, *m, *offset;   // (n,)
    double weight;                  // of all rows, where m is null
    const std::int32_t *indptr;     // (levels + 1,)
};

}  // namespace skmixed
