"""Progress: one line now and then in the log, and on standard output for a person who watches."""

import logging
import sys
import time

from .readable import readable

LOG = logging.getLogger("scopemill")
EVERY_S = 5.0


class Progress:
    """Counts images of a batch and says how many are done, how fast, and how long it will take."""

    def __init__(self, title: str, total: int, clock=time.monotonic):
        self.title, self.total, self.done = title, total, 0
        self._clock = clock
        self._start = self._told = clock()

    def step(self) -> None:
        """One more image is done."""
        self.done += 1
        now = self._clock()
        if self.done == self.total or now - self._told >= EVERY_S:
            self._told = now
            line = self.line(now - self._start)
            LOG.info(line)
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def line(self, seconds: float) -> str:
        """'segment.nuclei b0001: 12/50 images, 3.1 images/s, ETA 0:12'."""
        rate = self.done / max(seconds, 1e-9)
        eta = round((self.total - self.done) / rate)
        return f"{self.title}: {self.done}/{self.total} images, {readable(rate, 2)} images/s, ETA {eta // 60}:{eta % 60:02d}"
