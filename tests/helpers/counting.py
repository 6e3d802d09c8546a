"""How much work something is, counted: the same on every machine, however busy."""

from contextlib import contextmanager
from functools import wraps

from skmixed._algebra.kernels import CHOICE
from skmixed._likelihood.glmm import GlmmState
from skmixed._likelihood.linear import LinearState
from skmixed._likelihood.one_factor import Sweep
from skmixed._search import compiled

#: evaluations of a linear model of one factor beyond those of its search: of the fixed effects alone, and of the
#: minimum that compiled loops found
BEYOND = 1 if CHOICE.native is None else 2


class Evaluations:
    """Evaluations of the deviance of linear and of generalised linear models."""

    def __init__(self):
        self.linear = 0
        self.generalised = 0

    @property
    def total(self):
        return self.linear + self.generalised


@contextmanager
def evaluations():
    """Counts the evaluations made inside."""
    counted = Evaluations()
    names = {LinearState: "linear", Sweep: "linear", GlmmState: "generalised"}
    originals = {kind: kind.__init__ for kind in names}

    def counting(kind):
        original = originals[kind]

        @wraps(original)
        def made(self, *args, **kwargs):
            several = len(args[1]) if kind is Sweep else 1
            setattr(counted, names[kind], getattr(counted, names[kind]) + several)
            return original(self, *args, **kwargs)

        return made

    minimize = compiled.minimize_compiled

    def counted_minima(*args, **kwargs):
        found = minimize(*args, **kwargs)
        counted.linear += int(found.n_evaluations.sum())
        return found

    for kind in originals:
        kind.__init__ = counting(kind)
    compiled.minimize_compiled = counted_minima
    try:
        yield counted
    finally:
        compiled.minimize_compiled = minimize
        for kind, original in originals.items():
            kind.__init__ = original
