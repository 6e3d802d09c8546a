// Newton steps within a trust region: skmixed/_search/minimize.py, of one covariance.
#pragma once

#include "deviance.ipp"

namespace skmixed {
namespace SKMIXED_SWEEPS {
namespace {
namespace one_factor {

constexpr double SHRINK = 0.3, GROW = 3.0, ACCEPT = 1e-3, LAST_STEP = 1e-3;
constexpr double FLAT = 1e-11, FLAT_SLOPE = 1e-7, NEARLY = 1.0 - 1e-6;
constexpr double SECULAR = 1e-12, TINY_SHIFT = 1e-150;
constexpr int MAX_SHRINKS = 40, MAX_SECULAR = 100;

// Coordinates around a point: the entries of its pivoted root, or the roots of the variances of projections.
template <Index Q>
struct Chart {
    static constexpr Index K = triangle(Q);
    const Structure &structure;
    Index count;
    double radius;
    double J[K][K];  // derivatives, packed
    const Place *here;
    Index rows[K], cols[K];
    double units[K], roots[K];

    explicit Chart(const Structure &structure) : structure(structure), count(structure.count ? structure.count : K) {}

    void around(const Place &place) {
        here = &place;
        if (structure.count)
            spectral();
        else
            entries();
    }

    void bend(const double *D, double *out) const {
        for (Index a = 0; a < count; ++a) {
            for (Index b = 0; b < count; ++b) {
                double found = 0.0;
                if (!structure.count && cols[a] == cols[b]) found = D[rows[a] * Q + rows[b]];
                if (structure.count && a == b) found = dot(structure.projections + a * Q * Q, D, Q * Q);
                out[a * count + b] = 2.0 * units[a] * units[b] * found;
            }
        }
    }

    void move(const double *step, double *T) const {
        if (structure.count) {
            for (Index i = 0; i < Q * Q; ++i) T[i] = 0.0;
            for (Index a = 0; a < count; ++a) {
                const double root = roots[a] + units[a] * step[a];
                for (Index i = 0; i < Q * Q; ++i) T[i] += root * root * structure.projections[a * Q * Q + i];
            }
            return;
        }
        double root[Q * Q];
        for (Index i = 0; i < Q * Q; ++i) root[i] = here->root[i];
        for (Index a = 0; a < count; ++a) root[rows[a] * Q + cols[a]] += units[a] * step[a];
        for (Index r = 0; r < Q; ++r)
            for (Index c = 0; c < Q; ++c) T[r * Q + c] = dot(root + r * Q, root + c * Q, Q);
    }

   private:
    void entries() {
        double sizes[Q], squares = 0.0;
        for (Index r = 0; r < Q; ++r) {
            sizes[r] = sqrt(larger(here->T[r * Q + r], 1.0));
            for (Index c = 0; c < Q; ++c) squares += here->root[r * Q + c] * here->root[r * Q + c] / (sizes[r] * sizes[r]);
        }
        radius = sqrt(squares);
        for (Index r = 0; r < Q; ++r) {
            for (Index c = 0; c <= r; ++c) {
                const Index a = at(r, c), row = here->order[r];
                rows[a] = row;
                cols[a] = c;
                units[a] = sizes[row];
                for (Index i = 0; i < Q; ++i)
                    for (Index j = 0; j <= i; ++j)
                        J[a][at(i, j)] = units[a] * ((i == row ? here->root[j * Q + c] : 0.0) +
                                                     (j == row ? here->root[i * Q + c] : 0.0));
            }
        }
    }

