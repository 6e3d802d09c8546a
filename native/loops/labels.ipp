#include "labels.hpp"

namespace skmixed {
namespace SKMIXED_SWEEPS {
namespace {
namespace labels {

// Without overflow, whatever value and low are: those below are larger than any span.
template <class T>
inline std::uint64_t distance(T value, std::int64_t low) {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(value)) - static_cast<std::uint64_t>(low);
}

template <class T>
bool mark(const T *values, Index step, Index n, std::int64_t low, Index span, std::uint8_t *seen) {
    for (Index i = 0; i < n; ++i) {
        const std::uint64_t place = distance(values[i * step], low);
        if (place >= static_cast<std::uint64_t>(span)) return false;
        seen[place] = 1;
    }
    return true;
}

template <class T>
bool place(const T *values, Index step, Index n, std::int64_t low, Index span, const std::int32_t *places,
           std::int32_t *codes) {
    for (Index i = 0; i < n; ++i) {
        const std::uint64_t place = distance(values[i * step], low);
        if (place >= static_cast<std::uint64_t>(span)) return false;
        codes[i] = places[place];
    }
    return true;
}

}  // namespace labels

constexpr Labels labels_loops{{labels::mark<std::int8_t>, labels::place<std::int8_t>},
                              {labels::mark<std::int16_t>, labels::place<std::int16_t>},
                              {labels::mark<std::int32_t>, labels::place<std::int32_t>},
                              {labels::mark<std::int64_t>, labels::place<std::int64_t>}};

}  // namespace
}  // namespace SKMIXED_SWEEPS
}  // namespace skmixed
