#include "cholesky.hpp"

#include <cmath>
#include <cstring>

#include "../threads.hpp"
#include "blas.hpp"

namespace skmixed {

Blas blas{};

namespace {

constexpr Index SMALL = 96;     // columns that the library factors and inverts as one
constexpr Index PER_PART = 96;  // columns from which a thread of their own pays

// To the library, which goes down columns, rows are columns: L is the upper factor.
struct Halves {
    Index first, second, stride;

    explicit Halves(Triangle S) : first((S.side / 2 + 7) / 8 * 8), second(S.side - first), stride(S.stride) {}

    Index below() const { return first * stride; }
    Index last() const { return first * stride + first; }
    Triangle top(double *values) const { return {values, first, stride}; }
    Triangle bottom(double *values) const { return {values + last(), second, stride}; }
};

int number(Index size) { return static_cast<int>(size); }

void multiply_part(char side, char trans, double alpha, Index m, Index n, double *triangle, double *B, Index stride) {
    char upper = 'U', no = 'N';
    int rows = number(m), columns = number(n), step = number(stride);
    blas.dtrmm(&side, &upper, &trans, &no, &rows, &columns, &alpha, triangle, &step, B, &step);
}

// From the left columns are independent of each other, from the right rows.
void multiply(char side, char trans, double alpha, Index m, Index n, double *triangle, double *B, Index stride,
              Index threads) {
    const Index size = side == 'L' ? n : m, parts = parts_of(size, PER_PART, threads);
    in_parts(parts, [=](Index part) {
        const Index lo = size * part / parts, own = size * (part + 1) / parts - lo;
        if (side == 'L')
            multiply_part(side, trans, alpha, m, own, triangle, B + lo * stride, stride);
        else
            multiply_part(side, trans, alpha, own, n, triangle, B + lo, stride);
    });
}

// Columns lo to hi of S -= BB'
void subtract_part(Triangle S, Index lo, Index hi, Index shared, double *B) {
    char upper = 'U', trans = 'T', no = 'N';
    int before = number(lo), own = number(hi - lo), k = number(shared), step = number(S.stride);
    double minus = -1.0, one = 1.0;
    double *columns = S.values + lo * S.stride, *rows = B + lo * S.stride;
    if (before) blas.dgemm(&trans, &no, &before, &own, &k, &minus, B, &step, rows, &step, &one, columns, &step);
    blas.dsyrk(&upper, &trans, &own, &k, &minus, rows, &step, &one, columns + lo, &step);
}

// S -= BB' of the rows B, in parts of a triangle that are equally large
void subtract_squares(Triangle S, Index shared, double *B, Index threads) {
    const Index parts = parts_of(S.side, PER_PART, threads);
    in_parts(parts, [=](Index part) {
        const double share = static_cast<double>(S.side) / std::sqrt(static_cast<double>(parts));
        const Index lo = static_cast<Index>(share * std::sqrt(static_cast<double>(part)));
        const Index hi = part + 1 == parts ? S.side : static_cast<Index>(share * std::sqrt(part + 1.0));
        subtract_part(S, lo, hi, shared, B);
    });
}

bool factor_small(Triangle S) {
    char upper = 'U';
    int side = number(S.side), step = number(S.stride), info = 0;
    blas.dpotrf(&upper, &side, S.values, &step, &info);
    return info == 0;
}

void invert_small(Triangle L, double *inverse) {
    for (Index i = 0; i < L.side; ++i)
        std::memcpy(inverse + i * L.stride, L.values + i * L.stride, static_cast<std::size_t>(i + 1) * sizeof(double));
    char upper = 'U', no = 'N';
    int side = number(L.side), step = number(L.stride), info = 0;
    blas.dtrtri(&upper, &no, &side, inverse, &step, &info);
}

}  // namespace

bool factor(Triangle S, double *inverse, Index threads) {
    if (S.side <= SMALL) return factor_small(S);
    const Halves half(S);
    const Triangle top = half.top(S.values), bottom = half.bottom(S.values);
    if (!factor(top, inverse, threads)) return false;
    invert(top, inverse, threads);
    multiply('L', 'T', 1.0, half.first, half.second, inverse, S.values + half.below(), S.stride,
             threads);
    subtract_squares(bottom, half.first, S.values + half.below(), threads);
    return factor(bottom, inverse + half.last(), threads);
}

void invert(Triangle L, double *inverse, Index threads) {
    if (L.side <= SMALL) return invert_small(L, inverse);
    const Halves half(L);
    invert(half.bottom(L.values), inverse + half.last(), threads);
    double *below = inverse + half.below();
    for (Index i = 0; i < half.second; ++i)
        std::memcpy(below + i * L.stride, L.values + half.below() + i * L.stride,
                    static_cast<std::size_t>(half.first) * sizeof(double));
    multiply('L', 'N', -1.0, half.first, half.second, inverse, below, L.stride, threads);
    multiply('R', 'N', 1.0, half.first, half.second, inverse + half.last(), below, L.stride, threads);
}

}  // namespace skmixed
