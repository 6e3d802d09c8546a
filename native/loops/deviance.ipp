// Value and derivatives of the deviance of one factor: skmixed/_likelihood/one_factor.py has the formulas.
#pragma once

#include "levels.ipp"
#include "small.ipp"

namespace skmixed {
namespace SKMIXED_SWEEPS {
namespace {
namespace one_factor {

constexpr double LEAST_SHARE = 1e-3;  // of least_r2, below which its logarithm is not taken
constexpr double TWO_PI = 6.283185307179586;
constexpr double NEVER = HUGE_VAL;

// The fixed effects at one T.
struct Place {
    double T[MOST_EFFECTS * MOST_EFFECTS], root[MOST_EFFECTS * MOST_EFFECTS];
    Index order[MOST_EFFECTS];
    double *chol, *whitening, *beta;  // lower factor of X'V^-1X and its inverse, coefficients
    double value, r2, floored, noise;
    bool is_degenerate;
};

// First and second derivatives in packed coordinates.
struct Derivatives {
    double gradient[MOST_EFFECTS * MOST_EFFECTS];
    double slope[MOST_PARAMETERS], hessian[MOST_PARAMETERS * MOST_PARAMETERS];
};

// Room of a search, in numbers: packs first.
struct Room {
    Pack *taken, *F, *sums;
    double *S, *outer, *along, *Phi;
    double *next;

    static Index packs(Index q, Index k) { return 2 * q * k + triangle(q * k); }
    static Index numbers(Index q, Index k) {
        return k * k + triangle(q * k) + k * triangle(q) + triangle(q) * k * k + 2 * (2 * k * k + k);
    }

    Room(Index q, Index k, double *room) {
        taken = reinterpret_cast<Pack *>(room);
        F = taken + q * k;
        sums = F + q * k;
        S = room + LANES * packs(q, k);
        outer = S + k * k;
        along = outer + triangle(q * k);
        Phi = along + k * triangle(q);
        next = Phi + triangle(q) * k * k;
    }

    void place(Place &out, Index k) {
        out.chol = next;
        out.whitening = out.chol + k * k;
        out.beta = out.whitening + k * k;
        next = out.beta + k;
    }
};

// sum_l tr(X_l E_a N_l E_b) from sums of packed X_l and N_l
template <Index Q>
double pair_trace(const double *S, Index a, Index b, const Index (*entries)[2]) {
    constexpr Index K = triangle(Q);
    const Index r = entries[a][0], s = entries[a][1], t = entries[b][0], u = entries[b][1];
    const double found = S[at(u, r) * K + at(s, t)] + S[at(t, r) * K + at(s, u)] + S[at(u, s) * K + at(r, t)] +
                         S[at(t, s) * K + at(r, u)];
    return found * (r == s ? 0.5 : 1.0) * (t == u ? 0.5 : 1.0);
}

template <Index Q>
class Deviance {
    static constexpr Index K = triangle(Q);
    const OneFactor &f;
    const Index k, p;
    Room &room;

    const double *column(Index r, Index c) const {
        return c < p ? f.U + r * f.effect_stride + c * f.column_stride : f.Uy + r * f.response_stride;
    }

    // V U, and U where it is wanted
    void take(const Factored<Q> &own, Index first, Index count, Pack *U) {
        for (Index c = 0; c < k; ++c) {
            Pack u[Q];
            for (Index r = 0; r < Q; ++r) u[r] = load(column(r, c) + first, count);
            for (Index r = 0; r < Q; ++r) {
                Pack sum = own.V[r][0] * u[0];
                for (Index j = 1; j < Q; ++j) sum += own.V[r][j] * u[j];
                room.taken[r * k + c] = sum;
                if (U) U[r * k + c] = u[r];
            }
        }
    }

    // sums of squares that the random effects leave, and the determinant of what they are
    double reduce(const double *root) {
        Pack *explained = room.sums;
        for (Index i = 0; i < triangle(k); ++i) explained[i] = all(0.0);
        Logarithms logarithms;
        for (Index first = 0; first < f.levels; first += LANES) {
            const Index count = f.levels - first;
            const Factored<Q> own(f.A, f.levels, root, first, count);
            if (f.counts)
                logarithms.add(own.determinant, f.counts + first, count);
            else
                logarithms.add(own.determinant);
            take(own, first, count, nullptr);
            for (Index r = 0; r < Q; ++r) {
                const Pack *taken = room.taken + r * k;
                for (Index c = 0; c < k; ++c)
                    for (Index d = 0; d <= c; ++d) explained[triangle(c) + d] += taken[c] * taken[d];
            }
        }
        for (Index c = 0; c < k; ++c)
            for (Index d = 0; d <= c; ++d)
                room.S[c * k + d] = room.S[d * k + c] = f.gram[c * k + d] - total(explained[triangle(c) + d]);
        return logarithms.value();
    }

