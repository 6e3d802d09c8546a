// What Python sees: types, shapes and indices of all arguments are checked here, and the interpreter's lock is let go.
#include <memory>
#include <string>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "sweeps.hpp"

#if defined(_MSC_VER)
#include <windows.h>
#endif

namespace nb = nanobind;
using namespace skmixed;

namespace {

// Raised by Python's side where the module is not the one that its sources would make.
constexpr int INTERFACE = 1;

template <class T, int ndim>
using Array = nb::ndarray<T, nb::ndim<ndim>, nb::c_contig, nb::device::cpu>;
using Table = nb::ndarray<const double, nb::ndim<2>, nb::device::cpu>;  // any strides
using Integers = Array<const std::int32_t, 1>;
using Longs = Array<const std::int64_t, 1>;
using Vector = Array<const double, 1>;
using Matrix = Array<const double, 2>;

bool has_avx2() {
#if defined(_MSC_VER) && defined(_M_X64)
    return avx2 && IsProcessorFeaturePresent(PF_AVX2_INSTRUCTIONS_AVAILABLE);
#elif defined(__x86_64__)
    return avx2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

const Sweeps *active = &baseline;

const char *use(const std::string &name) {
    if (name == "baseline")
        active = &baseline;
    else if (name == "best")
        active = has_avx2() ? avx2 : &baseline;
    else
        throw nb::value_error("use: \"best\" or \"baseline\"");
    return active->name;
}

void require(bool holds, const char *what) {
    if (!holds) throw nb::value_error(what);
}

template <class A>
Index length(const A &array, int axis) {
    return static_cast<Index>(array.shape(axis));
}

template <class A>
bool is_within(const A &indices, Index stop) {
    bool found = true;
    for (Index i = 0, n = length(indices, 0); i < n; ++i) found &= indices.data()[i] >= 0 && indices.data()[i] < stop;
    return found;
}

Index packed_size(Index q) { return q * (q + 1) / 2; }

std::unique_ptr<double[]> room(Index size) { return std::unique_ptr<double[]>(new double[size > 0 ? size : 1]); }

void level_sums(Integers codes, Vector values, Table table, Array<double, 2> out) {
    const Index n = length(codes, 0), width = length(table, 1);
    require(length(values, 0) == n && length(table, 0) == n, "level_sums: codes, values and table differ in length");
    require(length(out, 1) == width, "level_sums: table and out differ in their columns");
    require(is_within(codes, length(out, 0)), "level_sums: codes are not levels of out");
    nb::gil_scoped_release unlocked;
    active->level_sums(n, width, codes.data(), values.data(), table.data(), table.stride(0), table.stride(1),
                       out.data());
}

// The pattern of C is checked with its values: columns increase within a level.
Coupling coupling(const Integers &indptr, const Integers &columns, const Matrix &data) {
    Coupling C{indptr.data(), columns.data(), data.data(), length(indptr, 0) - 1, length(columns, 0), length(data, 0),
               0};
    require(C.levels >= 0 && C.indptr[0] == 0 && C.indptr[C.levels] == C.entries && length(data, 1) == C.entries,
            "indptr, columns and data differ in length");
    for (Index l = 0; l < C.levels; ++l) {
        require(C.indptr[l] <= C.indptr[l + 1], "indptr decreases");
        const Index count = C.indptr[l + 1] - C.indptr[l];
        C.longest = count > C.longest ? count : C.longest;
    }
    return C;
}

template <class A>
Dense dense(const Coupling &C, const A &S) {
    const Index side = length(S, 0);
    require(length(S, 1) == side, "S is not square");
    for (Index l = 0; l < C.levels; ++l) {
        Index before = -1;
        for (Index i = C.indptr[l]; i < C.indptr[l + 1]; ++i) {
            require(C.columns[i] > before && C.columns[i] < side, "columns do not increase within S");
            before = C.columns[i];
        }
    }
    return {const_cast<double *>(S.data()), side};
}

template <class A>
Placed placed(const Coupling &C, const Integers &order, const Longs &positions, const A &S) {
    require(length(order, 0) == C.levels && is_within(order, C.levels), "order is not one of the levels");
    Index pairs = 0;
    for (Index t = 0; t < C.levels; ++t) {
        const Index count = C.indptr[order.data()[t] + 1] - C.indptr[order.data()[t]];
        pairs += count * (count + 1) / 2;
    }
    require(length(positions, 0) == pairs && is_within(positions, length(S, 0)), "positions are not those of all pairs");
    return {const_cast<double *>(S.data()), positions.data(), order.data()};
}

void check_levels(const Coupling &C, Index size, Index levels) {
    require(size == packed_size(C.q) && levels == C.levels, "the packed matrices are not those of the levels of C");
}

void check_entries(const Coupling &C, Index q, Index entries) {
    require(q == C.q && entries == C.entries, "out has not the shape of C");
}

void subtract_dense(Integers indptr, Integers columns, Matrix data, Matrix M, Array<double, 2> S) {
    const Coupling C = coupling(indptr, columns, data);
    check_levels(C, length(M, 0), length(M, 1));
    const Dense target = dense(C, S);
    const auto scratch = room(C.q * C.longest);
    nb::gil_scoped_release unlocked;
    active->subtract_dense(C, M.data(), target, scratch.get());
}

void subtract_placed(Integers indptr, Integers columns, Matrix data, Matrix M, Integers order, Longs positions,
                     Array<double, 1> S) {
    const Coupling C = coupling(indptr, columns, data);
    check_levels(C, length(M, 0), length(M, 1));
    const Placed target = placed(C, order, positions, S);
    const auto scratch = room(C.q * C.longest);
    nb::gil_scoped_release unlocked;
    active->subtract_placed(C, M.data(), target, scratch.get());
}

void spread_dense(Integers indptr, Integers columns, Matrix data, Matrix S, Array<double, 2> out) {
    const Coupling C = coupling(indptr, columns, data);
    check_entries(C, length(out, 0), length(out, 1));
    const Dense source = dense(C, S);
    nb::gil_scoped_release unlocked;
    active->spread_dense(C, source, out.data());
}

void spread_placed(Integers indptr, Integers columns, Matrix data, Integers order, Longs positions, Vector S,
                   Array<double, 2> out) {
    const Coupling C = coupling(indptr, columns, data);
    check_entries(C, length(out, 0), length(out, 1));
    const Placed source = placed(C, order, positions, S);
    nb::gil_scoped_release unlocked;
    active->spread_placed(C, source, out.data());
}

void gather_dense(Integers indptr, Integers columns, Matrix data, Matrix S, Array<double, 2> out) {
    const Coupling C = coupling(indptr, columns, data);
    check_levels(C, length(out, 0), length(out, 1));
    const Dense source = dense(C, S);
    const auto scratch = room(C.q * C.longest);
    nb::gil_scoped_release unlocked;
    active->gather_dense(C, source, scratch.get(), out.data());
}

void gather_placed(Integers indptr, Integers columns, Matrix data, Integers order, Longs positions, Vector S,
                   Array<double, 2> out) {
    const Coupling C = coupling(indptr, columns, data);
    check_levels(C, length(out, 0), length(out, 1));
    const Placed source = placed(C, order, positions, S);
    const auto scratch = room(C.q * C.longest);
    nb::gil_scoped_release unlocked;
    active->gather_placed(C, source, scratch.get(), out.data());
}

// A function none of whose arguments is ever copied to fit.
template <class Function, class... Names>
void define(nb::module_ &module, const char *name, Function function, Names... names) {
    module.def(name, function, nb::arg(names).noconvert()...);
}

}  // namespace

NB_MODULE(_native, module) {
    module.attr("INTERFACE") = INTERFACE;
    define(module, "use", [](nb::str name) { return use(name.c_str()); }, "name");
    define(module, "level_sums", level_sums, "codes", "values", "table", "out");
    define(module, "subtract_dense", subtract_dense, "indptr", "columns", "data", "M", "S");
    define(module, "subtract_placed", subtract_placed, "indptr", "columns", "data", "M", "order", "positions", "S");
    define(module, "spread_dense", spread_dense, "indptr", "columns", "data", "S", "out");
    define(module, "spread_placed", spread_placed, "indptr", "columns", "data", "order", "positions", "S", "out");
    define(module, "gather_dense", gather_dense, "indptr", "columns", "data", "S", "out");
    define(module, "gather_placed", gather_placed, "indptr", "columns", "data", "order", "positions", "S", "out");
}
