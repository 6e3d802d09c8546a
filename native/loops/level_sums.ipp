#include "level_sums.hpp"

namespace skmixed {
namespace SKMIXED_SWEEPS {
namespace {

#if defined(__GNUC__)
inline void fetch(const double *place) { __builtin_prefetch(place, 1); }
#else
inline void fetch(const double *) {}
#endif

constexpr Index AHEAD = 16;  // rows whose sums are fetched before they are needed

// WIDTH columns, or any number where it is zero
template <Index WIDTH>
void add_rows(Index n, Index width, const std::int32_t *codes, const double *values, const double *table, Index step,
              double *out) {
    const Index w = WIDTH ? WIDTH : width;
    for (Index i = 0; i < n; ++i) {
        if (i + AHEAD < n) fetch(out + codes[i + AHEAD] * w);
        const double value = values[i];
        const double *row = table + i * step;
        double *sum = out + codes[i] * w;
        for (Index c = 0; c < w; ++c) sum[c] += value * row[c];
    }
}

using AddRows = void (*)(Index, Index, const std::int32_t *, const double *, const double *, Index, double *);

constexpr AddRows add_rows_of[] = {add_rows<0>, add_rows<1>, add_rows<2>, add_rows<3>, add_rows<4>,
                                   add_rows<5>, add_rows<6>, add_rows<7>, add_rows<8>};

void level_sums(Index n, Index width, const std::int32_t *codes, const double *values, const double *table,
                Index row_stride, Index column_stride, double *out) {
    if (column_stride == 1 || width == 1) {
        add_rows_of[width <= 8 ? width : 0](n, width, codes, values, table, row_stride, out);
        return;
    }
    for (Index i = 0; i < n; ++i)
        for (Index c = 0; c < width; ++c)
            out[codes[i] * width + c] += values[i] * table[i * row_stride + c * column_stride];
}

constexpr LevelSums level_sums_loops{level_sums};

}  // namespace
}  // namespace SKMIXED_SWEEPS
}  // namespace skmixed
