#include "bindings.hpp"
#include "checks.hpp"

namespace skmixed {
namespace {

using Cube = Array<const double, 3>;
using Layers = nb::ndarray<const double, nb::ndim<3>, nb::device::cpu>;  // rows of numbers, any strides between them

constexpr Index NUMBERS = 6;
constexpr Index WIDEST_SUMS = 256;  // effects times columns: products of all of them are kept

void check_rows(const Layers &layers, const char *what) {
    require(layers.size() == 0 || length(layers, 2) < 2 || layers.stride(2) == 1, what);
}

// The deviances of all responses, of which some arrays are shared.
struct Responses {
    Index count;
    OneFactor shared;
    Layers Uy;
    Cube gram;
    Matrix limits;

    Responses(Matrix A, Vector counts, Layers U, Layers Uy, Cube gram, Matrix limits, Vector sizes, bool reml)
        : count(length(Uy, 0)), shared{}, Uy(Uy), gram(gram), limits(limits) {
        OneFactor &f = shared;
        f.effects = length(U, 0);
        f.columns = length(U, 1) + 1;
        f.levels = length(U, 2);
        require(f.effects >= 1 && f.effects <= MOST_EFFECTS, "minimize_one_factor: one to four effects");
        require(f.effects * f.columns <= WIDEST_SUMS, "minimize_one_factor: too many columns");
        require(length(A, 0) == packed_size(f.effects) && length(A, 1) == f.levels,
                "minimize_one_factor: A and U differ in their levels");
        require(length(counts, 0) == 0 || length(counts, 0) == f.levels,
                "minimize_one_factor: counts are those of all levels, or none");
        require(length(Uy, 1) == f.effects && length(Uy, 2) == f.levels,
                "minimize_one_factor: Uy and U differ in their levels");
        require(length(gram, 0) == count && length(gram, 1) == f.columns && length(gram, 2) == f.columns,
                "minimize_one_factor: gram has not the columns of U and Uy");
        require(length(limits, 0) == count && length(limits, 1) == 2, "minimize_one_factor: two limits per response");
        require(length(sizes, 0) == 2, "minimize_one_factor: sizes are n and nu");
        check_rows(U, "minimize_one_factor: levels of U do not follow each other");
        check_rows(Uy, "minimize_one_factor: levels of Uy do not follow each other");
        f.A = A.data();
        f.counts = length(counts, 0) ? counts.data() : nullptr;
        f.U = U.data();
        f.effect_stride = U.stride(0);
        f.column_stride = U.stride(1);
        f.response_stride = Uy.stride(1);
        f.n = sizes.data()[0];
        f.nu = sizes.data()[1];
        f.reml = reml;
    }

    OneFactor of(Index b) const {
        OneFactor f = shared;
        f.Uy = Uy.data() + b * Uy.stride(0);
        f.gram = gram.data() + b * f.columns * f.columns;
        f.squares = limits.data()[2 * b];
        f.least_r2 = limits.data()[2 * b + 1];
        return f;
    }
};

// Minima from T (B, q, q), which they take the place of; numbers are value, r2, noise, radius, evaluations, converged.
void minimize_one_factor(Matrix A, Vector counts, Layers U, Layers Uy, Cube gram, Matrix limits, Vector sizes, bool reml,
                         Cube projections, Vector tolerances, Array<double, 3> T, Array<double, 2> beta,
                         Array<double, 2> pull, Array<double, 3> bend, Array<double, 2> numbers) {
    const Responses all(A, counts, U, Uy, gram, limits, sizes, reml);
    const Index q = all.shared.effects, p = all.shared.columns - 1;
    const Structure structure{length(projections, 0), projections.data()};
    const Index k = structure.count ? structure.count : packed_size(q);
    require(structure.count <= packed_size(q) && length(projections, 1) == q && length(projections, 2) == q,
            "minimize_one_factor: projections are not those of the effects");
    require(length(T, 0) == all.count && length(T, 1) == q && length(T, 2) == q,
            "minimize_one_factor: T is not one covariance of the effects per response");
    require(length(beta, 0) == all.count && length(beta, 1) == p, "minimize_one_factor: beta has not the columns of U");
    require(length(pull, 0) == all.count && length(pull, 1) == k, "minimize_one_factor: pull has not the parameters");
    require(length(bend, 0) == all.count && length(bend, 1) == k && length(bend, 2) == k,
            "minimize_one_factor: bend has not the parameters");
    require(length(numbers, 0) == all.count && length(numbers, 1) == NUMBERS, "minimize_one_factor: six numbers each");
    require(length(tolerances, 0) == 2, "minimize_one_factor: tolerances are tol and max_iter");
    const double tol = tolerances.data()[0], limit = tolerances.data()[1];
    require(limit >= 0.0 && limit <= 1e9, "minimize_one_factor: max_iter is out of range");
    const Search &loops = active->search;
    const auto scratch = room(loops.room(q, all.shared.columns));
    nb::gil_scoped_release unlocked;
    for (Index b = 0; b < all.count; ++b) {
        double *own = numbers.data() + b * NUMBERS;
        Minimum out{T.data() + b * q * q, beta.data() + b * p, pull.data() + b * k, bend.data() + b * k * k};
        loops.minimize(all.of(b), structure, tol, static_cast<Index>(limit), scratch.get(), out);
        own[0] = out.value;
        own[1] = out.r2;
        own[2] = out.noise;
        own[3] = out.radius;
        own[4] = out.evaluations;
        own[5] = out.converged;
    }
}

}  // namespace

void bind_search(nb::module_ &module) {
    define(module, "minimize_one_factor", minimize_one_factor, "A", "counts", "U", "Uy", "gram", "limits", "sizes",
           "reml", "projections", "tolerances", "T", "beta", "pull", "bend", "numbers");
}

}  // namespace skmixed
