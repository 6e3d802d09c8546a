#include "stages.hpp"

namespace skmixed {
namespace SKMIXED_SWEEPS {
namespace {
namespace stages {

constexpr Index BLOCK = 256;  // levels whose vectors stay in the fastest cache
constexpr Index PARTS = 8;    // partial sums of a product

struct Some {
    Index first, count, levels;
};

// out = S U of some levels, for U and out with rows (r, j) that are `step` and `levels` apart
void multiply_some(const double *S, Some some, Index q, Index k, const double *U, Index step, double *out,
                   Index out_step) {
    for (Index r = 0; r < q; ++r) {
        for (Index j = 0; j < k; ++j) {
            double *SKMIXED_RESTRICT target = out + (r * k + j) * out_step;
            for (Index c = 0; c < q; ++c) {
                const double *matrix = S + packed(r, c) * some.levels + some.first;
                const double *source = U + (c * k + j) * step;
                if (c == 0)
                    for (Index l = 0; l < some.count; ++l) target[l] = matrix[l] * source[l];
                else
                    for (Index l = 0; l < some.count; ++l) target[l] += matrix[l] * source[l];
            }
        }
    }
}

double dot(const double *a, const double *b, Index count) {
    double sums[PARTS] = {};
    Index i = 0;
    for (; i + PARTS <= count; i += PARTS)
        for (Index p = 0; p < PARTS; ++p) sums[p] += a[i + p] * b[i + p];
    double rest = 0.0;
    for (; i < count; ++i) rest += a[i] * b[i];
    return (((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]))) + rest;
}

// target (columns, k) += sign C'V of some levels, for V (q, k) with rows `step` apart
template <Index K>
void scatter(const Coupling &C, Some some, double sign, const double *V, Index step, Index width, double *target) {
    const Index k = K ? K : width;
    for (Index l = 0; l < some.count; ++l) {
        for (Index e = C.indptr[some.first + l]; e < C.indptr[some.first + l + 1]; ++e) {
            double *row = target + C.columns[e] * k;
            for (Index r = 0; r < C.q; ++r) {
                const double factor = sign * C.data[r * C.entries + e];
                for (Index j = 0; j < k; ++j) row[j] += factor * V[(r * k + j) * step + l];
            }
        }
    }
}

// V (q, k) += sign C source of some levels
template <Index K>
void collect(const Coupling &C, Some some, double sign, const double *source, Index width, double *V, Index step) {
    const Index k = K ? K : width;
    for (Index l = 0; l < some.count; ++l) {
        for (Index e = C.indptr[some.first + l]; e < C.indptr[some.first + l + 1]; ++e) {
            const double *row = source + C.columns[e] * k;
            for (Index r = 0; r < C.q; ++r) {
                const double factor = sign * C.data[r * C.entries + e];
                for (Index j = 0; j < k; ++j) V[(r * k + j) * step + l] += factor * row[j];
            }
        }
    }
}

using Scatter = void (*)(const Coupling &, Some, double, const double *, Index, Index, double *);
using Collect = void (*)(const Coupling &, Some, double, const double *, Index, double *, Index);

constexpr Index MOST = 6;
constexpr Scatter scatters[] = {scatter<0>, scatter<1>, scatter<2>, scatter<3>, scatter<4>, scatter<5>, scatter<6>};
constexpr Collect collects[] = {collect<0>, collect<1>, collect<2>, collect<3>, collect<4>, collect<5>, collect<6>};

inline Index kind(Index k) { return k <= MOST ? k : 0; }

Index scratch_size(Index q, Index k) { return q * k * BLOCK; }

inline Some block(Index first, Index levels) {
    return {first, levels - first < BLOCK ? levels - first : BLOCK, levels};
}

void reduce(const Coupling &C, const double *M, const double *U, Index k, double *taken, double *explained,
            double *later) {
    const Index q = C.q, m = C.levels;
    for (Index first = 0; first < m; first += BLOCK) {
        const Some some = block(first, m);
        multiply_some(M, some, q, k, U + first, m, taken + first, m);
        for (Index i = 0; i < k; ++i) {
            for (Index j = 0; j <= i; ++j) {
                double sum = 0.0;
                for (Index r = 0; r < q; ++r)
                    sum += dot(U + (r * k + i) * m + first, taken + (r * k + j) * m + first, some.count);
                explained[i * k + j] += sum;
            }
        }
        if (C.indptr) scatters[kind(k)](C, some, -1.0, taken + first, m, k, later);
    }
    for (Index i = 0; i < k; ++i)
        for (Index j = 0; j < i; ++j) explained[j * k + i] = explained[i * k + j];
}

void solve(const Coupling &C, const double *M, const double *A, const double *U, Index k, const double *known, double *B,
           double *F, double *scratch) {
    const Index q = C.q, m = C.levels;
    for (Index first = 0; first < m; first += BLOCK) {
        const Some some = block(first, m);
        for (Index row = 0; row < q * k; ++row)
            for (Index l = 0; l < some.count; ++l) scratch[row * BLOCK + l] = U[row * m + first + l];
        if (C.indptr) collects[kind(k)](C, some, -1.0, known, k, scratch, BLOCK);
        multiply_some(M, some, q, k, scratch, BLOCK, B + first, m);
        multiply_some(A, some, q, k, B + first, m, F + first, m);
        for (Index row = 0; row < q * k; ++row)
            for (Index l = 0; l < some.count; ++l)
                F[row * m + first + l] = scratch[row * BLOCK + l] - F[row * m + first + l];
    }
}

void multiply(const Coupling &C, const double *A, const double *H, Index k, const double *rows, double *later,
              double *out) {
    const Index m = C.levels;
    for (Index first = 0; first < m; first += BLOCK) {
        const Some some = block(first, m);
        multiply_some(A, some, C.q, k, H + first, m, out + first, m);
        if (!C.indptr) continue;
        collects[kind(k)](C, some, 1.0, rows, k, out + first, m);
        scatters[kind(k)](C, some, 1.0, H + first, m, k, later);
    }
}

}  // namespace stages

constexpr Stages stages_loops{stages::scratch_size, stages::reduce, stages::solve, stages::multiply};

}  // namespace
}  // namespace SKMIXED_SWEEPS
}  // namespace skmixed