   public:
    Deviance(const OneFactor &f, Room &room) : f(f), k(f.columns), p(f.columns - 1), room(room) {}

    // The place at its T.
    void evaluate(Place &out) {
        pivoted_root(out.T, Q, out.root, out.order);
        const double log_determinant = reduce(out.root);
        out.value = NEVER;
        out.is_degenerate = false;
        double finite = 0.0;
        for (Index i = 0; i < k * k; ++i) finite += room.S[i];
        if (!is_finite(finite) || !half_inverse(room.S, k, p, out.chol, out.whitening)) return;
        const double *last = room.S + p * k;
        double r2 = last[p], fixed = 0.0;
        for (Index c = 0; c < p; ++c) out.beta[c] = 0.0;
        for (Index s = 0; s < p; ++s) {
            const double half = dot(out.whitening + s * p, last, s + 1);
            r2 -= half * half;
            for (Index c = 0; c <= s; ++c) out.beta[c] += out.whitening[s * p + c] * half;
            fixed += log(out.chol[s * p + s]);
        }
        out.r2 = r2;
        out.floored = larger(r2, LEAST_SHARE * f.least_r2);
        out.value = log_determinant + f.nu * (1.0 + log(TWO_PI * out.floored / f.nu)) + (f.reml ? 2.0 * fixed : 0.0);
        out.noise = 4.0 * EPS * (fabs(out.value) + f.n + 4.0 * f.nu / out.floored * f.squares);
        out.is_degenerate = r2 < f.least_r2;
    }

    void differentiate(const Place &here, Derivatives &out) {
        Moments sums;
        sweep(here, sums);
        combine(here, sums, out);
    }

   private:
    // Sums over levels of products of packed N, g g' and X X', the columns of X whitened.
    struct Moments {
        Pack N[K], NN[triangle(K)], GN[K * K], XN[K * K];

        Moments() {
            for (Pack &pack : N) pack = all(0.0);
            for (Pack &pack : NN) pack = all(0.0);
            for (Pack &pack : GN) pack = all(0.0);
            for (Pack &pack : XN) pack = all(0.0);
        }
    };

    void sweep(const Place &here, Moments &sums) {
        const Index w = Q * k;
        for (Index i = 0; i < triangle(w); ++i) room.sums[i] = all(0.0);
        for (Index first = 0; first < f.levels; first += LANES) {
            const Index count = f.levels - first;
            const Factored<Q> own(f.A, f.levels, here.root, first, count);
            Pack AV[Q][Q], N[K];
            for (Index r = 0; r < Q; ++r) {
                for (Index j = 0; j < Q; ++j) {
                    AV[r][j] = own.A[at(r, 0)] * own.V[j][0];
                    for (Index i = 1; i < Q; ++i) AV[r][j] += own.A[at(r, i)] * own.V[j][i];
                }
            }
            for (Index r = 0; r < Q; ++r) {
                for (Index c = 0; c <= r; ++c) {
                    N[at(r, c)] = own.A[at(r, c)];
                    for (Index j = 0; j < Q; ++j) N[at(r, c)] -= AV[r][j] * AV[c][j];
                }
            }
            residuals(here, own, AV, first, count);
            add(N, f.counts ? load(f.counts + first, count) : all(1.0), sums);
        }
    }

    // whitened Z'V^-1 X, and g, of some levels: F (k, Q)
    void residuals(const Place &here, const Factored<Q> &own, const Pack (&AV)[Q][Q], Index first, Index count) {
        Pack *U = room.F;
        take(own, first, count, U);
        for (Index r = 0; r < Q; ++r)
            for (Index c = 0; c < k; ++c)
                for (Index j = 0; j < Q; ++j) U[r * k + c] -= AV[r][j] * room.taken[j * k + c];
        for (Index r = 0; r < Q; ++r) {
            Pack *row = U + r * k;
            for (Index c = 0; c < p; ++c) row[p] -= all(here.beta[c]) * row[c];
            for (Index s = p - 1; s >= 0; --s) {
                Pack sum = all(here.whitening[s * p]) * row[0];
                for (Index c = 1; c <= s; ++c) sum += all(here.whitening[s * p + c]) * row[c];
                row[s] = sum;
            }
        }
    }

