// Sums of rows by level.
#pragma once

#include "common.hpp"

namespace skmixed {

struct LevelSums {
    // out[code_i] += value_i row_i, for the rows of a table with any strides
    void (*add)(Index n, Index width, const std::int32_t *codes, const double *values, const double *table,
                Index row_stride, Index column_stride, double *out);
};

}  // namespace skmixed
