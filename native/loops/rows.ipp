// Exponentials and logarithms of one number, without branches, so that loops over them are vectorised; right to
// about a unit in the last place.  What is not a number stays so.
#pragma once

#include <cstring>

#include "rows.hpp"

namespace skmixed {
namespace SKMIXED_SWEEPS {
namespace {

inline std::uint64_t bits_of(double x) {
    std::uint64_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}

inline double from_bits(std::uint64_t bits) {
    double x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

constexpr double ROUND = 6755399441055744.0;  // 1.5 2^52: a sum with it is rounded to an integer, its last bits
constexpr double LOG2_HIGH = 0.6931471803691238, LOG2_LOW = 1.9082149292705878161e-10;

// exp(x); what is below -708 or above 709 counts as these
inline double exponential(double x) {
    x = x < -708.0 ? -708.0 : x;
    x = x > 709.0 ? 709.0 : x;
    const double rounded = x * 1.4426950408889634074 + ROUND;
    const double k = rounded - ROUND;
    const double r = (x - k * LOG2_HIGH) - k * LOG2_LOW;
    const double r2 = r * r, r4 = r2 * r2;
    const double low = (0.50000000000000010221 + r * 0.16666666666666667453) +
                       r2 * (0.041666666666624127873 + r * 0.0083333333333300618325);
    const double high = (0.0013888888917213716901 + r * 0.00019841269863053616878) +
                        r2 * (2.4801521295954375131e-5 + r * 2.7557268459997064772e-6) +
                        r4 * (2.7620088445409748161e-7 + r * 2.5100385495510319078e-8);
    const double tail = r + r2 * (low + r4 * high);
    const double power = from_bits((bits_of(rounded) + 1023) << 52);  // 2^k
    return power + power * tail;
}

// log((1 + s) / (1 - s)) for s between -0.172 and 0.172
inline double log_ratio(double s) {
    const double u = s * s, u2 = u * u;
    const double low = (0.66666666666666697077 + u * 0.39999999999898890514) +
                       u2 * (0.28571428626253837606 + u * 0.22222211089379496214);
    const double high = (0.18182892432536871201 + u * 0.15331611722055007885) + u2 * 0.14617807153417324964;
    return 2.0 * s + s * u * (low + u2 * u2 * high);
}

// log(x) of a positive normal number: x = 2^k f with f between 0.707 and 1.414
inline double logarithm(double x) {
    constexpr std::uint64_t half = 0x3fe6a09e667f3bcd;  // the bits of 0.707
    const std::uint64_t shifted = bits_of(x) - half;
    const double f = from_bits((shifted & 0x000fffffffffffff) + half);
    // the exponent in the last bits of 2^52 + 2^51, from where it is a number; the shift of 2048 keeps it positive
    const std::uint64_t biased = (shifted + (UINT64_C(2048) << 52)) >> 52;
    const double k = from_bits(biased | 0x4330000000000000) - 4503599627372544.0;
    const double found = k * LOG2_LOW + log_ratio((f - 1.0) / (f + 1.0));
    return found + k * LOG2_HIGH;
}

// A row of the logistic model
struct LogitRow {
    double loglik, mean, variance;
};

// With t = exp(-|eta|), log(1 + t) is that of (1 + t) / c, c being one or two; both reciprocals come from one division.
inline LogitRow logit_row(double eta, double y) {
    const double size = eta < 0.0 ? -eta : eta;
    const double t = exponential(-size);
    const bool is_far = t > 0.41421356237309515;
    const double c = is_far ? 2.0 : 1.0;
    const double one = 1.0 + t, sum = one + c;
    const double reciprocal = 1.0 / (one * sum);
    const double larger = reciprocal * sum;
    const double s = (t + (1.0 - c)) * (reciprocal * one);
    const double logarithm = log_ratio(s) + (is_far ? 0.69314718055994530942 : 0.0);
    LogitRow row;
    row.mean = eta < 0.0 ? t * larger : larger;
    row.variance = t * larger * larger;
    row.loglik = (y - 0.5) * eta - 0.5 * size - logarithm;
    return row;
}

void logit_rows(Index n, const double *SKMIXED_RESTRICT eta, const double *SKMIXED_RESTRICT y,
                double *SKMIXED_RESTRICT loglik, double *SKMIXED_RESTRICT mean, double *SKMIXED_RESTRICT variance) {
    for (Index i = 0; i < n; ++i) {
        const LogitRow row = logit_row(eta[i], y[i]);
        loglik[i] = row.loglik;
        mean[i] = row.mean;
        variance[i] = row.variance;
    }
}

// The same without log-likelihoods.
void logit_moments(Index n, const double *SKMIXED_RESTRICT eta, double *SKMIXED_RESTRICT mean,
                   double *SKMIXED_RESTRICT variance) {
    for (Index i = 0; i < n; ++i) {
        const double t = exponential(eta[i] < 0.0 ? eta[i] : -eta[i]);
        const double larger = 1.0 / (1.0 + t), smaller = t * larger;
        mean[i] = eta[i] < 0.0 ? smaller : larger;
        variance[i] = smaller * larger;
    }
}

void logarithms(Index n, const double *SKMIXED_RESTRICT x, double *SKMIXED_RESTRICT out) {
    for (Index i = 0; i < n; ++i) out[i] = logarithm(x[i]);
}

void exponentials(Index n, const double *SKMIXED_RESTRICT x, double *SKMIXED_RESTRICT out) {
    for (Index i = 0; i < n; ++i) out[i] = exponential(x[i]);
}

constexpr Rows rows_loops{exponentials, logarithms, logit_rows};

}  // namespace
}  // namespace SKMIXED_SWEEPS
}  // namespace skmixed
