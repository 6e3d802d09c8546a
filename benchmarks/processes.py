"""Worker processes that outlive a fit, and asking them with a limit of time."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from pathlib import Path

HERE = Path(__file__).parent


class WorkerError(RuntimeError):
    """The engine raised an error or its process ended."""


class Worker:
    """A process that answers lines of JSON with lines of JSON."""

    def __init__(self, command):
        streams = {
            "stdin": subprocess.PIPE,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.DEVNULL,
        }
        self.process = subprocess.Popen(command, cwd=HERE.parent, text=True, **streams)
        self.lines = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                self.lines.put(line)
        self.lines.put('{"error": "the process ended"}')

    def ask(self, request: dict, seconds: float) -> dict:
        """Send a request and wait for the answer; TimeoutError when it takes longer."""
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        try:
            answer = json.loads(self.lines.get(timeout=seconds))
        except queue.Empty:
            raise TimeoutError from None
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def peak_megabytes(self) -> float | None:
        """Return the largest resident memory so far, where the system tells (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status")
        lines = status.read_text().splitlines() if status.exists() else []
        return next(
            (int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), None
        )

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()


def start(host: str, peers_python: str, rscript: str) -> Worker:
    """Start the worker of an engine; WorkerError without its interpreter."""
    program = {"own": sys.executable, "peers": peers_python, "r": rscript}[host]
    script = ["--vanilla", str(HERE / "worker.R")] if host == "r" else ["-m", "benchmarks.worker"]
    if not (found := shutil.which(program)):
        raise WorkerError(f"{program} is not installed")
    return Worker([os.path.abspath(found), *script])
