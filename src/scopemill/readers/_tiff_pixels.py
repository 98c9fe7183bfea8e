"""TIFF page -> pixels of one region: only the tiles or strips it touches are read and decoded."""

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ._tiff_checks import captured_log

CACHE_BYTES = 24 * 2**20  # of decoded segments, so that neighbouring regions share them
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6
JPEG = (6, 7, 34892, 33007)
YCC_CODECS = (*JPEG, 50001, 50002, 52546)  # those that return RGB from YCbCr
LUT_KINDS = ("ome", "imagej", "stk", "lsm")  # writers whose palette only colours the display
MIN_LUT = 16


class Pixels:
    """Decoder of one series. `samples` channels come out of one decode."""

    def __init__(self, path: Path, series: Any, kept: int):
        key = series.keyframe
        self.path, self.series, self.key = path, series, key
        self.kind = int(key.photometric)
        self.notes: dict[str, str] = {}
        self.palette = self._true_palette()  # of the first page; each page may have its own
        self.interleaved = kept if key.shaped[4] > 1 else 1
        self.samples = 3 if self.palette is not None else self.interleaved
        self.colour = self.kind in (RGB, YCBCR) or self.palette is not None
        bilevel = key.dtype is not None and key.dtype.kind == "b"
        small = bilevel or self.palette is not None
        self.dtype = np.dtype("uint8") if small else np.dtype(key.dtype or "V1")
        self._cache: OrderedDict[tuple, tuple] = OrderedDict()
        self._held = 0  # bytes in the cache
        self._check()

    def region(self, page: int, depth: int, sample: int, y: slice, x: slice) -> np.ndarray:
        """Return (samples, Y, X), or (Y, X) when one sample is decoded at a time."""
        with captured_log() as messages:
            if self.series.is_truncated and self.series._len == 1:
                first = self.key.dataoffsets[0] + page * self.key.nbytes
                found = self._contiguous(first, sample, y, x)
            elif self._is_plain(self.series[page]):
                found = self._contiguous(self.series[page].dataoffsets[0], sample, y, x)
            else:
                found = self._segmented(self.series[page], depth, sample, y, x)
                self.palette = self.palette if self.palette is None else self._page_palette(page)
        if messages:
            raise DataError("DECODE", f"{self.path}: {messages[0]}; copy or export it again")
        found = self._true_values(found[: self.interleaved])
        return found if self.samples > 1 else found[0]

    def _check(self) -> None:
        plain = self.kind in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE)
        if plain or (self.kind == YCBCR and self.key.compression in YCC_CODECS):
            return
        name = getattr(self.key.photometric, "name", self.kind)
        message = f"colours are stored as {name} ({self.key.compression!r})"
        raise DataError("DTYPE", f"{self.path}: {message}; save it as RGB or grey")

    def _true_palette(self) -> np.ndarray | None:
        """Colour table (3, n) as uint8, or None where the stored numbers are intensities."""
        table = self.key.colormap
        if self.kind != PALETTE or table is None or self.series.kind in LUT_KINDS:
            return None
        rising = np.all(np.diff(table.astype(np.int64), axis=1) >= 0)
        if rising and table.shape[1] >= MIN_LUT:  # a display table of one hue: keep intensities
            self.notes["palette"] = "a display colour table was left out"
            return None
        return _eight_bit(table)

    def _page_palette(self, page: int) -> np.ndarray:
        own = self.series[page]
        own = own.aspage() if own.keyframe is not own else own
        return self.palette if own.colormap is None else _eight_bit(own.colormap)

    def _true_values(self, found: np.ndarray) -> np.ndarray:
        if self.palette is not None:
            return self.palette[:, found[0].astype(np.intp)]
        if self.kind == WHITE_IS_ZERO and found.dtype.kind in "bu":
            found = ~found  # as Pillow and Bio-Formats do
        return found.astype(np.uint8) * np.uint8(255) if found.dtype.kind == "b" else found

    def _is_plain(self, page: Any) -> bool:
        """Whether rows follow each other as they are: no strip, however large, is then read whole."""
        key = self.key
        if key.is_tiled or key.shaped[1] > 1 or not key.is_final:
            return False
        offsets, counts = np.array(page.dataoffsets), np.array(page.databytecounts)
        follow = (offsets[:-1] + counts[:-1] == offsets[1:]).all()
        return bool(follow and counts.sum() == key.nbytes)

    def _contiguous(self, first: int, sample: int, y: slice, x: slice) -> np.ndarray:
        """Region of a plane whose rows follow each other from byte `first` on."""
        key, fh = self.key, self.series.parent.filehandle
        width, contig = key.shaped[3], key.shaped[4]
        rows = max(y.stop - y.start, 0)
        row = width * contig * key.dtype.itemsize
        fh.seek(first + (sample * (contig == 1) * key.shaped[2] + y.start) * row)
        data = fh.read(rows * row)
        if len(data) < rows * row:
            raise DataError("TRUNCATED", f"{self.path}: a plane is cut off; copy it again")
        dtype = key.dtype.newbyteorder(key.parent.byteorder)
        pixels = np.frombuffer(data, dtype).reshape(rows, width, contig)[:, x]
        return np.moveaxis(pixels, 2, 0).astype(key.dtype)

    def _segmented(self, page: Any, depth: int, sample: int, y: slice, x: slice) -> np.ndarray:
        key = self.key
        size = key.shaped[4], max(y.stop - y.start, 0), max(x.stop - x.start, 0)
        out = np.full(size, key.nodata, key.dtype)
        for index in self._touched(depth, sample if key.shaped[0] > 1 else 0, y, x):
            segment, (_, d, top, left, _), (_, height, width, _) = self._decoded(page, index)
            if segment is None:
                continue  # a declared hole of a sparse format keeps its background
            y0, y1 = max(y.start, top), min(y.stop, top + height)
            x0, x1 = max(x.start, left), min(x.stop, left + width)
            part = segment[depth - d, y0 - top : y1 - top, x0 - left : x1 - left]
            here = out[:, y0 - y.start : y1 - y.start, x0 - x.start : x1 - x.start]
            here[:] = np.moveaxis(part, 2, 0)
        return out

    def _touched(self, depth: int, sample: int, y: slice, x: slice) -> Iterator[int]:
        """Numbers of the segments of one sample that overlap the region."""
        key = self.key
        _, deep, height, width, _ = key.shaped
        tile = (key.tiledepth, key.tilelength, key.tilewidth)
        tz, ty, tx = tile if key.is_tiled else (1, min(key.rowsperstrip, height), width)
        layers, down, across = (-(-n // t) for n, t in ((deep, tz), (height, ty), (width, tx)))
        first = (sample * layers + depth // tz) * down
        for row in range(y.start // ty, -(-y.stop // ty)):
            for column in range(x.start // tx, -(-x.stop // tx)):
                yield (first + row) * across + column

    def _decoded(self, page: Any, index: int) -> tuple:
        key, fh = self.key, page.parent.filehandle
        name = (page.index, index)
        if name in self._cache:
            self._cache.move_to_end(name)
            return self._cache[name]
        offset, count = page.dataoffsets[index], page.databytecounts[index]
        data = None
        if offset and count:
            fh.seek(offset)
            data = fh.read(count)
            if len(data) < count:
                cause = f"segment {index} of page {page.index} is cut off"
                raise DataError("TRUNCATED", f"{self.path}: {cause}; copy it again")
        tables = {}
        if key.compression in JPEG:
            tables = {"jpegtables": page.jpegtables, "jpegheader": key.jpegheader}
        self._cache[name] = found = key.decode(data, index, **tables)
        self._held += _bytes(found)
        while self._held > CACHE_BYTES and len(self._cache) > 1:
            self._held -= _bytes(self._cache.popitem(last=False)[1])
        return found


def _eight_bit(table: np.ndarray) -> np.ndarray:
    return (table >> 8).astype(np.uint8) if table.max() > 255 else table.astype(np.uint8)


def _bytes(decoded: tuple) -> int:
    return 0 if decoded[0] is None else decoded[0].nbytes
