"""Scratch: planes too large for memory, in a file that is removed in the end; zero until they are written, and compressed."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from .tiling import Window, intersect, within

CHUNK = 512  # pixels a side: the tiles in which artifacts are written


def pack(values: np.ndarray) -> bytes:
    """Pixels, compressed by LZ4: labels shrink to a twentieth, in half the time of zstd."""
    import imagecodecs

    return imagecodecs.lz4_encode(np.ascontiguousarray(values), header=True)


def unpack(data: bytes, out: np.ndarray) -> None:
    """Write pixels that were packed into an array of theirs, which lies in one piece."""
    import imagecodecs

    imagecodecs.lz4_decode(data, header=True, out=out.reshape(-1).view(np.uint8))


class Scratch:
    """A file beside an artifact that holds planes until they are written."""

    def __init__(self, output: Path):
        # begins as temporary files do, so that what a kill leaves is swept away
        self._path = output.with_name(output.name + ".scratch")
        self._file: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._path.unlink()

    def plane(self, size: Sequence[int], dtype: Any) -> "ScratchPlane":
        """A zeroed array (Y, X) on disk."""
        if self._file is None:
            self._file = self._path.open("w+b")
        return ScratchPlane(self._file, size, dtype)


class ScratchPlane:
    """An array (Y, X), read and written by windows."""

    def __init__(self, file: Any, size: Sequence[int], dtype: Any):
        self.shape, self.dtype = tuple(size), np.dtype(dtype)
        self._file = file
        self._places: dict[tuple[int, int], tuple[int, int]] = {}  # of chunks: offset and bytes

    def __getitem__(self, window: Window) -> np.ndarray:
        window = self._bounds(window)
        chunks = list(self._chunks(window))
        if len(chunks) == 1 and chunks[0][1] == window:
            return self._read(*chunks[0][:2])
        found = np.zeros([axis.stop - axis.start for axis in window], self.dtype)
        for chunk, place, shared in chunks:
            if chunk in self._places:
                found[within(shared, window)] = self._read(chunk, place)[within(shared, place)]
        return found

    def __setitem__(self, window: Window, values: np.ndarray) -> None:
        window = self._bounds(window)
        for chunk, place, shared in self._chunks(window):
            part = values[within(shared, window)]
            if shared != place:
                part, new = self._read(chunk, place), part
                part[within(shared, place)] = new
            self._write(chunk, np.ascontiguousarray(part, self.dtype))

    def _bounds(self, window: Window) -> Window:
        """Slices with whole numbers, within the plane."""
        ends = [axis.indices(n)[:2] for axis, n in zip(window, self.shape, strict=True)]
        return tuple(slice(start, max(start, stop)) for start, stop in ends)

    def _chunks(self, window: Window) -> Iterator[tuple[tuple[int, int], Window, Window]]:
        """Chunks that a window touches, where they lie, and what of them is in the window."""
        rows, columns = (range(axis.start // CHUNK, -(-axis.stop // CHUNK)) for axis in window)
        for chunk in ((row, column) for row in rows for column in columns):
            ends = zip(chunk, self.shape, strict=True)
            place = tuple(slice(i * CHUNK, min((i + 1) * CHUNK, n)) for i, n in ends)
            if shared := intersect(place, window):
                yield chunk, place, shared

    def _read(self, chunk: tuple[int, int], place: Window) -> np.ndarray:
        shape = [axis.stop - axis.start for axis in place]
        if chunk not in self._places:
            return np.zeros(shape, self.dtype)
        offset, n_bytes = self._places[chunk]
        found = np.empty(shape, self.dtype)
        unpack(os.pread(self._file.fileno(), n_bytes, offset), found)
        return found

    def _write(self, chunk: tuple[int, int], values: np.ndarray) -> None:
        """Behind all others, or where it was if it fits."""
        if chunk not in self._places and not values.any():
            return
        data = pack(values)
        offset, room = self._places.get(chunk, (0, -1))
        if len(data) > room:
            offset = self._file.seek(0, os.SEEK_END)
        self._file.seek(offset)
        self._file.write(data)
        self._file.flush()  # _read does not look into the buffer
        self._places[chunk] = offset, len(data)
