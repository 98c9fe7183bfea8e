"""Training images -> the settings at which each peer does best on them, by mean average precision.

A quarter of the images, whole fields, of which at most 360 x 360 pixels are looked at.
"""

import functools
import inspect
import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import tifffile
from peers import AutoScale, InstanSeg, Kept, keep, run_otsu
from PIL import Image

from scopemill.metrics import mean_average_precision
from scopemill.segment.methods import otsu

SHARE = 0.25
CROP_PX = 360
SMOOTH_PX = (0.0, 0.5, 1.0, 2.0)
FACTORS = (0.6, 0.8, 1.0, 1.2)
SPLIT_PX = (5.0, 8.0, 12.0, 18.0)
SCALES = tuple(2 ** (k / 4) for k in range(-6, 1))  # 0.35 to 1
TARGETS_PX = (10.0, 12.0, 14.0, 17.0)


class Field(NamedTuple):
    """One image with its truth; fields of one group show the same cells or their neighbours."""

    id: str
    group: str
    image: np.ndarray  # (Y, X) uint8
    truth: np.ndarray


class Tuned(NamedTuple):
    """What was chosen, and the mean AP that each choice had."""

    chosen: dict
    tried: dict[str, float]


def read_fields(data: Path, split: str, share: float = 1.0) -> list[Field]:
    """Fluorescence fields of DSB2018, or of so many of its field groups that they make up a share."""
    table = pd.read_csv(data / "split.csv")
    table = table[(table.modality == "fluorescence") & (table.split == split)]
    if share < 1:
        groups = np.random.default_rng(0).permutation(sorted(table.field_group.unique()))
        sizes = table.field_group.value_counts()[groups].cumsum()
        table = table[table.field_group.isin(sizes.index[sizes <= share * len(table)])]
    return [
        Field(
            row.id,
            row.field_group,
            np.ascontiguousarray(np.asarray(Image.open(data / f"images/{row.id}.png"))[..., 0]),
            tifffile.imread(data / f"masks/{row.id}.tif"),
        )
        for row in table.itertuples()
    ]


def read_tuning_fields(data: Path) -> list[Field]:
    """The middles of a share of the training fields."""
    fields = read_fields(data, "train", SHARE)
    return [one._replace(image=middle(one.image), truth=middle(one.truth)) for one in fields]


def middle(image: np.ndarray, size_px: int = CROP_PX) -> np.ndarray:
    """At most so much of both axes."""
    start = [max(0, n - size_px) // 2 for n in image.shape]
    return np.ascontiguousarray(image[tuple(slice(n, n + size_px) for n in start)])


def judge(segment: Callable, fields: Sequence[Field], cache: Path, *what) -> float:
    """Mean over images of AP at IoU 0.5 to 0.95; kept, for `what` the segmenter is."""

    def work() -> np.ndarray:
        scores = [mean_average_precision(one.truth, segment(one.image)) for one in fields]
        return np.mean(scores)

    images = [array for one in fields for array in (one.image, one.truth)]
    sources = [inspect.getsource(one) for one in (otsu, InstanSeg, AutoScale)]
    return float(keep(cache, [*what, *sources], images, work))


def choose(options: Sequence[dict], values: Sequence[float]) -> Tuned:
    """The best of them."""
    names = [", ".join(f"{key} {value}" for key, value in one.items()) for one in options]
    tried = dict(zip(names, map(float, values), strict=True))
    return Tuned(options[int(np.argmax(values))], tried)


def tune_otsu(fields: Sequence[Field], cache: Path) -> Tuned:
    """Smoothing, threshold and splitting distance, in pixels."""
    grid = itertools.product(SMOOTH_PX, FACTORS, SPLIT_PX)
    options = [
        {"smooth_um": smooth, "threshold_factor": factor, "split_um": split}
        for smooth, factor, split in grid
    ]
    segments = [functools.partial(run_otsu, otsu.Settings(channel="DNA", **one)) for one in options]
    values = [
        judge(segment, fields, cache, "otsu", option)
        for segment, option in zip(segments, options, strict=True)
    ]
    return choose(options, values)


def tune_instanseg(
    fields: Sequence[Field], folder: Path, cache: Path, rough: otsu.Settings
) -> tuple[Tuned, Tuned]:
    """The best scale for all images, and the best way to choose a scale for each; in bf16."""
    model = Kept(functools.partial(InstanSeg, folder, True), "InstanSeg bf16", cache)
    scales = [{"scale": scale} for scale in SCALES]
    one_scale = [functools.partial(model, **one) for one in scales]
    whole = choose(
        scales, [judge(x, fields, cache, i) for x, i in zip(one_scale, scales, strict=True)]
    )
    grid = itertools.product(("otsu", "model"), TARGETS_PX, (False, True))
    ways = [{"first": first, "target_px": px, "again": again} for first, px, again in grid]
    given = {"scale": whole.chosen["scale"], "rough": asdict(rough)}
    autos = [make_auto(model, rough, given["scale"], **one) for one in ways]
    values = [judge(x, fields, cache, i, given) for x, i in zip(autos, ways, strict=True)]
    return whole, choose(ways, values)


def make_auto(
    model: Callable, rough: otsu.Settings, scale: float, first: str, target_px: float, again: bool
) -> AutoScale:
    """InstanSeg that chooses its scale by what Otsu, or the model at one scale, finds first."""
    look = (
        functools.partial(run_otsu, rough)
        if first == "otsu"
        else functools.partial(model, scale=scale)
    )
    return AutoScale(model, look, target_px, again)
