"""Semantic: two class images -> confusion in pixels; many of those -> Dice and IoU of each class, with intervals.

Of an image that is scored in tiles, tiles are drawn again for an interval of its own: neighbouring pixels resemble each
other, and would give one that is far too narrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import metrics
from ..metrics import Interval

MIN_TILES = 4  # fewer carry no spread worth the name


@dataclass(frozen=True, eq=False)
class SemanticScore:
    """Confusion of one image: (classes, classes), rows the truth, in pixels; and of its tiles."""

    image: str
    confusion: np.ndarray
    tiles: np.ndarray | None = None  # (tiles, classes, classes), those in which pixels are counted
    places: np.ndarray | None = None  # (tiles, 2), the first pixel of each, (y, x)

    @property
    def mean_dice(self) -> float:
        """Over the classes that are there; NaN when nothing was annotated."""
        return float(metrics.mean_there(metrics.class_dice(self.confusion)))

    @property
    def mean_iou(self) -> float:
        """Over the classes that are there; NaN when nothing was annotated."""
        return float(metrics.mean_there(metrics.class_iou(self.confusion)))

    @property
    def accuracy(self) -> float:
        """Share of pixels that are right."""
        return float(metrics.class_scores(self.confusion)["accuracy"])

    @property
    def wrong_px(self) -> np.ndarray:
        """(tiles,) pixels of each that have another class than the truth."""
        return self.tiles.sum(axis=(1, 2)) - np.trace(self.tiles, axis1=1, axis2=2)


def score_classes(
    image: str, truth: np.ndarray, predicted: np.ndarray, n_classes: int, ignore: int | None = None
) -> SemanticScore:
    """Compare two class images of one shape, background being class 0; true `ignore` is not counted."""
    return SemanticScore(image, metrics.confusion(truth, predicted, n_classes, ignore))


def join_tiles(
    image: str, tiles: Sequence[np.ndarray], places: Sequence[tuple[int, int]], n_classes: int
) -> SemanticScore:
    """Confusions of the tiles of an image -> its score; tiles in which nothing is counted are left out."""
    stacked = np.array(tiles).reshape(-1, n_classes, n_classes)
    counted = stacked.any(axis=(1, 2))
    kept = np.array(places, int).reshape(-1, 2)[counted]
    return SemanticScore(image, stacked.sum(axis=0), stacked[counted], kept)


def summarise_classes(
    scores: Sequence[SemanticScore],
    names: Sequence[str],
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> dict[str, Interval]:
    """Scores of the pixels of all images together; means are over the classes, background among them.

    Scores of each image apart, as other tools give them, are in the scores of the images.
    """
    return bootstrap(np.array([score.confusion for score in scores]), names, groups, seed)


def summarise_tiles(
    scores: Sequence[SemanticScore], names: Sequence[str], seed: int = 0
) -> dict[str, Interval]:
    """The same of one image, or of several together, their tiles being drawn again."""
    tiles = np.concatenate([score.tiles for score in scores])
    if not len(tiles):
        tiles = np.zeros((1, len(names), len(names)))
    few = ["all"] * len(tiles) if len(tiles) < MIN_TILES else None
    return bootstrap(tiles, names, few, seed)


def bootstrap(
    confusions: np.ndarray, names: Sequence[str], groups: Sequence[str] | None, seed: int
) -> dict[str, Interval]:
    """Confusions (units, classes, classes) -> scores of their sum, with intervals."""
    statistics = {
        "pixel accuracy": lambda sums: metrics.class_scores(sums["confusion"])["accuracy"],
        "mean Dice": lambda sums: metrics.mean_there(metrics.class_dice(sums["confusion"])),
        "mean IoU": lambda sums: metrics.mean_there(metrics.class_iou(sums["confusion"])),
    }
    for k, name in enumerate(names):
        statistics[f"Dice of {name}"] = column_of(metrics.class_dice, k)
        statistics[f"IoU of {name}"] = column_of(metrics.class_iou, k)
    rng = np.random.default_rng(seed)
    return metrics.bootstrap_sums({"confusion": confusions}, statistics, groups=groups, rng=rng)


def column_of(score, k: int):
    """The score of class k."""
    return lambda sums: score(sums["confusion"])[..., k]
