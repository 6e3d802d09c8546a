// Types of arguments, and what all bindings check.
#pragma once

#include <memory>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "../sweeps.hpp"

namespace skmixed {

namespace nb = nanobind;

template <class T, int ndim>
using Array = nb::ndarray<T, nb::ndim<ndim>, nb::c_contig, nb::device::cpu>;
using Table = nb::ndarray<const double, nb::ndim<2>, nb::device::cpu>;  // any strides
using Integers = Array<const std::int32_t, 1>;
using Longs = Array<const std::int64_t, 1>;
using Vector = Array<const double, 1>;
using Matrix = Array<const double, 2>;

inline void require(bool holds, const char *what) {
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

inline Index packed_size(Index q) { return q * (q + 1) / 2; }

inline std::unique_ptr<double[]> room(Index size) { return std::unique_ptr<double[]>(new double[size > 0 ? size : 1]); }

// A function none of whose arguments is ever copied to fit.
template <class Function, class... Names>
void define(nb::module_ &module, const char *name, Function function, Names... names) {
    module.def(name, function, nb::arg(names).noconvert()...);
}

}  // namespace skmixed
