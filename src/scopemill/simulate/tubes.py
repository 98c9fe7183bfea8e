"""Tubes: airways and vessels cut across -> how far each place lies from the nearest lumen."""

from typing import NamedTuple

import numpy as np


class Tubes(NamedTuple):
    """Lumens with wavy oval outlines; lengths in um."""

    centre: np.ndarray  # (n, 2) y, x
    radius: np.ndarray  # (n,)
    oval: np.ndarray  # (n,) long over short axis
    angle: np.ndarray  # (n,)
    waves: np.ndarray  # (n, 5) complex; wave j turns j + 2 times

    @classmethod
    def scatter(cls, n: int, middle, reach, radius: tuple[float, float], rng) -> "Tubes":
        """Tubes over an ellipse of half axes `reach` around `middle`, those that would overlap left out."""
        angle, r = rng.uniform(0, 2 * np.pi, n), np.sqrt(rng.uniform(0, 1, n))
        centre = np.stack([np.sin(angle), np.cos(angle)], axis=1) * r[:, None] * reach + middle
        size = np.exp(rng.uniform(*np.log(radius), n))
        waves = rng.standard_normal((n, 5, 2)).clip(-2, 2) @ [1, 1j] * 0.05
        found = cls(centre, size, rng.uniform(1, 1.9, n), rng.uniform(0, np.pi, n), waves)
        chosen: list[int] = []
        for i in range(n):
            gap = np.linalg.norm(centre[chosen] - centre[i], axis=1) - 1.9 * (
                size[chosen] + size[i]
            )
            if (gap > 0).all():
                chosen.append(i)
        return cls(*(one[chosen] for one in found))

    def beside(self, radius: tuple[float, float], gap: float, rng) -> "Tubes":
        """One tube beside each of these, round, as an artery runs with its airway."""
        n = len(self.radius)
        size = np.exp(rng.uniform(*np.log(radius), n))
        turn = rng.uniform(0, 2 * np.pi, n)
        away = outline(self, np.arange(n)[:, None], turn[:, None])[:, 0] + size + gap
        centre = self.centre + away[:, None] * np.stack([np.sin(turn), np.cos(turn)], axis=1)
        return Tubes(centre, size, rng.uniform(1, 1.3, n), turn, 0.4 * self.waves)


def outline(tubes: Tubes, i: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Radius (um) of tube i in a direction."""
    turned = direction - tubes.angle[i]
    axes = np.sqrt(tubes.oval[i])
    radius = tubes.radius[i] / np.hypot(np.cos(turned) / axes, np.sin(turned) * axes)
    around, wave = np.exp(1j * direction), 1.0
    for j in range(tubes.waves.shape[1]):
        wave = wave + (tubes.waves[i, j] * around ** (j + 2)).real
    return radius * wave


def measure_depth(y: np.ndarray, x: np.ndarray, tubes: Tubes) -> np.ndarray:
    """(len(y), len(x)): um to the nearest lumen's outline, below 0 inside; 1e3 where none is near."""
    depth = np.full((len(y), len(x)), 1e3, np.float32)
    reach = 2 * tubes.radius + 120
    for i in range(len(tubes.radius)):
        rows, columns = (
            slice(*np.searchsorted(one, (c - reach[i], c + reach[i])))
            for one, c in zip((y, x), tubes.centre[i], strict=True)
        )
        dy, dx = y[rows, None] - tubes.centre[i, 0], x[columns] - tubes.centre[i, 1]
        if dy.size and dx.size:
            own = np.hypot(dy, dx) - outline(tubes, i, np.arctan2(dy, dx))
            depth[rows, columns] = np.minimum(depth[rows, columns], own)
    return depth
