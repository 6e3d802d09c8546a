#include "bindings.hpp"
#include "checks.hpp"

namespace skmixed {
namespace {

using Vectors = Array<const double, 3>;

// A coupling with all of its pattern checked against the later columns; its arrays are empty where there is none.
Coupling shared(const Integers &indptr, const Integers &columns, const Matrix &data, Index q, Index levels, Index width) {
    Coupling C{nullptr, columns.data(), data.data(), levels, length(columns, 0), q, 0};
    if (length(indptr, 0) == 0) return C;
    C.indptr = indptr.data();
    require(length(indptr, 0) == levels + 1 && C.indptr[0] == 0 && C.indptr[levels] == C.entries,
            "indptr is not that of the levels");
    require(length(data, 0) == q && length(data, 1) == C.entries, "data are not those of the columns");
    for (Index l = 0; l < levels; ++l) require(C.indptr[l] <= C.indptr[l + 1], "indptr decreases");
    require(is_within(columns, width), "columns are not among the later ones");
    return C;
}

void check_packed(const Matrix &S, const Vectors &U) {
    require(length(S, 0) == packed_size(length(U, 0)) && length(S, 1) == length(U, 2),
            "packed matrices and vectors differ in their levels");
}

template <class A, class B>
void check_alike(const A &left, const B &right) {
    bool is_same = true;
    for (int axis = 0; axis < 3; ++axis) is_same &= left.shape(axis) == right.shape(axis);
    require(is_same, "vectors of the levels differ in shape");
}

template <class A>
void check_rows(const A &rows, const Vectors &U) {
    require(length(rows, 1) == length(U, 1), "rows of later columns and vectors differ in their number");
}

void reduce_stage(Integers indptr, Integers columns, Matrix data, Matrix M, Vectors U, Array<double, 2> later,
                  Array<double, 3> taken, Array<double, 2> explained) {
    const Index q = length(U, 0), k = length(U, 1), m = length(U, 2);
    const Coupling C = shared(indptr, columns, data, q, m, length(later, 0));
    check_packed(M, U);
    check_alike(U, taken);
    check_rows(later, U);
    require(length(explained, 0) == k && length(explained, 1) == k, "explained has not the order of the vectors");
    nb::gil_scoped_release unlocked;
    active->stages.reduce(C, M.data(), U.data(), k, taken.data(), explained.data(), later.data());
}

void solve_stage(Integers indptr, Integers columns, Matrix data, Matrix M, Matrix A, Vectors U, Matrix known,
                 Array<double, 3> B, Array<double, 3> F) {
    const Index q = length(U, 0), k = length(U, 1), m = length(U, 2);
    const Coupling C = shared(indptr, columns, data, q, m, length(known, 0));
    check_packed(M, U);
    check_packed(A, U);
    check_alike(U, B);
    check_alike(U, F);
    check_rows(known, U);
    const auto scratch = room(active->stages.scratch(q, k));
    nb::gil_scoped_release unlocked;
    active->stages.solve(C, M.data(), A.data(), U.data(), k, known.data(), B.data(), F.data(), scratch.get());
}

void multiply_stage(Integers indptr, Integers columns, Matrix data, Matrix A, Vectors H, Matrix rows,
                    Array<double, 2> later, Array<double, 3> out) {
    const Index q = length(H, 0), k = length(H, 1), m = length(H, 2);
    const Coupling C = shared(indptr, columns, data, q, m, length(rows, 0));
    check_packed(A, H);
    check_alike(H, out);
    check_rows(rows, H);
    require(length(later, 0) == length(rows, 0) && length(later, 1) == k, "later has not the shape of rows");
    nb::gil_scoped_release unlocked;
    active->stages.multiply(C, A.data(), H.data(), k, rows.data(), later.data(), out.data());
}

}  // namespace

void bind_stages(nb::module_ &module) {
    define(module, "reduce_stage", reduce_stage, "indptr", "columns", "data", "M", "U", "later", "taken", "explained");
    define(module, "solve_stage", solve_stage, "indptr", "columns", "data", "M", "A", "U", "known", "B", "F");
    define(module, "multiply_stage", multiply_stage, "indptr", "columns", "data", "A", "H", "rows", "later", "out");
}

}  // namespace skmixed
