"""Watershed: heights, seeds and a mask (Z, Y, X) -> labels; the parts of the mask are flooded one by one.

What scikit-image's watershed does with one queue for the whole image, with a short queue for each part that holds several
seeds; the others need none.
"""

import numpy as np

from ..compiled import compiled


@compiled
def flood(
    heights: np.ndarray, labels: np.ndarray, mask: np.ndarray, n_labels: int
) -> tuple[bool, int]:
    """Grow `labels` (int32, 0 where nothing is known) over the mask, from high to low; neighbours share a face.

    Parts of the mask without a label get n_labels + 1, n_labels + 2, ... by their first voxels. Of equal heights, the one that
    was reached first goes on first, but which of two equal seeds is first, is not said. Returns whether no label depends on
    that, else they are not all there; and the highest label.
    """
    todo = mask.copy().ravel()
    heights_, labels_ = heights.ravel(), labels.ravel()
    part = np.empty(np.count_nonzero(todo), np.int64)
    reached = np.zeros(len(todo), np.int32)
    queue = (np.empty(64, np.float64), np.empty(64, np.int64), np.empty(64, np.int64))
    for start in range(len(todo)):
        if not todo[start]:
            continue
        n, label, has_several = collect(start, todo, labels_, mask.shape, part)
        if has_several:
            queue, clear = flood_part(heights_, labels_, mask, part[:n], reached, queue)
            if not clear:
                return False, n_labels
            continue
        if not label:
            n_labels += 1
            label = n_labels
        for i in range(n):
            labels_[part[i]] = label
    return True, n_labels


@compiled
def list_neighbours(at: int, shape: tuple[int, int, int], found: np.ndarray) -> int:
    """Write the places of the voxels beside one, in the order of their places; how many they are."""
    plane = shape[1] * shape[2]
    z, rest = at // plane, at % plane
    y, x = rest // shape[2], rest % shape[2]
    n = 0
    if z > 0:
        found[n] = at - plane
        n += 1
    if y > 0:
        found[n] = at - shape[2]
        n += 1
    if x > 0:
        found[n] = at - 1
        n += 1
    if x + 1 < shape[2]:
        found[n] = at + 1
        n += 1
    if y + 1 < shape[1]:
        found[n] = at + shape[2]
        n += 1
    if z + 1 < shape[0]:
        found[n] = at + plane
        n += 1
    return n


@compiled
def collect(
    start: int,
    todo: np.ndarray,
    labels: np.ndarray,
    shape: tuple[int, int, int],
    part: np.ndarray,
) -> tuple[int, int, bool]:
    """Write the places of a part of the mask: how many they are, a label in it (or 0), and whether it has others."""
    beside = np.empty(6, np.int64)
    todo[start] = False
    part[0] = start
    n, looked, label, has_several = 1, 0, 0, False
    while looked < n:
        at = part[looked]
        looked += 1
        if labels[at]:
            has_several |= label != 0 and labels[at] != label
            label = labels[at]
        for k in range(list_neighbours(at, shape, beside)):
            if todo[beside[k]]:
                todo[beside[k]] = False
                part[n] = beside[k]
                n += 1
    return n, label, has_several


@compiled
def flood_part(
    heights: np.ndarray,
    labels: np.ndarray,
    mask: np.ndarray,
    part: np.ndarray,
    reached: np.ndarray,
    queue: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], bool]:
    """Flood one part from its seeds; the queue (it may have grown), and whether no label depends on the order of equals.

    Voxels of equal height and age are equals: seeds at first, then what equals reached. All that a group of equals reaches
    has one age, so that it is a group again where it is as high. Only where two of a group reach the same voxel does their
    order count.
    """
    inside, beside = mask.ravel(), np.empty(6, np.int64)
    n, age, of_group = 0, 1, False
    for at in part:
        if labels[at]:
            for k in range(list_neighbours(at, mask.shape, beside)):
                if inside[beside[k]] and not labels[beside[k]]:
                    queue = push(queue, n, -np.float64(heights[at]), 0, at)
                    n += 1
                    break
    while n:
        level, born, at = queue[0][0], queue[1][0], queue[2][0]
        n = drop_first(queue, n)
        follows = n > 0 and queue[0][0] == level and queue[1][0] == born
        age += not of_group  # all that a group reaches has the age at which it began
        of_group |= follows
        for k in range(list_neighbours(at, mask.shape, beside)):
            to = beside[k]
            if not inside[to]:
                continue
            if labels[to]:
                if of_group and reached[to] == age and labels[to] != labels[at]:
                    return queue, False
                continue
            age += not of_group
            labels[to] = labels[at]
            if of_group:
                reached[to] = age
            queue = push(queue, n, max(level, -np.float64(heights[to])), age, to)
            n += 1
        of_group = follows
    return queue, True


@compiled
def push(
    queue: tuple[np.ndarray, np.ndarray, np.ndarray], n: int, level: float, age: int, at: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Add to a heap of n entries; the heap, twice as long where it was full."""
    if n == len(queue[0]):
        queue = (
            np.concatenate((queue[0], queue[0])),
            np.concatenate((queue[1], queue[1])),
            np.concatenate((queue[2], queue[2])),
        )
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
def drop_first(queue: tuple[np.ndarray, np.ndarray, np.ndarray], n: int) -> int:
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