    void spectral() {
        double squares = 0.0;
        for (Index a = 0; a < count; ++a) {
            const double *P = structure.projections + a * Q * Q;
            double rank = 0.0;
            for (Index i = 0; i < Q; ++i) rank += P[i * Q + i];
            roots[a] = sqrt(positive(dot(P, here->T, Q * Q) / rank));
            units[a] = larger(roots[a], 1.0);
            squares += roots[a] * roots[a] / (units[a] * units[a]);
            for (Index i = 0; i < Q; ++i)
                for (Index j = 0; j <= i; ++j) J[a][at(i, j)] = 2.0 * units[a] * roots[a] * P[i * Q + j];
        }
        radius = sqrt(squares);
    }
};

// Smallest shift of the spectrum that brings the step inside the radius.
inline double multiplier(const double *values, const double *slope, Index count, double radius) {
    double shift = 0.0;
    for (Index i = 0; i < count; ++i) shift = larger(shift, larger(-values[i], fabs(slope[i]) / radius - values[i]));
    for (int turn = 0; turn < MAX_SECULAR; ++turn) {
        double squares = 0.0, change = 0.0;
        for (Index i = 0; i < count; ++i) {
            const double shifted = larger(values[i] + shift, TINY_SHIFT), step = slope[i] / shifted;
            squares += step * step;
            change += step * step / shifted;
        }
        const double length = sqrt(squares);
        if (!(length > radius * (1.0 + SECULAR))) break;
        shift += (length / radius - 1.0) / (change / squares);
    }
    return shift;
}

// Minimiser of the local model within the radius.
inline void trust_region_step(const double *pull, const double *bend, Index count, double radius, double *step) {
    double values[MOST_PARAMETERS] = {}, vectors[MOST_PARAMETERS * MOST_PARAMETERS];
    double slope[MOST_PARAMETERS], turned[MOST_PARAMETERS];
    eigen(bend, count, values, vectors);
    double largest = TINY;
    for (Index i = 0; i < count; ++i) largest = larger(largest, fabs(values[i]));
    Index lowest = 0;
    for (Index i = 0; i < count; ++i) {
        slope[i] = 0.0;
        for (Index j = 0; j < count; ++j) slope[i] += vectors[j * count + i] * pull[j];
        if (fabs(values[i]) <= FLAT * largest && fabs(slope[i]) <= FLAT_SLOPE * sqrt(largest)) {
            values[i] = largest;
            slope[i] = 0.0;
        }
        if (values[i] < values[lowest]) lowest = i;
    }
    bool is_inside = values[lowest] > 0.0;
    if (is_inside) {
        for (Index i = 0; i < count; ++i) turned[i] = -slope[i] / values[i];
        is_inside = length_of(turned, count) <= radius;
    }
    if (!is_inside) {
        const double shift = multiplier(values, slope, count, radius);
        for (Index i = 0; i < count; ++i) turned[i] = -slope[i] / ((values[i] + shift) + TINY);
        const double missing = radius * radius - dot(turned, turned, count);
        if (values[lowest] < 0.0 && missing > 1e-6 * radius * radius)
            turned[lowest] += turned[lowest] >= 0.0 ? sqrt(missing) : -sqrt(missing);
    }
    for (Index i = 0; i < count; ++i) step[i] = dot(vectors + i * count, turned, count);
}

template <Index Q>
class Newton {
    static constexpr Index K = triangle(Q);
    const OneFactor &f;
    const double tol;
    Room room;
    Deviance<Q> deviance;
    Chart<Q> chart;
    Place places[2];
    Place *here = places, *there = places + 1;
    double *pull, *bend;
    double region = 0.0;
    Minimum &out;

   public:
    Newton(const OneFactor &f, const Structure &structure, double tol, double *scratch, Minimum &out)
        : f(f), tol(tol), room(Q, f.columns, scratch), deviance(f, room), chart(structure), pull(out.pull),
          bend(out.bend), out(out) {
        room.place(places[0], f.columns);
        room.place(places[1], f.columns);
    }

    void minimize(Index max_iter) {
        for (Index i = 0; i < Q * Q; ++i) here->T[i] = out.T[i];
        deviance.evaluate(*here);
        out.evaluations = 1.0;
        out.converged = 0.0;
        out.radius = 0.0;
        for (Index i = 0; i < max_iter && goes_on(); ++i) {
        }
        for (Index i = 0; i < Q * Q; ++i) out.T[i] = here->T[i];
        const bool is_known = is_finite(here->value);
        for (Index c = 0; c + 1 < f.columns; ++c) out.beta[c] = is_known ? here->beta[c] : 0.0;
        out.value = here->value;
        out.r2 = is_known ? here->r2 : 0.0;
        out.noise = is_known ? here->noise : NEVER;
        if (here->is_degenerate) out.converged = 0.0;
    }

