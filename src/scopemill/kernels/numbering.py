"""Numbering: labels, or their runs (row, first column, the one after the last) -> how large objects are, and the same labels by other numbers."""

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
def translate(labels: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Each label's number, in the type of the numbers."""
    found = np.empty(labels.shape, numbers.dtype)
    found_ = found.ravel()
    for i, label in enumerate(labels.ravel()):
        found_[i] = numbers[label]
    return found


@compiled
def crop(
    runs: np.ndarray, labels: np.ndarray, rows: tuple[int, int], columns: tuple[int, int]
) -> int:
    """Runs of an image and their labels: those of a window of it come first, in its places; their number."""
    n = 0
    for i in range(len(runs)):
        y, start, end = runs[i, 0], max(runs[i, 1], columns[0]), min(runs[i, 2], columns[1])
        if rows[0] <= y < rows[1] and start < end:
            runs[n, 0], runs[n, 1], runs[n, 2] = y - rows[0], start - columns[0], end - columns[0]
            labels[n] = labels[i]
            n += 1
    return n


@compiled
def sum_places(runs: np.ndarray, labels: np.ndarray, highest: int) -> np.ndarray:
    """Pixels, and sums of y and x, of each label 1 ... highest: (3, highest + 1); of the runs of an image (Y, X)."""
    sums = np.zeros((3, highest + 1), np.int64)
    for i in range(len(runs)):
        y, start, end = runs[i]
        n, label = end - start, labels[i]
        sums[0, label] += n
        sums[1, label] += y * n
        sums[2, label] += (start + end - 1) * n // 2
    return sums


@compiled
def total_runs(
    runs: np.ndarray, labels: np.ndarray, values: np.ndarray, highest: int
) -> np.ndarray:
    """What `total` gives, of the runs."""
    sums = np.zeros(highest + 1, np.float64)
    for i in range(len(runs)):
        y, start, end = runs[i]
        so_far = sums[labels[i]]
        for x in range(start, end):
            so_far += values[y, x]
        sums[labels[i]] = so_far
    return sums


@compiled
def paint(
    runs: np.ndarray, numbers: np.ndarray | None, image: np.ndarray, place: tuple[int, int]
) -> None:
    """Runs with their labels (n, 4) -> their pixels in an image (Y, X) that begins at `place`: labels, or the numbers of these."""
    top, left = place
    height, width = image.shape
    for i in range(len(runs)):
        y, start, end = runs[i, 0] - top, max(runs[i, 1] - left, 0), min(runs[i, 2] - left, width)
        if 0 <= y < height and start < end:
            if numbers is None:
                image[y, start:end] = runs[i, 3]
            else:
                image[y, start:end] = numbers[runs[i, 3]]


@compiled
def count_together(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Two images of the same pixels -> runs of those that have a label in one of them: both labels, and how many (n, 3)."""
    found, at = np.empty((one.size, 3), np.int64), 0
    for y in range(one.shape[0]):
        start = 0
        for x in range(1, one.shape[1] + 1):
            here, there = one[y, start], other[y, start]
            if x == one.shape[1] or one[y, x] != here or other[y, x] != there:
                if here or there:
                    found[at, 0], found[at, 1], found[at, 2] = here, there, x - start
                    at += 1
                start = x
    return found[:at].copy()
