#include <string>

#include "../dense/blas.hpp"
#include "../dense/cholesky.hpp"
#include "../threads.hpp"
#include "bindings.hpp"
#include "coupling.hpp"

namespace skmixed {
namespace {

// The signature that Cython writes into a capsule, its own names of double replaced.
std::string signature(const nb::capsule &function) {
    const char *name = PyCapsule_GetName(function.ptr());
    std::string plain = name ? name : "";
    for (std::size_t at; (at = plain.find("__pyx_t_")) != std::string::npos;)
        plain.replace(at, plain.find_first_of(" )", at) - at, "double");
    return plain;
}

template <class Function>
void take(Function &target, nb::handle table, const char *name, const std::string &wanted) {
    nb::object found = table[name];
    require(PyCapsule_CheckExact(found.ptr()), "use_blas: a table of capsules");
    const nb::capsule function = nb::borrow<nb::capsule>(found);
    require(signature(function) == wanted, "use_blas: a function with other arguments");
    target = reinterpret_cast<Function>(PyCapsule_GetPointer(function.ptr(), PyCapsule_GetName(function.ptr())));
}

void use_blas(nb::dict products, nb::dict factorisations) {
    Blas found{};
    take(found.dtrmm, products, "dtrmm",
         "void (char *, char *, char *, char *, int *, int *, double *, double *, int *, double *, int *)");
    take(found.dsyrk, products, "dsyrk",
         "void (char *, char *, int *, int *, double *, double *, int *, double *, double *, int *)");
    take(found.dgemm, products, "dgemm",
         "void (char *, char *, int *, int *, int *, double *, double *, int *, double *, int *, double *, double *, "
         "int *)");
    take(found.dpotrf, factorisations, "dpotrf", "void (char *, int *, double *, int *, int *)");
    take(found.dtrtri, factorisations, "dtrtri", "void (char *, char *, int *, double *, int *, int *)");
    blas = found;
}

Triangle triangle(const Array<double, 2> &S, const Array<double, 2> &inverse) {
    const Index side = length(S, 0);
    require(blas.dtrmm, "use_blas comes first");
    require(length(S, 1) == side && length(inverse, 0) == side && length(inverse, 1) == side,
            "the matrices are not square or differ in size");
    require(side < (1 << 30), "the matrices are too large");
    return {S.data(), side, side > 0 ? side : 1};
}

bool factor_dense(Array<double, 2> S, Array<double, 2> inverse, Index threads) {
    const Triangle target = triangle(S, inverse);
    nb::gil_scoped_release unlocked;
    return factor(target, inverse.data(), threads);
}

void invert_dense(Array<double, 2> L, Array<double, 2> inverse, Index threads) {
    const Triangle source = triangle(L, inverse);
    nb::gil_scoped_release unlocked;
    invert(source, inverse.data(), threads);
}

constexpr Index LEVELS_PER_PART = 512;  // of which a thread of their own pays

void quadratic_inverse(Integers indptr, Integers columns, Matrix data, Matrix inverse, Array<double, 2> out,
                       Index threads) {
    const Coupling C = coupling(indptr, columns, data);
    const Index side = length(inverse, 0), parts = parts_of(C.levels, LEVELS_PER_PART, threads);
    require(length(inverse, 1) == side, "the matrix is not square");
    check_levels(C, length(out, 0), length(out, 1));
    check_columns(C, side);
    const Index size = (side + C.q) * QUADRATIC_ROWS;
    const auto scratch = room(parts * size);
    const std::unique_ptr<std::int32_t[]> reached(new std::int32_t[C.levels > 0 ? C.levels : 1]);
    nb::gil_scoped_release unlocked;
    in_parts(parts, [&](Index part) {
        const Index lo = C.levels * part / parts, hi = C.levels * (part + 1) / parts;
        active->quadratic.inverse(C, lo, hi, inverse.data(), side, scratch.get() + part * size, reached.get(), out.data());
    });
}

}  // namespace

void bind_dense(nb::module_ &module) {
    define(module, "use_blas", use_blas, "products", "factorisations");
    define(module, "factor_dense", factor_dense, "S", "inverse", "threads");
    define(module, "invert_dense", invert_dense, "L", "inverse", "threads");
    define(module, "quadratic_inverse", quadratic_inverse, "indptr", "columns", "data", "inverse", "out", "threads");
}

}  // namespace skmixed
