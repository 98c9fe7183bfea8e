"""Tiled TIFF -> windows of its pages and their levels: only the tiles that a window touches are decoded."""

import functools
import threading
from collections import OrderedDict
from typing import Any

import numpy as np

# of decoded tiles, so that neighbouring windows do not decode them again; small, because it counts
# for every open file
CACHE_BYTES = 2**25
PAGES = 256  # page headers kept


class TiledPages:
    """Pages of an open TIFF; several threads may read."""

    def __init__(self, tiff: Any):
        self._tiff = tiff
        self._lock = threading.RLock()
        self._tiles: OrderedDict[tuple[int, int, int], np.ndarray] = OrderedDict()
        self._held = 0  # bytes in the cache
        self._page = functools.lru_cache(PAGES)(self._find_page)

    def window(self, number: int, level: int, y: slice, x: slice) -> np.ndarray:
        """Window (Y, X), or (Y, X, 3) of a colour page; it must lie within the page."""
        with self._lock:
            page = self._page(number, level)
        _, _, height, width, samples = page.shaped
        (y0, y1, _), (x0, x1, _) = y.indices(height), x.indices(width)
        out = np.empty((max(y1 - y0, 0), max(x1 - x0, 0), samples), page.dtype)
        if out.size:
            tile, across = page.tilelength, -(-width // page.tilewidth)
            for row in range(y0 // tile, -(-y1 // tile)):
                for column in range(x0 // tile, -(-x1 // tile)):
                    found = self._decoded(page, (number, level, row * across + column))
                    top, left = row * tile, column * tile
                    a, b = max(y0, top), min(y1, top + found.shape[0])
                    c, d = max(x0, left), min(x1, left + found.shape[1])
                    out[a - y0 : b - y0, c - x0 : d - x0] = found[
                        a - top : b - top, c - left : d - left
                    ]
        return out if samples > 1 else out[..., 0]

    def _find_page(self, number: int, level: int) -> Any:
        page = self._tiff.pages[number]
        return page.pages[level - 1] if level else page

    def _decoded(self, page: Any, name: tuple[int, int, int]) -> np.ndarray:
        """One tile (Y, X, S), cut at the image's border."""
        index = name[2]
        with self._lock:
            if name in self._tiles:
                self._tiles.move_to_end(name)
                return self._tiles[name]
            handle = page.parent.filehandle
            handle.seek(page.dataoffsets[index])
            data = handle.read(page.databytecounts[index])
        segment, _, (_, height, width, _) = page.decode(data, index)
        tile = segment[0, :height, :width]
        with self._lock:
            if name not in self._tiles:
                self._tiles[name] = tile
                self._held += tile.nbytes
            while self._held > CACHE_BYTES and len(self._tiles) > 1:
                self._held -= self._tiles.popitem(last=False)[1].nbytes
        return tile
