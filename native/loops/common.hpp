// What all loops share.
#pragma once

#include <cstddef>
#include <cstdint>

namespace skmixed {

using Index = std::ptrdiff_t;

}  // namespace skmixed
