// What a stage of the elimination does with right-hand sides, level by level.
//
// Vectors of all levels are (q, k, levels), rows of later columns (columns, k); symmetric matrices are packed.  A coupling
// whose indptr is null shares nothing with later columns.
#pragma once

#include "schur.hpp"

namespace skmixed {

struct Stages {
    // numbers that the scratch of a solution has to hold
    Index (*scratch)(Index q, Index k);

    // taken = M U; explained += U'M U, (k, k); later -= C'taken
    void (*reduce)(const Coupling &, const double *M, const double *U, Index k, double *taken, double *explained,
                   double *later);

    // B = M (U - C known), F = U - C known - A B
    void (*solve)(const Coupling &, const double *M, const double *A, const double *U, Index k, const double *known,
                  double *B, double *F, double *scratch);

    // out = A H + C rows; later += C'H
    void (*multiply)(const Coupling &, const double *A, const double *H, Index k, const double *rows, double *later,
                     double *out);
};

}  // namespace skmixed
