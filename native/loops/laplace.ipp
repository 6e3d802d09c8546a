#include "lanes.ipp"
#include "laplace.hpp"
#include "rows.ipp"

namespace skmixed {
namespace SKMIXED_SWEEPS {
namespace {

constexpr Index LEVELS_PER_CHUNK = 32;
constexpr Index ROWS_PER_CHUNK = 256;
constexpr double LARGEST_DETERMINANT = 1e300;

// Change of linear predictors within which a Newton step raises the density: the weights of a row change by at most
// e^0.5 on the way, so that a decrement d gains d - e^0.5 d / 2 or more.
constexpr double SHORT_STEP = 0.5;

constexpr Index packed_size(Index q) { return q * (q + 1) / 2; }
constexpr Index entry(Index r, Index c) { return r >= c ? r * (r + 1) / 2 + c : c * (c + 1) / 2 + r; }

// Position of z_r z_c z_k among the distinct products of three.
constexpr Index triple(Index r, Index c, Index k) {
    const Index high = r > c ? (r > k ? r : k) : (c > k ? c : k);
    const Index low = r < c ? (r < k ? r : k) : (c < k ? c : k);
    const Index middle = r + c + k - high - low;
    return high * (high + 1) * (high + 2) / 6 + middle * (middle + 1) / 2 + low;
}

constexpr Index triples(Index q) { return q * (q + 1) * (q + 2) / 6; }

// M = R (R'AR + I)^-1 R', packed; returns the determinant of R'AR + I.
template <Index Q>
inline double invert(const double *A, const double *R, double *M) {
    double W[Q][Q], V[Q][Q], pivots[Q], reciprocal[Q];
    for (Index c = 0; c < Q; ++c) {
        double AR[Q];
        for (Index r = 0; r < Q; ++r) {
            AR[r] = 0.0;
            for (Index k = 0; k < Q; ++k) AR[r] += A[entry(r, k)] * R[k * Q + c];
        }
        for (Index r = c; r < Q; ++r) {
            W[r][c] = r == c;
            for (Index k = 0; k < Q; ++k) W[r][c] += R[k * Q + r] * AR[k];
        }
    }
    double determinant = 1.0;
    for (Index c = 0; c < Q; ++c) {
        pivots[c] = W[c][c];
        for (Index k = 0; k < c; ++k) pivots[c] -= W[c][k] * W[c][k] * pivots[k];
        determinant *= pivots[c];
        reciprocal[c] = 1.0 / pivots[c];
        for (Index r = c + 1; r < Q; ++r) {
            for (Index k = 0; k < c; ++k) W[r][c] -= W[r][k] * W[c][k] * pivots[k];
            W[r][c] *= reciprocal[c];
        }
    }
    for (Index r = 0; r < Q; ++r) {
        for (Index c = 0; c < Q; ++c) {
            V[r][c] = R[c * Q + r];
            for (Index k = 0; k < r; ++k) V[r][c] -= W[r][k] * V[k][c];
        }
    }
    for (Index r = 0; r < Q; ++r) {
        for (Index c = 0; c <= r; ++c) {
            double sum = 0.0;
            for (Index i = 0; i < Q; ++i) sum += V[i][r] * V[i][c] * reciprocal[i];
            M[entry(r, c)] = sum;
        }
    }
    return determinant;
}

// out = S u, S packed
template <Index Q>
inline void multiply(const double *S, const double *u, double *out) {
    for (Index r = 0; r < Q; ++r) {
        out[r] = 0.0;
        for (Index k = 0; k < Q; ++k) out[r] += S[entry(r, k)] * u[k];
    }
}

// A level on its way to its mode, and there
template <Index Q>
struct Level {
    static constexpr Index K = packed_size(Q);
    Index first, stop;  // its rows in the chunk, filled up to a multiple of the lanes
    double c[Q], step[Q], from[Q];
    double penalised, allowed, length;
    double loglik;
    double s[Q], A[K];  // Z'r and Z'WZ
    double M[K];
    double third[triples(Q)];  // sums of w' z z z
    double a[Q], tau[Q];
};

// Columns of the rows of some levels, one after the other.  Every level is filled up by repetitions of its last row,
// which weigh nothing.
struct RowScratch {
    double *y, *m, *fixed, *eta, *loglik, *mean, *variance, *weight, *skew, *gram, *slope, *ones;
    double *z[MOST_EFFECTS];
    double *coefficients;  // per row: w z, w' z z, c z, each a column
    double *x, *left;      // in rows, padded
};

constexpr Index ROW_COLUMNS = 12 + MOST_EFFECTS;

template <Index Q>
class Sweep {
    static constexpr Index K = packed_size(Q);
    static constexpr Index COEFFICIENTS = 2 * Q + K;

