"""Detection: true and found points or boxes -> pairs and hits; many images of them -> F1 and AP with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .. import metrics
from ..metrics import Interval, Matching

NOTHING = np.empty(0)


@dataclass(frozen=True, eq=False)
class DetectionScore:
    """How what was found in one image compares with its truth."""

    image: str
    matching: Matching  # one to one, whatever the scores
    scores: np.ndarray = field(default_factory=lambda: NOTHING)  # of each found object
    hits: np.ndarray = field(default_factory=lambda: NOTHING)  # of each, in the order of scores


def score_points(
    image: str,
    truth: np.ndarray,
    predicted: np.ndarray,
    max_distance: float,
    scale: Sequence[float] | None = None,
    scores: np.ndarray | None = None,
) -> DetectionScore:
    """Points (n, d) and (m, d), found within max_distance; `scale` is the size of a step along each axis."""
    from scipy.spatial.distance import cdist

    matching = metrics.match_points(truth, predicted, max_distance, scale)
    if scores is None or not len(predicted):
        return DetectionScore(image, matching)
    step = np.ones(np.shape(predicted)[1]) if scale is None else np.asarray(scale)
    there = np.reshape(truth, (-1, len(step))) * step
    near = -cdist(there, np.asarray(predicted) * step)
    return DetectionScore(image, matching, *rank(near, scores, -max_distance))


def score_boxes(
    image: str,
    truth: np.ndarray,
    predicted: np.ndarray,
    iou_threshold: float = 0.5,
    scores: np.ndarray | None = None,
) -> DetectionScore:
    """Boxes (n, 4) and (m, 4): y0, x0, y1, x1, half open."""
    matching = metrics.match_boxes(truth, predicted, iou_threshold)
    if scores is None:
        return DetectionScore(image, matching)
    fit = metrics.box_iou(truth, predicted)
    return DetectionScore(image, matching, *rank(fit, scores, iou_threshold))


def rank(fit: np.ndarray, scores: np.ndarray, at_least: float) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and which of the found objects are hits."""
    scores = np.asarray(scores, float)
    if len(scores) != fit.shape[1]:
        raise ValueError(f"{len(scores)} scores for {fit.shape[1]} found objects")
    return scores, metrics.rank_hits(fit, scores, at_least)


def summarise_detection(
    scores: Sequence[DetectionScore],
    groups: Sequence[str] | None = None,
    seed: int = 0,
    n_resamples: int = 1000,
) -> dict[str, Interval]:
    """Scores of all images together; average precision where found objects have scores."""
    statistics = {
        name: lambda sums, name=name: metrics.count_ratios(*sums["counts"].T)[name]
        for name in ("F1", "precision", "recall")
    }
    statistics["mean F1 per image"] = lambda sums: sums["F1"] / sums["images"]
    counts = {
        "counts": np.array([(s.matching.tp, s.matching.fp, s.matching.fn) for s in scores]),
        "F1": np.array([score.matching.f1 for score in scores]),
        "images": np.ones(len(scores)),
    }
    rng = np.random.default_rng(seed)
    summary = metrics.bootstrap_sums(
        counts, statistics, groups=groups, rng=rng, n_resamples=n_resamples
    )
    if any(len(score.scores) for score in scores):
        rng = np.random.default_rng(seed)
        summary["AP"] = bootstrap_precision(scores, groups, rng, n_resamples)
    return summary


def bootstrap_precision(
    scores: Sequence[DetectionScore],
    groups: Sequence[str] | None,
    rng: np.random.Generator,
    n_resamples: int,
) -> Interval:
    """Average precision; a resample counts an image's found and true objects as often as it was drawn."""
    level = np.concatenate([score.scores for score in scores])
    hits = np.concatenate([score.hits for score in scores])
    n_truth = np.array([score.matching.n_truth for score in scores])
    owner = np.repeat(np.arange(len(scores)), [len(score.scores) for score in scores])
    n_of, unit = metrics.draw_units(len(scores), groups, rng, n_resamples)
    values = [
        metrics.average_precision(level, hits, n[unit] @ n_truth, n[unit][owner]) for n in n_of
    ]
    return metrics.to_interval(metrics.average_precision(level, hits, n_truth.sum()), values)
