"""Checkpoint: all that a training needs to go on <-> checkpoint.pt."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..manifests import replacing

LOG = logging.getLogger(__name__)


@dataclass
class State:
    """All that a checkpoint holds."""

    step: int = 0
    network: dict[str, Tensor] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)
    best: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    fingerprint: str = ""


def write_checkpoint(path: Path, state: State) -> None:
    """Beside it, then renamed: a kill leaves the one before."""
    with replacing(path) as temporary:
        torch.save(vars(state), temporary)


def read_checkpoint(path: Path, fingerprint: str, device: torch.device) -> State | None:
    """A checkpoint of the same training; another one's is no use, a damaged one is said."""
    if not path.is_file():
        return None
    try:
        state = State(**torch.load(path, map_location=device, weights_only=True))
    except Exception as error:  # torch raises whatever the broken bytes lead it to
        LOG.warning("%s: unreadable (%s); the training starts again", path, error)
        return None
    if state.fingerprint != fingerprint:
        LOG.info("%s is of other settings or data; the training starts again", path)
        return None
    return state