    void add(const Pack *N, const Pack &counts, Moments &sums) {
        const Pack *F = room.F;
        for (Index a = 0; a < K; ++a) {
            const Pack counted = N[a] * counts;
            sums.N[a] += counted;
            for (Index b = 0; b <= a; ++b) sums.NN[triangle(a) + b] += counted * N[b];
        }
        for (Index r = 0; r < Q; ++r) {
            for (Index s = 0; s <= r; ++s) {
                const Pack squares = F[r * k + p] * F[s * k + p];
                for (Index b = 0; b < K; ++b) sums.GN[at(r, s) * K + b] += squares * N[b];
                if (!f.reml) continue;
                Pack shared = all(0.0);
                for (Index c = 0; c < p; ++c) shared += F[r * k + c] * F[s * k + c];
                for (Index b = 0; b < K; ++b) sums.XN[at(r, s) * K + b] += shared * N[b];
            }
        }
        // products of all entries; those of two columns of X are wanted for REML only
        for (Index r = 0; r < Q; ++r) {
            for (Index c = 0; c < k; ++c) {
                const Index x = r * k + c;
                const Pack own = F[x];
                Pack *out = room.sums + triangle(x);
                for (Index s = 0; s <= r; ++s) {
                    const Index stop = s < r ? k : c + 1, start = f.reml || c == p ? 0 : p;
                    for (Index d = start; d < stop; ++d) out[s * k + d] += own * F[s * k + d];
                }
            }
        }
    }

    double outer(Index r, Index c, Index s, Index d) const { return room.outer[at(r * k + c, s * k + d)]; }

    void combine(const Place &here, const Moments &sums, Derivatives &out) {
        Index entries[K][2];
        double N[K], NN[K * K], GN[K * K], XN[K * K];
        for (Index r = 0; r < Q; ++r) {
            for (Index c = 0; c <= r; ++c) {
                entries[at(r, c)][0] = r;
                entries[at(r, c)][1] = c;
            }
        }
        for (Index a = 0; a < K; ++a) {
            N[a] = total(sums.N[a]);
            for (Index b = 0; b < K; ++b) {
                NN[a * K + b] = total(sums.NN[at(a, b)]);
                GN[a * K + b] = total(sums.GN[a * K + b]);
                XN[a * K + b] = total(sums.XN[a * K + b]);
            }
        }
        for (Index i = 0; i < triangle(Q * k); ++i) room.outer[i] = total(room.sums[i]);

        const double precision = f.nu / here.floored;
        double tilt[K];
        for (Index a = 0; a < K; ++a) {
            const Index r = entries[a][0], s = entries[a][1];
            const double weight = r == s ? 1.0 : 2.0, squares = outer(r, p, s, p);
            double found = N[a] - precision * squares;
            if (f.reml)
                for (Index c = 0; c < p; ++c) found -= outer(r, c, s, c);
            out.gradient[r * Q + s] = out.gradient[s * Q + r] = found;
            out.slope[a] = weight * found;
            tilt[a] = weight * squares;
            directions(a, r, s);
        }
        for (Index a = 0; a < K; ++a) {
            for (Index b = 0; b <= a; ++b) {
                const double shared = dot(room.along + a * k, room.along + b * k, p);
                const double single = (pair_trace<Q>(GN, a, b, entries) + pair_trace<Q>(GN, b, a, entries)) / 2.0;
                double found = precision * (2.0 * (single - shared) - tilt[a] * tilt[b] / here.floored);
                found -= pair_trace<Q>(NN, a, b, entries);
                if (f.reml) {
                    found += pair_trace<Q>(XN, a, b, entries) + pair_trace<Q>(XN, b, a, entries);
                    found -= dot(room.Phi + a * k * k, room.Phi + b * k * k, p * p);
                }
                out.hessian[a * K + b] = out.hessian[b * K + a] = found;
            }
        }
    }

    // sums along the packed direction of entries r, s: of X with g, and of X with X
    void directions(Index a, Index r, Index s) {
        const double half = r == s ? 0.5 : 1.0;
        for (Index c = 0; c < p; ++c) {
            room.along[a * k + c] = half * (outer(r, c, s, p) + outer(s, c, r, p));
            if (!f.reml) continue;
            for (Index d = 0; d < p; ++d)
                room.Phi[a * k * k + c * p + d] = half * (outer(r, c, s, d) + outer(s, c, r, d));
        }
    }
};

}  // namespace one_factor
}  // namespace
}  // namespace SKMIXED_SWEEPS
}  // namespace skmixed
