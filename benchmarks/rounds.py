"""Round-robin timing: run 1 of every engine, then run 2 of every engine, and so on.

The engines take turns so that a machine that gets slower or faster does so for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from .engines import Engine
from .processes import Worker, WorkerError, start


@dataclass(frozen=True)
class Plan:
    """How often and how long.

    Parameters
    ----------
    repeats : int
        Timed fits of an engine.
    long_repeats : int
        Timed fits when one takes longer than `long_fit` seconds.
    long_fit : float
        From this time on the warm-up is counted as a timed fit.
    limit : float
        Seconds after which a fit is given up.
    peers_python, rscript : str
        The interpreters of the peers.
    """

    repeats: int = 5
    long_repeats: int = 2
    long_fit: float = 20.0
    limit: float = 300.0
    peers_python: str = "python"
    rscript: str = "Rscript"


@dataclass
class Entry:
    """One engine in one case: its process, its fits so far, and why it stopped."""

    engine: Engine
    worker: Worker | None = None
    about: dict = field(default_factory=dict)
    fits: list[dict] = field(default_factory=list)
    note: str = ""
    peak: float | None = None

    @property
    def seconds(self) -> list[float]:
        """The times of the fits."""
        return [fit["seconds"] for fit in self.fits]

    @property
    def median(self) -> float | None:
        """The median time, None without a fit."""
        return median(self.seconds) if self.fits else None

    @property
    def cores(self) -> float | None:
        """Processor seconds per second: how many cores were at work."""
        return sum(fit["cpu"] for fit in self.fits) / sum(self.seconds) if self.fits else None

    @property
    def loglik(self) -> float | None:
        """The log-likelihood of the last fit, None without a fit."""
        return self.fits[-1]["loglik"] if self.fits else None

    def stop(self, note: str) -> None:
        """End the process and keep the reason."""
        self.note = note
        if self.worker:
            self.peak = self.worker.peak_megabytes()
            self.worker.close()
            self.worker = None


def ask(entry: Entry, request: dict, plan: Plan) -> dict | None:
    """Ask the worker, starting it if need be; None where it fails, which stops the entry."""
    try:
        entry.worker = entry.worker or start(entry.engine.host, plan.peers_python, plan.rscript)
        return entry.worker.ask(request, plan.limit)
    except TimeoutError:
        entry.stop(f"over the limit of {plan.limit:g} s")
    except (WorkerError, OSError) as error:
        entry.stop(str(error).splitlines()[0])
    return None


def enter(engine: Engine, case, rows: int, folder: Path, plan: Plan) -> Entry:
    """Start the engine and let it read the data, unless it sits this case out."""
    entry = Entry(engine, note=engine.refusal(case, rows))
    if not entry.note:
        request = {"open": engine.name, "case": case.model(), "folder": str(folder)}
        entry.about = ask(entry, request, plan) or {}
    return entry


def warm_up(entry: Entry, plan: Plan) -> None:
    """Fit once without counting it; a long fit counts, the start-up is little of it."""
    fit = ask(entry, {"fit": True}, plan)
    if fit and fit["seconds"] > plan.long_fit:
        entry.fits.append(fit)


def wanted(entry: Entry, plan: Plan) -> int:
    """Return how many timed fits the engine makes."""
    is_long = bool(entry.fits) and entry.seconds[-1] > plan.long_fit
    return min(plan.repeats, plan.long_repeats) if is_long else plan.repeats


def take_turn(entry: Entry, plan: Plan) -> None:
    """Make one timed fit if the engine has one left."""
    if entry.worker and len(entry.fits) < wanted(entry, plan):
        fit = ask(entry, {"fit": True}, plan)
        entry.fits += [fit] if fit else []


def compare(case, rows: int, folder: Path, engines: list[Engine], plan: Plan) -> list[Entry]:
    """Let the engines take turns on one case."""
    entries = [enter(engine, case, rows, folder, plan) for engine in engines]
    for entry in entries:
        if entry.worker:
            warm_up(entry, plan)
    for _ in range(plan.repeats):
        for entry in entries:
            take_turn(entry, plan)
    for entry in entries:
        entry.stop(entry.note or (entry.fits[-1]["warning"] if entry.fits else ""))
    return entries
