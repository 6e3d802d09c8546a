// Rows of several factors, as the bindings take and check them.
#pragma once

#include "checks.hpp"

namespace skmixed {

using Codes = Array<const std::int32_t, 2>;
using Out = Array<double, 1>;

// What the levels of all factors have together
struct Sizes {
    Index effects = 0, blocks = 0, pairs = 0;
};

// Rows and their factors: sizes, levels, columns, codes, z
struct Described {
    Grouped rows;
    Sizes sizes;
};

inline Described grouped(const Integers &sizes, const Integers &levels, const Integers &columns, const Codes &codes,
              const Matrix &z) {
    const Index factors = length(sizes, 0), n = length(codes, 1);
    require(length(levels, 0) == factors && length(codes, 0) == factors, "sizes, levels and codes differ in length");
    require(length(z, 1) == n, "codes and z differ in their rows");
    Described found{{n, factors, codes.data(), sizes.data(), levels.data(), columns.data(), z.data()}, {}};
    Index effects = 0;
    for (Index f = 0; f < factors; ++f) {
        const Index q = sizes.data()[f], m = levels.data()[f];
        require(q >= 0 && m >= 0, "sizes and levels are not negative");
        effects += q;
        require(effects <= length(columns, 0), "columns has not one entry per effect");
        found.sizes.effects += q * m;
        found.sizes.blocks += packed_size(q) * m;
        bool inside = true;
        for (const std::int32_t *code = codes.data() + f * n, *end = code + n; code < end; ++code)
            inside &= *code >= 0 && *code < m;
        require(inside, "codes are not levels of their factors");
    }
    require(effects == length(columns, 0), "columns has not one entry per effect");
    for (Index e = 0; e < effects; ++e) require(columns.data()[e] < length(z, 0), "columns are not rows of z");
    return found;
}

inline Met met(Described &rows, const Codes &codes, const Integers &counts) {
    const Grouped &own = rows.rows;
    const Index n = own.rows, tables = own.factors * (own.factors - 1) / 2;
    require(length(codes, 0) == tables && length(counts, 0) == tables && length(codes, 1) == n,
            "there is not one table for every pair of factors");
    Index t = 0;
    for (Index f = 0; f < own.factors; ++f)
        for (Index g = f + 1; g < own.factors; ++g, ++t) {
            const Index count = counts.data()[t];
            require(count >= 0, "counts are not negative");
            rows.sizes.pairs += Index(own.sizes[f]) * own.sizes[g] * count;
            bool inside = true;
            for (const std::int32_t *code = codes.data() + t * n, *end = code + n; code < end; ++code)
                inside &= *code >= 0 && *code < count;
            require(inside, "codes are not pairs of their tables");
        }
    return {codes.data(), counts.data()};
}

template <class A>
inline void check(const A &array, Index size, const char *what) {
    require(length(array, 0) == size, what);
}

// Outcomes of all rows with their fixed parts, and what is found of them; m is one number per row or one.
inline PerRow outcomes(const Described &found, const Vector &fixed, const Vector &y, const Vector &m, const Out &eta,
                       const Out &mean, const Out &weight) {
    const Index n = found.rows.rows;
    check(fixed, n, "fixed is not one number per row");
    check(y, n, "y is not one number per row");
    require(length(m, 0) == n || length(m, 0) == 1, "m is neither one number per row nor one");
    check(eta, n, "eta is not one number per row");
    check(mean, n, "mean is not one number per row");
    check(weight, n, "weight is not one number per row");
    return {m.data(), length(m, 0) == n ? 1 : 0};
}

}  // namespace skmixed
