#include <cmath>  // std::sqrt is one instruction

#include "quadrature.hpp"
#include "rows.ipp"

namespace skmixed {
namespace SKMIXED_SWEEPS {
namespace {
namespace integral {

constexpr Index LEVELS = 64;  // that are handled together, while they have no more than
constexpr Index ROWS = 512;
constexpr Index WIDE = 8, NARROW = 4;  // nodes at a time
constexpr double NO_SHARE = -700.0;    // logarithm of a share that is none
constexpr double FAR = 300.0;          // linear predictors whose exponentials may be multiplied
constexpr double MOST = 700.0;         // logarithm of a product that is certainly a number

constexpr Index packed(Index q) { return q * (q + 1) / 2; }
constexpr Index place(Index r, Index c) { return r >= c ? r * (r + 1) / 2 + c : c * (c + 1) / 2 + r; }

inline Index most_rows(const LevelRows &rows) { return rows.longest > ROWS ? rows.longest : ROWS; }
inline Index lanes(Index nodes) { return (nodes + NARROW - 1) / NARROW * NARROW; }

constexpr std::int64_t SIGN = INT64_MIN;

inline double magnitude(double x) { return from_bits(bits_of(x) & ~SIGN); }

// A number that is not negative, with the sign of another
inline double with_sign(double size, double x) { return from_bits(bits_of(size) | (bits_of(x) & SIGN)); }

// 1 + exp(-|eta|), or its logarithm, and the means of some linear predictors
template <bool WEIGHTED>
inline void visit(Index n, const double *SKMIXED_RESTRICT eta, double *SKMIXED_RESTRICT left, double *SKMIXED_RESTRICT mean) {
    for (Index i = 0; i < n; ++i) {
        const double one = 1.0 + exponential(-magnitude(eta[i]));
        left[i] = WEIGHTED ? logarithm(one) : one;
        mean[i] = 0.5 + with_sign(1.0 / one - 0.5, eta[i]);
    }
}

// A level at its mode
template <Index Q>
struct Level {
    Index first, stop;  // its rows among those that are handled together
    double u[Q], b[Q], s[Q], A[packed(Q)];
    double half[packed(Q)];  // C^-1
    double D[Q][Q];          // L C'^-1
    double penalised;
    bool is_shared;         // whether exp(-eta) at a node is a product of one number per row and one per node
    double failures, rest;  // then: sums of 1 - y, and of (1 - y) eta at the mode
    Index rows_at_once;     // whose 1 + exp(-eta) have a product
};

// What is summed over the nodes of a level
template <Index Q>
struct Sums {
    double total, e[Q], outer[Q][Q], Y[packed(Q)];

    void add(const Sums &other) {
        total += other.total;
        for (Index r = 0; r < Q; ++r) e[r] += other.e[r];
        for (Index r = 0; r < Q; ++r)
            for (Index c = 0; c < Q; ++c) outer[r][c] += other.outer[r][c];
        for (Index k = 0; k < packed(Q); ++k) Y[k] += other.Y[k];
    }
};

template <Index Q, bool WEIGHTED>
class Sweep {
    static constexpr Index K = packed(Q);

    const LevelRows &rows;
    const NodeRule &rule;
    const IntegralPoint &point;
    const IntegralSums &out;
    const Index most;
    const bool is_intercept;
    double L[Q][Q], reach = 0.0;  // the largest entry of a node

    double *eta, *loglik, *mean, *variance, *moved, *ones, *odds, *fixed;  // of the rows that are handled together
    double *predictors, *left, *means;                      // (ROWS, WIDE), of the nodes
    double *nodes, *log_weights;                            // (Q, lanes) and (lanes,)
    Level<Q> levels[LEVELS];
    Sums<Q> sums[LEVELS];
    double determinants[LEVELS], ratios[LEVELS], logarithms_of[LEVELS];
    // of some nodes of all levels: (levels, Q, W) and (levels, W)
    double us[LEVELS * Q * WIDE], bs[LEVELS * Q * WIDE], scores[LEVELS * Q * WIDE];
    double likelihoods[LEVELS * WIDE], products[LEVELS * WIDE], odds_there[LEVELS * WIDE], shares[LEVELS * WIDE];
    const double *z[Q], *y, *m;
    Index first_row, n_rows, first_level, n_levels;

