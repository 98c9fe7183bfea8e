"""Simulate: settings and a seed -> images whose truth is known, for the demo, tests and benchmarks.

Here are the pieces that simulators share: outlines, their placement, points of light, the camera.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Outlines(NamedTuple):
    """Star-shaped outlines, one an object: radius(angle) = radius_px * (1 + waves)."""

    centre: np.ndarray  # (n, 2) y, x
    radius_px: np.ndarray  # (n,)
    waves: np.ndarray  # (n, k) complex; wave j turns j + 2 times

    def radius_at(self, index: np.ndarray | int, angle: np.ndarray) -> np.ndarray:
        """Radius in pixels of object `index` in a direction; arctan2(dy, dx) is its angle."""
        turn, wave = np.exp(1j * angle), 1.0
        for j in range(self.waves.shape[1]):
            wave = wave + (self.waves[index, j] * turn ** (j + 2)).real
        return self.radius_px[index] * wave

    def on_surface(self, index: np.ndarray, flatness: float, rng) -> np.ndarray:
        """Points (len(index), 3), evenly over ellipsoids with these outlines; z from their middle.

        In lateral pixels, z too. Area: sqrt(u^2 + flatness^2 (1 - u^2)) du d(angle), u = z / top.
        """
        u = np.linspace(-1, 1, 401)
        below = np.cumsum(np.sqrt(u**2 + flatness**2 * (1 - u**2)))
        u = np.interp(rng.uniform(0, below[-1], len(index)), below, u)
        angle = rng.uniform(-np.pi, np.pi, len(index))
        r = self.radius_at(index, angle) * np.sqrt(1 - u**2)
        y, x = self.centre[index].T + r * [np.sin(angle), np.cos(angle)]
        return np.stack([u * flatness * self.radius_px[index], y, x], axis=1)

    def draw(self, shape_yx: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Labels (y, x) and rho: distance from the own centre, 1 on the outline, 2 outside.

        Where two objects overlap, a pixel goes to the one that it lies deeper in.
        """
        labels, rho = np.zeros(shape_yx, np.uint32), np.full(shape_yx, 2.0, np.float32)
        reach = self.radius_px * (1 + np.abs(self.waves).sum(axis=1))
        for i, (centre, r) in enumerate(zip(self.centre, reach, strict=True)):
            low, high = np.maximum(centre - r, 0).astype(int), (centre + r + 2).astype(int)
            window = slice(low[0], high[0]), slice(low[1], high[1])
            y, x = np.indices(labels[window].shape, np.float32)
            dy, dx = y + (low[0] - centre[0]), x + (low[1] - centre[1])
            own = np.hypot(dy, dx) / self.radius_at(i, np.arctan2(dy, dx))
            mine = (own < 1) & (own < rho[window])
            labels[window][mine], rho[window][mine] = i + 1, own[mine]
        return labels, rho


def wavy(centre: np.ndarray, radius_px: np.ndarray, roughness: float, rng) -> Outlines:
    """Outlines with random waves, the faster the smaller; roughness 0 gives circles."""
    waves = rng.standard_normal((len(radius_px), 5, 2)).clip(-2, 2) @ [1, 1j]
    return Outlines(centre, radius_px, roughness * waves / np.arange(1, 6))


def scatter(
    shape_yx: Sequence[int], radius_px: np.ndarray, gap_px: float, touching: float, rng
) -> np.ndarray:
    """Centres (n, 2) of discs that keep a gap, but for the share `touching` that lean on another.

    Raises ValueError when they do not fit.
    """
    centre, size = np.empty((len(radius_px), 2)), np.array(shape_yx) - 1.0
    for i, r in enumerate(radius_px):
        tries, partner = rng.uniform(0, 1, (1000, 2)) * size, np.full(1000, -1)
        if i and rng.random() < touching:
            lean = partner[:500] = rng.integers(i, size=500)
            angle, reach = rng.uniform(0, 2 * np.pi, 500), 0.93 * (r + radius_px[lean])
            tries[:500] = centre[lean] + (reach * [np.sin(angle), np.cos(angle)]).T
        room = np.linalg.norm(tries[:, None] - centre[:i], axis=2) - (r + radius_px[:i] + gap_px)
        free = ((room >= 0) | (partner[:, None] == np.arange(i))).all(axis=1)
        free &= ((tries >= 0) & (tries <= size)).all(axis=1)
        if not free.any():
            raise ValueError(f"only {i} of {len(radius_px)} objects fit; ask for fewer or smaller")
        centre[i] = tries[free.argmax()]
    return centre


def fill(rho: np.ndarray, half_height: np.ndarray, n_planes: int, z_step: float) -> np.ndarray:
    """Filled share (z, y, x) of each voxel by ellipsoids in mid-stack; rho (y, x) as drawn."""
    z = ((np.arange(n_planes, dtype=np.float32) - (n_planes - 1) / 2) * z_step)[:, None, None]
    h = (half_height * np.sqrt(np.clip(1 - rho**2, 0, 1))).astype(np.float32)
    filled = np.minimum(z + z_step / 2, h) - np.maximum(z - z_step / 2, -h)
    return filled.clip(0, z_step) / np.float32(z_step)


def texture(shape: Sequence[int], grain_px: Sequence[float], contrast: float, rng) -> np.ndarray:
    """Lognormal mottle around 1: `contrast` is its sigma, `grain_px` the size of its spots."""
    from scipy.ndimage import gaussian_filter

    noise = rng.standard_normal(shape, np.float32)
    noise = gaussian_filter(noise, grain_px, mode="wrap", truncate=3)
    return np.exp(noise * (contrast / noise.std()))


def render_points(
    shape: Sequence[int], position_px: np.ndarray, photons: np.ndarray, sigma_px: Sequence[float]
) -> np.ndarray:
    """Photons (z, y, x) of points at sub-pixel positions (n, 3): Gaussians integrated over pixels.

    A point's photons are its sum over an endless volume; what falls outside `shape` is lost.
    """
    from scipy.special import ndtr

    volume = np.zeros(shape, np.float32)
    for begin in range(0, len(position_px), 2000):  # bounds the memory
        points, weights, places = position_px[begin : begin + 2000], [], []
        for n, sigma, p in zip(shape, sigma_px, points.T[:, :, None], strict=True):
            reach = int(np.ceil(5 * sigma)) + 1
            at = np.rint(p).astype(int) + np.arange(-reach, reach + 1)
            share = ndtr((at + 0.5 - p) / sigma) - ndtr((at - 0.5 - p) / sigma)
            weights.append(np.where((at >= 0) & (at < n), share, 0.0))
            places.append(at.clip(0, n - 1))
        light = np.einsum("n,ni,nj,nk->nijk", photons[begin : begin + 2000], *weights)
        z, y, x = places
        where = z[:, :, None, None], y[:, None, :, None], x[:, None, None, :]
        np.add.at(volume, where, light.astype(np.float32))
    return volume


def expose(
    photons: np.ndarray, rng, gain: float = 2.0, read_noise: float = 1.6, offset: float = 100.0
) -> np.ndarray:
    """What a 16-bit camera reads: shot noise, read noise (in photons), gain, offset."""
    counts = rng.poisson(photons).astype(np.float32)
    counts += np.float32(read_noise) * rng.standard_normal(photons.shape, np.float32)
    return np.rint(counts * np.float32(gain) + np.float32(offset)).clip(0, 65535).astype(np.uint16)
