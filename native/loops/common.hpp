// What all loops share.
#pragma once

#include <cstddef>
#include <cstdint>

// What a pointer leads to is reached by no other: loops are vectorised without asking.
#if defined(_MSC_VER)
#define SKMIXED_RESTRICT __restrict
#else
#define SKMIXED_RESTRICT __restrict__
#endif

namespace skmixed {

using Index = std::ptrdiff_t;

constexpr Index MOST_EFFECTS = 4;  // of a level, beyond which numpy does the work

}  // namespace skmixed
