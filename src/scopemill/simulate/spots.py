"""Simulate spots to learn from: settings and rng -> one channel (ZYX) with points of light, and where they are.

Wider than any one microscope: spots of many widths and contrasts over cells, haze, blobs and hot pixels, in stacks,
single planes and projections, so that a network learns what a spot is, and not what one camera makes of it.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from .optics import Outlines, expose, fill, render_points, texture, wavy

FAINT = 1.2  # contrast below which nobody could say that there is a spot


@dataclass(frozen=True)
class Spots:
    """What is shown and how it is imaged; light is in photons a voxel, lengths in voxels."""

    shape_zyx: tuple[int, int, int] = (12, 128, 128)
    sigma_px: tuple[float, float] = (1.2, 1.2)  # width of a spot: z, and in the plane
    snr: float = 5.0  # peak of a spot over the noise of what lies behind it
    snr_spread: float = 0.2  # lognormal sigma, from spot to spot
    skirt: float = 0.0  # share of a spot's light in a halo three times as wide
    n_cells: int = 4
    radius_px: float = 28.0
    flatness: float = 0.2  # half height of a cell over its radius, in voxels
    per_cell: float = 20.0  # spots on a cell, in the mean
    inside: float = 0.3  # share of them within the cell, not on its surface
    free: float = 8.0  # spots anywhere
    pairs: float = 0.1  # share of spots that have a close neighbour
    background: float = 30.0
    cell_light: float = 1.0  # of a cell, times the background
    contrast: float = 0.3  # of the grain of that light
    grain_px: float = 3.0
    gradient: float = 0.3  # how much brighter one side is lit than the other
    blobs: int = 0  # bright things that are too wide to be spots
    hot: float = 0.0  # share of voxels that are hot
    decoys: float = 0.0  # specks in the mean: as wide as spots, but nothing that anybody counts
    decoy_share: float = 0.3  # of a spot's light that the brightest of them have
    stripes: float = 0.0  # how much the columns of the camera differ, in noise
    read_noise: float = 1.6
    gain: float = 2.0
    smooth_px: float = 0.0  # of the picture: scanned, compressed or enlarged
    project: bool = False  # planes to their brightest
    bits: int = 16


class SimulatedSpots(NamedTuple):
    """A stack, and its spots."""

    image: np.ndarray  # (Z, Y, X) uint16
    points: np.ndarray  # (n, 3) z, y, x; the middle of the first voxel is 0
    snr: np.ndarray  # (n,)


def draw_settings(rng: np.random.Generator) -> Spots:
    """One of many ways in which spots are seen."""
    kind = rng.choice(["stack", "plane", "projection"], p=[0.7, 0.15, 0.15])
    planes = 1 if kind == "plane" else int(rng.integers(3, 15))
    side = 128 if planes > 1 else 256
    cells = rng.uniform(0, 6) * (side / 128) ** 2
    return Spots(
        shape_zyx=(planes, side, side),
        sigma_px=(rng.uniform(0.7, 2.0), rng.uniform(0.9, 2.5)),
        snr=float(np.exp(rng.uniform(np.log(1.5), np.log(20)))),
        snr_spread=rng.uniform(0, 0.5),
        skirt=rng.uniform(0, 0.4) * (rng.random() < 0.5),
        n_cells=round(cells), radius_px=rng.uniform(14, 45), flatness=rng.uniform(0.08, 0.4),
        per_cell=float(np.exp(rng.uniform(0, np.log(300)))) * (rng.random() < 0.9),
        inside=rng.uniform(0, 1), free=rng.uniform(0, 40), pairs=rng.uniform(0, 0.3),
        background=float(np.exp(rng.uniform(np.log(3), np.log(300)))),
        cell_light=float(np.exp(rng.uniform(np.log(0.05), np.log(8)))),
        contrast=rng.uniform(0, 0.6), grain_px=rng.uniform(2, 10), gradient=rng.uniform(0, 0.8),
        blobs=int(rng.integers(0, 6)) * (rng.random() < 0.4),
        hot=10 ** rng.uniform(-5, -3.3) * (rng.random() < 0.2),
        decoys=rng.uniform(20, 300) * (side / 128) ** 2 * (rng.random() < 0.5),
        decoy_share=rng.uniform(0.1, 0.4), stripes=rng.uniform(0, 1) * (rng.random() < 0.4),
        gain=rng.uniform(0.5, 8), smooth_px=rng.uniform(0.3, 0.9) * (rng.random() < 0.3),
        project=kind == "projection", bits=8 if rng.random() < 0.2 else 16,
    )  # fmt: skip


def simulate_spots(settings: Spots, rng: np.random.Generator) -> SimulatedSpots:
    """Draw one stack and its spots; those too faint to be told from noise are drawn, but are no truth."""
    from scipy.ndimage import gaussian_filter

    outlines, light = draw_behind(settings, rng)
    points = place_points(settings, outlines, rng)
    at = tuple(np.rint(points).astype(int).T)
    noise = np.sqrt(light[at] + settings.read_noise**2)
    snr = settings.snr * rng.lognormal(0, settings.snr_spread, len(points))
    light = light + shine(settings, points, snr * noise) + draw_specks(settings, light, rng)
    light[rng.random(light.shape) < settings.hot] += 30 * np.sqrt(settings.background)
    if settings.project:
        camera = replace(settings, project=False, smooth_px=0.0, bits=16)
        image = read_camera(camera, light, rng).max(axis=0, keepdims=True)
        points, faint = points * [0, 1, 1], 2 * FAINT  # the brightest of many planes is noise
    else:
        image, faint = read_camera(settings, light, rng), FAINT
    if len(image) == 1:
        points, snr = join_near(points, snr, settings.sigma_px[1])
    if settings.smooth_px:
        image = gaussian_filter(image.astype(np.float32), [0, *[settings.smooth_px] * 2])
    if settings.bits == 8:
        image = image * (255.0 / max(1, image.max()))
    seen = snr > faint
    return SimulatedSpots(np.rint(image).astype(np.uint16), points[seen], snr[seen])


def draw_specks(settings: Spots, light: np.ndarray, rng) -> np.ndarray:
    """Light (Z, Y, X) of specks that are no truth, and of columns that a camera shows brighter or darker."""
    number = rng.poisson(settings.decoys)
    points = rng.uniform(-0.5, 0.5, (number, 3)) * light.shape + (np.array(light.shape) - 1) / 2
    if len(light) == 1:
        points[:, 0] = 0
    noise = np.sqrt(light + settings.read_noise**2)
    share = settings.decoy_share * rng.uniform(0.2, 1, number)
    peaks = share * settings.snr * noise[tuple(np.rint(points).astype(int).T)]
    columns = settings.stripes * rng.standard_normal(light.shape[2]).clip(-2, 2) * noise.min()
    return (shine(settings, points, peaks) + columns).clip(-0.9 * light, None)


def draw_behind(settings: Spots, rng) -> tuple[Outlines, np.ndarray]:
    """Cells, and the light (Z, Y, X) before which spots are seen."""
    from scipy.ndimage import gaussian_filter

    n, shape = settings.n_cells, settings.shape_zyx
    radius = settings.radius_px * np.exp(0.15 * rng.standard_normal(n).clip(-2, 2))
    outlines = wavy(rng.uniform(0, 1, (n, 2)) * shape[1:], radius, 0.06, rng)
    labels, rho = outlines.draw(shape[1:])
    half = np.append(0, settings.flatness * radius)[labels]
    # a single plane lies in the middle of the cells
    body = fill(rho, half, shape[0], 1.0)
    level = np.append(0, settings.cell_light * rng.lognormal(0, 0.4, n)).astype(np.float32)[labels]
    grain = [min(settings.grain_px, 3.0) if shape[0] > 1 else 0.0, *[settings.grain_px] * 2]
    cells = body * level * texture(shape, grain, settings.contrast, rng) if n else 0 * body
    cells = gaussian_filter(cells, [settings.sigma_px[0], *[settings.sigma_px[1]] * 2])
    blobs = rng.uniform(0, 1, (settings.blobs, 3)) * shape
    wide = rng.uniform(3, 8)
    size = rng.uniform(1, 10, settings.blobs) * 60 * wide**2
    cells += render_points(shape, blobs, size, (max(1.0, wide / 3), wide, wide)) / 30
    y, x = (np.linspace(-1, 1, m, dtype=np.float32) for m in shape[1:])
    angle = rng.uniform(0, 2 * np.pi)
    tilt = np.exp(0.5 * settings.gradient * (np.sin(angle) * y[:, None] + np.cos(angle) * x))
    return outlines, settings.background * (1 + cells) * tilt


def place_points(settings: Spots, outlines: Outlines, rng) -> np.ndarray:
    """Positions (n, 3): on the surfaces of the cells, in them, anywhere, and beside each other."""
    shape = np.array(settings.shape_zyx)
    number = rng.poisson(settings.per_cell, settings.n_cells)
    cell = np.repeat(np.arange(settings.n_cells), number)
    bound = outlines.on_surface(cell, settings.flatness, rng)
    depth = np.where(rng.random(len(cell)) < settings.inside, rng.random(len(cell)) ** (1 / 3), 1)
    middle = np.column_stack([np.zeros(len(cell)), outlines.centre[cell]])
    bound = middle + (bound - middle) * depth[:, None] + [(shape[0] - 1) / 2, 0, 0]
    free = rng.uniform(-0.5, 0.5, (rng.poisson(settings.free), 3)) * shape + (shape - 1) / 2
    points = np.concatenate([bound, free])
    if shape[0] == 1:
        points[:, 0] = 0
    beside = points[rng.random(len(points)) < settings.pairs]
    steps = rng.standard_normal(beside.shape) * np.array(settings.sigma_px)[[0, 1, 1]] * 1.7
    beside = beside + steps * (shape > 1)
    points = np.concatenate([points, beside])
    return points[((points > -0.5) & (points < shape - 0.5)).all(axis=1)]


def shine(settings: Spots, points: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Light (Z, Y, X) of spots whose brightest voxel, where they lie in its middle, has so many photons."""
    from scipy.special import ndtr

    wide, shape = settings.sigma_px, settings.shape_zyx
    sigmas = (0.2 if shape[0] == 1 else wide[0], wide[1], wide[1])
    share = np.prod([2 * ndtr(0.5 / sigma) - 1 for sigma in sigmas])
    light = render_points(shape, points, peaks / share, sigmas)
    if settings.skirt:
        wider = (sigmas[0] if shape[0] == 1 else 2 * sigmas[0], *[3 * wide[1]] * 2)
        light += settings.skirt * render_points(shape, points, peaks / share, wider)
    return light


def read_camera(settings: Spots, light: np.ndarray, rng) -> np.ndarray:
    """Grey values (Z, Y, X)."""
    return expose(light, rng, settings.gain, settings.read_noise)


def join_near(points: np.ndarray, snr: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Spots of a projection; of those that lie over each other the brightest."""
    from scipy.spatial import KDTree

    order = np.argsort(-snr)
    points, snr = points[order], snr[order]
    kept = np.ones(len(points), bool)
    if len(points):
        for first, second in sorted(KDTree(points).query_pairs(reach)):
            kept[second] &= not kept[first]
    return points[kept], snr[kept]