   private:
    // One accepted step, after which the search goes on.
    bool goes_on() {
        if (!is_finite(here->value) || here->is_degenerate) return false;
        look();
        double step[K];
        for (int trial = 0; trial < MAX_SHRINKS; ++trial) {
            trust_region_step(pull, bend, chart.count, region, step);
            const double predicted = decrease(step), length = length_of(step, chart.count);
            const double negligible = larger(tol, here->noise);
            if (predicted < negligible) {
                if (predicted < -negligible || length >= NEARLY * region) return false;
                if (predicted > LAST_STEP * tol) accepts(step, predicted, 0.0);
                out.converged = 1.0;
                return false;
            }
            if (!is_finite(predicted)) return false;
            if (accepts(step, predicted, length)) return true;
        }
        return false;
    }

    // The local model.
    void look() {
        Derivatives D;
        deviance.differentiate(*here, D);
        chart.around(*here);
        out.radius = chart.radius;
        if (region == 0.0) region = larger(1.0, chart.radius);
        const Index count = chart.count;
        double turned[K * K];
        chart.bend(D.gradient, bend);
        for (Index a = 0; a < count; ++a) {
            pull[a] = dot(chart.J[a], D.slope, K);
            for (Index b = 0; b < K; ++b) turned[a * K + b] = dot(chart.J[a], D.hessian + b * K, K);
        }
        for (Index a = 0; a < count; ++a) {
            for (Index b = 0; b <= a; ++b) {
                const double one = dot(turned + a * K, chart.J[b], K), other = dot(turned + b * K, chart.J[a], K);
                const double mean = (one + other + bend[a * count + b] + bend[b * count + a]) / 2.0;
                bend[a * count + b] = bend[b * count + a] = mean;
            }
        }
    }

    double decrease(const double *step) const {
        const Index count = chart.count;
        double curved = 0.0;
        for (Index a = 0; a < count; ++a) curved += step[a] * dot(bend + a * count, step, count);
        return -(dot(pull, step, count) + 0.5 * curved);
    }

    // Evaluate a step, adapt the region, and say whether it was accepted.
    bool accepts(const double *step, double predicted, double length) {
        chart.move(step, there->T);
        deviance.evaluate(*there);
        out.evaluations += 1.0;
        double rho = -1.0;
        if (is_finite(there->value)) {
            const double change = here->value - there->value, noise = 100.0 * here->noise;
            rho = predicted < noise && fabs(change) < noise ? 1.0 : change / predicted;
        }
        if (rho < 0.25)
            region = SHRINK * length;
        else if (rho > 0.75 && length > 0.9 * region)
            region *= GROW;
        if (!(rho > ACCEPT)) return false;
        Place *before = here;
        here = there;
        there = before;
        return true;
    }
};

inline Index room_of(Index effects, Index columns) {
    return LANES * Room::packs(effects, columns) + Room::numbers(effects, columns);
}

template <Index Q>
void minimize_of(const OneFactor &f, const Structure &structure, double tol, Index max_iter, double *room,
                 Minimum &out) {
    Newton<Q>(f, structure, tol, room, out).minimize(max_iter);
}

inline void minimize(const OneFactor &f, const Structure &structure, double tol, Index max_iter, double *room,
                     Minimum &out) {
    switch (f.effects) {
        case 1: return minimize_of<1>(f, structure, tol, max_iter, room, out);
        case 2: return minimize_of<2>(f, structure, tol, max_iter, room, out);
        case 3: return minimize_of<3>(f, structure, tol, max_iter, room, out);
        case 4: return minimize_of<4>(f, structure, tol, max_iter, room, out);
    }
}

}  // namespace one_factor

constexpr Search search_loops{one_factor::room_of, one_factor::minimize};

}  // namespace
}  // namespace SKMIXED_SWEEPS
}  // namespace skmixed
