"""Fuzzing: files that lie, read by a child -> how many were read and refused; a fault is an AssertionError."""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from mutations import mutated
from reading import Reading

ROUND = 50  # files between two looks at the clock
QUICK = settings(
    max_examples=ROUND,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),  # a file that shows a fault is kept as it is: it is small
)


class Lie(bytes):
    """A file's content, of which a report shows the length only."""

    def __repr__(self) -> str:
        return f"{len(self)} bytes"


def fuzz(samples: Mapping[Path, str | None], folder: Path, seconds: float, first: int = 0) -> Counter:  # fmt: skip
    """Read lies about samples until time is over; `first` numbers the rounds.

    Raises
    ------
    AssertionError
        With what the child said, where a file was neither read nor refused; it is kept in `folder`.
    """
    counts: Counter = Counter()
    contents = {path: path.read_bytes() for path in samples}
    end = time.monotonic() + seconds
    with Reading() as reading:

        def look(data: st.DataObject) -> None:
            path = data.draw(st.sampled_from(sorted(samples)))
            content = data.draw(mutated(contents[path]).map(Lie))
            lie = folder / f"lie-{path.name}"
            lie.write_bytes(content)
            answer = reading.ask(lie, samples[path])
            check(answer, lie, content)
            counts[answer.get("code", answer["outcome"])] += 1

        while time.monotonic() < end:
            seed(first)(QUICK(given(st.data())(look)))()
            first += 1
    return counts


def check(answer: Mapping, lie: Path, content: bytes) -> None:
    """The file was read, or refused by name, and nothing was written into it."""
    assert answer["outcome"] in ("read", "refused"), answer.get("traceback", answer)
    assert answer["outcome"] == "read" or str(lie) in answer["message"], answer
    assert lie.read_bytes() == content, f"{lie} was changed"
