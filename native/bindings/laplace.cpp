#include "bindings.hpp"
#include "level_rows.hpp"

namespace skmixed {
namespace {

constexpr Index MOST_STEPS = 10000;

using Out = Array<double, 1>;
using OutMatrix = Array<double, 2>;
using OutTable = Array<double, 3>;

LaplacePoint point_of(const LevelRows &rows, const Vector &beta, const Matrix &T, const Matrix &root,
                      const OutMatrix &c) {
    require(length(beta, 0) == rows.p, "beta: not a coefficient per column of x");
    require(length(T, 1) == rows.q, "T: not square");
    require(length(root, 0) == rows.q && length(root, 1) == rows.q, "root: not of the shape of T");
    require(length(c, 0) == rows.q && length(c, 1) == rows.levels, "c: not (effects, levels)");
    return {beta.data(), T.data(), root.data(), const_cast<double *>(c.data())};
}

ModeRules rules_of(const Vector &rules) {
    require(length(rules, 0) == 5, "rules: tolerance, rounding, least rounding, steps, halvings");
    const double *r = rules.data();
    require(r[3] >= 0 && r[3] <= MOST_STEPS && r[4] >= 0 && r[4] <= MOST_STEPS, "rules: too many steps or halvings");
    return {r[0], r[1], r[2], static_cast<Index>(r[3]), static_cast<Index>(r[4])};
}

bool swept(const LevelRows &rows, const LaplacePoint &point, const ModeRules &rules, const LaplaceSums &sums) {
    const auto scratch = room(active->laplace.room(rows));
    nb::gil_scoped_release unlocked;
    return active->laplace.sweep(rows, point, rules, sums, scratch.get());
}

bool laplace_modes(Matrix x, Vector z0, Vector z1, Vector z2, Vector z3, Vector y, Vector m, Vector offset,
                   Integers indptr, Vector beta, Matrix T, Matrix root, OutMatrix c, Vector rules, Out totals) {
    const Vector z[] = {z0, z1, z2, z3};
    const LevelRows rows = level_rows(x, z, y, m, offset, indptr, length(T, 0));
    const LaplacePoint point = point_of(rows, beta, T, root, c);
    require(length(totals, 0) == 4, "totals: four numbers");
    LaplaceSums sums{};
    sums.totals = totals.data();
    return swept(rows, point, rules_of(rules), sums);
}

bool laplace_sweep(Matrix x, Vector z0, Vector z1, Vector z2, Vector z3, Vector y, Vector m, Vector offset,
                   Integers indptr, Vector beta, Matrix T, Matrix root, OutMatrix c, Vector rules, Out totals,
                   OutMatrix gradient, Out slope, OutMatrix hessian, OutMatrix precisions, OutTable s_dot) {
    const Vector z[] = {z0, z1, z2, z3};
    const LevelRows rows = level_rows(x, z, y, m, offset, indptr, length(T, 0));
    const LaplacePoint point = point_of(rows, beta, T, root, c);
    const Index K = packed_size(rows.q), directions = K + rows.p;
    require(length(totals, 0) == 4, "totals: four numbers");
    require(length(gradient, 0) == rows.q && length(gradient, 1) == rows.q, "gradient: not of the shape of T");
    require(length(slope, 0) == rows.p, "slope: not of the shape of beta");
    require(length(hessian, 0) == directions && length(hessian, 1) == directions, "hessian: not of all parameters");
    require(length(precisions, 0) == K && length(precisions, 1) == K, "precisions: not (packed T, packed T)");
    require(length(s_dot, 0) == rows.levels && length(s_dot, 1) == rows.q && length(s_dot, 2) == directions,
            "s_dot: not (levels, effects, parameters)");
    const LaplaceSums sums{totals.data(),  gradient.data(),   slope.data(),
                           hessian.data(), precisions.data(), s_dot.data()};
    return swept(rows, point, rules_of(rules), sums);
}

}  // namespace

void bind_laplace(nb::module_ &module) {
    define(module, "laplace_modes", laplace_modes, "x", "z0", "z1", "z2", "z3", "y", "m", "offset", "indptr", "beta",
           "T", "root", "c", "rules", "totals");
    define(module, "laplace_sweep", laplace_sweep, "x", "z0", "z1", "z2", "z3", "y", "m", "offset", "indptr", "beta",
           "T", "root", "c", "rules", "totals", "gradient", "slope", "hessian", "precisions", "s_dot");
}

}  // namespace skmixed
