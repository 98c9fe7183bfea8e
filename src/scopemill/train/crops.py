"""Crops: a training set -> the batches that a network learns from, and how far off it is.

Crops are drawn at random places, scales and angles; their truth becomes the maps that the network gives.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..examples import Example, Examples
from ..models.description import Normalisation
from ..models.predict import scale_grey_values
from .augment import crowd, relight, warp
from .goal import Goal
from .settings import Augmentation, Crop

VALIDATION_CROPS = 32
TRIES = 4  # at a crop that shows enough
PLAIN = Augmentation(
    scale=(1.0, 1.0), rotate=False, flip=False, stretch=0.0, intensity=0.0, colour=0.0,
    blur_px=0.0, noise=0.0, haze=0.0, uneven=0.0, crowd=0.0,
)  # fmt: skip


@dataclass(frozen=True)
class View:
    """How a training set is looked at."""

    crop: Crop
    augmentation: Augmentation
    scaling: Normalisation
    diameter_px: float | None
    """Objects are brought to it, whatever their size in the image; None: sizes stay."""
    batch_size: int
    seed: int


class Crops:
    """The problem that `loop.fit` solves; `goal` (a method with its settings) makes targets and tells how far off."""

    def __init__(self, examples: Examples, view: View, goal: Goal):
        self.examples, self.view, self.goal = examples, view, goal
        self.parts = {part: examples.of(part) for part in ("train", "validation")}
        self.shares = weigh([examples.all[i] for i in self.parts["train"]], view.crop.balance)
        self.loss = goal.loss
        self._kept: list[tuple[np.ndarray, np.ndarray]] | None = None

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Crops of a step."""
        rng = np.random.default_rng([self.view.seed, step])
        return self._stack([self.draw(rng) for _ in range(self.view.batch_size)])

    def validation(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The same crops each time, as they are."""
        if self._kept is None:
            rng = np.random.default_rng([self.view.seed, 1, 1])
            numbers = self.parts["validation"]
            chosen = rng.permutation(numbers)[:VALIDATION_CROPS] if numbers else []
            crops = [self.cut(int(i), PLAIN, rng) for i in chosen]
            n = self.view.batch_size
            self._kept = [self._stack(crops[i : i + n]) for i in range(0, len(crops), n)]
        yield from self._kept

    def draw(self, rng) -> tuple[np.ndarray, np.ndarray]:
        """One crop (C, Z, P, P) and its labels (Z, P, P), varied."""
        own = self.view.augmentation
        for _ in range(TRIES):
            pixels, truth = self.cut(self._choose(rng), own, rng)
            if np.count_nonzero(truth) >= self.view.crop.min_foreground * truth.size:
                break
        if rng.random() < own.crowd:
            pixels, truth = crowd(pixels, truth, self.cut(self._choose(rng), own, rng), rng)
        return relight(pixels, truth, own, rng), truth

    def _choose(self, rng) -> int:
        return int(rng.choice(self.parts["train"], p=self.shares))

    def cut(self, i: int, own: Augmentation, rng) -> tuple[np.ndarray, np.ndarray]:
        """A crop of an example, at a place, scale and angle drawn."""
        example, size = self.examples.all[i], self.view.crop.patch_size_px
        zoom = math.exp(rng.uniform(*np.log(own.scale)))
        if self.view.diameter_px and example.diameter_px:
            zoom *= self.view.diameter_px / example.diameter_px
        reach = math.ceil(size / zoom * (1.5 if own.rotate else 1.1))
        window = tuple(place(n, reach, rng) for n in example.shape[-2:])
        if zoom == 1:
            window = tuple(centre(one, size) for one in window)
        pixels, truth = self.examples.read(i, window)
        planes = place(example.shape[1], self.view.crop.planes, rng)
        scaled = scale_grey_values(pixels[:, planes], example.percentiles, self.view.scaling)
        return warp(scaled, truth[planes], size, zoom, own, rng)

    def _stack(self, crops) -> tuple[np.ndarray, np.ndarray]:
        x = np.stack([pixels for pixels, _ in crops])
        y = np.stack([self.goal.targets(truth) for _, truth in crops])
        return (x[:, :, 0], y[:, :, 0]) if self.view.crop.planes == 1 else (x, y)


def weigh(examples: list[Example], balance: float) -> np.ndarray:
    """Chance of each example to be drawn: by its objects, or all alike."""
    counts = np.array([max(1, one.n_objects) for one in examples], float) ** (1 - balance)
    return counts / counts.sum()


def place(size: int, wanted: int, rng) -> slice:
    """So many pixels of an axis, somewhere; all of it where there are fewer."""
    start = int(rng.integers(0, max(1, size - wanted + 1)))
    return slice(start, min(size, start + wanted))


def centre(window: slice, size: int) -> slice:
    """A window whose middle is that of a crop: half a pixel off, a crop would be resampled, not cut out."""
    return slice(window.start, window.stop - (window.stop - window.start - size) % 2)
