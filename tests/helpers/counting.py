"""How much work something is, counted: the same on every machine, however busy."""

from contextlib import contextmanager
from functools import wraps

from skmixed._likelihood.glmm import GlmmState
from skmixed._likelihood.linear import LinearState


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
    originals = {LinearState: LinearState.__init__, GlmmState: GlmmState.__init__}
    names = {LinearState: "linear", GlmmState: "generalised"}

    def counting(kind):
        original = originals[kind]

        @wraps(original)
        def made(self, *args, **kwargs):
            setattr(counted, names[kind], getattr(counted, names[kind]) + 1)
            return original(self, *args, **kwargs)

        return made

    for kind in originals:
        kind.__init__ = counting(kind)
    try:
        yield counted
    finally:
        for kind, original in originals.items():
            kind.__init__ = original
