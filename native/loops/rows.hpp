// Exponentials, logarithms, and rows of the logistic model at some linear predictors.
#pragma once

#include "common.hpp"

namespace skmixed {

struct Rows {
    void (*exponentials)(Index n, const double *x, double *out);
    void (*logarithms)(Index n, const double *x, double *out);

    // log-likelihood y eta - log(1 + exp(eta)), mean mu = 1 / (1 + exp(-eta)) and variance mu (1 - mu)
    void (*logit)(Index n, const double *eta, const double *y, double *loglik, double *mean, double *variance);
};

}  // namespace skmixed