    const LevelRows &rows;
    const LaplacePoint &point;
    const ModeRules &rules;
    const LaplaceSums &sums;

    const Index p4, left_width, directions, d4, most_rows, column;
    RowScratch s;
    double *beta, *level_table, *stack_left, *stack_right;
    double *outer, *gram, *along_T;
    Level<Q> levels[LEVELS_PER_CHUNK];
    double determinants[LEVELS_PER_CHUNK], logs[LEVELS_PER_CHUNK];
    const double *z[Q];
    double largest_z[Q];
    Index n_rows, first_level, n_levels;

    bool with_derivatives() const { return sums.gradient != nullptr; }

    static Index most_rows_of(const LevelRows &rows) {
        const Index longest = padded(rows.longest);
        return longest > ROWS_PER_CHUNK ? longest : ROWS_PER_CHUNK;
    }

    // Columns do not begin at the same place of the cache.
    static Index column_of(const LevelRows &rows) { return most_rows_of(rows) + 2 * LANES; }

    static double *taken(double *&scratch, Index size) {
        double *place = scratch;
        for (Index i = 0; i < size; ++i) place[i] = 0.0;
        scratch += size;
        return place;
    }

  public:
    static Index room(const LevelRows &rows) {
        const Index p4 = padded(rows.p), d4 = padded(rows.p + K), wide = padded(rows.p + 1);
        return column_of(rows) * (ROW_COLUMNS + COEFFICIENTS) + most_rows_of(rows) * (p4 + wide) + p4 +
               COEFFICIENTS * d4 + 2 * LEVELS_PER_CHUNK * (Q + K) * d4 + d4 * d4 + wide * p4 + K * d4;
    }

    Sweep(const LevelRows &rows, const LaplacePoint &point, const ModeRules &rules, const LaplaceSums &sums,
          double *scratch)
        : rows(rows), point(point), rules(rules), sums(sums), p4(padded(rows.p)), left_width(padded(rows.p + 1)),
          directions(rows.p + K), d4(padded(directions)), most_rows(most_rows_of(rows)), column(column_of(rows)) {
        double **const columns[] = {&s.y,        &s.m,      &s.fixed, &s.eta,  &s.loglik, &s.mean,
                                    &s.variance, &s.weight, &s.skew,  &s.gram, &s.slope,  &s.ones};
        for (double **own : columns) *own = taken(scratch, column);
        for (double *&own : s.z) own = taken(scratch, column);
        for (Index i = 0; i < column; ++i) s.ones[i] = 1.0;
        s.coefficients = taken(scratch, COEFFICIENTS * column);
        s.x = taken(scratch, p4 * most_rows);
        s.left = taken(scratch, left_width * most_rows);
        beta = taken(scratch, p4);
        for (Index j = 0; j < rows.p; ++j) beta[j] = point.beta[j];
        level_table = taken(scratch, COEFFICIENTS * d4);
        stack_left = taken(scratch, LEVELS_PER_CHUNK * (Q + K) * d4);
        stack_right = taken(scratch, LEVELS_PER_CHUNK * (Q + K) * d4);
        outer = taken(scratch, d4 * d4);
        gram = taken(scratch, left_width * p4);
        along_T = taken(scratch, K * d4);
        for (Index r = 0; r < Q; ++r) z[r] = rows.z[r] ? s.z[r] : s.ones;
    }

    bool run() {
        for (Index i = 0; i < 4; ++i) sums.totals[i] = 0.0;
        if (with_derivatives()) {
            for (Index i = 0; i < Q * Q; ++i) sums.gradient[i] = 0.0;
            for (Index i = 0; i < K * K; ++i) sums.precisions[i] = 0.0;
        }
        for (first_level = 0; first_level < rows.levels; first_level += n_levels) {
            take_levels();
            if (!climb()) return false;
            add_totals();
            if (with_derivatives()) add_derivatives();
        }
        if (with_derivatives()) finish();
        return true;
    }

