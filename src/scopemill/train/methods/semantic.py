"""Semantic: images + classes of their pixels -> a U-Net that gives each pixel a probability of each class."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...settings import ConfigError, Positive, nearest, settings
from ..goal import Outcome

if TYPE_CHECKING:
    from torch import Tensor

    from ...examples import Examples
    from ...models.whole import Ready

USES_GPU = True
TRUTH = "classes"


@settings
class Settings:
    """What the network learns of classes."""

    class_weights: dict[str, Positive] | None = None
    """How much a pixel of a class counts; without it, rare classes more (1 / square root of their share)."""


def make_goal(settings: Settings, meta: Mapping[str, Any]) -> "Semantic":
    """What `loop.fit` and the last steps need; `meta` is that of the training set."""
    names = ["background", *meta["classes"]]
    pixels = np.array(meta["class_pixels"], float)
    weights = 1 / np.sqrt(np.maximum(pixels / pixels.sum(), 1e-4))
    if settings.class_weights is not None:
        for name in settings.class_weights:
            if name not in names:
                raise ConfigError(
                    f"class_weights: there is no class '{name}'{nearest(name, names)}"
                )
        weights = np.array([settings.class_weights.get(name, 1.0) for name in names])
    return Semantic(settings, names, tuple(weights / weights.mean()))


@dataclass(frozen=True)
class Semantic:
    """Classes that exclude each other, background the first."""

    settings: Settings
    outputs: list[str]
    weights: tuple[float, ...]

    def targets(self, truth: np.ndarray) -> np.ndarray:
        """Classes (Z, Y, X) -> one map a class (classes, Z, Y, X)."""
        return np.stack([truth == i for i in range(len(self.outputs))]).astype(np.float32)

    def loss(self, output: "Tensor", target: "Tensor") -> "Tensor":
        """Cross entropy and Dice."""
        import torch

        from ..losses import classes_loss

        return classes_loss(output, target, torch.tensor(self.weights))

    def try_out(self, ready: "Ready", examples: "Examples", pictures: Path) -> Outcome:
        """Thresholds tuned on validation, scores on test."""
        from ..tuning_semantic import try_classes

        return try_classes(ready, examples, pictures)
