"""Pixels: true and predicted masks or classes -> Dice, IoU and confusion, counted in pixels.

Equal to scikit-learn's f1_score and jaccard_score over the pixels, but 1.0 (not 0.0) where both masks are empty.
"""

import numpy as np

from .matching import Matching, same_shape


def dice(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Dice coefficient (F1 over pixels) of two masks; 1.0 when both are empty."""
    return match_pixels(truth, predicted).f1


def iou(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Intersection over union of two masks; 1.0 when both are empty."""
    return match_pixels(truth, predicted).average_precision


def match_pixels(truth: np.ndarray, predicted: np.ndarray) -> Matching:
    """Count pixels that are in both masks, and in one of them only."""
    truth, predicted = same_shape(truth, predicted, bool)
    tp, fp, fn = truth & predicted, predicted & ~truth, truth & ~predicted
    return Matching(*(int(np.count_nonzero(pixels)) for pixels in (tp, fp, fn)))


def confusion(
    truth: np.ndarray, predicted: np.ndarray, n_classes: int, ignore: int | None = None
) -> np.ndarray:
    """(n_classes, n_classes), rows the truth, of classes 0 to n_classes - 1; true `ignore` is not counted.

    Raises
    ------
    ValueError
        When a class is out of range.
    """
    truth, predicted = (array.ravel() for array in same_shape(truth, predicted))
    if ignore is not None:
        truth, predicted = truth[truth != ignore], predicted[truth != ignore]
    for name, array in (("truth", truth), ("prediction", predicted)):
        if array.size and not (0 <= array.min() and array.max() < n_classes):
            raise ValueError(
                f"{name} has classes {array.min()} to {array.max()}, expected 0 to {n_classes - 1}"
            )
    both = truth.astype(np.int64) * n_classes + predicted.astype(np.int64)
    return np.bincount(both, minlength=n_classes**2).reshape(n_classes, n_classes)


def class_dice(counts: np.ndarray) -> np.ndarray:
    """Confusion (..., K, K) -> Dice of each class (..., K), which is its F1; NaN for a class that is nowhere."""
    tp, true, found = class_counts(counts)
    return divide(2 * tp, true + found)


def class_iou(counts: np.ndarray) -> np.ndarray:
    """Confusion (..., K, K) -> intersection over union of each class (..., K); NaN for a class that is nowhere."""
    tp, true, found = class_counts(counts)
    return divide(tp, true + found - tp)


def class_counts(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confusion (..., K, K) -> right ones, true ones and predicted ones of each class."""
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    return right, counts.sum(axis=-1), counts.sum(axis=-2)


def divide(above: np.ndarray, below: np.ndarray, empty: float = float("nan")) -> np.ndarray:
    """Quotient of arrays; `empty` where there is nothing to divide by."""
    above, below = np.broadcast_arrays(np.asarray(above, float), np.asarray(below, float))
    return np.divide(above, below, out=np.full(above.shape, empty), where=below != 0)


def mean_there(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is not NaN; NaN where nothing is."""
    return divide(np.nansum(values, axis=-1), (~np.isnan(values)).sum(axis=-1))
