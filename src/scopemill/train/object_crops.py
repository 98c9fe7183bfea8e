"""Object crops: examples with classes -> batches of crops (N, C, [Z,] P, P) and vectors (N, K) of 0 and 1.

The object stays in the middle, or nearly; how its picture lies and how it is lit are varied.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from ..cutouts import cut_around, take_planes
from ..examples import Example, Examples
from ..models.predict import scale_grey_values
from ..settings import ConfigError
from .augment import relight, warp
from .crops import View
from .goal import Goal

VALIDATION_CROPS = 1024


class ObjectCrops:
    """The problem that `loop.fit` solves; `goal` is the method `classify` with its settings."""

    def __init__(self, examples: Examples, view: View, goal: Goal):
        self.examples, self.view, self.goal = examples, view, goal
        self.size = examples.meta["objects"]["crop_px"]
        self.parts = {part: examples.of(part) for part in ("train", "validation")}
        check_examples([examples.all[i] for i in self.parts["train"]], goal.outputs)
        self.shares = weigh([examples.all[i] for i in self.parts["train"]], view.crop.balance)
        self.loss = goal.loss
        self._kept: list[tuple[np.ndarray, np.ndarray]] | None = None

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Crops of a step."""
        rng = np.random.default_rng([self.view.seed, step])
        n = self.view.batch_size
        chosen = rng.choice(self.parts["train"], size=n, p=self.shares)
        return self._stack([(self.draw(int(i), rng), int(i)) for i in chosen])

    def validation(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The same crops each time, as they are."""
        if self._kept is None:
            rng = np.random.default_rng([self.view.seed, 1, 1])
            chosen = rng.permutation(self.parts["validation"])[:VALIDATION_CROPS].astype(int)
            n = self.view.batch_size
            self._kept = [
                self._stack([(self.read(int(j)), int(j)) for j in chosen[i : i + n]])
                for i in range(0, len(chosen), n)
            ]
        yield from self._kept

    def draw(self, i: int, rng) -> np.ndarray:
        """An example, varied: (C, Z, P, P)."""
        own, (pixels, truth) = self.view.augmentation, self._read_all(i)
        zoom = math.exp(rng.uniform(*np.log(own.scale)))
        window = shift(pixels.shape[-2:], self.goal.settings.shift * self.size, rng)
        pixels, truth = warp(pixels[window], truth[window], self.size, zoom, own, rng)
        return relight(pixels, truth, own, rng)

    def read(self, i: int) -> np.ndarray:
        """The middle of an example, as it is: (C, Z, P, P)."""
        pixels, _ = self._read_all(i)
        return cut_around(pixels, *(n / 2 for n in pixels.shape[-2:]), self.size)

    def _read_all(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Grey values scaled (C, Z, Y, X), and labels (Z, Y, X)."""
        pixels, truth = self.examples.read(i)
        pixels, truth = (take_planes(one, self.view.crop.planes) for one in (pixels, truth))
        percentiles = self.examples.all[i].percentiles
        return scale_grey_values(pixels, percentiles, self.view.scaling), truth

    def _stack(self, crops: Sequence[tuple[np.ndarray, int]]) -> tuple[np.ndarray, np.ndarray]:
        x = np.stack([pixels for pixels, _ in crops])
        classes = [self.examples.all[i].classes for _, i in crops]
        y = to_vectors(classes, len(self.goal.outputs))
        return (x[:, :, 0] if self.view.crop.planes == 1 else x), y


def check_examples(examples: Sequence[Example], names: Sequence[str]) -> None:
    """Raise ConfigError where there is nothing to tell apart.

    Raises
    ------
    ConfigError
        Naming the classes that the training images lack.
    """
    counts = Counter(k for one in examples for k in one.classes)
    lacking = [name for k, name in enumerate(names) if not counts[k]]
    if lacking:
        cure = "annotate more, spread them with split.stratify, or name the others in `classes`"
        raise ConfigError(f"no training example is of class {', '.join(lacking)}; {cure}")
    if len({one.classes for one in examples}) < 2:
        raise ConfigError("all training examples are of one class: there is nothing to tell apart")


def weigh(examples: Sequence[Example], balance: float) -> np.ndarray:
    """Chance of each example to be drawn: all alike (balance 0), or as the rarest of its classes demands (1)."""
    counts = Counter(k for one in examples for k in one.classes or (-1,))
    rarest = np.array([min(counts[k] for k in one.classes or (-1,)) for one in examples], float)
    return rarest**-balance / (rarest**-balance).sum()


def to_vectors(classes: Sequence[tuple[int, ...]], n: int) -> np.ndarray:
    """Numbers of the classes of each example -> (N, n) float32 of 0 and 1."""
    vectors = np.zeros((len(classes), n), np.float32)
    for vector, numbers in zip(vectors, classes, strict=True):
        vector[list(numbers)] = 1
    return vectors


def shift(size: tuple[int, int], most: float, rng) -> tuple:
    """A window (y, x) whose middle is at most so many pixels off that of the whole."""
    moves = np.rint(rng.uniform(-most, most, 2)).astype(int)
    moves = [int(np.clip(move, -(n // 4), n // 4)) for move, n in zip(moves, size, strict=True)]
    windows = (
        slice(max(0, 2 * move), n + min(0, 2 * move)) for move, n in zip(moves, size, strict=True)
    )
    return (..., *windows)
