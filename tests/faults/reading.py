"""Asks `reading_child.py`, with a time limit; a child that dies or hangs is an answer too."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Self

import psutil

CHILD = Path(__file__).with_name("reading_child.py")
LIMIT_S = 10.0  # of CPU time
WAIT_S = 60.0  # on a clock, for a child that waits; other work may hold the cores
START_S = 60.0


class Reading:
    """A child that reads files; a context manager. It is started anew where it died."""

    def __init__(self, limit_s: float = LIMIT_S):
        self.limit_s = limit_s
        self._child: subprocess.Popen | None = None

    def ask(self, path: Path, scene: str | None = None) -> dict[str, Any]:
        """What comes of reading a file; `outcome` may also be died or hung."""
        fresh = self._child is None
        if fresh:
            self._start()
        try:
            self._child.stdin.write(json.dumps({"path": str(path), "scene": scene}) + "\n")
            self._child.stdin.flush()
            line = self._next_line(START_S if fresh else 0)
        except queue.Empty:
            self.close()
            return {"outcome": "hung"}
        except BrokenPipeError:
            line = ""
        if line:
            return json.loads(line)
        child, self._child = self._child, None
        return {"outcome": "died", "status": child.wait()}

    def _next_line(self, more_s: float) -> str:
        """What the child says; queue.Empty where it computes, or waits, for too long."""
        process, start = psutil.Process(self._child.pid), time.monotonic()
        cpu_s = used_s(process)
        while True:
            try:
                return self._lines.get(timeout=1)
            except queue.Empty:
                waited = time.monotonic() - start > WAIT_S + more_s
                if waited or used_s(process) - cpu_s > self.limit_s + more_s:
                    raise

    def _start(self) -> None:
        source = Path(__file__).parents[2] / "src"
        environment = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
        self._child = subprocess.Popen(
            [sys.executable, str(CHILD)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=environment, text=True,
        )  # fmt: skip
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_pump, args=(self._child, self._lines), daemon=True).start()

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def used_s(process: psutil.Process) -> float:
    """CPU seconds so far; of a process that ended, none."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system


def _pump(child: subprocess.Popen, lines: "queue.Queue[str]") -> None:
    for line in child.stdout:
        lines.put(line)
    lines.put("")