    static double *taken(double *&scratch, Index size) {
        double *const found = scratch;
        scratch += size;
        return found;
    }

    double entry_of(Index r, Index k) const { return nodes[r * lanes(rule.nodes) + k]; }

    double times(Index i) const { return WEIGHTED ? (m ? m[i] : rows.weight) : 1.0; }

  public:
    static Index room(const LevelRows &rows, const NodeRule &rule) {
        return 8 * most_rows(rows) + 3 * ROWS * WIDE + (Q + 1) * lanes(rule.nodes);
    }

    Sweep(const LevelRows &rows, const NodeRule &rule, const IntegralPoint &point, const IntegralSums &out,
          double *scratch)
        : rows(rows), rule(rule), point(point), out(out), most(most_rows(rows)),
          is_intercept(Q == 1 && !WEIGHTED && !rows.z[0]) {
        double **const columns[] = {&eta, &loglik, &mean, &variance, &moved, &ones, &odds, &fixed};
        for (double **column : columns) *column = taken(scratch, most);
        double **const tables[] = {&predictors, &left, &means};
        for (double **table : tables) *table = taken(scratch, ROWS * WIDE);
        nodes = taken(scratch, Q * lanes(rule.nodes));
        log_weights = taken(scratch, lanes(rule.nodes));
        for (Index i = 0; i < most; ++i) ones[i] = 1.0;
        for (Index r = 0; r < Q; ++r)
            for (Index k = 0; k < Q; ++k) L[r][k] = point.root[r * Q + k];
        for (Index k = 0; k < lanes(rule.nodes); ++k) {
            const bool is_node = k < rule.nodes;
            for (Index r = 0; r < Q; ++r) nodes[r * lanes(rule.nodes) + k] = is_node ? rule.z[k * Q + r] : 0.0;
            reach = is_node && magnitude(rule.z[k * Q]) > reach ? magnitude(rule.z[k * Q]) : reach;
            log_weights[k] = is_node ? rule.log_weights[k] : 2.0 * NO_SHARE;
        }
    }

    void run() {
        for (first_level = 0; first_level < rows.levels; first_level += n_levels) {
            take_levels();
            visit_modes();
            for (Index l = 0; l < n_levels; ++l) {
                Level<Q> &level = levels[l];
                sum_mode(level);
                determinants[l] = factorise(level);
                level.is_shared = is_intercept && share_rows(level);
            }
            integrate();
            for (Index l = 0; l < n_levels; ++l) {
                ratios[l] = sums[l].total * sums[l].total / determinants[l];
                differentiate(levels[l], sums[l], first_level + l);
            }
            note_deviances();
        }
    }

  private:
    void take_levels() {
        first_row = rows.indptr[first_level];
        n_levels = 0;
        do {
            levels[n_levels].first = rows.indptr[first_level + n_levels] - first_row;
            levels[n_levels].stop = rows.indptr[first_level + n_levels + 1] - first_row;
            ++n_levels;
        } while (n_levels < LEVELS && first_level + n_levels < rows.levels &&
                 rows.indptr[first_level + n_levels + 1] - first_row <= ROWS);
        n_rows = levels[n_levels - 1].stop;
        for (Index r = 0; r < Q; ++r) z[r] = rows.z[r] ? rows.z[r] + first_row : ones;
        y = rows.y + first_row;
        m = rows.m ? rows.m + first_row : nullptr;
        const double *offset = rows.offset ? rows.offset + first_row : nullptr;
        for (Index i = 0; i < n_rows; ++i) {
            const double *x = rows.x + (first_row + i) * rows.p;
            double found = offset ? offset[i] : 0.0;
            for (Index j = 0; j < rows.p; ++j) found += point.beta[j] * x[j];
            fixed[i] = found;
        }
    }

