// Cross-products of columns that are made of a table's, and their sums by level, in one pass over the rows.
#pragma once

#include "common.hpp"

namespace skmixed {

// Columns that a row has: shifted and scaled ones, mixtures of such, and what these leave of a response.
struct Recipe {
    Index varying;                // shifted and scaled columns that are not mixed
    Index fixed;                  // those that are
    const std::int32_t *sources;  // (varying + fixed,) columns of the table; -1 is the constant 1 / scale
    const double *shifts, *scales;
    const double *mixing;  // (fixed, fixed) upper triangular
    const double *pilot;   // (fixed,) what is taken off the response
    double y_scale;

    Index width() const { return varying + fixed + 1; }
};

// Rows, with any strides.
struct TableRows {
    Index n;
    const double *X;
    Index row_stride, column_stride;
    const double *y;
    Index y_stride;
    const double *offset;  // null for none
    Index offset_stride;
    const double *weights;  // null for ones
    Index weight_stride;
};

// What is summed by the levels of one factor.
struct FactorLevels {
    const std::int32_t *codes;  // (n,)
    Index levels, effects;
    const std::int32_t *columns;  // (effects,) among the varying ones
    double *sums;                 // (levels, effects, summed)
};

struct Products {
    // numbers that scratch has to hold
    Index (*scratch)(const Recipe &, Index summed, const FactorLevels *, Index factors);

    // gram += pool' W pool, (width, width); sums += w z_r pool_s of every row, for the columns ``kept``
    void (*add)(const Recipe &, const TableRows &, const std::int32_t *kept, Index summed, const FactorLevels *, Index factors,
                double *gram, double *scratch);

    // out (effects, columns, levels): of sums (levels, effects, summed) those of ``from`` times ``times``
    void (*spread)(const double *sums, Index levels, Index effects, Index summed, const std::int32_t *from,
                   const double *times, Index columns, double *out);
};

}  // namespace skmixed
