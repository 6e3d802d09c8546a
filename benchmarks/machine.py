"""What the machine is, and whether something else is running on it."""

from __future__ import annotations

import os
import platform
import resource
import time
from pathlib import Path

STATISTICS = Path("/proc/stat")


def busy_seconds() -> float:
    """Return the seconds that all cores together have been at work, for whomever."""
    user, nice, system, _, _, *interrupted = map(
        int, STATISTICS.read_text().splitlines()[0].split()[1:9]
    )
    return (user + nice + system + sum(interrupted)) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """Return the processor seconds of this process and its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class Others:
    """How many cores others used while the block ran; None where the system does not tell."""

    cores: float | None = None

    def __enter__(self):
        if STATISTICS.exists():
            self.start = time.perf_counter(), busy_seconds() - own_seconds()
        return self

    def __exit__(self, *error):
        if STATISTICS.exists():
            seconds = time.perf_counter() - self.start[0]
            self.cores = max(0.0, busy_seconds() - own_seconds() - self.start[1]) / seconds


def describe(entries, others: dict[str, float | None]) -> str:
    """Describe the machine, what else it did, and the threads every engine had by default."""
    threads = {
        entry.engine.name: entry.about["threads"] for entry in entries if "threads" in entry.about
    }
    variables = [
        f"{name}={value}" for name, value in os.environ.items() if name.endswith("_NUM_THREADS")
    ]
    lines = [
        f"Machine: {platform.machine()}, {os.cpu_count()} cores, {platform.system()}.",
        f"Thread variables set for all: {', '.join(variables) or 'none'}.",
        "Cores that other programs used during each case (times are good where this is near 0): "
        + ", ".join(
            f"{name} {'unknown' if cores is None else format(cores, '.1f')}"
            for name, cores in others.items()
        ),
        "Libraries and threads of every engine, by default:",
        "",
        *(f"- {name}: {words or 'one thread'}" for name, words in threads.items()),
    ]
    return "\n".join(lines) + "\n"
