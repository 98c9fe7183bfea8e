"""Outlines: pixels of labels -> corners of the outlines of objects; corners of whole objects -> their rings."""

import numpy as np

from ..compiled import compiled

RIGHT, DOWN, HOLLOW = 1, 2, 4  # as in annotations/corners.py


@compiled
def find_corners(pixels, y0, x0):
    """uint32 (Y, X), place of the corner between the first four -> label, y, x and turn of each corner.

    Corners come row by row, and those of one place by whether they go right.
    """
    n = 0
    for y in range(pixels.shape[0] - 1):
        for x in range(pixels.shape[1] - 1):
            n += count_corners(pixels[y, x], pixels[y, x + 1], pixels[y + 1, x], pixels[y + 1, x + 1])  # fmt: skip
    label, turn = np.empty(n, np.uint32), np.empty(n, np.uint8)
    at_y, at_x = np.empty(n, np.int32), np.empty(n, np.int32)
    n = 0
    for y in range(pixels.shape[0] - 1):
        for x in range(pixels.shape[1] - 1):
            if not count_corners(pixels[y, x], pixels[y, x + 1], pixels[y + 1, x], pixels[y + 1, x + 1]):  # fmt: skip
                continue
            for dx in range(2):
                for dy in range(2):
                    own, side = pixels[y + dy, x + dx], pixels[y + dy, x + 1 - dx]
                    over, across = pixels[y + 1 - dy, x + dx], pixels[y + 1 - dy, x + 1 - dx]
                    single = own != 0 and side != own and over != own
                    hollow = side != 0 and side == over and side == across and side != own
                    if single:
                        label[n], turn[n] = own, RIGHT * dx + DOWN * dy
                        at_y[n], at_x[n] = y0 + y, x0 + x
                        n += 1
                    if hollow:
                        label[n], turn[n] = side, RIGHT * dx + DOWN * dy + HOLLOW
                        at_y[n], at_x[n] = y0 + y, x0 + x
                        n += 1
    return label, at_y, at_x, turn
