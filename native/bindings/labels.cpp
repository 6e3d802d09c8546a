#include "bindings.hpp"
#include "checks.hpp"

namespace skmixed {
namespace {

template <class T>
using Column = nb::ndarray<const T, nb::ndim<1>, nb::device::cpu>;  // any stride

// The loops of one type, chosen when they are called: the set of instructions may change.
template <class T, LabelsOf<T> Labels::*loops>
void bind_type(nb::module_ &module) {
    const auto mark = [](Column<T> values, std::int64_t low, Array<std::uint8_t, 1> seen) {
        const Index n = length(values, 0), step = values.stride(0), span = length(seen, 0);
        bool is_within;
        {
            nb::gil_scoped_release unlocked;
            is_within = (active->labels.*loops).mark(values.data(), step, n, low, span, seen.data());
        }
        require(is_within, "mark_labels: values are not within the span of seen");
    };
    const auto place = [](Column<T> values, std::int64_t low, Integers places, Array<std::int32_t, 1> codes) {
        const Index n = length(values, 0), step = values.stride(0), span = length(places, 0);
        require(length(codes, 0) == n, "place_labels: values and codes differ in length");
        bool is_within;
        {
            nb::gil_scoped_release unlocked;
            is_within = (active->labels.*loops)
                            .place(values.data(), step, n, low, span, places.data(), codes.data());
        }
        require(is_within, "place_labels: values are not within the span of places");
    };
    module.def("mark_labels", mark, nb::arg("values").noconvert(), nb::arg("low"), nb::arg("seen").noconvert());
    module.def("place_labels", place, nb::arg("values").noconvert(), nb::arg("low"), nb::arg("places").noconvert(),
               nb::arg("codes").noconvert());
}

}  // namespace

void bind_labels(nb::module_ &module) {
    bind_type<std::int8_t, &Labels::bytes>(module);
    bind_type<std::int16_t, &Labels::shorts>(module);
    bind_type<std::int32_t, &Labels::integers>(module);
    bind_type<std::int64_t, &Labels::longs>(module);
}

}  // namespace skmixed
