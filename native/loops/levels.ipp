// Small matrices of some levels at a time.
#pragma once

#include "levels.hpp"
#include "packs.ipp"
#include "small.ipp"

namespace skmixed {
namespace SKMIXED_SWEEPS {
namespace {
namespace one_factor {

// V = L^-1 R' of some levels with R'AR + I = LL', their determinants
template <Index Q>
struct Factored {
    static constexpr Index K = triangle(Q);
    Pack A[K], V[Q][Q], determinant;

    Factored(const double *blocks, Index levels, const double *root, Index first, Index count) {
        for (Index i = 0; i < K; ++i) A[i] = load(blocks + i * levels + first, count);
        Pack L[Q][Q], W[Q][Q];
        for (Index r = 0; r < Q; ++r) {
            for (Index c = 0; c < Q; ++c) {
                W[r][c] = A[at(r, 0)] * all(root[c]);
                for (Index j = 1; j < Q; ++j) W[r][c] += A[at(r, j)] * all(root[j * Q + c]);
            }
        }
        determinant = all(1.0);
        for (Index c = 0; c < Q; ++c) {
            for (Index r = c; r < Q; ++r) {
                Pack value = all(root[r]) * W[0][c];
                for (Index j = 1; j < Q; ++j) value += all(root[j * Q + r]) * W[j][c];
                if (r == c) value += all(1.0);
                for (Index i = 0; i < c; ++i) value -= L[r][i] * L[c][i];
                if (r > c) {
                    L[r][c] = value * L[c][c];
                    continue;
                }
                determinant *= value;
                L[c][c] = inverse_root(value);
            }
        }
        for (Index r = 0; r < Q; ++r) {
            for (Index c = 0; c < Q; ++c) {
                Pack value = all(root[c * Q + r]);
                for (Index i = 0; i < r; ++i) value -= L[r][i] * V[i][c];
                V[r][c] = value * L[r][r];
            }
        }
    }
};

inline void store(const Pack &values, double *out, Index count) {
    for (Index s = 0; s < LANES && s < count; ++s) out[s] = values[s];
}

template <Index Q>
double invert_of(Index levels, const double *A, const double *root, const double *counts, double *M) {
    Logarithms logarithms;
    for (Index first = 0; first < levels; first += LANES) {
        const Index count = levels - first;
        const Factored<Q> own(A, levels, root, first, count);
        if (counts)
            logarithms.add(own.determinant, counts + first, count);
        else
            logarithms.add(own.determinant);
        for (Index r = 0; r < Q; ++r) {
            for (Index c = 0; c <= r; ++c) {
                Pack sum = own.V[0][r] * own.V[0][c];
                for (Index i = 1; i < Q; ++i) sum += own.V[i][r] * own.V[i][c];
                store(sum, M + at(r, c) * levels + first, count);
            }
        }
    }
    return logarithms.value();
}

inline double invert(Index q, Index levels, const double *A, const double *root, const double *counts, double *M) {
    switch (q) {
        case 1: return invert_of<1>(levels, A, root, counts, M);
        case 2: return invert_of<2>(levels, A, root, counts, M);
        case 3: return invert_of<3>(levels, A, root, counts, M);
        default: return invert_of<4>(levels, A, root, counts, M);
    }
}

}  // namespace one_factor

constexpr Levels levels_loops{one_factor::invert};

}  // namespace
}  // namespace SKMIXED_SWEEPS
}  // namespace skmixed
