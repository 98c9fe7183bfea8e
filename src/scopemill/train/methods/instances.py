"""Instances: images + labels -> a U-Net whose maps a watershed cuts into objects.

Crops are enlarged so that objects have about the diameter that the network is made for; at prediction it is
estimated, or given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ...settings import ConfigError, Positive, settings
from ..goal import Outcome

if TYPE_CHECKING:
    from torch import Tensor

    from ...examples import Examples
    from ...models.whole import Ready

USES_GPU = True
TRUTH = "labels"
EMPHASIS = 4.0  # on maps that most pixels have nothing to do with


@settings
class Settings:
    """What the network learns of labels."""

    heads: tuple[Literal["foreground", "border", "distance", "flow_y", "flow_x"], ...] = (
        "foreground",
        "border",
        "distance",
    )
    """Maps that it gives; foreground must be among them."""
    diameter_px: Positive | None = None
    """Objects are brought to this diameter, whatever their size in the image; without it, sizes stay."""


def check(settings: Settings, channels: Mapping[str, Any]) -> None:
    """Refuse what cannot be cut into objects."""
    if "foreground" not in settings.heads:
        raise ConfigError("heads: foreground must be among them")
    if ("flow_y" in settings.heads) != ("flow_x" in settings.heads):
        raise ConfigError("heads: flow_y and flow_x go together")
    if len(set(settings.heads)) < len(settings.heads):
        raise ConfigError("heads: each at most once")


def make_goal(settings: Settings, meta: Mapping[str, Any]) -> "Instances":
    """What `loop.fit` and the last steps need."""
    return Instances(settings, list(settings.heads))


@dataclass(frozen=True)
class Instances:
    """Maps of labels."""

    settings: Settings
    outputs: list[str]

    def targets(self, truth: np.ndarray) -> np.ndarray:
        """Labels (Z, Y, X) -> maps (heads, Z, Y, X)."""
        from ..targets import make_targets

        return make_targets(truth, tuple(self.outputs))

    def loss(self, output: "Tensor", target: "Tensor") -> "Tensor":
        """Sum over the heads; Dice of the foreground besides."""
        from ..losses import dice_loss, map_loss

        total = output.new_zeros(())
        for i, head in enumerate(self.outputs):
            logits, truth = output[:, i], target[:, i]
            if head == "foreground":
                total = total + map_loss(logits, truth) + dice_loss(logits.sigmoid(), truth)
            else:
                total = total + EMPHASIS * map_loss(logits, truth)
        return total

    def try_out(self, ready: "Ready", examples: "Examples", pictures: Path) -> Outcome:
        """Tune the post-processing on validation, score on test."""
        from ..tuning import try_instances

        return try_instances(ready, examples, pictures)
