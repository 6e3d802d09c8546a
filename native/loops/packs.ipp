// One number of each of some levels, that are computed together.
#pragma once

#include <math.h>

#include "one_factor.hpp"

namespace skmixed {
namespace SKMIXED_SWEEPS {
namespace {
namespace one_factor {

#if defined(__AVX2__)
constexpr Index LANES = WIDEST;
#else
constexpr Index LANES = 2;
#endif

#if defined(__GNUC__)
typedef double Pack __attribute__((vector_size(8 * LANES), aligned(8)));
#else
struct Pack {
    double at[LANES];
    double &operator[](Index s) { return at[s]; }
    double operator[](Index s) const { return at[s]; }
};
#define SKMIXED_OPERATOR(sign)                                     \
    inline Pack operator sign(const Pack &a, const Pack &b) {      \
        Pack out;                                                  \
        for (Index s = 0; s < LANES; ++s) out[s] = a[s] sign b[s]; \
        return out;                                                \
    }                                                              \
    inline Pack &operator sign##=(Pack &a, const Pack &b) { return a = a sign b; }
SKMIXED_OPERATOR(+)
SKMIXED_OPERATOR(-)
SKMIXED_OPERATOR(*)
#undef SKMIXED_OPERATOR
#endif

inline Pack all(double value) {
    Pack out;
    for (Index s = 0; s < LANES; ++s) out[s] = value;
    return out;
}

// the first of some levels, zeros after the last
inline Pack load(const double *values, Index count) {
    Pack out;
    if (count >= LANES)
        for (Index s = 0; s < LANES; ++s) out[s] = values[s];
    else
        for (Index s = 0; s < LANES; ++s) out[s] = s < count ? values[s] : 0.0;
    return out;
}

inline double total(const Pack &values) {
    double sum = 0.0;
    for (Index s = 0; s < LANES; ++s) sum += values[s];
    return sum;
}

inline Pack inverse_root(const Pack &values) {
    Pack out;
    for (Index s = 0; s < LANES; ++s) out[s] = 1.0 / sqrt(values[s]);
    return out;
}

// Sum of logarithms of determinants, most of them by way of products.
struct Logarithms {
    static constexpr double LARGE = 1e100;
    Pack product = all(1.0);
    double sum = 0.0;

    void add(const Pack &values) {
        bool is_large = false;
        for (Index s = 0; s < LANES; ++s) is_large |= !(values[s] < LARGE);
        if (is_large) {
            for (Index s = 0; s < LANES; ++s) sum += log(values[s]);
            return;
        }
        product *= values;
        for (Index s = 0; s < LANES; ++s) is_large |= product[s] > LARGE;
        if (is_large) take();
    }

    // times the levels that each stands for; there are none beyond the last
    void add(const Pack &values, const double *counts, Index count) {
        for (Index s = 0; s < count && s < LANES; ++s) sum += counts[s] * log(values[s]);
    }

    void take() {
        for (Index s = 0; s < LANES; ++s) sum += log(product[s]);
        product = all(1.0);
    }

    double value() {
        take();
        return sum;
    }
};

}  // namespace one_factor
}  // namespace
}  // namespace SKMIXED_SWEEPS
}  // namespace skmixed
