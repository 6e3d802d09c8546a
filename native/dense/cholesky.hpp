// A Cholesky factor and its inverse together, by products of large blocks.
//
// Halves of a matrix are factored one after the other.  The library's own factorisation solves with the factor of the
// first half; here that half's inverse is multiplied with, which is half as fast again and wanted anyway.
#pragma once

#include "../loops/common.hpp"

namespace skmixed {

// The lower triangle of a square matrix within one whose rows are `stride` apart.
struct Triangle {
    double *values;
    Index side, stride;
};

// S = LL' in place of S; what it takes of L^-1 is put into `inverse`.  False where S is not positive definite.
bool factor(Triangle S, double *inverse, Index threads);

// The rest of L^-1.
void invert(Triangle L, double *inverse, Index threads);

}  // namespace skmixed
