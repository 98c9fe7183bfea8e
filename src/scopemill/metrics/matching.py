"""Matching: true and found objects (labels or points) -> pairs, counts and the ratios that follow.

Definitions follow `stardist.matching` (found at IoU >= threshold), the 2018 Data Science Bowl
(average precision = tp / (tp + fp + fn)) and Kirillov et al. 2019 (panoptic quality).
One rule for emptiness: nothing to find and nothing found is perfect, 1.0 (StarDist says 0 there);
pooled over a data set such an image adds only zeros. Any other 0/0 is 0.0, as in StarDist.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

IOU_THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


@dataclass(frozen=True, eq=False)
class Matching:
    """Counts, the matched pairs behind them (none once pooled), and the ratios that follow."""

    tp: int
    fp: int
    fn: int
    iou_sum: float = float("nan")  # over the true positives; points have no IoU
    pairs: np.ndarray | None = None  # fields truth, predicted (ids or rows), iou or distance

    def _ratio(self, numerator: float, denominator: float) -> float:
        if self.tp + self.fp + self.fn == 0:
            return 1.0
        return float(numerator / denominator) if denominator else 0.0

    n_truth = property(lambda self: self.tp + self.fn)
    n_predicted = property(lambda self: self.tp + self.fp)
    precision = property(lambda self: self._ratio(self.tp, self.n_predicted))
    recall = property(lambda self: self._ratio(self.tp, self.n_truth))
    _mean_n = property(lambda self: self.tp + (self.fp + self.fn) / 2)
    f1 = property(lambda self: self._ratio(self.tp, self._mean_n))
    average_precision = property(lambda self: self._ratio(self.tp, self.tp + self.fp + self.fn))
    mean_matched_iou = property(lambda self: self._ratio(self.iou_sum, self.tp))
    panoptic_quality = property(lambda self: self._ratio(self.iou_sum, self._mean_n))
    distances = property(lambda self: self.pairs["distance"])  # of points, in the unit of `scale`


def overlap_matrix(truth: np.ndarray, predicted: np.ndarray) -> tuple:
    """Count shared pixels of two label images -> csr_array, ids of its rows, ids of its columns.

    Any dimension, any ids; background (0) has its row and column, so that sums are areas in pixels.
    """
    from scipy.sparse import csr_array

    truth, predicted = same_shape(truth, predicted)
    for labels in (truth, predicted):
        if labels.dtype.kind not in "ui" or (labels.size and labels.min() < 0):
            raise ValueError(f"labels must be integers, 0 or above; got {labels.dtype}")
    t, p = truth.ravel(), predicted.ravel()
    first = np.ones(t.size, bool)  # of each run of equal pairs: far fewer than pixels
    first[1:] = (t[1:] != t[:-1]) | (p[1:] != p[:-1])
    start = np.flatnonzero(first)
    truth_ids, row = np.unique(t[start], return_inverse=True)
    predicted_ids, column = np.unique(p[start], return_inverse=True)
    runs = (np.diff(start, append=t.size), (row, column))
    return csr_array(runs, (len(truth_ids), len(predicted_ids))), truth_ids, predicted_ids


def same_shape(truth, predicted, dtype=None) -> tuple[np.ndarray, np.ndarray]:
    truth, predicted = np.asarray(truth, dtype), np.asarray(predicted, dtype)
    if truth.shape != predicted.shape:
        raise ValueError(f"truth has shape {truth.shape} but predicted has {predicted.shape}")
    return truth, predicted


def touching_pairs(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Pairs of objects that share a pixel, with their IoU; the numbers of objects."""
    counts, truth_ids, predicted_ids = overlap_matrix(truth, predicted)
    truth_px, predicted_px, shared = counts.sum(axis=1), counts.sum(axis=0), counts.tocoo()
    row, column = shared.coords
    pairs = np.empty(shared.nnz, [("truth", "u8"), ("predicted", "u8"), ("iou", "f8")])
    pairs["truth"], pairs["predicted"] = truth_ids[row], predicted_ids[column]
    pairs["iou"] = shared.data / (truth_px[row] + predicted_px[column] - shared.data)
    objects = (pairs["truth"] > 0) & (pairs["predicted"] > 0)
    return pairs[objects], int(np.count_nonzero(truth_ids)), int(np.count_nonzero(predicted_ids))


def match(truth: np.ndarray, predicted: np.ndarray, iou_threshold: float = 0.5) -> Matching:
    """Match objects one to one where IoU >= threshold: the most pairs, then the highest IoU."""
    return match_pairs(*touching_pairs(truth, predicted), iou_threshold)


