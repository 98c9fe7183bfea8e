"""Instances: a network's maps of nuclei, some of which touch -> labels; against the same steps by scipy and scikit-image."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .harness import Benchmark, Goal, cpu_seconds

# as models/nuclei has them; its maps are foreground and border
OWN = {"foreground_threshold": 0.55, "seed_threshold": 0.6, "min_distance_px": 7.0, "min_probability": 0.85}  # fmt: skip
OTHERS = ("distance", "shape")
Maps = Mapping[str, np.ndarray]


def prepare(folder: Path, size: Mapping[str, Any]) -> Path:
    """Maps of ellipses, blurred and with noise, float32 as a network gives them."""
    from scipy import ndimage

    rng = np.random.default_rng(0)
    labels, depth = draw_ellipses(size["size_px"], size["n_objects"], rng)
    inner = ndimage.minimum_filter(labels, 3)
    edge = (ndimage.maximum_filter(labels, 3) != inner) & (labels > 0)
    clear = {"foreground": labels > 0, "border": 0.9 * edge, "distance": np.sqrt(depth)}
    for name, one in clear.items():
        noise = ndimage.gaussian_filter(rng.normal(0, 0.1, one.shape).astype(np.float32), 1)
        blurred = ndimage.gaussian_filter(one.astype(np.float32), 0.7) + noise
        np.save(folder / f"{name}.npy", np.clip(blurred, 0, 1))
    return folder


def draw_ellipses(size: int, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Labels of ellipses that were laid over each other, and each pixel's share of its object's greatest depth."""
    labels, depth = np.zeros((size, size), np.int32), np.zeros((size, size), np.float32)
    y, x = np.indices((41, 41)) - 20
    for number, (row, column) in enumerate(rng.integers(20, size - 20, (n, 2)), start=1):
        angle, a, b = rng.uniform(0, np.pi), rng.uniform(9, 15), rng.uniform(8, 13)
        u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        deep = 1 - np.hypot(u / a, v / b)
        window = slice(row - 20, row + 21), slice(column - 20, column + 21)
        deeper = deep > depth[window]
        labels[window][deeper], depth[window][deeper] = number, deep[deeper]
    return labels, depth


def load_maps(folder: Path, kind: str) -> Maps:
    """The maps that these seeds need, by their heads' names."""
    wanted = ("foreground", *({kind} - {"shape"}))
    return {name: np.load(folder / f"{name}.npy") for name in wanted}


def ours(folder: Path, kind: str = "border") -> np.ndarray:
    """What the stage segment does."""
    from scopemill.instances import Settings, find_instances

    return find_instances(load_maps(folder, kind), Settings(seeds=kind, **OWN))


def baseline(folder: Path, kind: str = "border") -> np.ndarray:
    """The same by what libraries offer."""
    return find_by_libraries(load_maps(folder, kind), kind, **OWN)


def find_by_libraries(
    maps: Maps,
    kind: str,
    *,
    foreground_threshold: float,
    seed_threshold: float,
    min_distance_px: float,
    min_probability: float = 0.0,
    min_area_px: int = 0,
) -> np.ndarray:
    """Maps (Y, X) or (Z, Y, X) -> labels: seeds, a watershed from them, and objects that are not doubtful or small."""
    from scipy import ndimage
    from skimage.segmentation import watershed

    mask = maps["foreground"] > foreground_threshold
    if kind == "border":
        height = maps["foreground"] - maps["border"]
        seeds = ndimage.label(mask & (height > seed_threshold))[0]
    else:
        depth = maps["distance"] if kind == "distance" else ndimage.distance_transform_edt(mask)
        height = ndimage.gaussian_filter(depth.astype(np.float32), min_distance_px / 5)
        within = mask & (height > seed_threshold) if kind == "distance" else mask
        seeds = mark_peaks(height, ndimage.label(within)[0], [min_distance_px] * mask.ndim)
    labels = watershed(-height, seed_all_parts(seeds, mask), mask=mask)
    sizes = np.bincount(labels.ravel())
    kept = sizes >= max(1, min_area_px)
    if min_probability > foreground_threshold:
        sums = np.bincount(labels.ravel(), maps["foreground"].ravel())
        kept &= sums / np.maximum(sizes, 1) >= min_probability
    kept[0] = False
    return (np.cumsum(kept) * kept).astype(np.uint32)[labels]


