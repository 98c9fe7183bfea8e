"""Detection: true and found boxes, or points with scores -> pairs, hits in the order of scores, average precision.

Average precision interpolates over all points of the precision-recall curve (PASCAL VOC 2010 and later). COCO reads
the same curve at 101 recalls; scikit-learn's average_precision_score does not interpolate (its value is never above
this one) and cannot know of objects that no detection met. Equal scores are one point, whatever their order.
"""

import numpy as np

from .matching import Matching, match_pairs


def box_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) and (m, 4), each y0, x0, y1, x1 and half open -> (n, m)."""
    a, b = (np.asarray(boxes, float).reshape(-1, 4) for boxes in (a, b))
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    area_a, area_b = ((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (a, b))
    together = area_a[:, None] + area_b - shared
    return np.divide(shared, together, out=np.zeros_like(shared), where=together > 0)


def match_boxes(truth: np.ndarray, predicted: np.ndarray, iou_threshold: float = 0.5) -> Matching:
    """Match boxes one to one where IoU >= threshold: the most pairs, then the highest IoU; pairs hold rows."""
    iou = box_iou(truth, predicted)
    row, column = np.nonzero(iou)
    pairs = np.empty(len(row), [("truth", "i8"), ("predicted", "i8"), ("iou", "f8")])
    pairs["truth"], pairs["predicted"], pairs["iou"] = row, column, iou[row, column]
    return match_pairs(pairs, *iou.shape, iou_threshold)


def rank_hits(fit: np.ndarray, scores: np.ndarray, at_least: float) -> np.ndarray:
    """Fit (truth, found) -> for each found, whether it is a hit: by falling score, each takes the best true one left."""
    hits, free = np.zeros(len(scores), bool), np.ones(len(fit), bool)
    for k in np.argsort(-np.asarray(scores), kind="stable"):
        candidates = np.where(free, fit[:, k], -np.inf)
        if len(candidates) and candidates.max() >= at_least:
            hits[k], free[candidates.argmax()] = True, False
    return hits


def average_precision(
    scores: np.ndarray, hits: np.ndarray, n_truth: float, weights: np.ndarray | None = None
) -> float:
    """Area under the interpolated precision-recall curve of all found objects of a data set.

    `weights` count each found object several times. NaN when there is nothing to find.
    """
    precision, recall = precision_recall(scores, hits, n_truth, weights)
    if not len(recall):
        return 0.0 if n_truth else float("nan")
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0) * envelope))


def precision_recall(
    scores: np.ndarray, hits: np.ndarray, n_truth: float, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall at each distinct score, the highest score first; empty when there is nothing to find."""
    if not n_truth or not len(scores):
        return np.empty(0), np.empty(0)
    scores, hits = np.asarray(scores, float), np.asarray(hits, bool)
    weights = np.ones(len(scores)) if weights is None else np.asarray(weights, float)
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)  # of each run of equal scores
    found = np.cumsum(weights[order])[last]
    right = np.cumsum((weights * hits)[order])[last]
    there = found > 0
    return right[there] / found[there], right[there] / n_truth