    void visit_modes() {
        for (Index l = 0; l < n_levels; ++l) {
            Level<Q> &level = levels[l];
            for (Index r = 0; r < Q; ++r) {
                level.u[r] = level.b[r] = 0.0;
                for (Index k = 0; k < Q; ++k) {
                    const double c = point.c[k * rows.levels + first_level + l];
                    level.u[r] += L[k][r] * c;
                    level.b[r] += point.T[r * Q + k] * c;
                }
            }
            for (Index i = level.first; i < level.stop; ++i) {
                double random = level.b[0] * z[0][i];
                for (Index r = 1; r < Q; ++r) random += level.b[r] * z[r][i];
                eta[i] = fixed[i] + random;
            }
        }
        logit_rows(n_rows, eta, y, loglik, mean, variance);
        if (is_intercept)
            for (Index i = 0; i < n_rows; ++i) odds[i] = exponential(-eta[i]);
    }

    void sum_mode(Level<Q> &level) const {
        double likelihood = 0.0, s[Q] = {}, A[K] = {};
        for (Index i = level.first; i < level.stop; ++i) {
            likelihood += times(i) * loglik[i];
            const double r = times(i) * (y[i] - mean[i]), w = times(i) * variance[i];
            for (Index j = 0; j < Q; ++j) {
                s[j] += r * z[j][i];
                for (Index k = 0; k <= j; ++k) A[place(j, k)] += w * z[j][i] * z[k][i];
            }
        }
        level.penalised = -2.0 * likelihood;
        for (Index j = 0; j < Q; ++j) level.penalised += level.u[j] * level.u[j];
        for (Index j = 0; j < Q; ++j) level.s[j] = s[j];
        for (Index k = 0; k < K; ++k) level.A[k] = A[k];
    }

    // C^-1 and D with L'AL + I = CC', whose determinant is returned
    double factorise(Level<Q> &level) const {
        double C[Q][Q], determinant = 1.0;
        for (Index j = 0; j < Q; ++j) {
            double AL[Q];
            for (Index r = 0; r < Q; ++r) {
                AL[r] = 0.0;
                for (Index k = 0; k < Q; ++k) AL[r] += level.A[place(r, k)] * L[k][j];
            }
            for (Index r = j; r < Q; ++r) {
                C[r][j] = r == j;
                for (Index k = 0; k < Q; ++k) C[r][j] += L[k][r] * AL[k];
            }
        }
        double *half = level.half;
        for (Index j = 0; j < Q; ++j) {
            double pivot = C[j][j];
            for (Index k = 0; k < j; ++k) pivot -= C[j][k] * C[j][k];
            determinant *= pivot;
            half[place(j, j)] = 1.0 / std::sqrt(pivot);
            for (Index r = j + 1; r < Q; ++r) {
                for (Index k = 0; k < j; ++k) C[r][j] -= C[r][k] * C[j][k];
                C[r][j] *= half[place(j, j)];
            }
        }
        for (Index j = 0; j < Q; ++j) {
            for (Index r = j + 1; r < Q; ++r) {
                double below = 0.0;
                for (Index k = j; k < r; ++k) below += C[r][k] * half[place(k, j)];
                half[place(r, j)] = -below * half[place(r, r)];
            }
        }
        for (Index r = 0; r < Q; ++r) {
            for (Index j = 0; j < Q; ++j) {
                level.D[r][j] = 0.0;
                for (Index k = 0; k <= j; ++k) level.D[r][j] += L[r][k] * half[place(j, k)];
            }
        }
        return determinant;
    }

    // What the rows of a level with an intercept alone have in common at all nodes; false if they are too far out.
    bool share_rows(Level<Q> &level) const {
        double least = 0.0, largest = 0.0, failures = 0.0, rest = 0.0;
        for (Index i = level.first; i < level.stop; ++i) {
            least = eta[i] < least ? eta[i] : least;
            largest = eta[i] > largest ? eta[i] : largest;
            failures += 1.0 - y[i];
            rest += (1.0 - y[i]) * eta[i];
        }
        const double step = reach * magnitude(level.D[0][0]);
        if (!(least > -FAR && largest < FAR && step < FAR)) return false;
        level.failures = failures;
        level.rest = rest;
        level.rows_at_once = static_cast<Index>(MOST / (1.0 + step - least));
        level.rows_at_once = level.rows_at_once > ROWS ? ROWS : level.rows_at_once;
        return true;
    }

