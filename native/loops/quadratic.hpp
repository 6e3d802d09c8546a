// C S^-1 C' of every level from the inverse of the Cholesky factor of S, S^-1 itself never being made.
#pragma once

#include "schur.hpp"

namespace skmixed {

struct Quadratic {
    // packed; `inverse` is the lower triangle of L^-1 with S = LL', whose rows are `side` long.
    // Of the levels lo to hi.  scratch holds (side + q) QUADRATIC_ROWS, and reached a number for every level.
    void (*inverse)(const Coupling &, Index lo, Index hi, const double *inverse, Index side, double *scratch,
                    std::int32_t *reached, double *out);
};

constexpr Index QUADRATIC_ROWS = 16;  // of L^-1 that are multiplied at a time

}  // namespace skmixed
