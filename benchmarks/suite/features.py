"""Features: 10,000 objects of two (four) channels -> the table of their shapes and intensities, in the plane and in a stack."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scopemill import features

from .harness import Benchmark, Goal

LENGTHS = ["perimeter", "axis_major_length", "axis_minor_length", "equivalent_diameter_area", "feret_diameter_max"]  # fmt: skip
SHAPE = {
    2: ["area", "area_convex", *LENGTHS, "eccentricity", "solidity", "extent", "orientation"],
    3: ["area", "equivalent_diameter_area", "axis_major_length", "axis_minor_length", "extent"],
}
INTENSITY = [f"intensity_{one}" for one in ("mean", "std", "min", "max", "median")]
SPACING = {2: (0.325, 0.325), 3: (1.0, 0.325, 0.325)}
CHANNELS = {2: 2, 3: 4}
WHOLE = [
    "label",
    "area",
    "area_convex",
    "intensity_min",
    "intensity_max",
]  # begin of names of columns
TURNS = 3


def prepare(folder: Path, size: Mapping[str, Any]) -> dict[int, str]:
    """Write labels and channels of uint16; folders by number of dimensions."""
    rng = np.random.default_rng(0)
    for name, grid, pitch in (("2", size["grid"], size["pitch"]), ("3", size["grid_3d"], size["pitch_3d"])):  # fmt: skip
        (folder / name).mkdir()
        labels = draw_objects(grid, pitch, rng)
        np.save(folder / name / "labels.npy", labels)
        for i in range(CHANNELS[labels.ndim]):
            image = rng.gamma(4, 300, labels.shape) + 2000 * (labels > 0)
            np.save(folder / name / f"c{i}.npy", np.clip(image, 0, 65535).astype(np.uint16))
    return {ndim: str(folder / str(ndim)) for ndim in CHANNELS}


def draw_objects(grid: tuple[int, ...], pitch: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:  # fmt: skip
    """One uneven ellipse a place of the grid, cut where it would leave it: many touch their neighbours."""
    labels = np.zeros(np.multiply(grid, pitch), np.uint32)
    axes = np.stack(np.meshgrid(*map(np.arange, pitch), indexing="ij"), axis=-1)
    middle = np.array(pitch) / 2
    for k, place in enumerate(np.ndindex(*grid), start=1):
        away = (axes - middle + rng.uniform(-0.1, 0.1, len(pitch)) * pitch) / middle
        tilted = away + rng.uniform(-0.3, 0.3) * np.roll(away, 1, axis=-1)
        angle = np.arctan2(tilted[..., -2], tilted[..., -1])
        reach = 0.85 + 0.12 * np.cos(rng.integers(2, 6) * angle + rng.uniform(0, 6))
        inside = (tilted**2 / rng.uniform(0.7, 1.2, len(pitch))).sum(axis=-1) < reach**2
        labels[tuple(slice(p * n, p * n + n) for p, n in zip(place, pitch, strict=True))] = inside * k  # fmt: skip
    return labels


def read(folder: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """Labels and channels."""
    labels = np.load(f"{folder}/labels.npy")
    return labels, [np.load(f"{folder}/c{i}.npy") for i in range(CHANNELS[labels.ndim])]


def measure_with_scikit_image(labels: np.ndarray, channels: list[np.ndarray]) -> pd.DataFrame:
    """As its documentation shows, with sums and micrometres added."""
    from skimage.measure import regionprops_table

    ndim = labels.ndim
    spacing = {"spacing": SPACING[3]} if ndim == 3 else {}
    properties = ["label", *SHAPE[ndim], *INTENSITY]
    found = pd.DataFrame(regionprops_table(labels, np.stack(channels, axis=-1), properties, **spacing))  # fmt: skip
    pixels = found["area"] / (np.prod(SPACING[3]) if ndim == 3 else 1)
    for i in range(len(channels)):
        found[f"intensity_sum-{i}"] = found[f"intensity_mean-{i}"] * pixels
    if ndim == 2:
        found["area_um2"] = found["area"] * SPACING[2][0] ** 2
        for name in LENGTHS:
            found[f"{name}_um"] = found[name] * SPACING[2][0]
    return found


def measure_with_scopemill(labels: np.ndarray, channels: list[np.ndarray]) -> pd.DataFrame:
    """As quantify does."""
    named = {f"c{i}": image for i, image in enumerate(channels)}
    return features.measure(labels, named, SPACING[labels.ndim])


def do_plane(how: Callable[..., pd.DataFrame], case: dict[int, str]) -> pd.DataFrame:
    """Read and measure the plane."""
    return how(*read(case[2]))


def check(case: dict[int, str], theirs: pd.DataFrame, ours: pd.DataFrame) -> list[str]:
    """Both tables, and those of the stack, column by column: whole numbers equal, others to 1e-9."""
    stack = read(case[3])
    wrong = [f"plane: {one}" for one in compare(theirs, ours)]
    theirs, ours = (how(*stack) for how in (measure_with_scikit_image, measure_with_scopemill))
    return wrong + [f"stack: {one}" for one in compare(theirs, ours)]


def compare(theirs: pd.DataFrame, ours: pd.DataFrame) -> list[str]:
    """Columns that differ, at least 25 of them compared."""
    if theirs.shape != ours.shape or theirs.shape[1] < 25:
        return [f"shapes {theirs.shape} and {ours.shape}"]
    wrong = []
    for name in theirs:
        renamed = {"area": "volume_um3"} | {one: f"{one}_um" for one in LENGTHS}
        stem, _, channel = name.partition("-")
        own = f"{stem}_c{channel}" if channel else stem if stem in ours else renamed[stem]
        one, other = theirs[name].to_numpy(), ours[own].to_numpy()
        whole = stem in WHOLE and own != "volume_um3"
        error = np.abs(one - other) / np.maximum(np.abs(one), 1e-12)
        if not (one == other).all() if whole else not error.max() <= 1e-9:
            wrong.append(f"{name}: differs by up to {error.max():.2g}")
    return wrong


def spoil(ours: pd.DataFrame) -> pd.DataFrame:
    """One perimeter, by a ten-millionth."""
    ours = ours.copy()
    ours.loc[len(ours) // 2, "perimeter"] *= 1 + 1e-7
    return ours


def time_stack(case: dict[int, str], ours: pd.DataFrame) -> dict[str, float]:
    """CPU seconds of the stack, the least of three turns each, and their ratio; megapixels and columns."""
    stack = read(case[3])
    ways = {"baseline": measure_with_scikit_image, "ours": measure_with_scopemill}
    took: dict[str, list[float]] = {side: [] for side in ways}
    for _ in range(TURNS):
        for side, how in ways.items():
            begun = time.process_time()
            how(*stack)
            took[side].append(time.process_time() - begun)
    least = {side: min(values) for side, values in took.items()}
    return {
        "ratio_3d": least["baseline"] / least["ours"],
        "cpu_s_3d_baseline": least["baseline"],
        "cpu_s_3d_ours": least["ours"],
        "objects": len(ours),
        "columns": ours.shape[1],
        "megapixels": read(case[2])[0].size / 1e6,
        "megavoxels_3d": stack[0].size / 1e6,
    }


BENCHMARK = Benchmark(
    name="features",
    task="table of 10,000 objects in 4000x4000 pixels, 30 columns: shapes and two channels",
    against="`skimage.measure.regionprops_table`, the same columns",
    prepare=prepare,
    baseline=partial(do_plane, measure_with_scikit_image),
    ours=partial(do_plane, measure_with_scopemill),
    check=check,
    spoil=spoil,
    full={"grid": (100, 100), "pitch": (40, 40), "grid_3d": (4, 50, 50), "pitch_3d": (8, 16, 16)},
    small={"grid": (6, 7), "pitch": (40, 40), "grid_3d": (2, 4, 5), "pitch_3d": (8, 16, 16)},
    goals=(
        Goal("times less CPU in 2-D", lambda outcome: outcome.ratio("cpu_s"), at_least=30),
        Goal("times less CPU in 3-D", lambda outcome: outcome.facts["ratio_3d"], at_least=30),
    ),
    facts=time_stack,
)
