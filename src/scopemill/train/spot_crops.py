"""Spot crops: a training set of points -> stacks and their heat maps, turned by quarters, so that noise stays as it was."""

import numpy as np

from ..examples import Examples
from ..models.heat import pad_planes
from ..points import unpack_points
from ..spots import standardise
from .crops import VALIDATION_CROPS, View, place, weigh

AROUND = 24  # pixels that the background is judged by


class SpotCrops:
    """The problem that `loop.fit` solves; `goal` draws heat maps and tells how far off."""

    def __init__(self, examples: Examples, view: View, goal):
        self.examples, self.view, self.goal = examples, view, goal
        self.parts = {part: examples.of(part) for part in ("train", "validation")}
        self.shares = weigh([examples.all[i] for i in self.parts["train"]], view.crop.balance)
        self.loss = goal.loss
        self._kept: list[tuple[np.ndarray, np.ndarray]] | None = None

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Crops of a step: (N, 1, Z, P, P) and heat maps of the same shape."""
        rng = np.random.default_rng([self.view.seed, step])
        chosen = rng.choice(self.parts["train"], self.view.batch_size, p=self.shares)
        return stack_pairs([self.cut(int(i), rng, varied=True) for i in chosen])

    def validation(self):
        """The same crops each time, as they are."""
        if self._kept is None:
            rng = np.random.default_rng([self.view.seed, 1, 1])
            numbers, n = self.parts["validation"], self.view.batch_size
            chosen = rng.permutation(numbers)[:VALIDATION_CROPS] if numbers else []
            crops = [self.cut(int(i), rng, varied=False) for i in chosen]
            self._kept = [stack_pairs(crops[i : i + n]) for i in range(0, len(crops), n)]
        yield from self._kept

    def cut(self, i: int, rng, varied: bool) -> tuple[np.ndarray, np.ndarray]:
        """A crop of an example (Z, P, P) and its heat map."""
        shape, crop = self.examples.all[i].shape[1:], self.view.crop
        corner = [place(n, crop.patch_size_px, rng).start for n in shape[1:]]
        wide = [slice(max(0, c - AROUND), c + crop.patch_size_px + AROUND) for c in corner]
        pixels, truth = self.examples.read(i, tuple(wide))
        planes = place(shape[0], crop.planes, rng)
        grey, points = pixels[0, planes], unpack_points(truth)
        if varied:
            grey = add_noise(grey, self.view.augmentation.noise, rng)
        seen = standardise(grey, self.goal.reach_px)
        inner = [slice(c - one.start, c - one.start + crop.patch_size_px) for c, one in zip(corner, wide, strict=True)]  # fmt: skip
        points = points - np.array([planes.start, *(one.start for one in inner)])
        seen = fill_up(seen[(slice(None), *inner)], crop.patch_size_px)
        heat = pad_planes(self.goal.draw(points, seen.shape), crop.planes)
        seen = pad_planes(seen, crop.planes)
        return turn(seen, heat, self.view.augmentation, rng) if varied else (seen, heat)


def add_noise(grey: np.ndarray, share: float, rng) -> np.ndarray:
    """A third of the crops with more noise: up to `share` times that of the picture itself."""
    if not share or rng.random() > 1 / 3:
        return grey
    own = np.median(np.abs(np.diff(grey.astype(np.float32), axis=-1)))  # about 0.95 sigma
    return grey + rng.normal(0, share * rng.random() * max(own, 1e-6), grey.shape).astype(np.float32)  # fmt: skip


def fill_up(seen: np.ndarray, size: int) -> np.ndarray:
    """Background behind the last pixel of what is smaller than a crop."""
    return np.pad(seen, [(0, 0), *((0, max(0, size - n)) for n in seen.shape[1:])])


def turn(seen: np.ndarray, heat: np.ndarray, own, rng) -> tuple[np.ndarray, np.ndarray]:
    """Both mirrored along any axis, and turned by quarters in the plane."""
    flips = [axis for axis in range(3) if own.flip and rng.random() < 0.5]
    quarters = int(rng.integers(4)) if own.rotate else 0
    return tuple(np.rot90(np.flip(one, flips), quarters, (1, 2)) for one in (seen, heat))


def stack_pairs(pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Crops -> arrays with an axis for them and one for channels."""
    return tuple(np.stack(each)[:, None] for each in zip(*pairs, strict=True))
