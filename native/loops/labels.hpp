// Whole numbers as labels: which of them occur, and which code each row has.
#pragma once

#include "common.hpp"

namespace skmixed {

template <class T>
struct LabelsOf {
    // seen[value - low] = 1 of every row; false where one is not in the span
    bool (*mark)(const T *values, Index step, Index n, std::int64_t low, Index span, std::uint8_t *seen);

    // codes = places[value - low] of every row; false where one is not in the span
    bool (*place)(const T *values, Index step, Index n, std::int64_t low, Index span, const std::int32_t *places,
                  std::int32_t *codes);
};

struct Labels {
    LabelsOf<std::int8_t> bytes;
    LabelsOf<std::int16_t> shorts;
    LabelsOf<std::int32_t> integers;
    LabelsOf<std::int64_t> longs;
};

}  // namespace skmixed
