"""Runs: label image as rows -> runs of equal labels, which hold all pixels of all objects in a small fraction of the numbers."""

import numpy as np

from ..compiled import compiled


@compiled
def find_runs(labels: np.ndarray, room: int) -> tuple[np.ndarray, np.ndarray, int]:
    """(rows, X) labels -> row, first column and the one after the last (n, 3); label of each (n,); n, without background.

    The first `room` of them are written; there may be more.
    """
    height, width = labels.shape
    runs, found = np.empty((room, 3), np.int32), np.empty(room, labels.dtype)
    changes, ends = np.empty(width, np.bool_), np.empty(width, np.int32)
    at = 0
    for y in range(height):
        row = labels[y]
        start = 0
        for end in ends[: find_ends(row, changes, ends)]:
            if row[start]:
                if at < room:
                    found[at] = row[start]
                    runs[at, 0] = y
                    runs[at, 1] = start
                    runs[at, 2] = end
                at += 1
            start = end
    return runs[:at], found[:at], at


@compiled
def find_ends(row: np.ndarray, changes: np.ndarray, ends: np.ndarray) -> int:
    """Write the columns before which another run begins, and the row's end, into `ends`; their number."""
    here, after = row[:-1], row[1:]
    for x in range(len(here)):
        changes[x] = here[x] != after[x]
    at = np.uint64(0)
    for x in range(len(here)):
        # without a branch, which could not be foreseen
        ends[at] = x + 1
        at += np.uint64(changes[x])
    ends[at] = len(row)
    return at + np.uint64(1)


@compiled
def sort_runs(runs: np.ndarray, numbers: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Runs and the object of each, from 0 -> runs by object; object k has those from firsts[k] to firsts[k + 1]."""
    firsts = np.zeros(n + 1, np.int64)
    for number in numbers:
        firsts[number + 1] += 1
    for k in range(n):
        firsts[k + 1] += firsts[k]
    cursors, ordered = firsts[:-1].copy(), np.empty_like(runs)
    for i in range(len(runs)):
        at = cursors[numbers[i]]
        cursors[numbers[i]] += 1
        for j in range(3):
            ordered[at, j] = runs[i, j]
    return ordered, firsts
