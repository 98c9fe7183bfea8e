"""Regions: class images and annotated classes -> confusion of each tile, read block by block whatever the size."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import metrics, scoring
from ..images import Image
from ..manifests import read_manifests, results_root
from ..metrics import Interval
from ..scoring import SemanticScore
from ..settings import ConfigError, nearest
from ..tiling import list_cores
from .collect import Case

if TYPE_CHECKING:
    import pandas as pd

IGNORE = 255
BLOCK_PX = 2048  # what is read at once, about


def read_class_names(manifests: Sequence[Path], of: str) -> tuple[str, ...]:
    """Names of the values of a segment task's class images; none where it gives labels."""
    root = results_root(manifests[0])
    for record in read_manifests(manifests).get(f"segment.{of}", {}).values():
        if record.status == "ok":
            with Image(root / record.artifact) as image:
                return image.meta.class_names
    return ()


@dataclass(frozen=True)
class TrueClasses:
    """How annotations become a class image: 0 where nothing is drawn, 255 where nothing is known."""

    names: tuple[str, ...]  # of the values 0, 1, 2, ...
    region: str = ""
    ignore: tuple[str, ...] = ()

    def __call__(
        self, rows: "pd.DataFrame", shape: tuple[int, ...], window: tuple[slice, slice]
    ) -> np.ndarray:
        """Annotations of one time point, drawn in a window of an image of this shape, uint8.

        Raises
        ------
        ConfigError
            When an annotation has a class that the task does not give and that is not ignored.
        """
        from ..annotations.raster import to_classes

        values = {name: value for value, name in enumerate(self.names)}
        values |= dict.fromkeys(self.ignore, IGNORE)
        strange = sorted(set(rows["class"]) - {*values, self.region})
        if strange:
            raise ConfigError(
                f"evaluate: an annotation has the class '{strange[0]}', the task gives {list(self.names)}"
                f"{nearest(strange[0], self.names)}; correct it, or name it in `ignore`"
            )
        known = [name for name in values if name != self.region]
        table = np.array([0, *(values[name] for name in known)], np.uint8)
        drawn = table[to_classes(rows, shape, known, window)]
        if self.region:
            drawn[to_classes(rows, shape, [self.region], window) == 0] = IGNORE
        return drawn


def score_case(case: Case, n_classes: int, tile_px: int) -> SemanticScore:
    """Confusion of each tile of a class image (of all its planes)."""
    tiles, places = [], []
    for y, x in list_cores(case.shape[-2:], tile_px * max(1, BLOCK_PX // tile_px)):
        truth, found = case.truth(y, x), case.predicted(y, x)
        for rows, columns in list_cores(truth.shape[-2:], tile_px):
            pair = (truth[:, rows, columns], found[:, rows, columns])
            tiles.append(metrics.confusion(*pair, n_classes, IGNORE))
            places.append((y.start + rows.start, x.start + columns.start))
    return scoring.join_tiles(case.name, tiles, places, n_classes)


def describe_case(
    score: SemanticScore, names: Sequence[str], image: str, group: str, seed: int
) -> dict[str, Any]:
    """Columns of scores.csv; intervals by drawing the tiles of the image again."""
    within = scoring.summarise_tiles([score], names, seed)
    line = {
        "image": image, "group": group, "name": score.image, "n_tiles": len(score.tiles),
        "counted_px": int(score.confusion.sum()), "accuracy": score.accuracy,
        "mean_dice": score.mean_dice, "mean_iou": score.mean_iou,
    }  # fmt: skip
    for k, name in enumerate(names):
        line |= with_interval(f"dice_{name}", within[f"Dice of {name}"])
        line |= with_interval(f"iou_{name}", within[f"IoU of {name}"])
        line |= {f"true_px_{name}": int(score.confusion[k].sum()), f"found_px_{name}": int(score.confusion[:, k].sum())}  # fmt: skip
    return line


def with_interval(name: str, value: Interval) -> dict[str, float]:
    """Three columns: the value and the ends of its interval."""
    return dict(zip((name, f"{name}_low", f"{name}_high"), value, strict=True))
