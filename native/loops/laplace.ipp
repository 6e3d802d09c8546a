#include "lanes.ipp"
#include "laplace.hpp"
#include "rows.ipp"

namespace skmixed {
namespace SKMIXED_SWEEPS {
namespace {

constexpr Index LEVELS_PER_CHUNK = 64;
constexpr Index ROWS_PER_CHUNK = 512;
constexpr double LARGEST_DETERMINANT = 1e300;

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
    Index first, stop;  // its rows in the chunk
    double c[Q], step[Q], from[Q];
    double penalised, allowed, length;
    double loglik;
    double s[Q], A[K];  // Z'r and Z'WZ
    double M[K];
    double third[triples(Q)];  // sums of w' z z z
    double a[Q], tau[Q];
};

// What is computed of the rows of some levels
struct RowScratch {
    double *fixed, *eta, *loglik, *mean, *variance, *weight, *skew, *gram, *ones;
    double *coefficients;  // per row: w z, w' z z, c z, each a column
    double *x, *left;      // padded
};

template <Index Q>
class Sweep {
    static constexpr Index K = packed_size(Q);
    static constexpr Index COEFFICIENTS = 2 * Q + K;

    const LevelRows &rows;
    const LaplacePoint &point;
    const ModeRules &rules;
    const LaplaceSums &sums;

    const Index most_rows, p4, left_width, directions, d4;
    RowScratch s;
    double *beta, *level_table, *stack_left, *stack_right;
    double *outer, *gram, *along_T;
    Level<Q> levels[LEVELS_PER_CHUNK];
    double determinants[LEVELS_PER_CHUNK], logs[LEVELS_PER_CHUNK];
    const double *z[Q];
    Index first_row, n_rows, first_level, n_levels;

    bool with_derivatives() const { return sums.gradient != nullptr; }

    double *taken(double *&scratch, Index size) {
        double *place = scratch;
        for (Index i = 0; i < size; ++i) place[i] = 0.0;
        scratch += size;
        return place;
    }

  public:
    static Index room(const LevelRows &rows) {
        const Index p4 = padded(rows.p), d4 = padded(rows.p + K), wide = padded(rows.p + 1);
        const Index most = rows.longest > ROWS_PER_CHUNK ? rows.longest : ROWS_PER_CHUNK;
        return most * (9 + COEFFICIENTS + p4 + wide) + p4 + COEFFICIENTS * d4 +
               2 * LEVELS_PER_CHUNK * (Q + K) * d4 + d4 * d4 + wide * p4 + K * d4;
    }

