"""The engines that are compared, and what each of them cannot do."""

from __future__ import annotations

from dataclasses import dataclass

from .cases import Case


@dataclass(frozen=True)
class Engine:
    """A program that fits mixed models.

    Parameters
    ----------
    name : str
    host : {"own", "peers", "r"}
        The interpreter that runs it: ours, the one of the peers, or R.
    methods : tuple of str
    min_factors, max_factors : int
    has_slopes : bool
        Whether it has correlated slopes.
    max_rows : int
        Above this size it is not asked, to spare the machine.
    """

    name: str
    host: str
    methods: tuple[str, ...] = ("ml", "reml")
    min_factors: int = 1
    max_factors: int = 9
    has_slopes: bool = True
    max_rows: int = 2_000_000

    def refusal(self, case: Case, rows: int) -> str:
        """Say why the engine sits a case out; empty when it does not."""
        reasons = {
            f"has no {case.method.upper()}": case.method not in self.methods,
            "has no correlated slopes": case.has_slopes and not self.has_slopes,
            "the same as gpboost with one factor": len(case.factors) < self.min_factors,
            "too slow with crossed or nested factors": len(case.factors) > self.max_factors,
            f"too slow above {self.max_rows:,} rows": rows > self.max_rows,
        }
        return next((reason for reason, holds in reasons.items() if holds), "")


ENGINES = {
    engine.name: engine
    for engine in (
        Engine("skmixed", "own", max_rows=1_000_000_000),
        Engine("lme4", "r"),
        Engine("glmmTMB", "r"),
        Engine("gpboost", "peers", methods=("ml",), has_slopes=False, max_rows=1_000_000_000),
        Engine("gpboost_cholesky", "peers", methods=("ml",), has_slopes=False, min_factors=2),
        Engine("mixedlm", "peers"),
        Engine("statsmodels", "peers", max_factors=1, max_rows=50_000),
    )
}
