#include <vector>

#include "bindings.hpp"
#include "checks.hpp"

namespace skmixed {
namespace {

constexpr Index MOST_LEVELS = (Index{1} << 31) - 2;

using Column = nb::ndarray<const double, nb::ndim<1>, nb::device::cpu>;  // any stride

// An array as it is, or an error.
template <class A>
A as(nb::handle given, const char *what) {
    A found;
    if (!nb::try_cast<A>(given, found, false)) throw nb::type_error(what);
    return found;
}

Recipe recipe(const Integers &sources, const Vector &shifts, const Vector &scales, const Matrix &mixing,
              const Vector &pilot, double y_scale, Index width) {
    const Index all = length(sources, 0), fixed = length(pilot, 0);
    require(fixed <= all && length(shifts, 0) == all && length(scales, 0) == all,
            "sources, shifts, scales and pilot differ in length");
    require(length(mixing, 0) == fixed && length(mixing, 1) == fixed, "mixing has not the order of pilot");
    for (Index k = 0; k < all; ++k)
        require(sources.data()[k] >= -1 && sources.data()[k] < width, "sources are not columns of X");
    return {all - fixed, fixed, sources.data(), shifts.data(), scales.data(), mixing.data(), pilot.data(), y_scale};
}

// An optional column; null where there is none.
struct Optional {
    Column column;
    const double *data = nullptr;
    Index stride = 0;

    Optional(nb::handle given, Index n, const char *what) {
        if (given.is_none()) return;
        column = as<Column>(given, what);
        require(length(column, 0) == n, what);
        data = column.data();
        stride = column.stride(0);
    }
};

// The factors, and the arrays they point into.
struct Factors {
    std::vector<Integers> codes, effects;
    std::vector<Array<double, 3>> sums;
    std::vector<FactorLevels> levels;

    Factors(const nb::tuple &given, const nb::tuple &columns, const nb::tuple &into, Index n, Index varying,
            Index summed) {
        const auto count = given.size();
        require(columns.size() == count && into.size() == count, "codes, effects and sums differ in length");
        for (std::size_t f = 0; f < count; ++f) {
            codes.push_back(as<Integers>(given[f], "codes: an array (n,) of int32 per factor"));
            effects.push_back(as<Integers>(columns[f], "effects: an array of int32 per factor"));
            sums.push_back(as<Array<double, 3>>(into[f], "sums: an array (levels, effects, columns) per factor"));
            const Index m = length(sums[f], 0), q = length(effects[f], 0);
            require(length(codes[f], 0) == n && is_within(codes[f], m), "codes are not levels of sums");
            require(is_within(effects[f], varying), "effects are not among the varying columns");
            require(length(sums[f], 1) == q && length(sums[f], 2) == summed, "sums differ in shape from effects and kept");
            levels.push_back({codes[f].data(), m, q, effects[f].data(), sums[f].data()});
        }
    }
};

void add_products(Table X, Column y, nb::object offset, nb::object weights, nb::tuple codes, Integers sources,
                  Vector shifts, Vector scales, Matrix mixing, Vector pilot, double y_scale, nb::tuple effects,
                  Integers kept, Array<double, 2> gram, nb::tuple sums) {
    const Index n = length(X, 0), summed = length(kept, 0);
    const Recipe made = recipe(sources, shifts, scales, mixing, pilot, y_scale, length(X, 1));
    require(length(y, 0) == n, "X and y differ in length");
    require(length(gram, 0) == made.width() && length(gram, 1) == made.width(), "gram has not the width of the columns");
    require(is_within(kept, made.width()), "kept are not among the columns");
    const Optional off(offset, n, "offset: None or one number for every row");
    const Optional w(weights, n, "weights: None or one number for every row");
    const Factors factors(codes, effects, sums, n, made.varying, summed);
    const TableRows rows{n,        X.data(),   X.stride(0), X.stride(1), y.data(),
                         y.stride(0), off.data, off.stride,  w.data,      w.stride};
    const Index count = static_cast<Index>(factors.levels.size());
    const auto scratch = room(active->products.scratch(made, summed, factors.levels.data(), count));
    nb::gil_scoped_release unlocked;
    active->products.add(made, rows, kept.data(), summed, factors.levels.data(), count, gram.data(), scratch.get());
}

void spread_products(Array<const double, 3> sums, Integers from, Vector times, Array<double, 3> out) {
    const Index m = length(sums, 0), q = length(sums, 1), summed = length(sums, 2), columns = length(from, 0);
    require(is_within(from, summed) && length(times, 0) == columns, "from and times are not those of columns of sums");
    require(length(out, 0) == q && length(out, 1) == columns && length(out, 2) == m, "out has not the shape of sums");
    nb::gil_scoped_release unlocked;
    active->products.spread(sums.data(), m, q, summed, from.data(), times.data(), columns, out.data());
}

// Whether every level of one factor is met in one level of the other only, parents being -1 where none has been met;
// if so they are noted, else they stay as they were.
bool follow(Integers inner, Integers outer, Array<std::int32_t, 1> parents) {
    const Index n = length(inner, 0);
    require(length(outer, 0) == n, "inner and outer differ in length");
    require(is_within(inner, length(parents, 0)), "inner are not levels of parents");
    require(is_within(outer, MOST_LEVELS), "outer are not levels");
    require(inner.data() != parents.data() && outer.data() != parents.data(), "parents are the levels themselves");
    nb::gil_scoped_release unlocked;
    const std::int32_t *levels = inner.data(), *found = outer.data();
    std::int32_t *parent = parents.data();
    Index stop = 0;
    bool is_one = true, is_new = false;
    for (; stop < n && is_one; ++stop) {
        const std::int32_t own = parent[levels[stop]], wanted = found[stop];
        if (own == wanted) continue;
        is_one = own == -1 || own == -2 - wanted;  // which says that these rows met it first
        if (own == -1) {
            parent[levels[stop]] = -2 - wanted;
            is_new = true;
        }
    }
    for (Index i = 0; is_new && i < stop; ++i) {
        std::int32_t &own = parent[levels[i]];
        if (own < -1) own = is_one ? -2 - own : -1;
    }
    return is_one;
}

}  // namespace

void bind_products(nb::module_ &module) {
    module.def("add_products", add_products, nb::arg("X").noconvert(), nb::arg("y").noconvert(),
               nb::arg("offset").none(), nb::arg("weights").none(), nb::arg("codes"), nb::arg("sources").noconvert(),
               nb::arg("shifts").noconvert(), nb::arg("scales").noconvert(), nb::arg("mixing").noconvert(),
               nb::arg("pilot").noconvert(), nb::arg("y_scale"), nb::arg("effects"), nb::arg("kept").noconvert(),
               nb::arg("gram").noconvert(), nb::arg("sums"));
    define(module, "spread_products", spread_products, "sums", "from", "times", "out");
    define(module, "follow", follow, "inner", "outer", "parents");
}

}  // namespace skmixed
