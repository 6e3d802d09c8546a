// Four numbers at a time, and sums of outer products in which tables of short rows are added up.
#pragma once

#include "common.hpp"

namespace skmixed {
namespace SKMIXED_SWEEPS {
namespace {

constexpr Index LANES = 4;

// The least multiple of the lanes that is no smaller.
inline Index padded(Index size) { return (size + LANES - 1) / LANES * LANES; }

#if defined(__GNUC__)
typedef double Four __attribute__((vector_size(32), aligned(8), may_alias));
inline void raise_to(const Four &a, Four &found) { found = a > found ? a : found; }
#else
struct Four {
    double v[LANES];
    double operator[](Index k) const { return v[k]; }
    Four &operator+=(const Four &other) {
        for (Index k = 0; k < LANES; ++k) v[k] += other.v[k];
        return *this;
    }
    Four &operator-=(const Four &other) {
        for (Index k = 0; k < LANES; ++k) v[k] -= other.v[k];
        return *this;
    }
};
inline Four operator+(Four a, const Four &b) { return a += b; }
inline Four operator-(Four a, const Four &b) { return a -= b; }
inline Four operator-(const Four &a) { return Four{} - a; }
inline void raise_to(const Four &a, Four &found) {
    for (Index k = 0; k < LANES; ++k) found.v[k] = a.v[k] > found.v[k] ? a.v[k] : found.v[k];
}
inline Four operator*(double factor, Four a) {
    for (Index k = 0; k < LANES; ++k) a.v[k] *= factor;
    return a;
}
inline Four operator*(Four a, const Four &b) {
    for (Index k = 0; k < LANES; ++k) a.v[k] *= b.v[k];
    return a;
}
#endif

inline Four &four(double *place) { return *reinterpret_cast<Four *>(place); }
inline const Four &four(const double *place) { return *reinterpret_cast<const Four *>(place); }
inline double total(const Four &a) { return (a[0] + a[1]) + (a[2] + a[3]); }

// The largest size of some numbers, a multiple of the lanes
inline double largest_size(Index n, const double *column) {
    Four found = {};
    for (Index i = 0; i < n; i += LANES) {
        raise_to(four(column + i), found);
        raise_to(-four(column + i), found);
    }
    const double left = found[0] > found[1] ? found[0] : found[1];
    const double right = found[2] > found[3] ? found[2] : found[3];
    return left > right ? left : right;
}

// out[4, 4 WIDE] += sum of left[4]' right[4 WIDE] over rows
template <int WIDE>
inline void add_tile(Index rows, const double *left, Index left_width, const double *right, Index right_width,
                     double *out, Index out_width) {
    Four sums[LANES][WIDE] = {};
    for (Index i = 0; i < rows; ++i) {
        const double *factors = left + i * left_width;
        const double *row = right + i * right_width;
        for (int a = 0; a < LANES; ++a)
            for (int b = 0; b < WIDE; ++b) sums[a][b] += factors[a] * four(row + b * LANES);
    }
    for (int a = 0; a < LANES; ++a)
        for (int b = 0; b < WIDE; ++b) four(out + a * out_width + b * LANES) += sums[a][b];
}

// out (left_width, right_width) += left' right; both widths are multiples of the lanes
inline void add_products(Index rows, const double *left, Index left_width, const double *right, Index right_width,
                         double *out) {
    for (Index i = 0; i < left_width; i += LANES) {
        Index j = 0;
        for (; j + 2 * LANES <= right_width; j += 2 * LANES)
            add_tile<2>(rows, left + i, left_width, right + j, right_width, out + i * right_width + j, right_width);
        if (j < right_width)
            add_tile<1>(rows, left + i, left_width, right + j, right_width, out + i * right_width + j, right_width);
    }
}

}  // namespace
}  // namespace SKMIXED_SWEEPS
}  // namespace skmixed
