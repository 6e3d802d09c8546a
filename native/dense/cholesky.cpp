#include "cholesky.hpp"

#include <cstring>

#include "blas.hpp"

namespace skmixed {

Blas blas{};

namespace {

constexpr Index SMALL = 96;  // columns that the library factors and inverts as one

// To the library, which goes down columns, rows are columns: L is the upper factor.
struct Halves {
    Index first, second, stride;

    explicit Halves(Triangle S) : first((S.side / 2 + 7) / 8 * 8), second(S.side - first), stride(S.stride) {}

    Index below() const { return first * stride; }
    Index last() const { return first * stride + first; }
    Triangle top(double *values) const { return {values, first, stride}; }
    Triangle bottom(double *values) const { return {values + last(), second, stride}; }
};

void multiply(char side, char trans, double alpha, Index m, Index n, double *triangle, double *B, Index stride) {
    char upper = 'U', no = 'N';
    int rows = static_cast<int>(m), columns = static_cast<int>(n), step = static_cast<int>(stride);
    blas.dtrmm(&side, &upper, &trans, &no, &rows, &columns, &alpha, triangle, &step, B, &step);
}

// S -= BB' of the rows B
void subtract_squares(Triangle S, Index columns, double *B) {
    char upper = 'U', trans = 'T';
    int side = static_cast<int>(S.side), shared = static_cast<int>(columns), step = static_cast<int>(S.stride);
    double minus = -1.0, one = 1.0;
    blas.dsyrk(&upper, &trans, &side, &shared, &minus, B, &step, &one, S.values, &step);
}

bool factor_small(Triangle S) {
    char upper = 'U';
    int side = static_cast<int>(S.side), step = static_cast<int>(S.stride), info = 0;
    blas.dpotrf(&upper, &side, S.values, &step, &info);
    return info == 0;
}

void invert_small(Triangle L, double *inverse) {
    for (Index i = 0; i < L.side; ++i)
        std::memcpy(inverse + i * L.stride, L.values + i * L.stride, static_cast<std::size_t>(i + 1) * sizeof(double));
    char upper = 'U', no = 'N';
    int side = static_cast<int>(L.side), step = static_cast<int>(L.stride), info = 0;
    blas.dtrtri(&upper, &no, &side, inverse, &step, &info);
}

}  // namespace

bool factor(Triangle S, double *inverse) {
    if (S.side <= SMALL) return factor_small(S);
    const Halves half(S);
    const Triangle top = half.top(S.values), bottom = half.bottom(S.values);
    if (!factor(top, inverse)) return false;
    invert(top, inverse);
    multiply('L', 'T', 1.0, half.first, half.second, inverse, S.values + half.below(), S.stride);
    subtract_squares(bottom, half.first, S.values + half.below());
    return factor(bottom, inverse + half.last());
}

void invert(Triangle L, double *inverse) {
    if (L.side <= SMALL) return invert_small(L, inverse);
    const Halves half(L);
    invert(half.bottom(L.values), inverse + half.last());
    double *below = inverse + half.below();
    for (Index i = 0; i < half.second; ++i)
        std::memcpy(below + i * L.stride, L.values + half.below() + i * L.stride,
                    static_cast<std::size_t>(half.first) * sizeof(double));
    multiply('L', 'N', -1.0, half.first, half.second, inverse, below, L.stride);
    multiply('R', 'N', 1.0, half.first, half.second, inverse + half.last(), below, L.stride);
}

}  // namespace skmixed
