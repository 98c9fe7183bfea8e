"""Corners: label image, strip by strip -> the corners of the outlines of its objects, along the edges of pixels.

Every pixel is read once, and what is kept grows with outlines, not with pixels.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

Read = Callable[[slice, slice], np.ndarray]  # rows, columns -> labels (Y, X) of that window

# its edge along the row goes to the right, else to the left; that along the column down, else up; and three of the four
# pixels around it are the object's, not one
RIGHT, DOWN, HOLLOW = 1, 2, 4
STRIP_PX, BLOCK_PX = 512, 2048  # rows of one pass; columns that are looked at together


@dataclass(frozen=True, eq=False)
class Corners:
    """Corners of outlines, one row a corner."""

    label: np.ndarray  # uint32
    y: np.ndarray
    x: np.ndarray
    turn: np.ndarray  # RIGHT + DOWN + HOLLOW, as far as they hold

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
    from ..kernels.outlines import find_corners

    height, width = shape
    above = None  # pixels over the strip, with one on either side
    for y0 in range(0, height + 1, STRIP_PX):
        y1 = min(y0 + STRIP_PX, height + 1)
        found, below = [], []
        left = None
        for x0 in range(0, width + 1, BLOCK_PX):
            x1 = min(x0 + BLOCK_PX, width + 1)
            pixels = read(slice(y0, min(y1, height)), slice(x0, min(x1, width)))
            block = np.zeros((y1 - y0 + 1, x1 - x0 + 1), np.uint32)
            block[1 : 1 + pixels.shape[0], 1 : 1 + pixels.shape[1]] = pixels
            if above is not None:
                block[0] = above[x0 : x1 + 1]
            if left is not None:
                block[1:, 0] = left
            left = block[1:, -1].copy()
            below.append(block[-1, 1:].copy())
            found.append(Corners(*find_corners(block, y0, x0)))
        above = np.concatenate([np.zeros(1, np.uint32), *below])
        yield y1, Corners.join(found)
