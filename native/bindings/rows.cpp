#include "bindings.hpp"
#include "checks.hpp"

namespace skmixed {
namespace {

void exponentials(Vector x, Array<double, 1> out) {
    const Index n = length(x, 0);
    require(length(out, 0) == n, "exponentials: x and out differ in length");
    nb::gil_scoped_release unlocked;
    active->rows.exponentials(n, x.data(), out.data());
}

void logarithms(Vector x, Array<double, 1> out) {
    const Index n = length(x, 0);
    require(length(out, 0) == n, "logarithms: x and out differ in length");
    nb::gil_scoped_release unlocked;
    active->rows.logarithms(n, x.data(), out.data());
}

void logit_rows(Vector eta, Vector y, Array<double, 1> loglik, Array<double, 1> mean, Array<double, 1> variance) {
    const Index n = length(eta, 0);
    require(length(y, 0) == n && length(loglik, 0) == n && length(mean, 0) == n && length(variance, 0) == n,
            "logit_rows: the arrays differ in length");
    nb::gil_scoped_release unlocked;
    active->rows.logit(n, eta.data(), y.data(), loglik.data(), mean.data(), variance.data());
}

}  // namespace

void bind_rows(nb::module_ &module) {
    define(module, "exponentials", exponentials, "x", "out");
    define(module, "logarithms", logarithms, "x", "out");
    define(module, "logit_rows", logit_rows, "eta", "y", "loglik", "mean", "variance");
}

}  // namespace skmixed
