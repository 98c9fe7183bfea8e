"""Watershed: heights, seeds and the connected parts of a mask (Z, Y, X) -> labels; part by part, each with a queue of its own.

What scikit-image's watershed does with one queue for the whole image. A part that holds one seed needs no queue.
"""

import numpy as np

from ..compiled import compiled

Queue = tuple[np.ndarray, np.ndarray, np.ndarray]  # a heap: levels, ages, places


def flood(heights: np.ndarray, labels: np.ndarray, parts: np.ndarray) -> bool:
    """Grow `labels` (uint32, 0 where nothing is known) over the parts (int32, 1, 2, ...), from high to low; neighbours share a face.

    Parts without a label get numbers of their own, in their order. Of equal heights, the one that was reached first goes on
    first, but which of two equal seeds is first, is not said. False where a label depends on that: then not all are there.
    """
    strides = np.array([n // parts.itemsize for n in parts.strides])[np.array(parts.shape) > 1]
    steps = np.concatenate([-strides, strides[::-1]])
    has_several = fill_plain(labels, parts, int(parts.max(initial=0)), int(labels.max(initial=0)))
    if not has_several.any():
        return True
    inside = mark_border(has_several[parts])
    starts, seeds = list_seeds(labels, parts, inside, steps, len(has_several))
    return flood_parts(heights, labels, inside, steps, starts, seeds)


@compiled
def fill_plain(labels: np.ndarray, parts: np.ndarray, n_parts: int, n_labels: int) -> np.ndarray:
    """Label parts with one label or none; whether a part has several (n_parts + 1,)."""
    labels_, parts_ = labels.ravel(), parts.ravel()
    own, has_several = np.zeros(n_parts + 1, np.uint32), np.zeros(n_parts + 1, np.bool_)
    for i, part in enumerate(parts_):
        if part and labels_[i]:
            has_several[part] |= own[part] != 0 and own[part] != labels_[i]
            own[part] = labels_[i]
    for part in range(1, n_parts + 1):
        if not own[part]:
            n_labels += 1
            own[part] = n_labels
    for i, part in enumerate(parts_):
        if not has_several[part]:
            labels_[i] = own[part]
    return has_several


def mark_border(mask: np.ndarray) -> np.ndarray:
    """1 in the mask, 2 where it is at the image's border: only there, not all voxels one step away are neighbours."""
    inside = mask.astype(np.uint8)
    for axis, n in enumerate(mask.shape):
        if n > 1:
            ends = np.moveaxis(inside, axis, 0)[:: n - 1]
            ends[ends > 0] = 2
    return inside


@compiled
def is_beside(at: int, step: int, shape: tuple[int, int, int]) -> bool:
    """Whether a voxel at the border has a neighbour one step away, and the image does not end between them."""
    to = at + step
    if to < 0 or to >= shape[0] * shape[1] * shape[2]:
        return False
    if abs(step) == 1 and shape[2] > 1:
        return at // shape[2] == to // shape[2]
    plane = shape[1] * shape[2]
    return abs(step) == plane or at // plane == to // plane


@compiled
def list_seeds(
    labels: np.ndarray, parts: np.ndarray, inside: np.ndarray, steps: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Places of labelled voxels beside voxels without a label, part by part; part k's begin at starts[k]. Others reach nothing."""
    labels_, parts_, inside_ = labels.ravel(), parts.ravel(), inside.ravel()
    found, n_found = np.empty(np.count_nonzero(labels), np.int64), 0
    starts = np.zeros(n + 1, np.int64)
    for at in range(len(labels_)):
        if not inside_[at] or not labels_[at]:
            continue
        for step in steps:
            if inside_[at] == 2 and not is_beside(at, step, parts.shape):
                continue
            if inside_[at + step] and not labels_[at + step]:
                starts[parts_[at] + 1] += 1
                found[n_found] = at
                n_found += 1
                break
    starts = np.cumsum(starts)
    seeds, ends = np.empty(n_found, np.int64), starts.copy()
    for at in found[:n_found]:
        seeds[ends[parts_[at]]] = at
        ends[parts_[at]] += 1
    return starts, seeds


@compiled
def flood_parts(
    heights: np.ndarray,
    labels: np.ndarray,
    inside: np.ndarray,
    steps: np.ndarray,
    starts: np.ndarray,
    seeds: np.ndarray,
) -> bool:
    """Flood from the seeds of one part after the other; whether no label depends on the order of equals.

    Voxels of equal height and age are equals: seeds at first, then what equals reached. All that a group of equals reaches
    has one age, so that it is a group again where it is as high. Only where two of a group reach the same voxel does their
    order count.
    """
    shape, inside_, heights_, labels_ = (
        inside.shape,
        inside.ravel(),
        heights.ravel(),
        labels.ravel(),
    )
    reached = np.zeros(len(labels_), np.int32)  # at which age, by a group
    queue = (np.empty(64, np.float64), np.empty(64, np.int64), np.empty(64, np.int64))
    for part in range(len(starts) - 1):
        n, age, of_group = 0, 1, False
        for at in seeds[starts[part] : starts[part + 1]]:
            queue = push(queue, n, -np.float64(heights_[at]), 0, at)
            n += 1
        while n:
            level, born, at = queue[0][0], queue[1][0], queue[2][0]
            n = drop_first(queue, n)
            follows = n > 0 and queue[0][0] == level and queue[1][0] == born
            age += not of_group  # all that a group reaches has the age at which it began
            of_group |= follows
            for step in steps:
                to = at + step
                if (inside_[at] == 2 and not is_beside(at, step, shape)) or not inside_[to]:
                    continue
                if labels_[to]:
                    if of_group and reached[to] == age and labels_[to] != labels_[at]:
                        return False
                    continue
                age += not of_group
                labels_[to] = labels_[at]
                if of_group:
                    reached[to] = age
                queue = push(queue, n, max(level, -np.float64(heights_[to])), age, to)
                n += 1
            of_group = follows
    return True


@compiled
def push(queue: Queue, n: int, level: float, age: int, at: int) -> Queue:
    """Add to a heap of n entries; the heap, twice as long where it was full."""
    if n == len(queue[0]):
        queue = (longer(queue[0]), longer(queue[1]), longer(queue[2]))
    levels, ages, places = queue
    while n:
        above = (n - 1) // 2
        if levels[above] < level or (levels[above] == level and ages[above] <= age):
            break
        levels[n], ages[n], places[n] = levels[above], ages[above], places[above]
        n = above
    levels[n], ages[n], places[n] = level, age, at
    return queue


@compiled
def longer(values: np.ndarray) -> np.ndarray:
    """The values, and room for as many."""
    return np.concatenate((values, values))


@compiled
def drop_first(queue: Queue, n: int) -> int:
    """Remove the lowest, of equals the oldest, of a heap of n entries; how many are left."""
    levels, ages, places = queue
    n -= 1
    level, age, at = levels[n], ages[n], places[n]
    hole = 0
    while 2 * hole + 1 < n:
        below = 2 * hole + 1
        other = below + 1
        if other < n and (
            levels[other] < levels[below]
            or (levels[other] == levels[below] and ages[other] < ages[below])
        ):
            below = other
        if level < levels[below] or (level == levels[below] and age <= ages[below]):
            break
        levels[hole], ages[hole], places[hole] = levels[below], ages[below], places[below]
        hole = below
    levels[hole], ages[hole], places[hole] = level, age, at
    return n
