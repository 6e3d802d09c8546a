#include "products.hpp"

namespace skmixed {
namespace SKMIXED_SWEEPS {
namespace {
namespace products {

constexpr Index BLOCK = 256;          // rows whose columns stay in the fastest cache
constexpr Index LANES = 8;            // partial sums of a product
constexpr Index ROWS_PER_SUM = 8192;  // rows that few levels sum before their sums are added to those so far
constexpr Index FEW = ROWS_PER_SUM / 4;
constexpr Index CACHED = 1 << 16;  // numbers that need no fetching
constexpr Index LINE = 8;          // numbers that are fetched at once

void fill(const Recipe &recipe, Index column, const TableRows &rows, Index first, Index count, double *out) {
    const double shift = recipe.shifts[column], scale = recipe.scales[column];
    if (recipe.sources[column] < 0) {
        for (Index i = 0; i < count; ++i) out[i] = 1.0 / scale;
        return;
    }
    const Index step = rows.row_stride;
    const double *source = rows.X + recipe.sources[column] * rows.column_stride + first * step;
    if (step == 1)
        for (Index i = 0; i < count; ++i) out[i] = (source[i] - shift) / scale;
    else
        for (Index i = 0; i < count; ++i) out[i] = (source[i * step] - shift) / scale;
}

// out = sum of columns times factors; columns are BLOCK apart, factors step
void combine(const double *columns, const double *factors, Index step, Index terms, Index count, double *out) {
    for (Index i = 0; i < count; ++i) out[i] = 0.0;
    for (Index t = 0; t < terms; ++t) {
        const double factor = factors[t * step];
        const double *column = columns + t * BLOCK;
        for (Index i = 0; i < count; ++i) out[i] += factor * column[i];
    }
}

// The columns of some rows, each BLOCK long.
void make_pool(const Recipe &recipe, const TableRows &rows, Index first, Index count, double *raw, double *pool) {
    const Index v = recipe.varying, p = recipe.fixed;
    for (Index k = 0; k < v; ++k) fill(recipe, k, rows, first, count, pool + k * BLOCK);
    for (Index k = 0; k < p; ++k) fill(recipe, v + k, rows, first, count, raw + k * BLOCK);
    double *mixed = pool + v * BLOCK, *response = mixed + p * BLOCK;
    for (Index k = 0; k < p; ++k) combine(raw, recipe.mixing + k, p, k + 1, count, mixed + k * BLOCK);
    combine(mixed, recipe.pilot, 1, p, count, response);
    for (Index i = 0; i < count; ++i) {
        double y = rows.y[(first + i) * rows.y_stride];
        if (rows.offset) y -= rows.offset[(first + i) * rows.offset_stride];
        response[i] = (y - response[i]) / recipe.y_scale;
    }
}

// Products of a column with some others, BLOCK apart
template <Index OTHERS>
void dots(const double *own, const double *others, Index count, double *out) {
    double sums[OTHERS][LANES] = {};
    Index i = 0;
    for (; i + LANES <= count; i += LANES)
        for (Index k = 0; k < OTHERS; ++k)
            for (Index l = 0; l < LANES; ++l) sums[k][l] += own[i + l] * others[k * BLOCK + i + l];
    for (Index k = 0; k < OTHERS; ++k) {
        double rest = 0.0;
        for (Index j = i; j < count; ++j) rest += own[j] * others[k * BLOCK + j];
        const double *s = sums[k];
        out[k] = (((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))) + rest;
    }
}

// total += value, what rounding takes going to lost
inline void add_exactly(double value, double &total, double &lost) {
    const double sum = total + value, other = sum - total;
    lost += (total - (sum - other)) + (value - other);
    total = sum;
}

struct Totals {
    double *gram, *lost;  // (width, width), lower triangles
};

void add_gram(const double *pool, Index width, const double *weights, Index count, double *scratch, Totals totals) {
    for (Index a = 0; a < width; ++a) {
        const double *own = pool + a * BLOCK;
        if (weights) {
            for (Index i = 0; i < count; ++i) scratch[i] = weights[i] * own[i];
            own = scratch;
        }
        double found[4];
        for (Index b = 0; b <= a; b += 4) {
            const Index others = a + 1 - b < 4 ? a + 1 - b : 4;
            const double *first = pool + b * BLOCK;
            if (others == 4) dots<4>(own, first, count, found);
            if (others == 3) dots<3>(own, first, count, found);
            if (others == 2) dots<2>(own, first, count, found);
            if (others == 1) dots<1>(own, first, count, found);
            for (Index k = 0; k < others; ++k)
                add_exactly(found[k], totals.gram[a * width + b + k], totals.lost[a * width + b + k]);
        }
    }
}

template <Index WIDTH>
void add_levels(const FactorLevels &own, Index first, Index count, Index all, const double *z, const double *table,
                Index summed, double *sums) {
    const Index width = WIDTH ? WIDTH : summed, effects = own.effects, size = effects * width;
    const std::int32_t *codes = own.codes + first;
    const bool is_far = own.levels * size > CACHED;
    const Index ahead = all - first - AHEAD;  // rows whose successors there are
    for (Index i = 0; i < count; ++i) {
        if (is_far && i < ahead) {
            const double *next = sums + codes[i + AHEAD] * size;
            for (Index k = 0; k < size; k += LINE) fetch(next + k);
            fetch(next + size - 1);
        }
        const double *row = table + i * width;
        double *sum = sums + codes[i] * size;
        for (Index r = 0; r < effects; ++r) {
            const double value = z[own.columns[r] * BLOCK + i];
            for (Index c = 0; c < width; ++c) sum[r * width + c] += value * row[c];
        }
    }
}

using AddLevels = void (*)(const FactorLevels &, Index, Index, Index, const double *, const double *, Index, double *);

constexpr AddLevels add_levels_of[] = {add_levels<0>, add_levels<1>, add_levels<2>, add_levels<3>, add_levels<4>,
                                       add_levels<5>, add_levels<6>, add_levels<7>, add_levels<8>};

inline bool has_own_sums(const FactorLevels &own) { return own.levels <= FEW; }

inline Index size_of(const FactorLevels &own, Index summed) { return own.levels * own.effects * summed; }

// Sums of some rows are added to those of the rows before them.
void hand_over(const FactorLevels &own, Index summed, double *part) {
    for (Index k = 0, size = size_of(own, summed); k < size; ++k) {
        own.sums[k] += part[k];
        part[k] = 0.0;
    }
}

Index scratch_size(const Recipe &recipe, Index summed, const FactorLevels *factors, Index count) {
    const Index columns = recipe.width() + recipe.fixed + recipe.varying + summed + 2;
    Index size = columns * BLOCK + 2 * recipe.width() * recipe.width();
    for (Index f = 0; f < count; ++f)
        if (has_own_sums(factors[f])) size += size_of(factors[f], summed);
    return size;
}

// The room of one pass.
struct Room {
    double *pool, *raw, *weighted, *table, *weights, *spare, *gram, *lost, *parts;