    // Whether the means of all rows that are handled together are kept until their shares are known.
    bool is_kept() const { return n_rows <= ROWS; }

    Index origin(Index lo) const { return is_kept() ? 0 : lo; }

    void integrate() {
        for (Index i = 0; i < n_rows; ++i) moved[i] = 0.0;
        for (Index l = 0; l < n_levels; ++l) sums[l] = Sums<Q>{};
        Index k = 0;
        for (; k + NARROW < lanes(rule.nodes); k += WIDE) add_nodes<WIDE>(k);
        if (k < lanes(rule.nodes)) add_nodes<NARROW>(k);
    }

    // Some nodes of all levels, step by step, so that exponentials do not wait for each other.
    template <Index W>
    void add_nodes(Index node) {
        for (Index l = 0; l < n_levels; ++l) place_nodes<W>(l, node);
        if (is_intercept)
            for (Index k = 0; k < n_levels * W; ++k) odds_there[k] = exponential(odds_there[k]);
        for (Index l = 0; l < n_levels; ++l) visit_level<W>(l);
        if (!WEIGHTED)
            for (Index k = 0; k < n_levels * W; ++k) likelihoods[k] -= logarithm(products[k]);
        for (Index l = 0; l < n_levels; ++l) weigh_nodes<W>(l, node);
        for (Index k = 0; k < n_levels * W; ++k) {
            const double weight = exponential(shares[k]);
            shares[k] = shares[k] < NO_SHARE ? 0.0 : weight;
        }
        for (Index l = 0; l < n_levels; ++l) {
            add_sums<W>(l, node);
            move_rows<W>(l);
        }
    }

    template <Index W>
    void place_nodes(Index l, Index node) {
        const Level<Q> &level = levels[l];
        double *u = us + l * Q * W, *b = bs + l * Q * W;
        for (Index r = 0; r < Q; ++r) {
            for (Index k = 0; k < W; ++k) {
                u[r * W + k] = level.u[r];
                b[r * W + k] = level.b[r];
                for (Index j = r; j < Q; ++j) u[r * W + k] += level.half[place(j, r)] * entry_of(j, node + k);
                for (Index j = 0; j < Q; ++j) b[r * W + k] += level.D[r][j] * entry_of(j, node + k);
            }
        }
        for (Index k = 0; k < W; ++k) odds_there[l * W + k] = level.b[0] - b[k];
    }

    template <Index W>
    void visit_level(Index l) {
        const Level<Q> &level = levels[l];
        double *likelihood = likelihoods + l * W, *product = products + l * W, *s = scores + l * Q * W;
        for (Index k = 0; k < W; ++k) likelihood[k] = 0.0;
        for (Index k = 0; k < W; ++k) product[k] = 1.0;
        for (Index k = 0; k < Q * W; ++k) s[k] = 0.0;
        const Index at_once = level.is_shared ? level.rows_at_once : ROWS;
        for (Index lo = level.first; lo < level.stop; lo += at_once) {
            const Index hi = level.stop - lo > at_once ? lo + at_once : level.stop;
            if (!WEIGHTED && lo > level.first) {
                for (Index k = 0; k < W; ++k) likelihood[k] -= logarithm(product[k]);
                for (Index k = 0; k < W; ++k) product[k] = 1.0;
            }
            if (level.is_shared) {
                visit_shared<W>(lo, hi, odds_there + l * W, product, s);
            } else {
                visit_nodes<W>(lo, hi, bs + l * Q * W);
                add_rows<W>(lo, hi, likelihood, product, s);
            }
        }
        if (level.is_shared) {
            const double *step = bs + l * Q * W;
            for (Index k = 0; k < W; ++k) likelihood[k] -= level.failures * (step[k] - level.b[0]) + level.rest;
        }
    }

