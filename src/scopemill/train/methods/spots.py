"""Spots: stacks + points -> a U-Net whose heat map has its maxima at spots, for the detection `unet3d-spots`.

It wants a network in 3-D: {name: unet, dims: 3, keep_planes: true}, which takes any number of planes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from ...models.description import Normalisation
from ...settings import ConfigError, Positive, settings
from ...spots import OUTPUT, Peaks, draw_heat
from ..goal import Outcome

if TYPE_CHECKING:
    from torch import Tensor

    from ...examples import Examples
    from ...models.whole import Ready
    from ..crops import View
    from ..spot_crops import SpotCrops

USES_GPU = True
TRUTH = "points"


@settings
class Settings:
    """What the network learns of points."""

    sigma_px: tuple[Positive, Positive, Positive] = (0.8, 1.0, 1.0)
    """Width of the Gaussian (z, y, x) that is drawn around a point: narrower tells apart what is closer."""
    background_px: Annotated[int, Field(ge=4, le=64)] = 10
    """Grey values are compared with those so far around: a few times the width of a spot."""
    spot_weight: Positive = 20.0
    """How much more the middle of a spot counts than background."""
    spot_sigma_px: tuple[Positive, Positive] = (0.8, 2.5)
    """Widths of the spots in the training images; others are brought to these when the width is known."""


def make_goal(settings: Settings, meta: Mapping[str, Any]) -> "Spots":
    """What `loop.fit` and the last steps need; `meta` is that of the training set."""
    if len(meta["channels"]) != 1:
        raise ConfigError(
            f"collect: channels: {meta['channels']}: spots are learnt in one channel; name one"
        )
    scaling = Normalisation(local_px=settings.background_px)
    return Spots(settings, [OUTPUT], scaling, meta["planes"])


@dataclass(frozen=True)
class Spots:
    """Heat maps of points."""

    settings: Settings
    outputs: list[str]
    normalisation: Normalisation
    planes: int

    @property
    def reach_px(self) -> float:
        """Where the background of a pixel is looked for."""
        return self.settings.background_px

    def make_crops(self, examples: "Examples", view: "View") -> "SpotCrops":
        """The problem that `loop.fit` solves."""
        from ..spot_crops import SpotCrops

        return SpotCrops(examples, view, self)

    def draw(self, points: np.ndarray, shape: Sequence[int]) -> np.ndarray:
        """Points (n, 3) -> heat map (Z, Y, X)."""
        return draw_heat(points, shape, self.settings.sigma_px)

    def targets(self, truth: np.ndarray) -> np.ndarray:
        """Volume of points (Z, Y, X) -> heat map (1, Z, Y, X)."""
        from ...points import unpack_points

        return self.draw(unpack_points(truth), truth.shape)[None]

    def loss(self, output: "Tensor", target: "Tensor") -> "Tensor":
        """Cross entropy, in which spots, which are few, count more."""
        from ..losses import weighted_map_loss

        if output.ndim != 5:
            raise ConfigError("network: spots want one in 3-D; set network: {name: unet, dims: 3}")
        return weighted_map_loss(output, target, 1 + self.settings.spot_weight * target)

    def try_out(self, ready: "Ready", examples: "Examples", pictures: Path) -> Outcome:
        """The threshold is tuned on validation, scores are of the test images."""
        from ..tuning_spots import try_spots

        untuned = Peaks(planes=self.planes, sigma_px=self.settings.spot_sigma_px)
        return try_spots(ready, examples, untuned)
