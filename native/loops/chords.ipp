#pragma once

#include "chords.hpp"
#include "crossed.ipp"

namespace skmixed {
namespace SKMIXED_SWEEPS {
namespace {

// In eight sums, whatever the instructions
inline double dot(const double *SKMIXED_RESTRICT left, const double *SKMIXED_RESTRICT right, Index count) {
    double sums[8] = {};
    Index i = 0;
    for (; i + 8 <= count; i += 8)
        for (Index k = 0; k < 8; ++k) sums[k] += left[i + k] * right[i + k];
    for (; i < count; ++i) sums[0] += left[i] * right[i];
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

// x in place: (LL')^-1 x
inline void solve_triangles(const double *L, Index side, double *SKMIXED_RESTRICT x) {
    for (Index j = 0; j < side; ++j) x[j] = (x[j] - dot(L + j * side, x, j)) / L[j * side + j];
    for (Index j = side; j-- > 0;) {
        const double *SKMIXED_RESTRICT row = L + j * side;
        const double own = x[j] / row[j];
        x[j] = own;
        for (Index i = 0; i < j; ++i) x[i] -= row[i] * own;
    }
}

// An effect of a factor in vectors of all levels, and matrices of the factor
struct Place {
    Index q, levels, first_effect, matrix;
};

template <class Visit>
inline void for_factors(const Grouped &rows, Visit visit) {
    Index effect = 0, matrix = 0;
    for (Index f = 0; f < rows.factors; ++f) {
        const Index q = rows.sizes[f];
        visit(f, Place{q, rows.levels[f], effect, matrix});
        effect += q * rows.levels[f];
        matrix += q * q;
    }
}

inline Place place_of(const Grouped &rows, Index factor) {
    Place found{};
    for_factors(rows, [&](Index f, Place at) {
        if (f == factor) found = at;
    });
    return found;
}

// entry r of S v of a level, v and S being those of all levels; S packed
inline double symmetric_row(const double *S, const double *v, Index r, Index level, const Place &at) {
    double sum = 0.0;
    for (Index k = 0; k < at.q; ++k) {
        const Index entry = r >= k ? triangle(r) + k : triangle(k) + r;
        sum += S[entry * at.levels + level] * v[k * at.levels + level];
    }
    return sum;
}

// The stage's part of the right-hand sides of the dense block
inline void reduce_stage(const Eliminated &E, const Place &at, const double *g, double *later) {
    for (Index level = 0; level < at.levels; ++level)
        for (Index r = 0; r < at.q; ++r) {
            const double taken = symmetric_row(E.M, g + at.first_effect, r, level, at);
            const double *C = E.C + r * E.entries;
            for (Index i = E.indptr[level]; i < E.indptr[level + 1]; ++i) later[E.columns[i]] -= C[i] * taken;
        }
}

// Steps of the effects in the dense block, and these effects; rhs is overwritten
inline void solve_dense(const Grouped &rows, const Eliminated &E, const double *g, double *rhs, double *known,
                        double *step) {
    for_factors(rows, [&](Index f, Place at) {
        if (f == E.stage) return;
        const double *R = E.roots + at.matrix;
        for (Index level = 0; level < at.levels; ++level) {
            double *own = rhs + E.first[f] + level * at.q;
            for (Index r = 0; r < at.q; ++r) own[r] += g[at.first_effect + r * at.levels + level];
            double *scaled = known + E.first[f] + level * at.q;
            for (Index r = 0; r < at.q; ++r) {
                scaled[r] = 0.0;
                for (Index k = 0; k < at.q; ++k) scaled[r] += R[k * at.q + r] * own[k];
            }
        }
    });
    for (Index i = 0; i < E.side; ++i) rhs[i] = known[i];
    solve_triangles(E.L, E.side, rhs);
    for_factors(rows, [&](Index f, Place at) {
        if (f == E.stage) return;
        const double *R = E.roots + at.matrix, *inverse = E.inverse_roots + at.matrix;
        for (Index level = 0; level < at.levels; ++level) {
            const double *own = rhs + E.first[f] + level * at.q;
            for (Index r = 0; r < at.q; ++r) {
                double effect = 0.0, sum = 0.0;
                for (Index k = 0; k < at.q; ++k) {
                    effect += R[r * at.q + k] * own[k];
                    sum += inverse[k * at.q + r] * own[k];
                }
                known[E.first[f] + level * at.q + r] = effect;
                step[at.first_effect + r * at.levels + level] = sum;
            }
        }
    });
}

// Steps of the stage from the effects of the dense block; `rest` holds g at first
inline void solve_stage(const Eliminated &E, const Place &at, const double *known, double *rest, double *effects,
                        double *step) {
    for (Index level = 0; level < at.levels; ++level) {
        for (Index r = 0; r < at.q; ++r) {
            const double *C = E.C + r * E.entries;
            double shared = 0.0;
            for (Index i = E.indptr[level]; i < E.indptr[level + 1]; ++i) shared += C[i] * known[E.columns[i]];
            rest[at.first_effect + r * at.levels + level] -= shared;
        }
        for (Index r = 0; r < at.q; ++r)
            effects[r * at.levels + level] = symmetric_row(E.M, rest + at.first_effect, r, level, at);
        for (Index r = 0; r < at.q; ++r) {
            const Index own = at.first_effect + r * at.levels + level;
            step[own] = rest[own] - symmetric_row(E.A, effects, r, level, at);
        }
    }
}

// out = T v of every level
inline void times_T(const Grouped &rows, const double *T, const double *v, double *out) {
    for_factors(rows, [&](Index, Place at) {
        for (Index r = 0; r < at.q; ++r) {
            double *own = out + at.first_effect + r * at.levels;
            clear(own, at.levels);
            for (Index k = 0; k < at.q; ++k) {
                const double factor = T[at.matrix + r * at.q + k], *part = v + at.first_effect + k * at.levels;
                for (Index level = 0; level < at.levels; ++level) own[level] += factor * part[level];
            }
        }
    });
}

// The largest decrement of a level; where one is not a number, the deviance is none either, which ends the steps
inline double largest_decrement(const Grouped &rows, const double *left, const double *g) {
    double largest = 0.0;
    for_factors(rows, [&](Index, Place at) {
        for (Index level = 0; level < at.levels; ++level) {
            double sum = 0.0;
            for (Index r = 0; r < at.q; ++r) {
                const Index own = at.first_effect + r * at.levels + level;
                sum += left[own] * g[own];
            }
            if (!(sum <= largest)) largest = sum;
        }
    });
    return largest;
}

Ending chords_search(const Grouped &rows, const Eliminated &E, const double *T, const double *fixed,
                     const double *y, PerRow m, const Rules &rules, bool is_fresh, double *scratch, Standing &at) {
    const Index effects = size_of_effects(rows);
    const Place stage = place_of(rows, E.stage);
    double *step = scratch, *b = step + effects, *g = b + effects, *rhs = g + effects, *known = rhs + E.side;
    double last = 0.0;
    for (Index k = 0; k < rules.steps; ++k, is_fresh = false) {
        for (Index i = 0; i < effects; ++i) g[i] = at.scores[i] - at.c[i];
        clear(rhs, E.side);
        reduce_stage(E, stage, g, rhs);
        solve_dense(rows, E, g, rhs, known, step);
        solve_stage(E, stage, known, g, b, step);
        for (Index i = 0; i < effects; ++i) g[i] = at.scores[i] - at.c[i];
        times_T(rows, T, step, b);
        const double decrement = largest_decrement(rows, b, g);
        if (k > 0 && !(decrement <= rules.reuse * last)) return TOO_OLD;
        for (Index i = 0; i < effects; ++i) step[i] += at.c[i];
        times_T(rows, T, step, b);
        double penalty = 0.0;
        for (Index i = 0; i < effects; ++i) penalty += b[i] * step[i];
        const double loglik = crossed_sweep(rows, fixed, b, y, m, at.eta, at.mean, at.weight, at.scores);
        const double penalised = penalty - 2.0 * loglik;
        const double size = at.penalised < 0.0 ? -at.penalised : at.penalised;
        if (!(penalised <= at.penalised + rules.rounding * size + rules.least_rounding)) return UPHILL;
        for (Index i = 0; i < effects; ++i) at.c[i] = step[i];
        at.penalised = penalised;
        ++at.steps;
        if (decrement < (is_fresh ? rules.fresh_tolerance : rules.tolerance)) return FOUND;
        last = decrement;
    }
    return TOO_OLD;
}

constexpr Chords chords_loops{chords_search};

}  // namespace
}  // namespace SKMIXED_SWEEPS
}  // namespace skmixed
