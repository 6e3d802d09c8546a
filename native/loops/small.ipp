// Linear algebra of small matrices, in rows.
#pragma once

#include <math.h>

#include "one_factor.hpp"

namespace skmixed {
namespace SKMIXED_SWEEPS {
namespace {
namespace one_factor {

constexpr double TINY = 2.2250738585072014e-308;
constexpr double EPS = 2.220446049250313e-16;

constexpr Index triangle(Index size) { return size * (size + 1) / 2; }
constexpr Index at(Index r, Index c) { return r >= c ? triangle(r) + c : triangle(c) + r; }

inline double larger(double a, double b) { return a > b ? a : b; }
inline double positive(double value) { return value > 0.0 ? value : 0.0; }
inline bool is_finite(double value) { return value - value == 0.0; }

inline double dot(const double *a, const double *b, Index n) {
    double sum = 0.0;
    for (Index i = 0; i < n; ++i) sum += a[i] * b[i];
    return sum;
}

inline double length_of(const double *a, Index n) { return sqrt(dot(a, a, n)); }

// The inverse of the lower factor of S; false where S is not positive definite.  S has rows of length stride.
inline bool half_inverse(const double *S, Index stride, Index size, double *L, double *inverse) {
    for (Index r = 0; r < size; ++r) {
        for (Index c = 0; c <= r; ++c) {
            const double rest = S[r * stride + c] - dot(L + r * size, L + c * size, c);
            if (r > c) {
                L[r * size + c] = rest / L[c * size + c];
                continue;
            }
            if (!(rest > 0.0)) return false;
            L[r * size + r] = sqrt(rest);
        }
    }
    for (Index c = 0; c < size; ++c) {
        for (Index r = 0; r < c; ++r) inverse[r * size + c] = 0.0;
        for (Index r = c; r < size; ++r) {
            double sum = r == c ? 1.0 : 0.0;
            for (Index k = c; k < r; ++k) sum -= L[r * size + k] * inverse[k * size + c];
            inverse[r * size + c] = sum / L[r * size + r];
        }
    }
    return true;
}

// The root R of T = RR' and the order of its pivots; columns beyond the rank are zero.
inline void pivoted_root(const double *T, Index size, double *root, Index *order) {
    double rest[MOST_EFFECTS * MOST_EFFECTS];
    bool is_taken[MOST_EFFECTS] = {};
    double trace = 0.0;
    for (Index i = 0; i < size * size; ++i) {
        rest[i] = T[i];
        root[i] = 0.0;
    }
    for (Index i = 0; i < size; ++i) trace += T[i * size + i];
    const double cutoff = 1e-14 * larger(trace, TINY);
    for (Index k = 0; k < size; ++k) {
        Index pivot = -1;
        for (Index i = 0; i < size; ++i)
            if (!is_taken[i] && (pivot < 0 || rest[i * size + i] > rest[pivot * size + pivot])) pivot = i;
        const double height = rest[pivot * size + pivot];
        if (height > cutoff) {
            const double unit = sqrt(height);
            for (Index i = 0; i < size; ++i)
                if (!is_taken[i]) root[i * size + k] = rest[i * size + pivot] / unit;
            for (Index i = 0; i < size; ++i)
                for (Index j = 0; j < size; ++j) rest[i * size + j] -= root[i * size + k] * root[j * size + k];
        }
        is_taken[pivot] = true;
        order[k] = pivot;
    }
}

// Eigenvalues and, in columns, eigenvectors of a symmetric matrix, by Jacobi's rotations.
inline void eigen(const double *S, Index size, double *values, double *vectors) {
    double M[MOST_PARAMETERS * MOST_PARAMETERS];
    for (Index i = 0; i < size * size; ++i) {
        M[i] = S[i];
        vectors[i] = i % (size + 1) ? 0.0 : 1.0;
    }
    for (int turn = 0; turn < 60; ++turn) {
        double off = 0.0, on = 0.0;
        for (Index r = 0; r < size; ++r) {
            on += M[r * size + r] * M[r * size + r];
            for (Index c = 0; c < r; ++c) off += M[r * size + c] * M[r * size + c];
        }
        if (!(off > 1e-34 * on)) break;
        for (Index r = 1; r < size; ++r) {
            for (Index c = 0; c < r; ++c) {
                const double shared = M[r * size + c];
                if (shared == 0.0) continue;
                const double slope = (M[r * size + r] - M[c * size + c]) / (2.0 * shared);
                const double size_of = fabs(slope) + sqrt(1.0 + slope * slope);
                const double tangent = (slope < 0.0 ? -1.0 : 1.0) / size_of;
                const double cosine = 1.0 / sqrt(1.0 + tangent * tangent), sine = tangent * cosine;
                for (Index k = 0; k < size; ++k) {
                    const double first = M[k * size + c], second = M[k * size + r];
                    M[k * size + c] = cosine * first - sine * second;
                    M[k * size + r] = sine * first + cosine * second;
                }
                for (Index k = 0; k < size; ++k) {
                    const double first = M[c * size + k], second = M[r * size + k];
                    M[c * size + k] = cosine * first - sine * second;
                    M[r * size + k] = sine * first + cosine * second;
                }
                for (Index k = 0; k < size; ++k) {
                    const double first = vectors[k * size + c], second = vectors[k * size + r];
                    vectors[k * size + c] = cosine * first - sine * second;
                    vectors[k * size + r] = sine * first + cosine * second;
                }
            }
        }
    }
    for (Index i = 0; i < size; ++i) values[i] = M[i * size + i];
}

}  // namespace one_factor
}  // namespace
}  // namespace SKMIXED_SWEEPS
}  // namespace skmixed
