"""Spot crops: a training set of points -> stacks and their heat maps, turned by quarters, so that noise stays as it was."""

import numpy as np

from ..models.heat import pad_planes
from ..points import unpack_points
from ..spots import standardise
from .crops import Crops, place
from .settings import Augmentation

AROUND = 24  # pixels that the background is judged by


class SpotCrops(Crops):
    """The problem that `loop.fit` solves; `goal` draws heat maps and tells how far off."""

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Crops of a step: (N, 1, Z, P, P) and heat maps of the same shape."""
        rng = np.random.default_rng([self.view.seed, step])
        chosen = rng.choice(self.parts["train"], self.view.batch_size, p=self.shares)
        return self._stack([self.cut(int(i), self.view.augmentation, rng) for i in chosen])

    def cut(self, i: int, own: Augmentation, rng) -> tuple[np.ndarray, np.ndarray]:
        """A crop of an example (Z, P, P) and its heat map."""
        shape, crop = self.examples.all[i].shape[1:], self.view.crop
        corner = [place(n, crop.patch_size_px, rng).start for n in shape[1:]]
        wide = [slice(max(0, c - AROUND), c + crop.patch_size_px + AROUND) for c in corner]
        pixels, truth = self.examples.read(i, tuple(wide))
        planes = place(shape[0], crop.planes, rng)
        grey, points = pixels[0, planes], unpack_points(truth)
        grey = add_noise(grey, own.noise, rng)
        seen = standardise(grey, self.goal.reach_px)
        inner = [slice(c - one.start, c - one.start + crop.patch_size_px) for c, one in zip(corner, wide, strict=True)]  # fmt: skip
        points = points - np.array([planes.start, *(one.start for one in inner)])
        seen = fill_up(seen[(slice(None), *inner)], crop.patch_size_px)
        heat = pad_planes(self.goal.draw(points, seen.shape), crop.planes)
        seen = pad_planes(seen, crop.planes)
        return turn(seen, heat, own, rng)

    def _stack(self, crops: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
        """With an axis for crops and one for channels."""
        return tuple(np.stack(each)[:, None] for each in zip(*crops, strict=True))


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
