#include <cmath>

#include "../threads.hpp"
#include "bindings.hpp"
#include "coupling.hpp"

namespace skmixed {
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

void check_columns(const Coupling &C, Index side) {
    for (Index l = 0; l < C.levels; ++l) {
        Index before = -1;
        for (Index i = C.indptr[l]; i < C.indptr[l + 1]; ++i) {
            require(C.columns[i] > before && C.columns[i] < side, "columns do not increase within S");
            before = C.columns[i];
        }
    }
}

void check_levels(const Coupling &C, Index size, Index levels) {
    require(size == packed_size(C.q) && levels == C.levels, "the packed matrices are not those of the levels of C");
}

namespace {

template <class A>
Dense dense(const Coupling &C, const A &S) {
    const Index side = length(S, 0);
    require(length(S, 1) == side, "S is not square");
    check_columns(C, side);
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

void check_entries(const Coupling &C, Index q, Index entries) {
    require(q == C.q && entries == C.entries, "out has not the shape of C");
}

constexpr Index ENTRIES_PER_PART = 20000;  // of which a thread of their own pays

void subtract_dense(Integers indptr, Integers columns, Matrix data, Matrix M, Array<double, 2> S, Index threads) {
    const Coupling C = coupling(indptr, columns, data);
    check_levels(C, length(M, 0), length(M, 1));
    const Dense target = dense(C, S);
    const Index parts = parts_of(C.entries, ENTRIES_PER_PART, threads), size = C.q * C.longest;
    const auto scratch = room(parts * size);
    nb::gil_scoped_release unlocked;
    in_parts(parts, [&](Index part) {  // a triangle in rows: parts of equal size
        const double share = static_cast<double>(target.side) / std::sqrt(static_cast<double>(parts));
        const Index low = static_cast<Index>(share * std::sqrt(static_cast<double>(part)));
        const Index high = part + 1 == parts ? target.side : static_cast<Index>(share * std::sqrt(part + 1.0));
        active->schur.subtract_dense(C, M.data(), target, low, high, scratch.get() + part * size);
    });
}

void subtract_placed(Integers indptr, Integers columns, Matrix data, Matrix M, Integers order, Longs positions,
                     Array<double, 1> S) {
    const Coupling C = coupling(indptr, columns, data);
    check_levels(C, length(M, 0), length(M, 1));
    const Placed target = placed(C, order, positions, S);
    const auto scratch = room(C.q * C.longest);
    nb::gil_scoped_release unlocked;
    active->schur.subtract_placed(C, M.data(), target, scratch.get());
}

void spread_dense(Integers indptr, Integers columns, Matrix data, Matrix S, Array<double, 2> out) {
    const Coupling C = coupling(indptr, columns, data);
    check_entries(C, length(out, 0), length(out, 1));
    const Dense source = dense(C, S);
    nb::gil_scoped_release unlocked;
    active->schur.spread_dense(C, source, out.data());
}

void spread_placed(Integers indptr, Integers columns, Matrix data, Integers order, Longs positions, Vector S,
                   Array<double, 2> out) {
    const Coupling C = coupling(indptr, columns, data);
    check_entries(C, length(out, 0), length(out, 1));
    const Placed source = placed(C, order, positions, S);
    nb::gil_scoped_release unlocked;
    active->schur.spread_placed(C, source, out.data());
}

void gather_dense(Integers indptr, Integers columns, Matrix data, Matrix S, Array<double, 2> out) {
    const Coupling C = coupling(indptr, columns, data);
    check_levels(C, length(out, 0), length(out, 1));
    const Dense source = dense(C, S);
    const auto scratch = room(C.q * C.longest);
    nb::gil_scoped_release unlocked;
    active->schur.gather_dense(C, source, scratch.get(), out.data());
}

void gather_placed(Integers indptr, Integers columns, Matrix data, Integers order, Longs positions, Vector S,
                   Array<double, 2> out) {
    const Coupling C = coupling(indptr, columns, data);
    check_levels(C, length(out, 0), length(out, 1));
    const Placed source = placed(C, order, positions, S);
    const auto scratch = room(C.q * C.longest);
    nb::gil_scoped_release unlocked;
    active->schur.gather_placed(C, source, scratch.get(), out.data());
}

}  // namespace

void bind_schur(nb::module_ &module) {
    define(module, "subtract_dense", subtract_dense, "indptr", "columns", "data", "M", "S", "threads");
    define(module, "subtract_placed", subtract_placed, "indptr", "columns", "data", "M", "order", "positions", "S");
    define(module, "spread_dense", spread_dense, "indptr", "columns", "data", "S", "out");
    define(module, "spread_placed", spread_placed, "indptr", "columns", "data", "order", "positions", "S", "out");
    define(module, "gather_dense", gather_dense, "indptr", "columns", "data", "S", "out");
    define(module, "gather_placed", gather_placed, "indptr", "columns", "data", "order", "positions", "S", "out");
}

}  // namespace skmixed
