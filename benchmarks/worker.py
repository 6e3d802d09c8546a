"""The process of one Python engine: requests come in and answers go out as lines of JSON.

``{"open": engine, "case": ..., "folder": ...}`` loads the data; every ``{"fit": true}`` after it is
one timed fit.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import warnings
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

from threadpoolctl import threadpool_info

from . import columns
from .adapters import ADAPTERS


class Session:
    """One engine and one case, with the data in memory."""

    def __init__(self, engine, case, folder):
        self.case = SimpleNamespace(**case)
        self.adapter = ADAPTERS[engine, self.case.family]
        self.arguments = self.adapter.arrange(self.case, columns.read(Path(folder)))

    def describe(self) -> dict:
        """Return the version of the engine and its pools of threads."""
        package = import_module(self.adapter.package)
        pools = {f"{pool['internal_api']} {pool['num_threads']}" for pool in threadpool_info()}
        return {"version": package.__version__, "threads": ", ".join(sorted(pools))}

    def fit(self) -> dict:
        """Fit once and return the time and the log-likelihood."""
        gc.collect()
        with warnings.catch_warnings(record=True) as caught:
            start, cpu = time.perf_counter(), time.process_time()
            model = self.adapter.fit(self.case, *self.arguments)
            seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        loglik = float(self.adapter.loglik(model, *self.arguments))
        return {"seconds": seconds, "cpu": cpu, "loglik": loglik, "warning": first_line(caught)}


def first_line(caught) -> str:
    """Return the first line of the first warning."""
    return str(caught[0].message).strip().splitlines()[0] if caught else ""


def take_stdout():
    """Keep stdout for the answers: whatever an engine prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def main() -> None:
    """Answer requests until stdin ends."""
    answers, session = take_stdout(), None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "open" in request:
                session = Session(request["open"], request["case"], request["folder"])
            answer = session.describe() if "open" in request else session.fit()
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
