// The loops of the package, as a table of functions: one for every instruction set they are compiled for.
//
// Arrays are in rows (C order).  Nothing here checks anything: the bindings have done so.
#pragma once

#include "loops/chords.hpp"
#include "loops/crossed.hpp"
#include "loops/laplace.hpp"
#include "loops/labels.hpp"
#include "loops/level_sums.hpp"
#include "loops/levels.hpp"
#include "loops/one_factor.hpp"
#include "loops/quadrature.hpp"
#include "loops/quadratic.hpp"
#include "loops/rows.hpp"
#include "loops/products.hpp"
#include "loops/schur.hpp"
#include "loops/stages.hpp"

namespace skmixed {

struct Sweeps {
    const char *name;
    Chords chords;
    Crossed crossed;
    Laplace laplace;
    Labels labels;
    LevelSums level_sums;
    Quadrature quadrature;
    Rows rows;
    Products products;
    Quadratic quadratic;
    Schur schur;
    Search search;
    Stages stages;
    Levels levels;
};

extern const Sweeps baseline;
extern const Sweeps *const avx2;  // null where the compiler has none

extern const Sweeps *active;  // those that run

}  // namespace skmixed
