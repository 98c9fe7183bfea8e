"""Evaluate: label images + ground truth -> F1, AP, PQ and count error, each with an interval.

Matching and scores as in StarDist (Schmidt 2018) and the 2018 Data Science Bowl (Caicedo 2019).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import metrics
from ..metrics import Interval, Matching


@dataclass(frozen=True)
class Score:
    """How one image compares with its truth."""

    image: str
    at_half: Matching  # at IoU 0.5
    mean_average_precision: float  # over IoU 0.50, 0.55, ... 0.95

    @property
    def count_error(self) -> float:
        """(found - true) / true."""
        return (self.at_half.n_predicted - self.at_half.n_truth) / max(1, self.at_half.n_truth)


def score_image(image: str, truth: np.ndarray, predicted: np.ndarray) -> Score:
    """Compare two label images of one shape."""
    return Score(
        image, metrics.match(truth, predicted), metrics.mean_average_precision(truth, predicted)
    )


def summarise(
    scores: Sequence[Score], groups: Sequence[str] | None = None, seed: int = 0
) -> dict[str, Interval]:
    """Scores of all images together; images (or groups of them) are drawn again for the intervals."""
    pooled = {
        "F1@0.5": lambda some: metrics.pool(one.at_half for one in some).f1,
        "precision@0.5": lambda some: metrics.pool(one.at_half for one in some).precision,
        "recall@0.5": lambda some: metrics.pool(one.at_half for one in some).recall,
        "AP@0.5": lambda some: metrics.pool(one.at_half for one in some).average_precision,
        "PQ@0.5": lambda some: metrics.pool(one.at_half for one in some).panoptic_quality,
        "mean F1@0.5 per image": lambda some: float(np.mean([one.at_half.f1 for one in some])),
        "mean AP@0.5:0.95 per image": lambda some: float(
            np.mean([one.mean_average_precision for one in some])
        ),
        "mean |count error|": lambda some: float(np.mean([abs(one.count_error) for one in some])),
    }
    return {
        name: metrics.bootstrap_interval(
            list(scores), statistic, groups=groups, rng=np.random.default_rng(seed)
        )
        for name, statistic in pooled.items()
    }
