"""Pieces: regions of a raw file, each decoded once -> the tiles that an artifact is written in, checked."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import DataError
from ..images import GRID_PX
from ..readers import Raw

BAND_BYTES = 2**25  # of full rows that are read at once


@dataclass
class Pieces:
    """Reads a raw file as `write_image` asks: plane by plane, row by row of tiles."""

    raw: Raw
    indices: Sequence[int]  # of the chosen channels
    colour: bool  # (Y, X, 3) instead of a plane a channel
    low: dict[int, float] = field(default_factory=dict)  # smallest value, by channel of the file
    high: dict[int, float] = field(default_factory=dict)
    _last: tuple[tuple | None, np.ndarray | None] = (None, None)

    def read(self, t: int, c: int, z: int, y: slice, x: slice) -> np.ndarray:
        """A tile (Y, X) or (Y, X, 3).

        Raises
        ------
        DataError
            NONFINITE, and those of the reader.
        """
        if self.raw.pieces == "tiles":
            return self._region(t, c, z, y, x)
        rows = self._rows(y)
        key = (t, c, z, rows.start)
        if self._last[0] != key:
            self._last = (None, None)  # frees the old rows before the next are made
            self._last = (key, self._region(t, c, z, rows, slice(0, self.raw.shape[4])))
        return self._last[1][y.start - rows.start : y.stop - rows.start, x]

    def _rows(self, y: slice) -> slice:
        """The rows that are read together with these: whole rows of tiles."""
        height, width = self.raw.shape[3:]
        if self.raw.pieces == "plane":
            return slice(0, height)
        row = width * self.raw.dtype.itemsize * (3 if self.colour else 1)
        band = max(1, BAND_BYTES // (row * GRID_PX)) * GRID_PX
        start = y.start // band * band
        return slice(start, min(start + band, height))

    def _region(self, t: int, c: int, z: int, y: slice, x: slice) -> np.ndarray:
        if not self.colour:
            return self._look(self.raw.read(t, self.indices[c], z, y, x), self.indices[c], y)
        colours = self.raw.read_rgb(t, z, y, x)
        for index, one in enumerate(colours):
            self._look(one, index, y)
        return np.moveaxis(colours, 0, -1)

    def _look(self, part: np.ndarray, channel: int, y: slice) -> np.ndarray:
        """Check pixels and let them pass."""
        if part.dtype.kind == "f" and not np.isfinite(part).all():
            n = int((~np.isfinite(part)).sum())
            raise DataError(
                "NONFINITE",
                f"{self.raw.path.name}: {n} NaN or infinite pixels in rows {y.start} to {y.stop}, and "
                "perhaps more below; export it again without them",
            )
        self.low[channel] = min(self.low.get(channel, np.inf), float(part.min()))
        self.high[channel] = max(self.high.get(channel, -np.inf), float(part.max()))
        return part