def match_at(truth: np.ndarray, predicted: np.ndarray, thresholds: Sequence) -> list[Matching]:
    """`match` at each of several IoU thresholds; the images are compared only once."""
    pairs = touching_pairs(truth, predicted)
    return [match_pairs(*pairs, threshold) for threshold in thresholds]


def match_pairs(pairs: np.ndarray, n_truth: int, n_predicted: int, threshold: float) -> Matching:
    """Choose among candidate pairs (fields truth, predicted, iou) those with IoU >= threshold."""
    if not 0 < threshold <= 1:
        raise ValueError(f"iou_threshold must be above 0 and at most 1, not {threshold}")
    pairs = pairs[pairs["iou"] >= threshold]
    pairs = pairs[assign(pairs, pairs["iou"])]
    tp = len(pairs)
    return Matching(tp, n_predicted - tp, n_truth - tp, float(pairs["iou"].sum()), pairs)


def mean_average_precision(truth, predicted, thresholds: Sequence = IOU_THRESHOLDS) -> float:
    """Mean over IoU thresholds of tp / (tp + fp + fn) in one image (Data Science Bowl 2018)."""
    matchings = match_at(truth, predicted, thresholds)
    return float(np.mean([matching.average_precision for matching in matchings]))


def match_points(truth, predicted, max_distance: float, scale=None) -> Matching:
    """Match points (n, d) to (m, d) one to one within max_distance: most pairs, then nearest.

    `scale` is the size of one step along each axis; max_distance and `distances` are in its unit.
    """
    from scipy.spatial import cKDTree

    if not max_distance > 0:
        raise ValueError(f"max_distance must be above 0, not {max_distance}")
    near = np.empty(0, [("truth", "i8"), ("predicted", "i8"), ("distance", "f8")])
    if len(truth) and len(predicted):
        trees = [cKDTree(np.multiply(x, 1 if scale is None else scale)) for x in (truth, predicted)]
        found = trees[0].sparse_distance_matrix(trees[1], max_distance, output_type="ndarray")
        near = found.astype(near.dtype)
    near = near[assign(near, 1 - near["distance"] / max_distance)]
    tp = len(near)
    return Matching(tp, len(predicted) - tp, len(truth) - tp, pairs=near)


def assign(pairs: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Choose candidate pairs one to one: the most pairs, then the largest sum of scores in 0..1."""
    from scipy.sparse import coo_array, csgraph

    if not len(pairs):
        return np.empty(0, np.intp)
    row, column = (np.unique(pairs[k], return_inverse=True)[1] for k in ("truth", "predicted"))
    ends = row, row.max() + 1 + column
    graph = coo_array((np.ones(len(row)), ends), (ends[1].max() + 1,) * 2)
    component = csgraph.connected_components(graph, directed=False)[1][row]
    batch = (np.cumsum(np.bincount(component)) // 1024)[component]  # whole components, few at once
    order = np.argsort(batch, kind="stable")
    blocks = np.split(order, np.flatnonzero(np.diff(batch[order])) + 1)
    return np.sort(np.concatenate([b[_solve(row[b], column[b], score[b])] for b in blocks]))


def _solve(row: np.ndarray, column: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Optimal assignment on a sparse graph; a costly column of its own lets a row go unmatched."""
    from scipy.sparse import csgraph, csr_array

    row, column = (np.unique(x, return_inverse=True)[1] for x in (row, column))
    n, m = row.max() + 1, column.max() + 1
    cost = np.r_[
        1 - score / (2 * n), np.full(n, 2.0)
    ]  # all scores together weigh less than one pair
    ends = np.r_[row, np.arange(n)], np.r_[column, m + np.arange(n)]
    graph = csr_array((cost, ends), (n, n + m))
    partner = csgraph.min_weight_full_bipartite_matching(graph)[1]
    return np.flatnonzero(partner[row] == column)


def pool(matchings: Iterable[Matching]) -> Matching:
    """Sum counts over images, so that every object weighs the same in the data set's scores."""
    counts = [(m.tp, m.fp, m.fn, m.iou_sum) for m in matchings]
    return Matching(*(sum(column) for column in zip((0, 0, 0, 0.0), *counts, strict=True)))


def count_ratios(tp, fp, fn, iou_sum=0) -> dict[str, np.ndarray]:
    """The ratios of `Matching`, of arrays of counts that are of one shape."""
    n = tp + fp + fn

    def ratio(above, below) -> np.ndarray:
        value = np.divide(above, below, out=np.zeros(np.shape(n)), where=below != 0)
        return np.where(n == 0, 1.0, value)

    return {
        "F1": ratio(tp, tp + (fp + fn) / 2), "precision": ratio(tp, tp + fp), "recall": ratio(tp, tp + fn),
        "AP": ratio(tp, n), "PQ": ratio(iou_sum, tp + (fp + fn) / 2),
    }  # fmt: skip
