#include "bindings.hpp"
#include "level_rows.hpp"

namespace skmixed {
namespace {

void quadrature_sweep(Matrix x, Vector z0, Vector z1, Vector z2, Vector z3, Vector y, Vector m, Vector offset,
                      Integers indptr, Vector beta, Matrix T, Matrix root, Matrix c, Matrix nodes, Vector log_weights,
                      Array<double, 1> deviances, Array<double, 1> row_gradients, Array<double, 3> root_gradients) {
    const Vector z[] = {z0, z1, z2, z3};
    const Index q = length(T, 0);
    require(q <= MOST_INTEGRATED, "T: of one to three effects");
    const LevelRows rows = level_rows(x, z, y, m, offset, indptr, q);
    require(length(beta, 0) == rows.p, "beta: not a coefficient per column of x");
    require(length(T, 1) == q, "T: not square");
    require(length(root, 0) == q && length(root, 1) == q, "root: not of the shape of T");
    require(length(c, 0) == q && length(c, 1) == rows.levels, "c: not (effects, levels)");
    require(length(nodes, 1) == q, "nodes: not a column per effect");
    require(length(log_weights, 0) == length(nodes, 0), "log_weights: not one per node");
    require(length(deviances, 0) == rows.levels, "deviances: not one per level");
    require(length(row_gradients, 0) == rows.n, "row_gradients: not one per row");
    require(length(root_gradients, 0) == q && length(root_gradients, 1) == q && length(root_gradients, 2) == rows.levels,
            "root_gradients: not (effects, effects, levels)");
    const NodeRule rule{length(nodes, 0), nodes.data(), log_weights.data()};
    const IntegralPoint point{beta.data(), T.data(), root.data(), c.data()};
    const IntegralSums out{deviances.data(), row_gradients.data(), root_gradients.data()};
    const auto scratch = room(active->quadrature.room(rows, rule));
    nb::gil_scoped_release unlocked;
    active->quadrature.sweep(rows, rule, point, out, scratch.get());
}

}  // namespace

void bind_quadrature(nb::module_ &module) {
    define(module, "quadrature_sweep", quadrature_sweep, "x", "z0", "z1", "z2", "z3", "y", "m", "offset", "indptr",
           "beta", "T", "root", "c", "nodes", "log_weights", "deviances", "row_gradients", "root_gradients");
}

}  // namespace skmixed
