"""Usage: what making one artifact costs -> seconds, CPU seconds of all threads, peak memory of the process."""

import os
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

RESET_PEAK = "5"  # proc(5), clear_refs: forget the highest resident size, since Linux 4.0
STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Usage:
    """Clocks as they stood when the work began."""

    wall: float
    cpu: float

    @classmethod
    def start(cls) -> "Usage":
        """Start the clocks."""
        return cls(time.perf_counter(), cpu_clock())

    def so_far(self) -> dict[str, float]:
        """Fields of a Record; rounded, so that manifests stay readable."""
        return {
            "seconds": round(time.perf_counter() - self.wall, 3),
            "cpu_seconds": round(cpu_clock() - self.cpu, 3),
            "peak_memory_mb": round(peak_memory_mb(), 1),
        }


def cpu_clock() -> float:
    """CPU seconds of this process, all of its threads, and its children that have ended."""
    ended = os.times()
    return time.process_time() + ended.children_user + ended.children_system


def forget_peak() -> None:
    """Count the peak of memory anew, between two images of a batch.

    Where the system does not let us (macOS, some sandboxes) the peak of the process counts, which is never too small.
    This also resets what `getrusage` says: who measures a whole batch takes the highest peak of its images.
    """
    try:
        CLEAR.write_text(RESET_PEAK)
    except OSError:
        return


def peak_memory_mb() -> float:
    """Highest resident size of this process since it began, or since `forget_peak`."""
    try:
        (line,) = (one for one in STATUS.read_text().splitlines() if one.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    except (OSError, ValueError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