    Sweep(const LevelRows &rows, const LaplacePoint &point, const ModeRules &rules, const LaplaceSums &sums,
          double *scratch)
        : rows(rows), point(point), rules(rules), sums(sums),
          most_rows(rows.longest > ROWS_PER_CHUNK ? rows.longest : ROWS_PER_CHUNK), p4(padded(rows.p)),
          left_width(padded(rows.p + 1)), directions(rows.p + K), d4(padded(directions)) {
        double **const columns[] = {&s.fixed,  &s.eta,  &s.loglik, &s.mean, &s.variance,
                                    &s.weight, &s.skew, &s.gram,   &s.ones};
        for (double **column : columns) *column = taken(scratch, most_rows);
        for (Index i = 0; i < most_rows; ++i) s.ones[i] = 1.0;
        s.coefficients = taken(scratch, COEFFICIENTS * most_rows);
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
    void take_levels() {
        first_row = rows.indptr[first_level];
        n_levels = 0;
        do {
            const Index level = first_level + n_levels;
            levels[n_levels].first = rows.indptr[level] - first_row;
            levels[n_levels].stop = rows.indptr[level + 1] - first_row;
            ++n_levels;
        } while (n_levels < LEVELS_PER_CHUNK && first_level + n_levels < rows.levels &&
                 rows.indptr[first_level + n_levels + 1] - first_row <= ROWS_PER_CHUNK);
        n_rows = levels[n_levels - 1].stop;
        for (Index r = 0; r < Q; ++r) z[r] = rows.z[r] ? rows.z[r] + first_row : s.ones;
        take_columns();
    }

    // Padded columns x, and X beta with the offset.
    void take_columns() {
        const Index p = rows.p;
        const double *x = rows.x + first_row * p;
        const double *offset = rows.offset ? rows.offset + first_row : nullptr;
        for (Index i = 0; i < n_rows; ++i) {
            double *row = s.x + i * p4;
            for (Index j = 0; j < p; ++j) row[j] = x[i * p + j];
            Four sum = {};
            for (Index j = 0; j < p4; j += LANES) sum += four(row + j) * four(beta + j);
            s.fixed[i] = total(sum);
        }
        if (offset)
            for (Index i = 0; i < n_rows; ++i) s.fixed[i] += offset[i];
    }

    // The rows at the effects c, and the sums of every level that Newton's method needs.
    void visit() {
        for (Index l = 0; l < n_levels; ++l) {
            const Level<Q> &level = levels[l];
            double b[Q];
            for (Index r = 0; r < Q; ++r) {
                b[r] = 0.0;
                for (Index k = 0; k < Q; ++k) b[r] += point.T[r * Q + k] * level.c[k];
            }
            for (Index i = level.first; i < level.stop; ++i) {
                double random = b[0] * z[0][i];
                for (Index r = 1; r < Q; ++r) random += b[r] * z[r][i];
                s.eta[i] = s.fixed[i] + random;
            }
        }
        logit_rows(n_rows, s.eta, rows.y + first_row, s.loglik, s.mean, s.variance);
        for (Index l = 0; l < n_levels; ++l) sum_level(levels[l]);
    }

    void sum_level(Level<Q> &level) const {
        const double *y = rows.y + first_row;
        const double *m = rows.m ? rows.m + first_row : nullptr;
        double loglik = 0.0, score[Q] = {}, A[K] = {};
        for (Index i = level.first; i < level.stop; ++i) {
            const double times = m ? m[i] : rows.weight;
            const double r = times * (y[i] - s.mean[i]), w = times * s.variance[i];
            loglik += times * s.loglik[i];
            for (Index e = 0; e < Q; ++e) {
                score[e] += r * z[e][i];
                const double wz = w * z[e][i];
                for (Index k = 0; k <= e; ++k) A[entry(e, k)] += wz * z[k][i];
            }
        }
        double penalty = 0.0;
        for (Index r = 0; r < Q; ++r)
            for (Index k = 0; k < Q; ++k) penalty += level.c[r] * point.T[r * Q + k] * level.c[k];
        level.loglik = loglik;
        level.penalised = -2.0 * loglik + penalty;
        for (Index r = 0; r < Q; ++r) level.s[r] = score[r];
        for (Index k = 0; k < K; ++k) level.A[k] = A[k];
    }

    // Newton steps until the decrement of every level is negligible, and one more.
    bool climb() {
        for (Index l = 0; l < n_levels; ++l)
            for (Index r = 0; r < Q; ++r) levels[l].c[r] = point.c[r * rows.levels + first_level + l];
        visit();
        for (Index step = 0; step < rules.steps; ++step) {
            const double decrement = find_steps();
            if (!move()) return false;
            if (decrement < rules.tolerance) return keep_modes();
        }
        return false;
    }

    // Steps of c: K (s - c); returns the largest decrement.
    double find_steps() {
        double largest = 0.0;
        for (Index l = 0; l < n_levels; ++l) {
            Level<Q> &level = levels[l];
            invert<Q>(level.A, point.root, level.M);
            double slope[Q], Mg[Q], AMg[Q], decrement = 0.0;
            for (Index r = 0; r < Q; ++r) slope[r] = level.s[r] - level.c[r];
            multiply<Q>(level.M, slope, Mg);
            multiply<Q>(level.A, Mg, AMg);
            for (Index r = 0; r < Q; ++r) {
                level.step[r] = slope[r] - AMg[r];
                level.from[r] = level.c[r];
                decrement += Mg[r] * slope[r];
            }
            level.length = 1.0;
            level.allowed = level.penalised;
            level.allowed += rules.rounding * (level.penalised < 0.0 ? -level.penalised : level.penalised);
            level.allowed += rules.least_rounding;
            largest = decrement <= largest ? largest : decrement;  // or what is not a number
        }
        return largest;
    }

    // Steps, halved where the penalised deviance of a level would rise.
    bool move() {
        for (Index halving = 0; halving < rules.halvings; ++halving) {
            for (Index l = 0; l < n_levels; ++l)
                for (Index r = 0; r < Q; ++r)
                    levels[l].c[r] = levels[l].from[r] + levels[l].length * levels[l].step[r];
            visit();
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
        double penalised = 0.0, log_determinant = 0.0, loglik = 0.0, reach = sums.totals[3];
        logarithms(n_levels, determinants, logs);
        for (Index l = 0; l < n_levels; ++l) {
            penalised += levels[l].penalised;
            loglik += levels[l].loglik;
            log_determinant += logs[l];
        }
        for (Index i = 0; i < n_rows; ++i) {
            const double size = s.eta[i] < 0.0 ? -s.eta[i] : s.eta[i];
            reach = size > reach ? size : reach;
        }
        sums.totals[0] += penalised;
        sums.totals[1] += log_determinant;
        sums.totals[2] += loglik;
        sums.totals[3] = reach;
    }

    void add_derivatives() {
        const double *m = rows.m ? rows.m + first_row : nullptr;
        for (Index i = 0; i < n_rows; ++i) {
            s.weight[i] = (m ? m[i] : rows.weight) * s.variance[i];
            s.skew[i] = s.weight[i] * (1.0 - 2.0 * s.mean[i]);
        }
        for (Index l = 0; l < n_levels; ++l) respond(levels[l]);
        for (Index l = 0; l < n_levels; ++l) differentiate(levels[l], l);
        add_products(n_rows, s.left, left_width, s.x, p4, gram);
        add_products(n_levels * (Q + K), stack_left, d4, stack_right, d4, outer);
    }

    // How the mode of a level answers the log-determinant: a and tau, and what all rows add to sums with x.
    void respond(Level<Q> &level) {
        for (double &sum : level.third) sum = 0.0;
        double third[triples(Q)] = {};
        for (Index i = level.first; i < level.stop; ++i) {
            for (Index r = 0; r < Q; ++r) {
                const double one = s.skew[i] * z[r][i];
                for (Index c = 0; c <= r; ++c) {
                    const double two = one * z[c][i];
                    for (Index k = 0; k <= c; ++k) third[triple(r, c, k)] += two * z[k][i];
                }
            }
        }
        for (Index k = 0; k < triples(Q); ++k) level.third[k] = third[k];
        double t[Q] = {}, Aa[Q];
        for (Index e = 0; e < Q; ++e)
            for (Index r = 0; r < Q; ++r)
                for (Index c = 0; c < Q; ++c) t[e] += level.M[entry(r, c)] * third[triple(r, c, e)];
        multiply<Q>(level.M, t, level.a);
        multiply<Q>(level.A, level.a, Aa);
        for (Index r = 0; r < Q; ++r) level.tau[r] = t[r] - Aa[r];
        fill_rows(level);
    }

    void fill_rows(const Level<Q> &level) {
        const double *y = rows.y + first_row;
        const double *m = rows.m ? rows.m + first_row : nullptr;
        double *wz = s.coefficients, *zz = wz + Q * most_rows, *cz = zz + K * most_rows;
        for (Index i = level.first; i < level.stop; ++i) {
            const double times = m ? m[i] : rows.weight;
            const double w = s.weight[i], skew = s.skew[i];
            double v = 0.0, moved = 0.0;
            for (Index r = 0; r < Q; ++r) {
                moved += level.a[r] * z[r][i];
                v += level.M[entry(r, r)] * z[r][i] * z[r][i];
                for (Index c = 0; c < r; ++c) v += 2.0 * level.M[entry(r, c)] * z[r][i] * z[c][i];
            }
            const double change = w * (1.0 - 6.0 * s.variance[i]) * v - skew * moved;
            s.gram[i] = 2.0 * w + change;
            s.left[i * left_width + rows.p] = skew * v - w * moved - 2.0 * times * (y[i] - s.mean[i]);
            for (Index r = 0; r < Q; ++r) {
                wz[r * most_rows + i] = w * z[r][i];
                cz[r * most_rows + i] = change * z[r][i];
                for (Index c = 0; c <= r; ++c) zz[entry(r, c) * most_rows + i] = skew * z[r][i] * z[c][i];
            }
        }
    }

    // Sums of a level with x: Z'WX, sums of w' z z x, and Z'CX; and what the rows add to X'(2W + C)X.
    void sum_with_x(const Level<Q> &level) {
        for (Index j = 0; j < p4; j += LANES) {
            Four found[COEFFICIENTS] = {};
            for (Index i = level.first; i < level.stop; ++i) {
                const Four x = four(s.x + i * p4 + j);
                for (Index k = 0; k < COEFFICIENTS; ++k) found[k] += s.coefficients[k * most_rows + i] * x;
            }
            for (Index k = 0; k < COEFFICIENTS; ++k) four(level_table + k * d4 + j) = found[k];
        }
        for (Index i = level.first; i < level.stop; ++i)
            for (Index j = 0; j < rows.p; ++j) s.left[i * left_width + j] = s.gram[i] * s.x[i * p4 + j];
    }

    void differentiate(const Level<Q> &level, Index l) {
        double changed[K] = {};  // Z'CZ
        const double *cz = s.coefficients + (Q + K) * most_rows;
        for (Index i = level.first; i < level.stop; ++i)
            for (Index r = 0; r < Q; ++r)
                for (Index c = 0; c <= r; ++c) changed[entry(r, c)] += cz[r * most_rows + i] * z[c][i];
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