    // Means and what is left of the likelihood of some rows at some nodes.
    template <Index W>
    void visit_nodes(Index lo, Index hi, const double *SKMIXED_RESTRICT b) {
        const Index from = lo - origin(lo);
        for (Index i = lo; i < hi; ++i) {
            double *SKMIXED_RESTRICT row = predictors + (i - origin(lo)) * W;
            for (Index k = 0; k < W; ++k) {
                double found = fixed[i];
                for (Index r = 0; r < Q; ++r) found += b[r * W + k] * z[r][i];
                row[k] = found;
            }
        }
        visit<WEIGHTED>((hi - lo) * W, predictors + from * W, left + from * W, means + from * W);
    }

    // Log-likelihoods at some nodes, and scores: those without weights need no logarithm per row.
    template <Index W>
    void add_rows(Index lo, Index hi, double *likelihood, double *product, double *s) const {
        double products_here[W], sum[W] = {}, scores_here[Q][W] = {};
        for (Index k = 0; k < W; ++k) products_here[k] = 1.0;
        for (Index i = lo; i < hi; ++i) {
            const Index from = (i - origin(lo)) * W;
            const double *at = predictors + from, *rest = left + from, *mu = means + from;
            const double response = y[i], slope = response - 0.5, weight = times(i);
            for (Index k = 0; k < W; ++k) {
                const double found = slope * at[k] - 0.5 * magnitude(at[k]);
                if (WEIGHTED) {
                    sum[k] += weight * (found - rest[k]);
                } else {
                    sum[k] += found;
                    products_here[k] *= rest[k];
                }
            }
            for (Index r = 0; r < Q; ++r) {
                const double factor = weight * z[r][i];
                for (Index k = 0; k < W; ++k) scores_here[r][k] += factor * (response - mu[k]);
            }
        }
        for (Index k = 0; k < W; ++k) likelihood[k] += sum[k];
        for (Index k = 0; k < W; ++k) product[k] *= products_here[k];
        for (Index r = 0; r < Q; ++r)
            for (Index k = 0; k < W; ++k) s[r * W + k] += scores_here[r][k];
    }

    // The same for rows with an intercept alone, but for what they have in common at all nodes.
    template <Index W>
    void visit_shared(Index lo, Index hi, const double *there, double *product, double *s) const {
        double products_here[W], sum[W] = {}, odds_of[W], responses = 0.0;
        for (Index k = 0; k < W; ++k) products_here[k] = 1.0;
        for (Index k = 0; k < W; ++k) odds_of[k] = there[k];
        for (Index i = lo; i < hi; ++i) {
            double *SKMIXED_RESTRICT mu = means + (i - origin(lo)) * W;
            const double here = odds[i];
            responses += y[i];
            for (Index k = 0; k < W; ++k) {
                const double one = 1.0 + here * odds_of[k];
                products_here[k] *= one;
                mu[k] = 1.0 / one;
                sum[k] += mu[k];
            }
        }
        for (Index k = 0; k < W; ++k) product[k] *= products_here[k];
        for (Index k = 0; k < W; ++k) s[k] += responses - sum[k];
    }

    // Logarithms of the shares of some nodes
    template <Index W>
    void weigh_nodes(Index l, Index node) {
        for (Index k = 0; k < W; ++k) {
            double square = 0.0;
            for (Index r = 0; r < Q; ++r) square += us[(l * Q + r) * W + k] * us[(l * Q + r) * W + k];
            const double rise = square - 2.0 * likelihoods[l * W + k] - levels[l].penalised;
            shares[l * W + k] = log_weights[node + k] - 0.5 * rise;
        }
    }

    template <Index W>
    void visit_again(Index l, Index lo, Index hi) {
        const Level<Q> &level = levels[l];
        if (!level.is_shared) {
            visit_nodes<W>(lo, hi, bs + l * Q * W);
            return;
        }
        for (Index i = lo; i < hi; ++i)
            for (Index k = 0; k < W; ++k) means[(i - lo) * W + k] = 1.0 / (1.0 + odds[i] * odds_there[l * W + k]);
    }