  private:
    // The next levels, as many as there is room for.
    void take_levels() {
        n_levels = n_rows = 0;
        do {
            const Index level = first_level + n_levels, count = rows.indptr[level + 1] - rows.indptr[level];
            if (n_levels && n_rows + padded(count) > most_rows) break;
            levels[n_levels].first = n_rows;
            n_rows += padded(count);
            levels[n_levels].stop = n_rows;
            take_rows(rows.indptr[level], count, n_rows - padded(count));
            ++n_levels;
        } while (n_levels < LEVELS_PER_CHUNK && first_level + n_levels < rows.levels);
        for (Index i = 0; i < n_rows; ++i) {
            Four sum = {};
            for (Index j = 0; j < p4; j += LANES) sum += four(s.x + i * p4 + j) * four(beta + j);
            s.fixed[i] += total(sum);
        }
        for (Index r = 0; r < Q; ++r) largest_z[r] = rows.z[r] ? largest_size(n_rows, z[r]) : 1.0;
    }

    // The rows of a level, from one place of the columns on.
    void take_rows(Index from, Index count, Index to) {
        for (Index i = 0; i < count; ++i) {
            s.y[to + i] = rows.y[from + i];
            s.m[to + i] = rows.m ? rows.m[from + i] : rows.weight;
            s.fixed[to + i] = rows.offset ? rows.offset[from + i] : 0.0;
        }
        for (Index r = 0; r < Q; ++r)
            for (Index i = 0; i < count && rows.z[r]; ++i) s.z[r][to + i] = rows.z[r][from + i];
        const double *x = rows.x + from * rows.p;
        for (Index i = 0; i < count; ++i)
            for (Index j = 0; j < rows.p; ++j) s.x[(to + i) * p4 + j] = x[i * rows.p + j];
        for (Index i = to + count; i < to + padded(count); ++i) repeat(i);
    }

    // A row as the one before, without weight.
    void repeat(Index i) {
        s.y[i] = s.y[i - 1];
        s.m[i] = 0.0;
        s.fixed[i] = s.fixed[i - 1];
        for (Index r = 0; r < Q; ++r) s.z[r][i] = s.z[r][i - 1];
        for (Index j = 0; j < p4; ++j) s.x[i * p4 + j] = s.x[(i - 1) * p4 + j];
    }

    // The rows at the effects c, and the sums of every level that Newton's method needs.
    void visit(bool with_loglik) {
        for (Index l = 0; l < n_levels; ++l) {
            const Level<Q> &level = levels[l];
            double b[Q];
            for (Index r = 0; r < Q; ++r) {
                b[r] = 0.0;
                for (Index k = 0; k < Q; ++k) b[r] += point.T[r * Q + k] * level.c[k];
            }
            for (Index i = level.first; i < level.stop; i += LANES) {
                Four random = b[0] * four(z[0] + i);
                for (Index r = 1; r < Q; ++r) random += b[r] * four(z[r] + i);
                four(s.eta + i) = four(s.fixed + i) + random;
            }
        }
        if (with_loglik)
            add_logliks();
        else
            logit_moments(n_rows, s.eta, s.mean, s.variance);
        for (Index l = 0; l < n_levels; ++l) sum_level(levels[l]);
    }

    void sum_level(Level<Q> &level) const {
        Four score[Q] = {}, A[K] = {};
        for (Index i = level.first; i < level.stop; i += LANES) {
            const Four m = four(s.m + i);
            const Four r = m * (four(s.y + i) - four(s.mean + i)), w = m * four(s.variance + i);
            for (Index e = 0; e < Q; ++e) {
                score[e] += r * four(z[e] + i);
                const Four wz = w * four(z[e] + i);
                for (Index k = 0; k <= e; ++k) A[entry(e, k)] += wz * four(z[k] + i);
            }
        }
        for (Index r = 0; r < Q; ++r) level.s[r] = total(score[r]);
        for (Index k = 0; k < K; ++k) level.A[k] = total(A[k]);
    }