def mark_peaks(height: np.ndarray, parts: np.ndarray, distance: list[float]) -> np.ndarray:
    """Numbered maxima within parts; of those nearer than `distance`, one."""
    from scipy.spatial import KDTree
    from skimage.feature import peak_local_max

    steps = [max(1, round(one)) for one in distance]
    box = np.ones([2 * step + 1 for step in steps], bool)
    peaks = peak_local_max(height, footprint=box, labels=parts, exclude_border=False)
    seeds = np.zeros(parts.shape, np.int32)
    if len(peaks):
        near = KDTree(peaks / steps).query_pairs(1, p=np.inf, output_type="ndarray")
        peaks = np.delete(peaks, np.unique(near[:, 1]), axis=0)
        seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return seeds


def seed_all_parts(seeds: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Seeds, and a seed for each part of the mask that has none."""
    from scipy import ndimage

    parts, n_parts = ndimage.label(mask)
    has_none = np.ones(n_parts + 1, bool)
    has_none[np.unique(parts[seeds > 0])] = False
    has_none[0] = False
    numbers = np.cumsum(has_none) * has_none + np.where(has_none, seeds.max(initial=0), 0)
    return np.where(seeds > 0, seeds, numbers[parts]).astype(np.int32)


def check(folder: Path, theirs: np.ndarray, mine: np.ndarray) -> list[str]:
    """Every pixel has the same label, with all kinds of seeds."""
    found = compare("border", theirs, mine)
    for kind in OTHERS:
        found += compare(kind, baseline(folder, kind), ours(folder, kind))
    return found


def compare(kind: str, theirs: np.ndarray, mine: np.ndarray) -> list[str]:
    """Pixels that differ, in words."""
    if not theirs.any():
        return [f"{kind}: there are no objects"]
    if theirs.shape != mine.shape:
        return [f"{kind}: the shapes differ"]
    n = np.count_nonzero(theirs != mine)
    return [f"{kind}: {n} pixels have another label"] if n else []


def spoil(labels: np.ndarray) -> np.ndarray:
    """One pixel."""
    wrong = labels.copy()
    wrong.flat[np.flatnonzero(wrong)[0]] += 1
    return wrong


def facts(folder: Path, labels: np.ndarray) -> dict[str, float]:
    """Size; and, taken once, how much more CPU the baseline takes with the other kinds of seeds."""
    found = {"megapixels": labels.size / 1e6, "objects": float(labels.max())}
    for kind in OTHERS:
        mine, theirs = (spend(partial(one, folder, kind)) for one in (ours, baseline))
        found |= {f"{kind}_ratio": theirs / mine, f"{kind}_megapixels_a_cpu_s": labels.size / 1e6 / mine}  # fmt: skip
    return found


def spend(do: Callable[[], object]) -> float:
    """CPU seconds."""
    began = cpu_seconds()
    do()
    return cpu_seconds() - began


BENCHMARK = Benchmark(
    name="instances",
    task="10,000 nuclei of 4096 x 4096 px cut out of a network's maps (foreground, border)",
    against="scipy + scikit-image",
    prepare=prepare,
    baseline=baseline,
    ours=ours,
    check=check,
    spoil=spoil,
    full={"size_px": 4096, "n_objects": 10_000},
    small={"size_px": 256, "n_objects": 45},
    goals=(
        Goal("times less CPU", lambda one: one.ratio(), at_least=3),
        Goal("megapixels a CPU s", lambda one: one.facts["megapixels"] / one.median(), at_least=10),
        Goal("seeds: distance, times less CPU", lambda one: one.facts["distance_ratio"], at_least=3),
        Goal("seeds: shape, times less CPU", lambda one: one.facts["shape_ratio"], at_least=3),
    ),
    facts=facts,
)  # fmt: skip
