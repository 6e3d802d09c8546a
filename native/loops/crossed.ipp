// Some rows at a time, so that what is computed of them stays near.
#pragma once

#include "crossed.hpp"
#include "rows.ipp"

namespace skmixed {
namespace SKMIXED_SWEEPS {
namespace {

constexpr Index CHUNK = 512;

struct Chunk {
    Index first, count;
};

template <class Visit>
inline void in_chunks(Index rows, Visit visit) {
    for (Index first = 0; first < rows; first += CHUNK) visit(Chunk{first, rows - first < CHUNK ? rows - first : CHUNK});
}

inline Index triangle(Index q) { return q * (q + 1) / 2; }

// The column of an effect; null for ones
inline const double *column_of(const Grouped &rows, Index effect, Chunk at) {
    return rows.columns[effect] < 0 ? nullptr : rows.z + rows.columns[effect] * rows.rows + at.first;
}

inline const double *times(const double *SKMIXED_RESTRICT column, const double *SKMIXED_RESTRICT values, Index count,
                           double *SKMIXED_RESTRICT out) {
    if (!column) return values;
    for (Index i = 0; i < count; ++i) out[i] = column[i] * values[i];
    return out;
}

// out[i] += factor column[i] table[code_i]
inline void add_taken(const std::int32_t *SKMIXED_RESTRICT codes, const double *SKMIXED_RESTRICT table, double factor,
                      const double *column, const double *other, Index count, double *SKMIXED_RESTRICT out) {
    if (column && other)
        for (Index i = 0; i < count; ++i) out[i] += factor * table[codes[i]] * column[i] * other[i];
    else if (column || other) {
        const double *SKMIXED_RESTRICT one = column ? column : other;
        for (Index i = 0; i < count; ++i) out[i] += factor * table[codes[i]] * one[i];
    } else
        for (Index i = 0; i < count; ++i) out[i] += factor * table[codes[i]];
}

// sums[code_i] += values[i]
inline void add_at(const std::int32_t *codes, const double *values, Index count, double *sums) {
    for (Index i = 0; i < count; ++i) sums[codes[i]] += values[i];
}

inline void clear(double *values, Index size) {
    for (Index i = 0; i < size; ++i) values[i] = 0.0;
}

inline Index size_of_effects(const Grouped &rows) {
    Index size = 0;
    for (Index f = 0; f < rows.factors; ++f) size += Index(rows.sizes[f]) * rows.levels[f];
    return size;
}

inline Index size_of_blocks(const Grouped &rows) {
    Index size = 0;
    for (Index f = 0; f < rows.factors; ++f) size += triangle(rows.sizes[f]) * rows.levels[f];
    return size;
}

inline Index size_of_pairs(const Grouped &rows, const Met &met) {
    Index size = 0, t = 0;
    for (Index f = 0; f < rows.factors; ++f)
        for (Index g = f + 1; g < rows.factors; ++g) size += Index(rows.sizes[f]) * rows.sizes[g] * met.counts[t++];
    return size;
}

inline void add_spread(const Grouped &rows, const double *b, Chunk at, double *out) {
    Index effect = 0;
    for (Index f = 0; f < rows.factors; ++f)
        for (Index r = 0; r < rows.sizes[f]; ++r, ++effect, b += rows.levels[f])
            add_taken(rows.codes + f * rows.rows + at.first, b, 1.0, column_of(rows, effect, at), nullptr, at.count,
                      out);
}

inline void add_gathered(const Grouped &rows, const double *values, Chunk at, double *sums) {
    double scratch[CHUNK];
    Index effect = 0;
    for (Index f = 0; f < rows.factors; ++f)
        for (Index r = 0; r < rows.sizes[f]; ++r, ++effect, sums += rows.levels[f])
            add_at(rows.codes + f * rows.rows + at.first, times(column_of(rows, effect, at), values, at.count, scratch),
                   at.count, sums);
}

// The log-likelihood in four sums, whatever the instructions
inline double logistic(Index count, const double *SKMIXED_RESTRICT eta, const double *SKMIXED_RESTRICT y,
                       const double *SKMIXED_RESTRICT m, Index step, double *SKMIXED_RESTRICT mean,
                       double *SKMIXED_RESTRICT weight, double *SKMIXED_RESTRICT score) {
    double loglik[CHUNK];
    for (Index i = 0; i < count; ++i) {
        const LogitRow row = logit_row(eta[i], y[i]);
        loglik[i] = row.loglik;
        mean[i] = row.mean;
        weight[i] = row.variance;
        score[i] = y[i] - row.mean;
    }
    if (step || m[0] != 1.0)
        for (Index i = 0; i < count; ++i) {
            const double own = m[i * step];
            loglik[i] *= own;
            weight[i] *= own;
            score[i] *= own;
        }
    double sums[4] = {0.0, 0.0, 0.0, 0.0};
    Index i = 0;
    for (; i + 4 <= count; i += 4)
        for (Index k = 0; k < 4; ++k) sums[k] += loglik[i + k];
    for (; i < count; ++i) sums[0] += loglik[i];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

double crossed_sweep(const Grouped &rows, const double *fixed, const double *b, const double *y, PerRow m, double *eta,
                     double *mean, double *weight, double *scores) {
    clear(scores, size_of_effects(rows));
    double loglik = 0.0;
    in_chunks(rows.rows, [&](Chunk at) {
        double score[CHUNK];
        double *own = eta + at.first;
        for (Index i = 0; i < at.count; ++i) own[i] = fixed[at.first + i];
        add_spread(rows, b, at, own);
        loglik += logistic(at.count, own, y + at.first, m.values + at.first * m.step, m.step, mean + at.first,
                           weight + at.first, score);
        add_gathered(rows, score, at, scores);
    });
    return loglik;
}

// Sums of products of two columns by level
inline void add_products(const std::int32_t *codes, const double *left, const double *right, const double *weight,
                         Index count, double *sums) {
    double first[CHUNK], second[CHUNK];
    add_at(codes, times(right, times(left, weight, count, first), count, second), count, sums);
}

void crossed_weigh(const Grouped &rows, const Met &met, const double *weight, double *blocks, double *pairs) {
    clear(blocks, size_of_blocks(rows));
    clear(pairs, size_of_pairs(rows, met));
    in_chunks(rows.rows, [&](Chunk at) {
        const double *w = weight + at.first;
        double *block = blocks, *pair = pairs;
        Index first = 0, t = 0;
        for (Index f = 0; f < rows.factors; first += rows.sizes[f], ++f) {
            const std::int32_t *codes = rows.codes + f * rows.rows + at.first;
            for (Index r = 0; r < rows.sizes[f]; ++r)
                for (Index c = 0; c <= r; ++c, block += rows.levels[f])
                    add_products(codes, column_of(rows, first + r, at), column_of(rows, first + c, at), w, at.count,
                                 block);
            Index second = first + rows.sizes[f];
            for (Index g = f + 1; g < rows.factors; second += rows.sizes[g], ++g, ++t) {
                const std::int32_t *met_codes = met.codes + t * rows.rows + at.first;
                for (Index r = 0; r < rows.sizes[f]; ++r)
                    for (Index c = 0; c < rows.sizes[g]; ++c, pair += met.counts[t])
                        add_products(met_codes, column_of(rows, first + r, at), column_of(rows, second + c, at), w,
                                     at.count, pair);
            }
        }
    });
}

inline void add_forms(const Grouped &rows, const Met &met, const double *block, const double *pair, Chunk at,
                      double *out) {
    Index first = 0, t = 0;
    for (Index f = 0; f < rows.factors; first += rows.sizes[f], ++f) {
        const std::int32_t *codes = rows.codes + f * rows.rows + at.first;
        for (Index r = 0; r < rows.sizes[f]; ++r)
            for (Index c = 0; c <= r; ++c, block += rows.levels[f])
                add_taken(codes, block, r == c ? 1.0 : 2.0, column_of(rows, first + r, at),
                          column_of(rows, first + c, at), at.count, out);
        Index second = first + rows.sizes[f];
        for (Index g = f + 1; g < rows.factors; second += rows.sizes[g], ++g, ++t) {
            const std::int32_t *met_codes = met.codes + t * rows.rows + at.first;
            for (Index r = 0; r < rows.sizes[f]; ++r)
                for (Index c = 0; c < rows.sizes[g]; ++c, pair += met.counts[t])
                    add_taken(met_codes, pair, 2.0, column_of(rows, first + r, at), column_of(rows, second + c, at),
                              at.count, out);
        }
    }
}

void crossed_skewed(const Grouped &rows, const Met &met, const double *mean, const double *weight,
                    const double *blocks, const double *pairs, double *skewed, double *sums) {
    clear(sums, size_of_effects(rows));
    in_chunks(rows.rows, [&](Chunk at) {
        double *out = skewed + at.first;
        clear(out, at.count);
        add_forms(rows, met, blocks, pairs, at, out);
        for (Index i = 0; i < at.count; ++i)
            out[i] *= weight[at.first + i] * (1.0 - 2.0 * mean[at.first + i]);
        add_gathered(rows, out, at, sums);
    });
}

void crossed_spread(const Grouped &rows, const double *b, double *out) {
    in_chunks(rows.rows, [&](Chunk at) {
        clear(out + at.first, at.count);
        add_spread(rows, b, at, out + at.first);
    });
}

void crossed_gather(const Grouped &rows, const double *values, double *out) {
    clear(out, size_of_effects(rows));
    in_chunks(rows.rows, [&](Chunk at) { add_gathered(rows, values + at.first, at, out); });
}

void crossed_with_fixed(const Grouped &rows, const double *weight, const double *x, Index p, double *sums,
                        double *gram) {
    clear(sums, size_of_effects(rows) * p);
    clear(gram, p * p);
    in_chunks(rows.rows, [&](Chunk at) {
        double scratch[CHUNK];
        const double *own = x + at.first * p;
        double *out = sums;
        Index effect = 0;
        for (Index f = 0; f < rows.factors; ++f) {
            const std::int32_t *codes = rows.codes + f * rows.rows + at.first;
            for (Index r = 0; r < rows.sizes[f]; ++r, ++effect, out += Index(rows.levels[f]) * p) {
                const double *w = times(column_of(rows, effect, at), weight + at.first, at.count, scratch);
                for (Index i = 0; i < at.count; ++i)
                    for (Index j = 0; j < p; ++j) out[codes[i] * p + j] += w[i] * own[i * p + j];
            }
        }
        for (Index i = 0; i < at.count; ++i)
            for (Index j = 0; j < p; ++j) {
                const double product = weight[at.first + i] * own[i * p + j];
                for (Index k = 0; k < p; ++k) gram[j * p + k] += product * own[i * p + k];
            }
    });
}

constexpr Crossed crossed_loops{crossed_sweep,  crossed_weigh,  crossed_skewed,
                                crossed_spread, crossed_gather, crossed_with_fixed};

}  // namespace
}  // namespace SKMIXED_SWEEPS
}  // namespace skmixed