    // The penalised deviance of every level where the rows are.
    void add_logliks() {
        logit_rows(n_rows, s.eta, s.y, s.loglik, s.mean, s.variance);
        for (Index l = 0; l < n_levels; ++l) {
            Level<Q> &level = levels[l];
            Four loglik = {};
            for (Index i = level.first; i < level.stop; i += LANES) loglik += four(s.m + i) * four(s.loglik + i);
            double penalty = 0.0;
            for (Index r = 0; r < Q; ++r)
                for (Index k = 0; k < Q; ++k) penalty += level.c[r] * point.T[r * Q + k] * level.c[k];
            level.loglik = total(loglik);
            level.penalised = -2.0 * level.loglik + penalty;
        }
    }

    // Newton steps until the decrement of every level is negligible, and one more.
    bool climb() {
        for (Index l = 0; l < n_levels; ++l)
            for (Index r = 0; r < Q; ++r) levels[l].c[r] = point.c[r * rows.levels + first_level + l];
        visit(false);
        bool are_known = false;  // the penalised deviances
        for (Index step = 0; step < rules.steps; ++step) {
            const Steps found = find_steps();
            const bool is_last = found.decrement < rules.tolerance;
            if (found.reach <= SHORT_STEP) {
                advance();
                visit(is_last);
            } else {
                if (!are_known) add_logliks();
                if (!move()) return false;
            }
            if (is_last) return keep_modes();
            are_known = !(found.reach <= SHORT_STEP);
        }
        return false;
    }

    // The largest decrement of a level, and the largest change of a linear predictor.
    struct Steps {
        double decrement, reach;
    };

    // Steps of c: K (s - c).
    Steps find_steps() {
        Steps found = {0.0, 0.0};
        for (Index l = 0; l < n_levels; ++l) {
            Level<Q> &level = levels[l];
            invert<Q>(level.A, point.root, level.M);
            double slope[Q], Mg[Q], AMg[Q], decrement = 0.0, reach = 0.0;
            for (Index r = 0; r < Q; ++r) slope[r] = level.s[r] - level.c[r];
            multiply<Q>(level.M, slope, Mg);
            multiply<Q>(level.A, Mg, AMg);
            for (Index r = 0; r < Q; ++r) {
                level.step[r] = slope[r] - AMg[r];
                level.from[r] = level.c[r];
                level.length = 1.0;
                decrement += Mg[r] * slope[r];
                reach += (Mg[r] < 0.0 ? -Mg[r] : Mg[r]) * largest_z[r];
            }
            found.decrement = decrement <= found.decrement ? found.decrement : decrement;
            found.reach = reach <= found.reach ? found.reach : reach;
        }
        return found;
    }

    void advance() {
        for (Index l = 0; l < n_levels; ++l)
            for (Index r = 0; r < Q; ++r) levels[l].c[r] = levels[l].from[r] + levels[l].length * levels[l].step[r];
    }

    // Steps, halved where the penalised deviance of a level would rise.
    bool move() {
        for (Index l = 0; l < n_levels; ++l) {
            const double before = levels[l].penalised;
            levels[l].allowed = before + rules.rounding * (before < 0.0 ? -before : before) + rules.least_rounding;
        }
        for (Index halving = 0; halving < rules.halvings; ++halving) {
            advance();
            visit(true);
            bool rises = false;
            for (Index l = 0; l < n_levels; ++l) {
                const bool own = !(levels[l].penalised <= levels[l].allowed);
                if (own) levels[l].length *= 0.5;
                rises |= own;
            }
            if (!rises) return true;
        }
        return false;
    }

    bool keep_modes() {
        bool is_finite = true;
        for (Index l = 0; l < n_levels; ++l) {
            Level<Q> &level = levels[l];
            for (Index r = 0; r < Q; ++r) point.c[r * rows.levels + first_level + l] = level.c[r];
            determinants[l] = invert<Q>(level.A, point.root, level.M);
            is_finite &= determinants[l] < LARGEST_DETERMINANT && level.penalised < LARGEST_DETERMINANT;
        }
        return is_finite;
    }

