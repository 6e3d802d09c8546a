// What a stage of the elimination takes from later columns, and gets back: C'MC, C S and C S C'.
//
// Symmetric matrices of all levels are packed: (q (q + 1) / 2, levels), the lower triangle row by row.
#pragma once

#include "common.hpp"

namespace skmixed {

// What a stage of the elimination shares with later columns: C, its levels' rows of a sparse matrix.
struct Coupling {
    const std::int32_t *indptr;   // (levels + 1,)
    const std::int32_t *columns;  // (entries,) increasing within a level
    const double *data;           // (q, entries)
    Index levels, entries, q;
    Index longest;  // entries of a level
};

// Where the pairs of entries (i >= j) of a level are in what they change: in a dense matrix...
struct Dense {
    double *values;
    Index side;
};

// ...or anywhere; levels follow each other as they are ordered.
struct Placed {
    double *values;
    const std::int64_t *positions;  // (pairs,)
    const std::int32_t *order;      // (levels,)
};

struct Schur {
    // S -= C'MC, in a dense matrix in the rows from low to high; scratch holds q longest
    void (*subtract_dense)(const Coupling &, const double *M, Dense, Index low, Index high, double *scratch);
    void (*subtract_placed)(const Coupling &, const double *M, Placed, double *scratch);

    // C S on the pattern of C, (q, entries)
    void (*spread_dense)(const Coupling &, Dense, double *out);
    void (*spread_placed)(const Coupling &, Placed, double *out);

    // packed C S C' of every level; scratch holds q longest
    void (*gather_dense)(const Coupling &, Dense, double *scratch, double *out);
    void (*gather_placed)(const Coupling &, Placed, double *scratch, double *out);
};

}  // namespace skmixed
