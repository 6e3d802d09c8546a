#include "schur.hpp"

#include <limits>

namespace skmixed {
namespace SKMIXED_SWEEPS {
namespace {

inline Index packed(Index r, Index c) { return r >= c ? r * (r + 1) / 2 + c : c * (c + 1) / 2 + r; }

// Level by level, where the entries (i, j <= i) of a row are.
struct DenseRows {
    const Coupling &C;
    Dense S;

    Index level(Index t) const { return t; }

    struct Row {
        double *values;
        const std::int32_t *columns;
        double &operator[](Index j) const { return values[columns[j]]; }
    };

    Row row(Index first, Index i, Index &) const {
        const std::int32_t *columns = C.columns + first;
        return {S.values + static_cast<Index>(columns[i]) * S.side, columns};
    }
};

struct PlacedRows {
    const Coupling &C;
    Placed S;

    Index level(Index t) const { return S.order[t]; }

    struct Row {
        double *values;
        const std::int64_t *positions;
        double &operator[](Index j) const { return values[positions[j]]; }
    };

    Row row(Index, Index i, Index &pair) const {
        const std::int64_t *positions = S.positions + pair;
        pair += i + 1;
        return {S.values, positions};
    }
};

// MC of one level, (q, count)
inline void multiply(const Coupling &C, const double *M, Index level, Index first, Index count, double *MC) {
    for (Index r = 0; r < C.q; ++r) {
        for (Index j = 0; j < count; ++j) MC[r * count + j] = 0.0;
        for (Index c = 0; c < C.q; ++c) {
            const double factor = M[packed(r, c) * C.levels + level];
            const double *row = C.data + c * C.entries + first;
            for (Index j = 0; j < count; ++j) MC[r * count + j] += factor * row[j];
        }
    }
}

// In the rows of S from low to high.
template <class Rows>
void subtract(const Coupling &C, const double *M, Rows S, Index low, Index high, double *MC) {
    Index pair = 0;
    for (Index t = 0; t < C.levels; ++t) {
        const Index level = S.level(t), first = C.indptr[level], count = C.indptr[level + 1] - first;
        multiply(C, M, level, first, count, MC);
        for (Index i = 0; i < count && C.columns[first + i] < high; ++i) {
            if (C.columns[first + i] < low) continue;
            const auto row = S.row(first, i, pair);
            if (C.q == 1) {
                const double own = C.data[first + i];
                for (Index j = 0; j <= i; ++j) row[j] -= own * MC[j];
                continue;
            }
            for (Index j = 0; j <= i; ++j) {
                double sum = 0.0;
                for (Index r = 0; r < C.q; ++r) sum += C.data[r * C.entries + first + i] * MC[r * count + j];
                row[j] -= sum;
            }
        }
    }
}

// C S of one level into CS, whose rows are step apart
template <class Rows>
void level_product(const Coupling &C, Rows S, Index first, Index count, Index &pair, double *CS, Index step) {
    for (Index r = 0; r < C.q; ++r)
        for (Index j = 0; j < count; ++j) CS[r * step + j] = 0.0;
    for (Index i = 0; i < count; ++i) {
        const auto row = S.row(first, i, pair);
        for (Index r = 0; r < C.q; ++r) {
            const double *data = C.data + r * C.entries + first;
            double *out = CS + r * step;
            const double own = data[i];
            double sum = 0.0;
            for (Index j = 0; j < i; ++j) {
                const double shared = row[j];
                sum += shared * data[j];
                out[j] += shared * own;
            }
            out[i] += sum + row[i] * own;
        }
    }
}

template <class Rows>
void spread(const Coupling &C, Rows S, double *out) {
    Index pair = 0;
    for (Index t = 0; t < C.levels; ++t) {
        const Index level = S.level(t), first = C.indptr[level], count = C.indptr[level + 1] - first;
        level_product(C, S, first, count, pair, out + first, C.entries);
    }
}

template <class Rows>
void gather(const Coupling &C, Rows S, double *CS, double *out) {
    Index pair = 0;
    for (Index t = 0; t < C.levels; ++t) {
        const Index level = S.level(t), first = C.indptr[level], count = C.indptr[level + 1] - first;
        level_product(C, S, first, count, pair, CS, count);
        for (Index r = 0; r < C.q; ++r) {
            for (Index c = 0; c <= r; ++c) {
                double sum = 0.0;
                for (Index i = 0; i < count; ++i) sum += CS[r * count + i] * C.data[c * C.entries + first + i];
                out[packed(r, c) * C.levels + level] = sum;
            }
        }
    }
}

constexpr Index EVERY = std::numeric_limits<std::int32_t>::max();

void subtract_dense(const Coupling &C, const double *M, Dense S, Index low, Index high, double *scratch) {
    subtract(C, M, DenseRows{C, S}, low, high, scratch);
}
void subtract_placed(const Coupling &C, const double *M, Placed S, double *scratch) {
    subtract(C, M, PlacedRows{C, S}, 0, EVERY, scratch);
}
void spread_dense(const Coupling &C, Dense S, double *out) { spread(C, DenseRows{C, S}, out); }
void spread_placed(const Coupling &C, Placed S, double *out) { spread(C, PlacedRows{C, S}, out); }
void gather_dense(const Coupling &C, Dense S, double *scratch, double *out) { gather(C, DenseRows{C, S}, scratch, out); }
void gather_placed(const Coupling &C, Placed S, double *scratch, double *out) {
    gather(C, PlacedRows{C, S}, scratch, out);
}

constexpr Schur schur_loops{subtract_dense, subtract_placed, spread_dense, spread_placed, gather_dense, gather_placed};

}  // namespace
}  // namespace SKMIXED_SWEEPS
}  // namespace skmixed
