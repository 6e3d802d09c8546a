#include "bindings.hpp"
#include "checks.hpp"

namespace skmixed {
namespace {

void check_effects(Index q, Index packed) {
    require(q >= 1 && q <= MOST_EFFECTS && packed == packed_size(q), "levels: packed matrices of one to four effects");
}

double invert_levels(Matrix A, Matrix root, Vector counts, Array<double, 2> M) {
    const Index q = length(root, 0), levels = length(A, 1);
    check_effects(q, length(A, 0));
    require(length(root, 1) == q, "invert_levels: the root is not square");
    require(length(M, 0) == length(A, 0) && length(M, 1) == levels, "invert_levels: M has not the shape of A");
    require(length(counts, 0) == 0 || length(counts, 0) == levels, "invert_levels: counts are those of all levels, or none");
    nb::gil_scoped_release unlocked;
    return active->levels.invert(q, levels, A.data(), root.data(), length(counts, 0) ? counts.data() : nullptr, M.data());
}

}  // namespace

void bind_levels(nb::module_ &module) {
    define(module, "invert_levels", invert_levels, "A", "root", "counts", "M");
}

}  // namespace skmixed
