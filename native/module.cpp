// What Python sees: types, shapes and indices of all arguments are checked in the bindings, and the interpreter's lock is let go.
#include <string>

#include "bindings/bindings.hpp"
#include "bindings/checks.hpp"

#if defined(_MSC_VER)
#include <windows.h>
#endif

namespace skmixed {

const Sweeps *active = &baseline;

namespace {

// Raised by Python's side where the module is not the one that its sources would make.
constexpr int INTERFACE = 3;

bool has_avx2() {
#if defined(_MSC_VER) && defined(_M_X64)
    return avx2 && IsProcessorFeaturePresent(PF_AVX2_INSTRUCTIONS_AVAILABLE);
#elif defined(__x86_64__)
    return avx2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

const char *use(const std::string &name) {
    if (name == "baseline")
        active = &baseline;
    else if (name == "best")
        active = has_avx2() ? avx2 : &baseline;
    else
        throw nb::value_error("use: \"best\" or \"baseline\"");
    return active->name;
}

}  // namespace
}  // namespace skmixed

NB_MODULE(_native, module) {
    using namespace skmixed;
    module.attr("INTERFACE") = INTERFACE;
    define(module, "use", [](nb::str name) { return use(name.c_str()); }, "name");
    bind_laplace(module);
    bind_labels(module);
    bind_chords(module);
    bind_crossed(module);
    bind_levels(module);
    bind_level_sums(module);
    bind_quadrature(module);
    bind_rows(module);
    bind_products(module);
    bind_dense(module);
    bind_schur(module);
    bind_stages(module);
    bind_search(module);
}