    Room(const Recipe &recipe, Index summed, double *scratch) {
        pool = scratch;
        raw = pool + recipe.width() * BLOCK;
        weighted = raw + recipe.fixed * BLOCK;
        table = weighted + recipe.varying * BLOCK;
        weights = table + summed * BLOCK;
        spare = weights + BLOCK;
        gram = spare + BLOCK;
        lost = gram + recipe.width() * recipe.width();
        parts = lost + recipe.width() * recipe.width();
    }
};

// Weights of a block, and the varying columns times them; null and the columns themselves where all are one
const double *weigh(const Recipe &recipe, const TableRows &rows, Index first, Index count, const Room &room) {
    if (!rows.weights) return room.pool;
    for (Index i = 0; i < count; ++i) room.weights[i] = rows.weights[(first + i) * rows.weight_stride];
    for (Index k = 0; k < recipe.varying * BLOCK; k += BLOCK)
        for (Index i = 0; i < count; ++i) room.weighted[k + i] = room.weights[i] * room.pool[k + i];
    return room.weighted;
}

void add(const Recipe &recipe, const TableRows &rows, const std::int32_t *kept, Index summed,
                  const FactorLevels *factors, Index count, double *gram, double *scratch) {
    const Index width = recipe.width();
    for (Index k = 0, size = scratch_size(recipe, summed, factors, count); k < size; ++k) scratch[k] = 0.0;
    const Room room(recipe, summed, scratch);
    for (Index first = 0; first < rows.n; first += BLOCK) {
        const Index block = rows.n - first < BLOCK ? rows.n - first : BLOCK;
        make_pool(recipe, rows, first, block, room.raw, room.pool);
        const double *z = weigh(recipe, rows, first, block, room);
        add_gram(room.pool, width, rows.weights ? room.weights : nullptr, block, room.spare, {room.gram, room.lost});
        for (Index c = 0; c < summed; ++c)
            for (Index i = 0; i < block; ++i) room.table[i * summed + c] = room.pool[kept[c] * BLOCK + i];
        const bool is_last = first + BLOCK >= rows.n || (first / BLOCK + 1) % (ROWS_PER_SUM / BLOCK) == 0;
        double *part = room.parts;
        for (Index f = 0; f < count; ++f) {
            const FactorLevels &own = factors[f];
            double *sums = has_own_sums(own) ? part : own.sums;
            add_levels_of[summed <= 8 ? summed : 0](own, first, block, rows.n, z, room.table, summed, sums);
            if (!has_own_sums(own)) continue;
            if (is_last) hand_over(own, summed, part);
            part += size_of(own, summed);
        }
    }
    for (Index a = 0; a < width; ++a) {
        for (Index b = 0; b <= a; ++b) {
            const double total = room.gram[a * width + b] + room.lost[a * width + b];
            gram[a * width + b] += total;
            if (b < a) gram[b * width + a] += total;
        }
    }
}

void spread(const double *sums, Index levels, Index effects, Index summed, const std::int32_t *from,
                     const double *times, Index columns, double *out) {
    constexpr Index TILE = 64;
    for (Index first = 0; first < levels; first += TILE) {
        const Index stop = first + TILE < levels ? first + TILE : levels;
        for (Index r = 0; r < effects; ++r) {
            for (Index c = 0; c < columns; ++c) {
                const double *source = sums + r * summed + from[c];
                double *target = out + (r * columns + c) * levels;
                const Index step = effects * summed;
                for (Index l = first; l < stop; ++l) target[l] = times[c] * source[l * step];
            }
        }
    }
}

}  // namespace products

constexpr Products products_loops{products::scratch_size, products::add, products::spread};

}  // namespace
}  // namespace SKMIXED_SWEEPS
}  // namespace skmixed
