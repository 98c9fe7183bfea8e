"""Fields: places in a slide and a seed -> noise, points and borders, the same however the slide is cut into blocks.

Everything follows from a hash of the place, so that a block can be made without the rest of the slide.
"""

from typing import NamedTuple

import numpy as np

MIX = tuple(np.uint64(one) for one in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
SPLINE_SD = (
    (1 / 12) ** 0.5 * 151 / 315
)  # of hashed values smoothed by cubic B-splines along y and x


class Points(NamedTuple):
    """Points scattered over a lattice."""

    place: np.ndarray  # (n, 2) y, x
    key: np.ndarray  # (n,) uint64, each its own
    value: np.ndarray  # (n, k) uniform in 0..1


def hash_uniform(key: np.ndarray, seed: int) -> np.ndarray:
    """Keys of any shape -> uniform in 0..1 (splitmix64, Steele 2014)."""
    with np.errstate(over="ignore"):
        x = np.asarray(key, np.uint64) + MIX[0] * np.uint64(seed + 1)
        x = (x ^ (x >> np.uint64(30))) * MIX[1]
        x = (x ^ (x >> np.uint64(27))) * MIX[2]
        x = x ^ (x >> np.uint64(31))
    return (x >> np.uint64(11)).astype(np.float64) / 2**53


def lattice_keys(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Numbers of lattice rows and columns (negative ones too) -> keys (rows, columns)."""
    high, low = (np.asarray(one, np.int64) + 2**30 for one in (rows, columns))
    return (high[:, None].astype(np.uint64) << np.uint64(32)) | low.astype(np.uint64)


def noise(y: np.ndarray, x: np.ndarray, period: float, seed: int) -> np.ndarray:
    """Smooth noise (len(y), len(x)) float32 at these coordinates: mean 0, variance 1, as coarse as `period`."""
    (rows, by), (columns, bx) = (spline_weights(np.asarray(one) / period) for one in (y, x))
    values = hash_uniform(lattice_keys(rows, columns), seed) - 0.5
    return by @ (values / SPLINE_SD).astype(np.float32) @ bx.T


def spline_weights(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places on a lattice -> its nodes (n,) and their cubic B-spline weights (len(u), n)."""
    below = np.floor(u).astype(np.int64)
    t = u - below
    nodes = np.arange(below.min() - 1, below.max() + 3)
    weights = np.zeros((len(u), len(nodes)), np.float32)
    four = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    for i, one in enumerate(four):
        weights[np.arange(len(u)), below - nodes[0] + i - 1] = one / 6
    return nodes, weights


def enlarge(coarse: np.ndarray, step: int, height: int, width: int) -> np.ndarray:
    """A field sampled at every `step`-th pixel -> (height, width), linear between the samples."""
    by, bx = (
        linear_weights(n, step, m) for n, m in zip((height, width), coarse.shape, strict=True)
    )
    return by @ coarse.astype(np.float32) @ bx.T


def linear_weights(n: int, step: int, n_nodes: int) -> np.ndarray:
    """Weights (n, nodes) of the two samples around each pixel."""
    below, t = np.divmod(np.arange(n), step)
    weights = np.zeros((n, n_nodes), np.float32)
    weights[np.arange(n), below] = 1 - t / step
    weights[np.arange(n), np.minimum(below + 1, n_nodes - 1)] += t / step
    return weights


def scatter_points(
    low: tuple[float, float], high: tuple[float, float], spacing: float, per_cell: int,
    n_values: int, seed: int, jitter: float = 1.0,
) -> Points:  # fmt: skip
    """Points in low <= place < high (and some around it), `per_cell` in each square of width `spacing`."""
    rows, columns = (
        np.arange(np.floor(a / spacing) - 1, np.floor(b / spacing) + 2)
        for a, b in zip(low, high, strict=True)
    )
    keys = lattice_keys(rows, columns)
    corner = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
    keys = (
        keys.reshape(-1, 1) * np.uint64(per_cell) + np.arange(per_cell, dtype=np.uint64)
    ).ravel()
    values = np.stack([hash_uniform(keys, seed + i) for i in range(n_values + 2)], axis=1)
    place = np.repeat(corner, per_cell, axis=0) + 0.5 + jitter * (values[:, :2] - 0.5)
    return Points(place * spacing, keys, values[:, 2:])


def keep_apart(
    place: np.ndarray, radius: np.ndarray, rank: np.ndarray, gap: float = 0.0
) -> np.ndarray:
    """Which of discs (n,) stay so that no two overlap: of a pair, the higher rank (Matérn 1960, type II).

    It depends on the discs nearby alone.
    """
    from scipy.spatial import cKDTree

    stays = np.ones(len(place), bool)
    if len(place) < 2:
        return stays
    first, second = cKDTree(place).query_pairs(2 * radius.max() + gap, output_type="ndarray").T
    near = (
        np.linalg.norm(place[first] - place[second], axis=1) < radius[first] + radius[second] + gap
    )
    first, second = first[near], second[near]
    stays[np.where(rank[first] < rank[second], first, second)] = False
    return stays


def find_borders(
    y: np.ndarray, x: np.ndarray, points: Points, n_neighbours: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Voronoi cells, looked at from places of any one shape (...).

    Gives the distance to the border with each of the next neighbours (..., n), a value drawn for each border (..., n;
    uniform in 0..1, the same from both sides), and the cell's key (...).
    """
    from scipy.spatial import cKDTree

    at = np.stack([y.ravel(), x.ravel()], axis=1)
    distance, nearest = cKDTree(points.place).query(at, k=n_neighbours + 1)
    own, others = nearest[:, :1], nearest[:, 1:]
    between = np.linalg.norm(points.place[own] - points.place[others], axis=2)
    depth = (distance[:, 1:] ** 2 - distance[:, :1] ** 2) / (2 * between)
    low, high = (f(points.key[own], points.key[others]) for f in (np.minimum, np.maximum))
    with np.errstate(over="ignore"):
        drawn = hash_uniform(low * MIX[1] ^ high * MIX[2], seed)
    shape = (*y.shape, n_neighbours)
    return depth.reshape(shape), drawn.reshape(shape), points.key[own[:, 0]].reshape(y.shape)


def smooth_max(values: np.ndarray, sharpness: float) -> np.ndarray:
    """Maximum over the last axis, rounded where two are nearly equal."""
    top = values.max(axis=-1)
    return top + np.log(np.exp((values - top[..., None]) * sharpness).sum(axis=-1)) / sharpness
