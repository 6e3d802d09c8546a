// All loops.  Included once per instruction set, in a namespace of its own: no function of the standard library is
// called that could be shared between them.
#include "sweeps.hpp"

#include "loops/laplace.ipp"
#include "loops/labels.ipp"
#include "loops/chords.ipp"
#include "loops/crossed.ipp"
#include "loops/level_sums.ipp"
#include "loops/newton.ipp"
#include "loops/quadrature.ipp"
#include "loops/rows.ipp"
#include "loops/products.ipp"
#include "loops/schur.ipp"
#include "loops/stages.ipp"

#include "loops/quadratic.ipp"  // packs as the one before

namespace skmixed {
namespace SKMIXED_SWEEPS {

static constexpr Sweeps table(const char *name) {
    return {
        name,
        chords_loops,
        crossed_loops,
        laplace_loops,
        labels_loops,
        level_sums_loops,
        quadrature_loops,
        rows_loops,
        products_loops,
        quadratic_loops,
        schur_loops,
        search_loops,
        stages_loops,
        levels_loops,
    };
}

}  // namespace SKMIXED_SWEEPS
}  // namespace skmixed
