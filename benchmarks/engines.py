"""The engines that are compared, and what each of them cannot do."""

from __future__ import annotations

from dataclasses import dataclass

from .cases import Case

LINEAR_TOLERANCE = 1e-7
"""Share of a log-likelihood that counts as agreement in a linear model, for every engine."""


@dataclass(frozen=True)
class Engine:
    """A program that fits mixed models.

    Parameters
    ----------
    name : str
    host : {"own", "peers", "r"}
        The interpreter that runs it: ours, the one of the peers, or R.
    methods, families : tuple of str
    min_factors, max_factors : int
    has_slopes : bool
        Whether it has correlated slopes.
    has_quadrature : bool
        Whether it has more than the Laplace approximation.
    max_rows : int
        Above this size it is not asked, to spare the machine.
    logistic_tolerance : float
        How early the search may stop in a logistic model, as a share of the log-likelihood.
    """

    name: str
    host: str
    methods: tuple[str, ...] = ("ml", "reml")
    families: tuple[str, ...] = ("gaussian", "binomial")
    min_factors: int = 1
    max_factors: int = 9
    has_slopes: bool = True
    has_quadrature: bool = True
    max_rows: int = 2_000_000
    logistic_tolerance: float = 1e-5

    def tolerance(self, case: Case) -> float:
        """Return the share of its size by which the log-likelihood may fall short of the best."""
        return {"gaussian": LINEAR_TOLERANCE, "binomial": self.logistic_tolerance}[case.family]

    def refusal(self, case: Case, rows: int) -> str:
        """Say why the engine sits a case out; empty when it does not."""
        reasons = {
            f"has no {case.method.upper()}": case.method not in self.methods,
            "has no maximum likelihood for logistic models": case.family not in self.families,
            "has no quadrature": case.points > 1 and not self.has_quadrature,
            "has no correlated slopes": case.has_slopes and not self.has_slopes,
            "the same as gpboost with one factor": len(case.factors) < self.min_factors,
            "too slow with crossed or nested factors": len(case.factors) > self.max_factors,
            f"too slow above {self.max_rows:,} rows": rows > self.max_rows,
        }
        return next((reason for reason, holds in reasons.items() if holds), "")


GPBOOST = {"methods": ("ml",), "has_slopes": False, "has_quadrature": False}

ENGINES = {
    engine.name: engine
    for engine in (
        Engine("skmixed", "own", max_rows=1_000_000_000, logistic_tolerance=LINEAR_TOLERANCE),
        Engine("lme4", "r"),
        Engine("glmmTMB", "r", has_quadrature=False),
        Engine("gpboost", "peers", **GPBOOST, max_rows=1_000_000_000),
        Engine("gpboost_cholesky", "peers", **GPBOOST, min_factors=2),
        Engine("mixedlm", "peers"),
        Engine("statsmodels", "peers", families=("gaussian",), max_factors=1, max_rows=50_000),
    )
}
