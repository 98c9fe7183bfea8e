"""Goal: what a method of training wants of a network: its outputs, their targets, the loss, and the last steps."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..examples import Examples

if TYPE_CHECKING:
    from torch import Tensor

    from ..metrics import Interval
    from ..models.whole import Ready


@dataclass(frozen=True)
class Outcome:
    """What was found when the trained network was tried."""

    postprocessing: dict[str, Any]
    """Settings of what follows the network, tuned on the validation images."""
    scores: "dict[str, Interval]"
    """On the test images, or on those of validation where there are no others."""
    part: str
    """Which images the scores are of."""
    table: list[dict[str, Any]]
    """One row an image."""


class Goal(Protocol):
    """`method.make_goal(settings, meta)` gives one."""

    outputs: list[str]

    def targets(self, truth: np.ndarray) -> np.ndarray:
        """Truth of a crop (Z, Y, X) -> what the network learns (heads, Z, Y, X)."""

    def loss(self, output: "Tensor", target: "Tensor") -> "Tensor":
        """How far off a batch is."""

    def try_out(self, ready: "Ready", examples: Examples, pictures: Path) -> Outcome:
        """Tune on validation, score on test."""
