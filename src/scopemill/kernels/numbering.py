"""Numbering: labels -> how large objects are, and the same labels by other numbers."""

import numpy as np

from ..compiled import compiled


@compiled
def count(labels: np.ndarray, highest: int) -> np.ndarray:
    """Pixels of each label 1 ... highest, by label; the background's are not counted."""
    counts = np.zeros(highest + 1, np.int64)
    for label in labels.ravel():
        if label:
            counts[label] += 1
    return counts


@compiled
def total(labels: np.ndarray, values: np.ndarray, highest: int) -> np.ndarray:
    """Sum of the values (of the labels' shape) of each label 1 ... highest, by label, in float64 and in the order of the pixels."""
    sums, values_ = np.zeros(highest + 1, np.float64), values.ravel()
    for i, label in enumerate(labels.ravel()):
        if label:
            sums[label] += values_[i]
    return sums


@compiled
def total_places(labels: np.ndarray, highest: int) -> np.ndarray:
    """Sums (2, highest + 1) float64 of each label's y and x, in an image (Y, X)."""
    sums = np.zeros((2, highest + 1), np.float64)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            label = labels[y, x]
            if label:
                sums[0, label] += y
                sums[1, label] += x
    return sums


@compiled
def translate(labels: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Each label's number, in the type of the numbers; the background's is 0."""
    found = np.zeros(labels.shape, numbers.dtype)
    found_ = found.ravel()
    for i, label in enumerate(labels.ravel()):
        if label:
            found_[i] = numbers[label]
    return found
