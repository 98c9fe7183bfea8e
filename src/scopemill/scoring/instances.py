"""Instances: two label images -> how they compare; many of those -> F1, AP, PQ, Dice and count error with intervals.

Matching and scores as in StarDist (Schmidt 2018) and the 2018 Data Science Bowl (Caicedo 2019).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import metrics
from ..metrics import IOU_THRESHOLDS, Interval, Matching


@dataclass(frozen=True, eq=False)
class Score:
    """How one image compares with its truth."""

    image: str
    at: tuple[Matching, ...]  # at IoU 0.50, 0.55, ... 0.95
    pixels: Matching  # objects against background

    @property
    def at_half(self) -> Matching:
        """At IoU 0.5."""
        return self.at[0]

    @property
    def mean_average_precision(self) -> float:
        """Over IoU 0.50, 0.55, ... 0.95."""
        return float(np.mean([one.average_precision for one in self.at]))

    @property
    def count_error(self) -> float:
        """(found - true) / true."""
        return (self.at_half.n_predicted - self.at_half.n_truth) / max(1, self.at_half.n_truth)


def score_image(image: str, truth: np.ndarray, predicted: np.ndarray) -> Score:
    """Compare two label images of one shape."""
    at = metrics.match_at(truth, predicted, IOU_THRESHOLDS)
    return Score(image, tuple(at), metrics.match_pixels(truth, predicted))


def summarise(
    scores: Sequence[Score], groups: Sequence[str] | None = None, seed: int = 0
) -> dict[str, Interval]:
    """Scores of all images together; images (or groups of them) are drawn again for the intervals."""
    statistics = {
        f"{name}@0.5": ratio_at(name, 0) for name in ("F1", "precision", "recall", "AP", "PQ")
    }
    for name in ("mean F1@0.5 per image", "mean AP@0.5:0.95 per image", "mean |count error|"):
        statistics[name] = mean_of(name)
    statistics["Dice of the foreground"] = lambda sums: metrics.count_ratios(*sums["pixels"].T)[
        "F1"
    ]
    for k, threshold in enumerate(IOU_THRESHOLDS[1:], 1):
        statistics[f"AP@{threshold:g}"] = ratio_at("AP", k)
    return metrics.bootstrap_sums(
        count(scores), statistics, groups=groups, rng=np.random.default_rng(seed)
    )


def count(scores: Sequence[Score]) -> dict[str, np.ndarray]:
    """What is added up over the images: (images, 4, thresholds) counts at each IoU, and so on."""
    at = [[(m.tp, m.fp, m.fn, m.iou_sum) for m in score.at] for score in scores]
    return {
        "at": np.array(at, float).transpose(0, 2, 1),
        "pixels": np.array([(s.pixels.tp, s.pixels.fp, s.pixels.fn) for s in scores]),
        "images": np.ones(len(scores)),
        "mean F1@0.5 per image": np.array([score.at_half.f1 for score in scores]),
        "mean AP@0.5:0.95 per image": np.array([score.mean_average_precision for score in scores]),
        "mean |count error|": np.array([abs(score.count_error) for score in scores]),
    }


def ratio_at(name: str, k: int):
    """A ratio of the pooled counts at the k-th IoU."""
    return lambda sums: metrics.count_ratios(*sums["at"][:, :, k].T)[name]


def mean_of(name: str):
    """The mean over the images."""
    return lambda sums: sums[name] / sums["images"]
