// How the rows of a logistic model with one grouping factor are handed over.
#pragma once

#include "checks.hpp"

namespace skmixed {

// Columns z are as long as the rows, or empty where they are ones; so is the offset where there is none.
struct Reader {
    LevelRows rows{};

    void take_column(Index r, const Vector &z) {
        if (r >= rows.q) return;
        require(length(z, 0) == rows.n || length(z, 0) == 0, "z: neither a number per row nor empty");
        rows.z[r] = length(z, 0) ? z.data() : nullptr;
    }

    void take_weights(const Vector &m, const Vector &offset) {
        require(length(m, 0) == rows.n || length(m, 0) == 1, "m: neither one number nor one per row");
        rows.weight = length(m, 0) == 1 ? m.data()[0] : 1.0;
        rows.m = length(m, 0) == 1 ? nullptr : m.data();
        require(length(offset, 0) == rows.n || length(offset, 0) == 0, "offset: neither a number per row nor empty");
        rows.offset = length(offset, 0) ? offset.data() : nullptr;
    }

    void take_levels(const Integers &indptr) {
        rows.levels = length(indptr, 0) - 1;
        rows.indptr = indptr.data();
        require(rows.levels >= 0 && rows.indptr[0] == 0 && rows.indptr[rows.levels] == rows.n,
                "indptr: not the borders of the rows");
        for (Index l = 0; l < rows.levels; ++l) {
            const Index count = static_cast<Index>(rows.indptr[l + 1]) - rows.indptr[l];
            require(count >= 0, "indptr: decreases");
            rows.longest = count > rows.longest ? count : rows.longest;
        }
    }
};

inline LevelRows level_rows(const Matrix &x, const Vector (&z)[MOST_EFFECTS], const Vector &y, const Vector &m,
                     const Vector &offset, const Integers &indptr, Index q) {
    Reader found;
    found.rows.n = length(x, 0);
    found.rows.p = length(x, 1);
    found.rows.q = q;
    require(q >= 1 && q <= MOST_EFFECTS, "T: of one to four effects");
    found.rows.x = x.data();
    found.rows.y = y.data();
    require(length(y, 0) == found.rows.n, "x and y differ in length");
    for (Index r = 0; r < MOST_EFFECTS; ++r) found.take_column(r, z[r]);
    found.take_weights(m, offset);
    found.take_levels(indptr);
    return found.rows;
}

}  // namespace skmixed
