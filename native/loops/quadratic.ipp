#include "quadratic.hpp"

namespace skmixed {
namespace SKMIXED_SWEEPS {
namespace {

constexpr Index WIDE = QUADRATIC_ROWS;

// Rows lo to lo + WIDE of a lower triangle, column by column, zero where there are none.
inline void turn(const double *triangle, Index side, Index lo, Index stop, double *turned) {
    constexpr Index TILE = 8;
    const Index height = stop - lo;
    for (Index first = 0; first < stop; first += TILE) {
        const Index end = first + TILE < stop ? first + TILE : stop;
        if (height == WIDE && end == first + TILE && end <= lo + 1) {
            for (Index t = 0; t < WIDE; ++t)
                for (Index i = 0; i < TILE; ++i) turned[(first + i) * WIDE + t] = triangle[(lo + t) * side + first + i];
            continue;
        }
        for (Index i = first; i < end; ++i)
            for (Index t = 0; t < WIDE; ++t) {
                turned[i * WIDE + t] = t < height && i <= lo + t ? triangle[(lo + t) * side + i] : 0.0;
            }
    }
}

// Numbers that stay in one register; compilers that do not guess so are told.
#if defined(__AVX__) && defined(__GNUC__)
typedef double Lanes __attribute__((vector_size(32), aligned(8), may_alias));
#elif defined(__GNUC__)
typedef double Lanes __attribute__((vector_size(16), aligned(8), may_alias));
#else
using Lanes = double;
#endif

constexpr Index REGISTERS = WIDE * sizeof(double) / sizeof(Lanes);

inline void add(const std::int32_t *columns, const double *data, Index count, const double *turned, double *sums) {
    Lanes own[REGISTERS] = {};
    for (Index i = 0; i < count; ++i) {
        const double factor = data[i];
        const Lanes *row = reinterpret_cast<const Lanes *>(turned + columns[i] * WIDE);
        for (Index k = 0; k < REGISTERS; ++k) own[k] += factor * row[k];
    }
    for (Index k = 0; k < REGISTERS; ++k) reinterpret_cast<Lanes *>(sums)[k] = own[k];
}

inline double product(const double *a, const double *b) {
    double parts[4] = {0.0, 0.0, 0.0, 0.0};
    for (Index t = 0; t < WIDE; t += 4)
        for (Index k = 0; k < 4; ++k) parts[k] += a[t + k] * b[t + k];
    return (parts[0] + parts[1]) + (parts[2] + parts[3]);
}

// Columns of a level increase: those before the rows that have been reached come first, and `reached` counts them.
void of_inverse(const Coupling &C, Index low, Index high, const double *inverse, Index side, double *scratch,
                std::int32_t *reached, double *out) {
    double *turned = scratch, *sums = scratch + side * WIDE;
    for (Index k = 0; k < C.q * (C.q + 1) / 2; ++k)
        for (Index level = low; level < high; ++level) out[k * C.levels + level] = 0.0;
    for (Index level = low; level < high; ++level) reached[level] = C.indptr[level];
    for (Index lo = 0; lo < side; lo += WIDE) {
        const Index stop = lo + WIDE < side ? lo + WIDE : side;
        turn(inverse, side, lo, stop, turned);
        for (Index level = low; level < high; ++level) {
            const Index first = C.indptr[level], end = C.indptr[level + 1];
            Index next = reached[level];
            while (next < end && C.columns[next] < stop) ++next;
            reached[level] = static_cast<std::int32_t>(next);
            if (next == first) continue;
            for (Index r = 0; r < C.q; ++r) {
                add(C.columns + first, C.data + r * C.entries + first, next - first, turned, sums + r * WIDE);
                for (Index c = 0; c <= r; ++c)
                    out[packed(r, c) * C.levels + level] += product(sums + r * WIDE, sums + c * WIDE);
            }
        }
    }
}

constexpr Quadratic quadratic_loops{of_inverse};

}  // namespace
}  // namespace SKMIXED_SWEEPS
}  // namespace skmixed
