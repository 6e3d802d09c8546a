// Steps towards the conditional modes of a logistic model with one factorisation, as long as it takes them there.
//
// The factorisation is that of one stage, whose levels do not meet, and of one dense block for all other factors.
#pragma once

#include "crossed.hpp"

namespace skmixed {

// A factorisation of T^-1 + Z'WZ; the matrices of factors follow each other, row by row.
struct Eliminated {
    Index stage;                             // which factor
    const std::int32_t *indptr, *columns;    // C of the stage: (levels + 1,), (entries,) within the dense block
    const double *C, *M, *A;                 // (q, entries), packed (K, levels)
    Index entries, side;
    const double *L;                         // (side, side), its lower triangle
    const std::int32_t *first;               // (factors,) the first column of each in the dense block
    const double *roots, *inverse_roots;
};

// Where the search is: `c`, T^-1 b of all levels, and what follows from it.
struct Standing {
    double *c, *scores, *eta, *mean, *weight;
    double penalised;
    Index steps;  // that it took
};

// What ends it.
struct Rules {
    double fresh_tolerance, tolerance;  // decrement before a last step, with a new factorisation and an old one
    double reuse;                       // share of the last decrement beyond which the factorisation is too old
    double rounding, least_rounding;    // rise of the penalised deviance that is rounding
    Index steps;
};

enum Ending { FOUND = 0, TOO_OLD = 1, UPHILL = 2 };

struct Chords {
    // Scratch holds 3 effects of all levels and 2 sides.  Uphill, only c is that of where the search stands.
    Ending (*search)(const Grouped &, const Eliminated &, const double *T, const double *fixed, const double *y, PerRow m,
                     const Rules &, bool is_fresh, double *scratch, Standing &);
};

}  // namespace skmixed
