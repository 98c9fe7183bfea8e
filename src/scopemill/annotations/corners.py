"""Corners: label image, strip by strip -> the corners of the outlines of its objects, along the edges of pixels.

Every pixel is read once, and what is kept grows with outlines, not with pixels.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

Read = Callable[[slice, slice], np.ndarray]  # rows, columns -> labels (Y, X) of that window

STRIP_PX, BLOCK_PX = 512, 2048  # rows of one pass; columns that are looked at together


@dataclass(frozen=True, eq=False)
class Corners:
    """Corners of outlines, one row a corner."""

    label: np.ndarray
    y: np.ndarray
    x: np.ndarray
    right: np.ndarray  # whether its edge along the row goes to the right, else to the left
    down: np.ndarray  # whether its edge along the column goes down, else up
    hollow: np.ndarray  # whether three of the four pixels around it are the object's, not one

    def __len__(self) -> int:
        return len(self.label)

    def __getitem__(self, chosen: np.ndarray) -> "Corners":
        return Corners(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    @classmethod
    def join(cls, parts: Sequence["Corners"]) -> "Corners":
        """All corners of several."""
        names = cls.__dataclass_fields__
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def scan(read: Read, shape: tuple[int, int]) -> Iterator[tuple[int, Corners]]:
    """Strip by strip from above: its end (the row that the next begins with), and the corners on its rows.

    Every pixel is asked for once; outside the image there is nothing.
    """
    height, width = shape
    above = None  # pixels over the strip, with one on either side
    for y0 in range(0, height + 1, STRIP_PX):
        y1 = min(y0 + STRIP_PX, height + 1)
        found, below = [], []
        left = None
        for x0 in range(0, width + 1, BLOCK_PX):
            x1 = min(x0 + BLOCK_PX, width + 1)
            pixels = read(slice(y0, min(y1, height)), slice(x0, min(x1, width)))
            block = np.zeros((y1 - y0 + 1, x1 - x0 + 1), pixels.dtype)
            block[1 : 1 + pixels.shape[0], 1 : 1 + pixels.shape[1]] = pixels
            if above is not None:
                block[0] = above[x0 : x1 + 1]
            if left is not None:
                block[1:, 0] = left
            left = block[1:, -1].copy()
            below.append(block[-1, 1:].copy())
            found.append(find_corners(block, y0, x0))
        above = np.concatenate([np.zeros(1, below[0].dtype), *below])
        yield y1, Corners.join(found)


def find_corners(pixels: np.ndarray, y0: int, x0: int) -> Corners:
    """Corners between pixels (Y, X); that between the first four is at (y0, x0)."""
    beside, below = pixels[:, 1:] != pixels[:, :-1], pixels[1:] != pixels[:-1]
    turning = (beside[1:] | beside[:-1]) & (below[:, 1:] | below[:, :-1])
    y, x = (axis.astype(np.int32) for axis in np.nonzero(turning))
    around = {(dy, dx): pixels[y + dy, x + dx] for dy in (0, 1) for dx in (0, 1)}
    parts = []
    for (dy, dx), own in around.items():
        side, over, across = around[dy, 1 - dx], around[1 - dy, dx], around[1 - dy, 1 - dx]
        single = (own != 0) & (side != own) & (over != own)
        hollow = (side != 0) & (side == over) & (side == across) & (side != own)
        for chosen, label in ((single, own), (hollow, side)):
            n = int(chosen.sum())
            parts.append(Corners(
                label[chosen], y[chosen] + np.int32(y0), x[chosen] + np.int32(x0),
                np.full(n, bool(dx)), np.full(n, bool(dy)), np.full(n, chosen is hollow),
            ))  # fmt: skip
    return Corners.join(parts)