    // Means of the rows, by the shares of the nodes
    template <Index W>
    void move_rows(Index l) {
        double share[W];
        for (Index k = 0; k < W; ++k) share[k] = shares[l * W + k];
        for (Index lo = levels[l].first; lo < levels[l].stop; lo += ROWS) {
            const Index hi = levels[l].stop - lo > ROWS ? lo + ROWS : levels[l].stop;
            if (!is_kept()) visit_again<W>(l, lo, hi);
            for (Index i = lo; i < hi; ++i) {
                const double *mu = means + (i - origin(lo)) * W;
                double parts[NARROW];
                for (Index k = 0; k < NARROW; ++k) parts[k] = share[k] * mu[k];
                for (Index j = NARROW; j < W; j += NARROW)
                    for (Index k = 0; k < NARROW; ++k) parts[k] += share[j + k] * mu[j + k];
                moved[i] += (parts[0] + parts[1]) + (parts[2] + parts[3]);
            }
        }
    }

    template <Index W>
    void add_sums(Index l, Index node) {
        const Level<Q> &level = levels[l];
        const double *share = shares + l * W, *u = us + l * Q * W, *s = scores + l * Q * W;
        Sums<Q> found{};
        for (Index k = 0; k < W; ++k) {
            double h[Q];
            found.total += share[k];
            for (Index r = 0; r < Q; ++r) {
                h[r] = u[r * W + k];
                for (Index j = 0; j < Q; ++j) h[r] -= L[j][r] * s[j * W + k];
                found.e[r] += share[k] * h[r];
                for (Index j = 0; j < Q; ++j) found.outer[r][j] += share[k] * s[r * W + k] * u[j * W + k];
            }
            for (Index j = 0; j < Q; ++j) {
                double v = 0.0;
                for (Index i = 0; i <= j; ++i) v += level.half[place(j, i)] * h[i];
                for (Index r = j; r < Q; ++r) found.Y[place(r, j)] += share[k] * v * entry_of(r, node + k);
            }
        }
        sums[l].add(found);
    }

    // LGL', (q, q), and what is left of dd / dL at once: 2 (ALG - outer)
    void precision(const Level<Q> &level, const Sums<Q> &sums, double (&LGL)[K], double (&root)[Q][Q]) const {
        double G[Q][Q], LG[Q][Q], rest[K];
        for (Index r = 0; r < Q; ++r)
            for (Index j = 0; j <= r; ++j) rest[place(r, j)] = (r == j) - sums.Y[place(r, j)] / sums.total;
        for (Index r = 0; r < Q; ++r) {
            for (Index j = 0; j < Q; ++j) {
                G[r][j] = 0.0;
                for (Index i = r; i < Q; ++i)
                    for (Index k = j; k < Q; ++k)
                        G[r][j] += level.half[place(i, r)] * rest[place(i, k)] * level.half[place(k, j)];
            }
        }
        for (Index r = 0; r < Q; ++r) {
            for (Index j = 0; j < Q; ++j) {
                LG[r][j] = 0.0;
                for (Index k = 0; k < Q; ++k) LG[r][j] += L[r][k] * G[k][j];
            }
            for (Index j = 0; j <= r; ++j) {
                LGL[place(r, j)] = 0.0;
                for (Index k = 0; k < Q; ++k) LGL[place(r, j)] += LG[r][k] * L[j][k];
            }
        }
        for (Index r = 0; r < Q; ++r) {
            for (Index j = 0; j < Q; ++j) {
                root[r][j] = -sums.outer[r][j] / sums.total;
                for (Index k = 0; k < Q; ++k) root[r][j] += level.A[place(r, k)] * LG[k][j];
                root[r][j] *= 2.0;
            }
        }
    }

