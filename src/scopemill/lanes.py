"""Lanes: several images of a batch in hand at once -> decoding, the network and what follows it overlap.

Only where a network keeps a GPU (or the cores that stand in for it) busy; else Snakemake runs jobs side by side.
"""

import dataclasses
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from .manifests import Record, append_journal
from .usage import Usage, forget_peak

In, Out = TypeVar("In"), TypeVar("Out")
LARGE = 1 << 24  # pixel values; such an image has the memory of the job to itself


def count_lanes(method: Any, threads: int, shapes: Iterable[Iterable[int] | None]) -> int:
    """As many as there are threads for a network's small images; one for all others, and for unknown shapes."""
    if threads == 1 or not getattr(method and method.module, "USES_GPU", False):
        return 1
    return threads if all(shape and math.prod(shape) < LARGE for shape in shapes) else 1


def in_lanes(work: Callable[[In], Out], items: Iterable[In], lanes: int) -> Iterator[Out]:
    """What `work` gives of each item, in their order; an error comes when those in hand are done."""
    if lanes == 1:
        yield from map(work, items)
        return
    waiting: deque[Future[Out]] = deque()
    with ThreadPoolExecutor(lanes) as threads:
        for item in items:
            waiting.append(threads.submit(work, item))
            if len(waiting) == lanes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class Made:
    """Writes each record into the journal when its image is done, whichever lane made it.

    Of images that are in hand together, each took what passed since another one was done, and the highest peak so far.
    """

    def __init__(self, journal: Path, facts: Mapping[str, Any], shared: bool):
        self.n, self._journal, self._facts, self._shared = 0, journal, dict(facts), shared
        self._lock, self._usage = threading.Lock(), Usage.start()

    def begin(self) -> None:
        """An image is taken up."""
        if self.n and not self._shared:
            forget_peak()  # each image's own

    def add(self, record: Record) -> Record:
        """An image is done; the record, with who made it."""
        with self._lock:
            self.n += 1
            took = self._usage.so_far() if self._shared else {}
            self._usage = Usage.start()
            record = dataclasses.replace(record, run=self._facts, **took)
            append_journal(self._journal, record)
        return record
