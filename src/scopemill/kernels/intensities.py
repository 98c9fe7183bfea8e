"""Intensities: labels numbered 1 to n, a channel -> mean, standard deviation, least, greatest and median of each object."""

import numpy as np

from ..compiled import compiled


@compiled
def sort_by_object(labels: np.ndarray, image: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Flat labels and pixels -> values of object 1, 2, ..., each in the image's order; those of object k begin at starts[k - 1]."""
    values = np.empty(starts[-1], image.dtype)
    cursors = starts.copy()
    start = 0
    while start < len(labels):
        k = labels[start]
        end = start + 1
        while end < len(labels) and labels[end] == k:
            end += 1
        if k:
            at = cursors[k - 1]
            values[at : at + end - start] = image[start:end]
            cursors[k - 1] = at + end - start
        start = end
    return values


@compiled
def describe(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Values by object -> (n, 5), all NaN where one value is; their order within an object is lost."""
    n = len(starts) - 1
    found = np.empty((n, 5), np.float64)
    for k in range(n):
        own = values[starts[k] : starts[k + 1]]
        least = greatest = own[0]
        total = own[0] * 1  # whole numbers are added as such
        missing = own[0] != own[0]
        for value in own[1:]:
            total += value
            least = min(least, value)
            greatest = max(greatest, value)
            missing |= value != value
        if missing:
            found[k] = np.nan
            continue
        mean = total / len(own)
        squares = 0.0
        for value in own:
            squares += (value - mean) ** 2
        found[k] = (mean, np.sqrt(squares / len(own)), least, greatest, find_median(own))
    return found


@compiled
def find_median(values: np.ndarray) -> float:
    """Median, by partial sorting in place."""
    middle = len(values) // 2
    upper = select(values, middle)
    if len(values) % 2:
        return upper * 1.0
    return (values[:middle].max() * 1.0 + upper) / 2


@compiled
def select(values: np.ndarray, rank: int) -> float:
    """The value of this rank, put at its place with none greater before it (Hoare 1961)."""
    low, high = 0, len(values) - 1
    while low < high:
        pivot = values[rank]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if j < rank:
            low = i
        if rank < i:
            high = j
    return values[rank]