    // a = H^-1 (L't + 2 e)
    void answer(const Level<Q> &level, const Sums<Q> &sums, const double (&t)[Q], double (&a)[Q]) const {
        double right[Q], half_way[Q];
        for (Index r = 0; r < Q; ++r) {
            right[r] = 2.0 * sums.e[r] / sums.total;
            for (Index k = 0; k < Q; ++k) right[r] += L[k][r] * t[k];
        }
        for (Index r = 0; r < Q; ++r) {
            half_way[r] = 0.0;
            for (Index k = 0; k <= r; ++k) half_way[r] += level.half[place(r, k)] * right[k];
        }
        for (Index r = 0; r < Q; ++r) {
            a[r] = 0.0;
            for (Index k = r; k < Q; ++k) a[r] += level.half[place(k, r)] * half_way[k];
        }
    }

    void differentiate(const Level<Q> &level, const Sums<Q> &sums, Index l) {
        double LGL[K], root[Q][Q], t[Q] = {}, a[Q], La[Q], sum[Q] = {};
        precision(level, sums, LGL, root);
        double *slope = out.row_gradients + first_row;
        for (Index i = level.first; i < level.stop; ++i) {
            double v = 0.0;
            for (Index r = 0; r < Q; ++r) {
                v += LGL[place(r, r)] * z[r][i] * z[r][i];
                for (Index k = 0; k < r; ++k) v += 2.0 * LGL[place(r, k)] * z[r][i] * z[k][i];
            }
            slope[i] = times(i) * variance[i] * (1.0 - 2.0 * mean[i]) * v;
            for (Index r = 0; r < Q; ++r) t[r] += slope[i] * z[r][i];
        }
        answer(level, sums, t, a);
        for (Index r = 0; r < Q; ++r) {
            La[r] = 0.0;
            for (Index k = 0; k < Q; ++k) La[r] += L[r][k] * a[k];
        }
        const double whole = 1.0 / sums.total;
        for (Index i = level.first; i < level.stop; ++i) {
            double along = 0.0;
            for (Index r = 0; r < Q; ++r) along += La[r] * z[r][i];
            const double kappa = slope[i] - times(i) * variance[i] * along;
            for (Index r = 0; r < Q; ++r) sum[r] += kappa * z[r][i];
            slope[i] = kappa - 2.0 * times(i) * (y[i] - moved[i] * whole);
        }
        for (Index r = 0; r < Q; ++r)
            for (Index j = 0; j < Q; ++j)
                out.root_gradients[(r * Q + j) * rows.levels + l] = root[r][j] + sum[r] * level.u[j] + level.s[r] * a[j];
    }

    // log|H| - 2 log of the total, and the penalised deviance; not a number where the logarithm is not.
    void note_deviances() {
        logarithms(n_levels, ratios, logarithms_of);
        for (Index l = 0; l < n_levels; ++l) {
            const bool is_within = ratios[l] > 1e-300 && ratios[l] < 1e300;
            out.deviances[first_level + l] = is_within ? levels[l].penalised - logarithms_of[l] : NAN;
        }
    }
};

template <Index Q>
void sweep_of(const LevelRows &rows, const NodeRule &rule, const IntegralPoint &point, const IntegralSums &out,
              double *scratch) {
    if (rows.m || rows.weight != 1.0)
        Sweep<Q, true>(rows, rule, point, out, scratch).run();
    else
        Sweep<Q, false>(rows, rule, point, out, scratch).run();
}

Index room(const LevelRows &rows, const NodeRule &rule) {
    constexpr Index (*of[])(const LevelRows &, const NodeRule &) = {
        Sweep<1, false>::room, Sweep<2, false>::room, Sweep<3, false>::room};
    return of[rows.q - 1](rows, rule);
}

void sweep(const LevelRows &rows, const NodeRule &rule, const IntegralPoint &point, const IntegralSums &out,
           double *scratch) {
    constexpr void (*of[])(const LevelRows &, const NodeRule &, const IntegralPoint &, const IntegralSums &,
                           double *) = {sweep_of<1>, sweep_of<2>, sweep_of<3>};
    of[rows.q - 1](rows, rule, point, out, scratch);
}

}  // namespace integral

constexpr Quadrature quadrature_loops{integral::room, integral::sweep};

}  // namespace
}  // namespace SKMIXED_SWEEPS
}  // namespace skmixed