    void add_totals() {
        double penalised = 0.0, log_determinant = 0.0, loglik = 0.0;
        logarithms(n_levels, determinants, logs);
        for (Index l = 0; l < n_levels; ++l) {
            penalised += levels[l].penalised;
            loglik += levels[l].loglik;
            log_determinant += logs[l];
        }
        const double reach = largest_size(n_rows, s.eta);
        sums.totals[0] += penalised;
        sums.totals[1] += log_determinant;
        sums.totals[2] += loglik;
        if (reach > sums.totals[3]) sums.totals[3] = reach;
    }

    void add_derivatives() {
        for (Index i = 0; i < n_rows; i += LANES) {
            const Four mean = four(s.mean + i), w = four(s.m + i) * four(s.variance + i);
            four(s.weight + i) = w;
            four(s.skew + i) = w - 2.0 * (w * mean);
        }
        for (Index l = 0; l < n_levels; ++l) respond(levels[l]);
        for (Index l = 0; l < n_levels; ++l) differentiate(levels[l], l);
        add_products(n_rows, s.left, left_width, s.x, p4, gram);
        add_products(n_levels * (Q + K), stack_left, d4, stack_right, d4, outer);
    }

    // How the mode of a level answers the log-determinant: a and tau, and what all rows add to sums with x.
    void respond(Level<Q> &level) {
        Four third[triples(Q)] = {};
        for (Index i = level.first; i < level.stop; i += LANES) {
            for (Index r = 0; r < Q; ++r) {
                const Four one = four(s.skew + i) * four(z[r] + i);
                for (Index c = 0; c <= r; ++c) {
                    const Four two = one * four(z[c] + i);
                    for (Index k = 0; k <= c; ++k) third[triple(r, c, k)] += two * four(z[k] + i);
                }
            }
        }
        for (Index k = 0; k < triples(Q); ++k) level.third[k] = total(third[k]);
        double t[Q] = {}, Aa[Q];
        for (Index e = 0; e < Q; ++e)
            for (Index r = 0; r < Q; ++r)
                for (Index c = 0; c < Q; ++c) t[e] += level.M[entry(r, c)] * level.third[triple(r, c, e)];
        multiply<Q>(level.M, t, level.a);
        multiply<Q>(level.A, level.a, Aa);
        for (Index r = 0; r < Q; ++r) level.tau[r] = t[r] - Aa[r];
    }

    // What the rows of a level add to sums with x; returns Z'CZ.
    void weigh_rows(const Level<Q> &level, double (&changed)[K]) {
        double *wz = s.coefficients, *zz = wz + Q * column, *cz = zz + K * column;
        Four found[K] = {};
        for (Index i = level.first; i < level.stop; i += LANES) {
            const Four w = four(s.weight + i), skew = four(s.skew + i), m = four(s.m + i);
            Four v = {}, moved = {};
            for (Index r = 0; r < Q; ++r) {
                moved += level.a[r] * four(z[r] + i);
                Four Mz = level.M[entry(r, r)] * four(z[r] + i);
                for (Index c = 0; c < r; ++c) Mz += (2.0 * level.M[entry(r, c)]) * four(z[c] + i);
                v += four(z[r] + i) * Mz;
            }
            const Four change = (w - 6.0 * (w * four(s.variance + i))) * v - skew * moved;
            four(s.gram + i) = 2.0 * w + change;
            four(s.slope + i) = skew * v - w * moved - 2.0 * (m * (four(s.y + i) - four(s.mean + i)));
            for (Index r = 0; r < Q; ++r) {
                const Four own = four(z[r] + i), skewed = skew * own, changing = change * own;
                four(wz + r * column + i) = w * own;
                four(cz + r * column + i) = changing;
                for (Index c = 0; c <= r; ++c) {
                    four(zz + entry(r, c) * column + i) = skewed * four(z[c] + i);
                    found[entry(r, c)] += changing * four(z[c] + i);
                }
            }
        }
        for (Index k = 0; k < K; ++k) changed[k] = total(found[k]);
    }

