"""Outlines: pixels of labels -> corners of the outlines of objects; corners of whole objects -> their rings."""

import numpy as np

from ..compiled import compiled

RIGHT, DOWN, HOLLOW = 1, 2, 4  # as in annotations/corners.py


@compiled
def find_corners(
    pixels: np.ndarray, y0: int, x0: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """uint32 (Y, X), place of the corner between the first four -> label, y, x and turn of each corner, row by row."""
    n = 0
    for y in range(pixels.shape[0] - 1):
        for x in range(pixels.shape[1] - 1):
            if is_turning(pixels, y, x):
                for turn in range(8):
                    n += find_owner(pixels, y, x, turn) != 0
    label, turns = np.empty(n, np.uint32), np.empty(n, np.uint8)
    at_y, at_x = np.empty(n, np.int32), np.empty(n, np.int32)
    n = 0
    for y in range(pixels.shape[0] - 1):
        for x in range(pixels.shape[1] - 1):
            if is_turning(pixels, y, x):
                for turn in range(8):
                    owner = find_owner(pixels, y, x, turn)
                    if owner:
                        label[n], at_y[n], at_x[n], turns[n] = owner, y0 + y, x0 + x, turn
                        n += 1
    return label, at_y, at_x, turns


@compiled
def is_turning(pixels: np.ndarray, y: int, x: int) -> bool:
    """Whether an edge along the row and one along the column meet between four pixels."""
    a, b, c, d = pixels[y, x], pixels[y, x + 1], pixels[y + 1, x], pixels[y + 1, x + 1]
    return (a != b or c != d) and (a != c or b != d)


@compiled
def find_owner(pixels: np.ndarray, y: int, x: int, turn: int) -> int:
    """Label whose outline has this corner between four pixels; 0 for none."""
    dx, dy = turn & RIGHT != 0, turn & DOWN != 0
    own, side = pixels[y + dy, x + dx], pixels[y + dy, x + 1 - dx]
    over, across = pixels[y + 1 - dy, x + dx], pixels[y + 1 - dy, x + 1 - dx]
    if turn & HOLLOW:
        return side if side == over and side == across and side != own else np.uint32(0)
    return own if side != own and over != own else np.uint32(0)


@compiled
def link_corners(
    y: np.ndarray, x: np.ndarray, turn: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Corners of objects one after the other -> their order along the rings, and how many each ring has.

    Rings begin at their first corner by (y, x), and come in the order of these.
    """
    order, sizes = np.empty(len(y), np.int64), np.empty(len(y) // 4, np.int64)
    done = n_rings = start = 0
    for end in ends:
        by_row = np.argsort((y[start:end].astype(np.int64) << 32) | (x[start:end].astype(np.int64) << 1) | (turn[start:end] & RIGHT)) + start  # fmt: skip
        follow = find_followers(y[by_row], x[by_row], turn[by_row])
        part_touching(y[by_row], x[by_row], follow)
        seen = np.zeros(end - start, np.bool_)
        for first in range(end - start):
            before, at = done, first
            while not seen[at]:
                seen[at] = True
                order[done] = by_row[at]
                done += 1
                at = follow[at]
            if done > before:
                sizes[n_rings] = done - before
                n_rings += 1
        start = end
    return order, sizes[:n_rings]


@compiled
def find_followers(y: np.ndarray, x: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Corners of one object by (y, x) -> the next corner of each, with the object on the right hand."""
    # along a row, an outline's edges are between the 1st and 2nd corner, the 3rd and 4th, ...; so along a column
    by_column = np.argsort((x.astype(np.int64) << 32) | (y.astype(np.int64) << 1) | (turn & DOWN) // DOWN)  # fmt: skip
    follow = np.empty(len(y), np.int64)
    for i in range(len(y)):
        follow[by_column[i]] = by_column[i ^ 1]
    for i in range(len(y)):
        right, down, hollow = turn[i] & RIGHT != 0, turn[i] & DOWN != 0, turn[i] & HOLLOW != 0
        if (right == down) != hollow:
            follow[i] = i ^ 1
    return follow


@compiled
def part_touching(y: np.ndarray, x: np.ndarray, follow: np.ndarray) -> None:
    """Rings that touch themselves at a corner become several, each of which passes it once."""
    twice = np.flatnonzero((y[1:] == y[:-1]) & (x[1:] == x[:-1]))
    if not len(twice):
        return
    ring = np.full(len(y), -1)
    for first in range(len(y)):
        at = first
        while ring[at] < 0:
            ring[at] = first
            at = follow[at]
    for one in twice:
        if ring[one] == ring[one + 1]:
            follow[one], follow[one + 1] = follow[one + 1], follow[one]
