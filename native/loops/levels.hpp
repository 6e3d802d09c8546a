// Algebra of a small matrix per level; symmetric ones are packed (K, levels).
#pragma once

#include "common.hpp"

namespace skmixed {

struct Levels {
    // M = R (R'AR + I)^-1 R'; the sum of log|R'AR + I|, counts (null for one each) times
    double (*invert)(Index q, Index levels, const double *A, const double *root, const double *counts, double *M);
};

}  // namespace skmixed
