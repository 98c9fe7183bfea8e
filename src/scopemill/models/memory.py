"""Memory: a batch that a GPU has no room for -> the same predictions, fewer patches at once.

What fitted is remembered for each network as long as the job lasts.
"""

import logging
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import nn

from ..gpu_faults import is_out_of_memory

LOG = logging.getLogger(__name__)
TOLD = 64  # notes that are remembered: those of all images in hand, some more than once


@dataclass
class Room:
    """How much a network may look at at once."""

    values: int = sys.maxsize  # of a batch
    said: str = ""
    notes: deque[Callable[[str], None]] = field(default_factory=lambda: deque(maxlen=TOLD))


ROOMS: WeakKeyDictionary[nn.Module, Room] = WeakKeyDictionary()


def room_of(network: nn.Module) -> Room:
    """What is known of a network so far."""
    return ROOMS.setdefault(network, Room())


def tell(network: nn.Module, note: Callable[[str], None]) -> None:
    """Let the image in hand hear when batches of a network are halved; and at once, where they already are."""
    room = room_of(network)
    room.notes.append(note)
    if room.said:
        note(room.said)


def predict_in_parts(
    network: nn.Module, batch: np.ndarray, predict: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """What `predict` gives of a batch (n, ...), of so many at once as the GPU has memory for.

    Raises
    ------
    RuntimeError
        There is no room for a single one.
    """
    room, each, found, start = room_of(network), max(1, batch[:1].size), [], 0
    while start < len(batch) or not found:
        n = min(len(batch) - start, max(1, room.values // each))
        predicted, cause = try_out(predict, batch[start : start + n])
        if predicted is not None:
            found.append(predicted)
            start += n
            continue
        if n <= 1:
            size = " x ".join(map(str, batch.shape[2:]))
            raise RuntimeError(
                f"the GPU has no memory for a single patch of {size} pixels ({cause}); take a GPU with more memory or no "
                "other program on it, look at smaller parts (patch_size_px of a patch set, tile_px), or set device: cpu"
            )
        torch.cuda.empty_cache()
        room.values = (n // 2) * each
        room.said = "the GPU's memory was too small for the batch_size; fewer patches were predicted at once"
        LOG.warning("no GPU memory for %s patches at once; %s from now on: %s", n, n // 2, cause)
        for note in room.notes:
            note(room.said)
    return found[0] if len(found) == 1 else np.concatenate(found)


def try_out(
    predict: Callable[[np.ndarray], np.ndarray], part: np.ndarray
) -> tuple[np.ndarray | None, str]:
    """The prediction, or why there is none; the error is let go, for its traceback holds on to memory."""
    try:
        return predict(part), ""
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return None, str(error).partition("\n")[0]


@contextmanager
def explain_memory(cure: str) -> Iterator[None]:
    """Say what to do where a GPU's memory is too small; nothing is made smaller."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        cause = str(error).partition("\n")[0]
        raise RuntimeError(f"the GPU's memory is too small ({cause}); {cure}") from error
