// Compiled for processors that have AVX2 and FMA: module.cpp asks the processor first.
#include "sweeps.hpp"

#if defined(__AVX2__)
#define SKMIXED_SWEEPS avx2_sweeps
#include "sweeps.ipp"

namespace skmixed {
static constexpr Sweeps with_avx2 = avx2_sweeps::table("avx2");
extern const Sweeps *const avx2;
const Sweeps *const avx2 = &with_avx2;
}
#else
namespace skmixed {
extern const Sweeps *const avx2;
const Sweeps *const avx2 = nullptr;
}
#endif
