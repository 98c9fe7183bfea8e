"""Scratch: planes too large for memory, in a file that is removed in the end; zero until they are written, and small there."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from .tiling import Window, clip, intersect, within

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
        return ScratchPlane(self._opened(), size, dtype)

    def labels(self, size: Sequence[int]) -> "ScratchLabels":
        """A plane (Y, X) on disk, of labels."""
        return ScratchLabels(self._opened(), size)

    def _opened(self) -> Any:
        if self._file is None:
            self._file = self._path.open("w+b")
        return self._file


class ScratchPlane:
    """An array (Y, X), read and written by windows."""

    def __init__(self, file: Any, size: Sequence[int], dtype: Any):
        self.shape, self.dtype = tuple(size), np.dtype(dtype)
        self._file = file
        self._places: dict[tuple[int, int], tuple[int, int]] = {}  # of chunks: offset and bytes

    def __getitem__(self, window: Window) -> np.ndarray:
        window = clip(window, self.shape)
        chunks = list(self._chunks(window))
        if len(chunks) == 1 and chunks[0][1] == window:
            return self._read(*chunks[0][:2])
        found = np.zeros([axis.stop - axis.start for axis in window], self.dtype)
        for chunk, place, shared in chunks:
            if chunk in self._places:
                found[within(shared, window)] = self._read(chunk, place)[within(shared, place)]
        return found

    def __setitem__(self, window: Window, values: np.ndarray) -> None:
        window = clip(window, self.shape)
        for chunk, place, shared in self._chunks(window):
            part = values[within(shared, window)]
            if shared != place:
                part, new = self._read(chunk, place), part
                part[within(shared, place)] = new
            self._write(chunk, np.ascontiguousarray(part, self.dtype))

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


class Part(NamedTuple):
    """The runs of one block in one strip of CHUNK rows."""

    columns: slice  # of the block
    offset: int  # in the file
    n_bytes: int


class ScratchLabels:
    """Labels (Y, X) as runs of equal ones, a sixteenth of the pixels' bytes: written block by block, read by windows."""

    def __init__(self, file: Any, size: Sequence[int]):
        self.shape = tuple(size)
        self._file = file
        self._strips: dict[int, list[Part]] = {}
        self._last: tuple[int, np.ndarray] = (-1, np.empty((0, 4), np.uint32))  # offset and runs

    def add(self, block: Window, runs: np.ndarray, labels: np.ndarray) -> None:
        """Runs (n, 3) of a block as `shapes.list_runs` lists them, and the label of each; blocks must not overlap."""
        rows, columns = block
        found = np.column_stack([runs, labels]).astype(np.uint32)
        found[:, :3] += np.array([rows.start, columns.start, columns.start], np.uint32)
        strips = range(rows.start // CHUNK, -(-rows.stop // CHUNK))
        ends = np.searchsorted(found[:, 0], [CHUNK * strip for strip in strips[1:]])
        for strip, part in zip(strips, np.split(found, ends), strict=True):
            if len(part):
                there = Part(columns, self._file.seek(0, os.SEEK_END), part.nbytes)
                self._file.write(part)
                self._strips.setdefault(strip, []).append(there)
        self._file.flush()  # _load does not look into the buffer

    def __getitem__(self, window: Window) -> np.ndarray:
        return self.read(window)

    def read(self, window: Window, numbers: np.ndarray | None = None) -> np.ndarray:
        """A window (Y, X), uint32; of the `numbers` of its labels, if there are any."""
        from .kernels.numbering import paint

        y, x = clip(window, self.shape)
        found = np.zeros((y.stop - y.start, x.stop - x.start), np.uint32)
        for strip in range(y.start // CHUNK, -(-y.stop // CHUNK)):
            for part in self._strips.get(strip, ()):
                if part.columns.start < x.stop and x.start < part.columns.stop:
                    paint(self._load(part), numbers, found, (y.start, x.start))
        return found

    def _load(self, part: Part) -> np.ndarray:
        """Runs of a part; the next window often needs the same."""
        offset, runs = self._last
        if offset != part.offset:
            data = os.pread(self._file.fileno(), part.n_bytes, part.offset)
            runs = np.frombuffer(data, np.uint32).reshape(-1, 4)
            self._last = part.offset, runs
        return runs
