"""Semantic: two class images -> confusion in pixels; many of those -> Dice and IoU of each class, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import metrics
from ..metrics import Interval


@dataclass(frozen=True, eq=False)
class SemanticScore:
    """Confusion of one image: (classes, classes), rows the truth, in pixels."""

    image: str
    confusion: np.ndarray

    @property
    def mean_dice(self) -> float:
        """Over the classes that are there; NaN when nothing was annotated."""
        return float(metrics.mean_there(metrics.class_dice(self.confusion)))

    @property
    def mean_iou(self) -> float:
        """Over the classes that are there; NaN when nothing was annotated."""
        return float(metrics.mean_there(metrics.class_iou(self.confusion)))


def score_classes(
    image: str, truth: np.ndarray, predicted: np.ndarray, n_classes: int, ignore: int | None = None
) -> SemanticScore:
    """Compare two class images of one shape, background being class 0; true `ignore` is not counted."""
    return SemanticScore(image, metrics.confusion(truth, predicted, n_classes, ignore))


def summarise_classes(
    scores: Sequence[SemanticScore],
    names: Sequence[str],
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> dict[str, Interval]:
    """Scores of the pixels of all images together; means are over the classes, background among them.

    Scores of each image apart, as other tools give them, are in the scores of the images.
    """
    statistics = {
        "pixel accuracy": lambda sums: metrics.class_scores(sums["confusion"])["accuracy"],
        "mean Dice": lambda sums: metrics.mean_there(metrics.class_dice(sums["confusion"])),
        "mean IoU": lambda sums: metrics.mean_there(metrics.class_iou(sums["confusion"])),
    }
    for k, name in enumerate(names):
        statistics[f"Dice of {name}"] = column_of(metrics.class_dice, k)
        statistics[f"IoU of {name}"] = column_of(metrics.class_iou, k)
    counts = {"confusion": np.array([score.confusion for score in scores])}
    rng = np.random.default_rng(seed)
    return metrics.bootstrap_sums(counts, statistics, groups=groups, rng=rng)


def column_of(score, k: int):
    """The score of class k."""
    return lambda sums: score(sums["confusion"])[..., k]
