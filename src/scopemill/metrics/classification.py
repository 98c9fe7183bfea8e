"""Classification: true classes and probabilities -> accuracy, F1, thresholds, calibration and log loss.

Equal to scikit-learn where it has the same score. Classes that are neither true nor predicted anywhere are left out of
means, as there; balanced accuracy is over the classes that are true somewhere.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .pixels import class_counts, class_dice, divide, mean_there


class Reliability(NamedTuple):
    """Predictions in bins of equal width of confidence, (bins,) each."""

    count: np.ndarray
    confidence: np.ndarray  # sums, so that images can be added up
    right: np.ndarray


def class_scores(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Confusion (..., K, K) -> scores (...), one class an object."""
    right, true, _ = class_counts(counts)
    return {
        "accuracy": divide(right.sum(axis=-1), true.sum(axis=-1)),
        "balanced accuracy": mean_there(divide(right, true)),
        "macro F1": mean_there(class_dice(counts)),
        # each wrong prediction is one false positive and one false negative: this is the accuracy
        "micro F1": divide(2 * right.sum(axis=-1), 2 * true.sum(axis=-1)),
    }


def label_scores(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> dict[str, np.ndarray]:
    """Counts of each class (..., K), several classes an object -> scores (...); a class that is nowhere has F1 0."""
    total = [counts.sum(axis=-1) for counts in (tp, fp, fn)]
    return {
        "macro F1": divide(2 * tp, 2 * tp + fp + fn, empty=0.0).mean(axis=-1),
        "micro F1": divide(2 * total[0], 2 * total[0] + total[1] + total[2], empty=0.0),
    }


def tune_thresholds(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Truth (n, K) of 0 and 1, probabilities (n, K) of validation objects -> (K,) with the highest F1 of each class.

    A class is predicted where its probability is at or above its threshold. Thresholds lie halfway between two
    probabilities; of equally good ones the highest is taken. A class without positives keeps 0.5.
    """
    truth, probabilities = np.asarray(truth, bool), np.asarray(probabilities, float)
    return np.array([tune(one, p) for one, p in zip(truth.T, probabilities.T, strict=True)])


def tune(truth: np.ndarray, probability: np.ndarray) -> float:
    """The threshold of one class."""
    if not truth.any():
        return 0.5
    order = np.argsort(-probability, kind="stable")
    level, n_found = probability[order], np.arange(1, len(order) + 1)
    f1 = 2 * np.cumsum(truth[order]) / (n_found + truth.sum())
    last = np.append(np.diff(level) != 0, True)  # equal probabilities are taken all or none
    level, f1 = level[last], f1[last]
    best = int(np.argmax(f1))
    below = level[best + 1] if best + 1 < len(level) else 0.0
    return float((level[best] + below) / 2)


def bin_reliability(confidence: np.ndarray, right: np.ndarray, n_bins: int = 15) -> Reliability:
    """Sums over bins (0, 1/n], (1/n, 2/n], ... of confidence (Guo et al. 2017)."""
    confidence, right = np.asarray(confidence, float).ravel(), np.asarray(right, float).ravel()
    number = np.clip(np.ceil(confidence * n_bins).astype(int) - 1, 0, n_bins - 1)
    sums = [np.bincount(number, weights, n_bins) for weights in (None, confidence, right)]
    return Reliability(*(np.asarray(one, float) for one in sums))


def calibration_error(count: np.ndarray, confidence: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Sums of bins (..., bins) -> expected calibration error (...): mean distance of confidence and accuracy."""
    return divide(np.abs(confidence - right).sum(axis=-1), count.sum(axis=-1))


def log_losses(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Class numbers (n,) and probabilities (n, K) -> minus the log of the true class's probability, (n,).

    Truth (n, K) of 0 and 1 (several classes an object) -> the mean over the classes. Probabilities are kept an epsilon
    away from 0 and 1, as in scikit-learn.
    """
    truth, p = np.asarray(truth), np.asarray(probabilities, float)
    tiny = np.finfo(float).eps
    if truth.ndim == 2:
        p = np.clip(p, tiny, 1 - tiny)
        return -np.where(truth.astype(bool), np.log(p), np.log1p(-p)).mean(axis=1)
    p = p / p.sum(axis=1, keepdims=True)
    return -np.log(np.clip(p[np.arange(len(p)), truth], tiny, 1 - tiny))


def per_class(counts: np.ndarray, names: list[str]) -> Mapping[str, dict[str, float]]:
    """Confusion (K, K) -> class -> precision, recall, F1 and number of true ones; NaN for 0/0."""
    right, true, found = class_counts(counts)
    columns = {"precision": divide(right, found), "recall": divide(right, true), "F1": class_dice(counts), "n": true}  # fmt: skip
    return {
        name: {key: float(column[k]) for key, column in columns.items()}
        for k, name in enumerate(names)
    }
