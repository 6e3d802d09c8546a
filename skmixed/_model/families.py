"""Response distributions: the log-likelihood of a row and its derivatives in the linear predictor.

A family is asked for a :class:`LogitPoint`-like value at a linear predictor eta.  What it must
offer, per row and times the row's weight m (the number of trials):

    loglik      l(eta)
    score       r   =  l'
    weight      w   = -l''
    skew        w'  =  dw / deta
    curvature   w'' =  d2w / deta2

``link`` and its inverse ``mean``, and ``start(y)``, a linear predictor near the data.  Another
canonical family, such as Poisson with ``r = y - mu, w = w' = w'' = mu``, is one more class of this
size.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.special import expit, logit


class BernoulliRows:
    """Bernoulli rows at one linear predictor.

    Everything comes from ``t = exp(-|eta|)``, which cannot overflow.
    """

    def __init__(self, eta, y, m):
        self.eta = eta
        self.y = y
        self.m = m
        t = np.abs(eta)
        np.negative(t, out=t)
        np.exp(t, out=t)
        self._t = t
        self._larger = 1.0 / (1.0 + t)  # the larger of both probabilities

    @cached_property
    def mean(self):
        """``mu``, the probability of a one."""
        mu = np.copysign(self._larger - 0.5, self.eta)
        mu += 0.5
        return mu

    @cached_property
    def loglik(self):
        """``m (y eta - log(1 + exp(eta)))``, with the logarithm as ``max(eta, 0) -
        log(larger)``."""
        out = (self.y - 0.5) * self.eta
        out -= 0.5 * np.abs(self.eta)
        out += np.log(self._larger)
        return self.m * out

    @cached_property
    def score(self):
        """``m (y - mu)``."""
        return self.m * (self.y - self.mean)

    @cached_property
    def weight(self):
        """``m mu (1 - mu)``."""
        return self.m * (self._t * self._larger * self._larger)

    @cached_property
    def skew(self):
        """``w (1 - 2 mu)``."""
        return self.weight * (1.0 - 2.0 * self.mean)

    @cached_property
    def curvature(self):
        """``w (1 - 6 mu (1 - mu))``."""
        return self.weight * (1.0 - 6.0 * self._t * self._larger * self._larger)


class BernoulliLogit:
    """Zeros and ones with ``log(mu / (1 - mu)) = eta``; m counts repetitions of a row."""

    name = "logit"

    def at(self, eta, y, m):
        """The rows at a linear predictor."""
        return BernoulliRows(eta, y, m)

    def mean(self, eta):
        """Probability of a one."""
        return expit(eta)

    def link(self, mean):
        """Linear predictor of a mean."""
        return logit(mean)

    def start(self, y):
        """Log-odds of shrunken shares: half a success and half a failure are added to each row."""
        return np.log((y + 0.5) / (1.5 - y))