    // Sums of a level with x: Z'WX, sums of w' z z x, and Z'CX; and what the rows add to X'(2W + C)X.
    void sum_with_x(const Level<Q> &level) {
        for (Index j = 0; j < p4; j += LANES) {
            Four found[COEFFICIENTS] = {};
            for (Index i = level.first; i < level.stop; ++i) {
                const Four x = four(s.x + i * p4 + j);
                for (Index k = 0; k < COEFFICIENTS; ++k) found[k] += s.coefficients[k * column + i] * x;
                four(s.left + i * left_width + j) = s.gram[i] * x;
            }
            for (Index k = 0; k < COEFFICIENTS; ++k) four(level_table + k * d4 + j) = found[k];
        }
        for (Index i = level.first; i < level.stop; ++i) s.left[i * left_width + rows.p] = s.slope[i];
    }

    void differentiate(const Level<Q> &level, Index l) {
        double changed[K];  // Z'CZ
        weigh_rows(level, changed);
        sum_with_x(level);
        double complement[Q][Q];  // K = I - AM
        for (Index r = 0; r < Q; ++r) {
            for (Index c = 0; c < Q; ++c) {
                complement[r][c] = r == c;
                for (Index k = 0; k < Q; ++k) complement[r][c] -= level.A[entry(r, k)] * level.M[entry(k, c)];
            }
        }
        add_gradient(level, complement);
        double *left = stack_left + l * (Q + K) * d4, *right = stack_right + l * (Q + K) * d4;
        for (Index r = 0; r < Q; ++r) {
            for (Index j = 0; j < d4; ++j) left[r * d4 + j] = 0.0;
            double *along = left + r * d4 + rows.p;
            for (Index a = 0; a < Q; ++a) {
                for (Index b = 0; b < a; ++b)
                    along[entry(a, b)] = complement[a][r] * level.s[b] + complement[b][r] * level.s[a];
                along[entry(a, a)] = complement[a][r] * level.s[a];
            }
        }
        for (Index j = 0; j < d4; j += LANES) along_lanes(level, complement, left, right, j);
        keep_change(first_level + l, right);
        for (Index r = 0; r < Q; ++r) finish_right(changed, left, right, r);
    }

    void add_gradient(const Level<Q> &level, const double (&complement)[Q][Q]) {
        double N[K];
        for (Index r = 0; r < Q; ++r) {
            for (Index c = 0; c <= r; ++c) {
                double sum = 0.0;
                for (Index k = 0; k < Q; ++k) sum += complement[r][k] * level.A[entry(k, c)];
                N[entry(r, c)] = sum;
                const double found =
                    sum - level.s[r] * level.s[c] + 0.5 * (level.tau[r] * level.s[c] + level.s[r] * level.tau[c]);
                sums.gradient[r * Q + c] += found;
                if (r != c) sums.gradient[c * Q + r] += found;
            }
        }
        for (Index a = 0; a < K; ++a)
            for (Index b = 0; b < K; ++b) sums.precisions[a * K + b] += N[a] * N[b];
    }

    // Four directions of a level: changes of b, of s and of A, and what second derivatives make of them.  Those of s
    // are left where the partners of b will be.
    void along_lanes(const Level<Q> &level, const double (&complement)[Q][Q], double *left, double *right, Index j) {
        Four U[Q], b[Q], s_dot[Q], A_dot[K];
        for (Index r = 0; r < Q; ++r) U[r] = four(level_table + r * d4 + j);
        for (Index r = 0; r < Q; ++r) {
            b[r] = four(left + r * d4 + j);
            for (Index c = 0; c < Q; ++c) b[r] -= level.M[entry(r, c)] * U[c];
            four(left + r * d4 + j) = b[r];
        }
        for (Index r = 0; r < Q; ++r) {
            s_dot[r] = -U[r];
            for (Index c = 0; c < Q; ++c) s_dot[r] -= level.A[entry(r, c)] * b[c];
            four(right + r * d4 + j) = s_dot[r];
        }
        for (Index r = 0; r < Q; ++r) {
            for (Index c = 0; c <= r; ++c) {
                const Index k = entry(r, c);
                A_dot[k] = four(level_table + (Q + k) * d4 + j);
                for (Index e = 0; e < Q; ++e) A_dot[k] += level.third[triple(r, c, e)] * b[e];
                four(left + (Q + k) * d4 + j) = A_dot[k];
            }
        }
        Four KA[Q][Q], MA[Q][Q];
        for (Index r = 0; r < Q; ++r) {
            for (Index c = 0; c < Q; ++c) {
                KA[r][c] = complement[r][0] * A_dot[entry(0, c)];
                MA[r][c] = level.M[entry(r, 0)] * A_dot[entry(0, c)];
                for (Index k = 1; k < Q; ++k) {
                    KA[r][c] += complement[r][k] * A_dot[entry(k, c)];
                    MA[r][c] += level.M[entry(r, k)] * A_dot[entry(k, c)];
                }
            }
        }
        for (Index r = 0; r < Q; ++r) {
            for (Index c = 0; c <= r; ++c) {
                const Index k = entry(r, c);
                const double weight = r == c ? 1.0 : 2.0;
                Four along = (level.tau[c] - level.s[c]) * s_dot[r], MAM = {};
                if (r != c) along += (level.tau[r] - level.s[r]) * s_dot[c];
                for (Index e = 0; e < Q; ++e) {
                    along += (weight * complement[c][e]) * KA[r][e];
                    MAM += level.M[entry(e, c)] * MA[r][e];
                }
                four(along_T + k * d4 + j) += along;
                four(right + (Q + k) * d4 + j) = (-0.5 * weight) * MAM;
            }
        }
    }

