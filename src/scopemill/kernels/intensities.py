"""Intensities: a channel, runs of each object -> mean, standard deviation, least, greatest and median of its pixels."""

import numpy as np

from ..compiled import compiled

BINS = 256
STEP = 16


@compiled
def describe(
    image: np.ndarray, runs: np.ndarray, firsts: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """(rows, X) pixels, runs by object, pixels of each -> (n, 5); all NaN where one pixel is."""
    n, most = len(counts), 0
    for count in counts:
        most = max(most, count)
    found = np.empty((n, 5), np.float64)
    scratch = np.empty((2, most + STEP), image.dtype)
    bins = np.empty(scratch.shape[1], np.uint8)
    for k in range(n):
        own = scratch[0, : counts[k]]
        gather(image.ravel(), image.shape[1], runs[firsts[k] : firsts[k + 1]], scratch[0])
        least = greatest = own[0]
        total = own[0] * 1  # whole numbers are added as such
        missing = own[0] != own[0]
        for value in own[1:]:
            total += value
            least = min(least, value)
            greatest = max(greatest, value)
            missing |= value != value
        if missing:
            for i in range(5):
                found[k, i] = np.nan
            continue
        mean = total / len(own)
        found[k, 0] = mean
        found[k, 1] = np.sqrt(sum_squares(own, mean) / len(own))
        found[k, 2] = least
        found[k, 3] = greatest
        found[k, 4] = find_median(own, least, greatest, scratch[1], bins)
    return found


@compiled
def gather(image: np.ndarray, width: int, runs: np.ndarray, values: np.ndarray) -> None:
    """Write the pixels of one object's runs into `values`, and what follows them, up to a step.

    Most runs are done in one step of fixed length, so that the end of a run need not be foreseen.
    """
    at = 0
    for i in range(len(runs)):
        length = runs[i, 2] - runs[i, 1]
        start = np.int64(runs[i, 0]) * width + runs[i, 1]
        for done in range(0, length, STEP):
            source = image[start + done : start + done + STEP]
            target = values[at + done : at + done + STEP]
            if len(source) == STEP:
                for j in range(STEP):
                    target[j] = source[j]
            else:
                for j in range(len(source)):
                    target[j] = source[j]
        at += length


@compiled
def sum_squares(values: np.ndarray, mean: float) -> float:
    """Sum of squares of deviations; in four sums, that one addition need not wait for the last."""
    a = b = c = d = 0.0
    whole = len(values) // 4 * 4
    for i in range(0, whole, 4):
        a += (values[i] - mean) ** 2
        b += (values[i + 1] - mean) ** 2
        c += (values[i + 2] - mean) ** 2
        d += (values[i + 3] - mean) ** 2
    for value in values[whole:]:
        a += (value - mean) ** 2
    return a + b + c + d


@compiled
def find_median(
    values: np.ndarray, least: float, greatest: float, part: np.ndarray, bins: np.ndarray
) -> float:
    """Median; `part` and `bins` are room for as many values."""
    middle = len(values) // 2
    length, before, lower = narrow(values, middle, least, greatest, part, bins)
    upper = select(part[:length], middle - before)
    if len(values) % 2:
        return upper * 1.0
    for value in part[: middle - before]:
        lower = max(lower, value)
    return (lower * 1.0 + upper) / 2


@compiled
def narrow(
    values: np.ndarray,
    rank: int,
    least: float,
    greatest: float,
    part: np.ndarray,
    bins: np.ndarray,
) -> tuple[int, int, float]:
    """Write the values of one bin of a histogram, in which the one of this rank is, into `part`.

    Their number, how many lie in the bins before, and the greatest of those where the one of this rank is the bin's first.
    """
    spread = greatest * 1.0 - least
    if len(values) < BINS or not 1e-300 < spread < np.inf:
        for i in range(len(values)):
            part[i] = values[i]
        return len(values), 0, least
    scale = (BINS - 1) / spread
    for i in range(len(values)):
        bins[i] = np.int32((values[i] * 1.0 - least) * scale)
    numbers = np.zeros(BINS, np.int64)
    for i in range(len(values)):
        numbers[bins[i]] += 1
    chosen, before = 0, 0
    while before + numbers[chosen] <= rank:
        before += numbers[chosen]
        chosen += 1
    at = np.uint64(0)
    for i in range(len(values)):
        # without a branch, which could not be foreseen
        part[at] = values[i]
        at += np.uint64(bins[i] == chosen)
    lower = least
    if rank == before:
        for i in range(len(values)):
            if bins[i] < chosen:
                lower = max(lower, values[i])
    return np.int64(at), before, lower


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


@compiled
def sum_by_label(labels: np.ndarray, image: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Flat labels below `n`, flat pixels -> pixels and sum of each label (n,), added in the image's order."""
    counts, sums = np.zeros(n, np.int64), np.zeros(n, np.float64)
    for i in range(len(labels)):
        label = labels[i]
        if label:
            counts[label] += 1
            sums[label] += image[i]
    return counts, sums
