#include "bindings.hpp"
#include "checks.hpp"

namespace skmixed {
namespace {

void level_sums(Integers codes, Vector values, Table table, Array<double, 2> out) {
    const Index n = length(codes, 0), width = length(table, 1);
    require(length(values, 0) == n && length(table, 0) == n, "level_sums: codes, values and table differ in length");
    require(length(out, 1) == width, "level_sums: table and out differ in their columns");
    require(is_within(codes, length(out, 0)), "level_sums: codes are not levels of out");
    nb::gil_scoped_release unlocked;
    active->level_sums.add(n, width, codes.data(), values.data(), table.data(), table.stride(0), table.stride(1),
                       out.data());
}

}  // namespace

void bind_level_sums(nb::module_ &module) {
    define(module, "level_sums", level_sums, "codes", "values", "table", "out");
}

}  // namespace skmixed