    // The derivatives of the scores of a level, those of T first.
    void keep_change(Index level, const double *s_dot) {
        for (Index r = 0; r < Q; ++r) {
            double *out = sums.s_dot + (level * Q + r) * directions;
            for (Index k = 0; k < K; ++k) out[k] = s_dot[r * d4 + rows.p + k];
            for (Index j = 0; j < rows.p; ++j) out[K + j] = s_dot[r * d4 + j];
        }
    }

    // The partner of b: half of Z'CZ b, with Z'CX and Z'WX.
    void finish_right(const double (&changed)[K], const double *left, double *right, Index r) {
        for (Index j = 0; j < d4; j += LANES) {
            Four found = four(level_table + r * d4 + j) + four(level_table + (Q + K + r) * d4 + j);
            for (Index c = 0; c < Q; ++c) found += (0.5 * changed[entry(r, c)]) * four(left + c * d4 + j);
            four(right + r * d4 + j) = found;
        }
    }

    // From sums in the order (beta, T) to derivatives in the order (T, beta).
    void finish() {
        const Index p = rows.p;
        for (Index k = 0; k < K; ++k)
            for (Index j = 0; j < d4; ++j) outer[(p + k) * d4 + j] += along_T[k * d4 + j];
        for (Index i = 0; i < directions; ++i) {
            const Index from = i < K ? p + i : i - K;
            for (Index j = 0; j < directions; ++j) {
                const Index to = j < K ? p + j : j - K;
                double found = outer[from * d4 + to] + outer[to * d4 + from];
                if (i >= K && j >= K) found += gram[from * p4 + to];
                sums.hessian[i * directions + j] = found;
            }
        }
        for (Index j = 0; j < p; ++j) sums.slope[j] = gram[p * p4 + j];
    }
};

template <Index Q>
bool sweep_of(const LevelRows &rows, const LaplacePoint &point, const ModeRules &rules, const LaplaceSums &sums,
              double *scratch) {
    return Sweep<Q>(rows, point, rules, sums, scratch).run();
}

Index laplace_room(const LevelRows &rows) {
    constexpr Index (*of[])(const LevelRows &) = {Sweep<1>::room, Sweep<2>::room, Sweep<3>::room, Sweep<4>::room};
    return of[rows.q - 1](rows);
}

bool laplace_sweep(const LevelRows &rows, const LaplacePoint &point, const ModeRules &rules, const LaplaceSums &sums,
                   double *scratch) {
    constexpr bool (*of[])(const LevelRows &, const LaplacePoint &, const ModeRules &, const LaplaceSums &, double *) = {
        sweep_of<1>, sweep_of<2>, sweep_of<3>, sweep_of<4>};
    return of[rows.q - 1](rows, point, rules, sums, scratch);
}

constexpr Laplace laplace_loops{laplace_room, laplace_sweep};

}  // namespace
}  // namespace SKMIXED_SWEEPS
}  // namespace skmixed
