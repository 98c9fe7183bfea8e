"""TIFF header -> nothing, or DataError: what must hold before pixels are decoded."""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError

# tifffile warnings that do not matter. 695 real TIFF files of fourteen sources gave no warning
# at all, so the list is short.
HARMLESS = (
    "STK DatetimeCreated raised",  # a MetaMorph date of 0: no pixel depends on it
    "STK DatetimeModified raised",
)
BEYOND_END = re.compile(r"invalid offset to (?:first )?page (\d+)|invalid page offset (\d+)")
MAX_TILE_PIXELS = 2**28
AGAIN = "copy or export it again"


class _Records(logging.Handler):
    def __init__(self):
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if not any(part in message for part in HARMLESS):
            self.messages.append(message[:300])


@contextmanager
def captured_log() -> Iterator[list[str]]:
    """Collect tifffile's warnings instead of letting hundreds of lines reach stderr."""
    logger, records = logging.getLogger("tifffile"), _Records()
    spread, level = logger.propagate, logger.level
    logger.propagate = False
    logger.setLevel(logging.WARNING)  # whatever the program's own level is
    logger.addHandler(records)
    try:
        yield records.messages
    finally:
        logger.removeHandler(records)
        logger.propagate = spread
        logger.setLevel(level)


def check_log(path: Path, messages: list[str], size: int) -> None:
    """Refuse what tifffile only logs."""
    for message in messages:
        found = BEYOND_END.search(message)
        if found and int(found[1] or found[2]) >= size:
            cause = f"the next page is at byte {found[1] or found[2]}, the file has {size}"
            raise DataError("TRUNCATED", f"{path}: {cause}; {AGAIN}")
    if messages:
        more = f" and {len(messages) - 1} more" if len(messages) > 1 else ""
        raise DataError("STRUCTURE", f"{path}: {messages[0]}{more}; {AGAIN}")


def check_page(path: Path, page: Any, size: int, max_pixels: int, sparse: bool) -> None:
    """Refuse a page that is too large, or whose segments are absent or outside the file."""
    key = page.keyframe
    _check_directory(path, page, size)
    if not 0 < prod(key.shaped) <= max_pixels:
        code = "TOO_LARGE" if prod(key.shaped) else "STRUCTURE"
        message = f"page {page.index} claims {key.shaped} pixels, {max_pixels} are allowed"
        raise DataError(code, f"{path}: {message}; raise max_pixels if that size is true")
    if key.is_tiled and key.tilewidth * key.tilelength * key.tiledepth > MAX_TILE_PIXELS:
        cause = f"claims tiles of {key.tilelength} x {key.tilewidth} pixels"
        raise DataError("TOO_LARGE", f"{path}: {cause}; {AGAIN}")
    offsets = np.asarray(page.dataoffsets, np.float64)  # exact below 2**53
    counts = np.asarray(page.databytecounts, np.float64)
    expected = prod(key.chunked)
    if len(offsets) != len(counts) or len(offsets) < expected:
        cause = f"page {page.index} has {len(offsets)} offsets, {len(counts)} sizes for {expected}"
        raise DataError("STRUCTURE", f"{path}: {cause} segments; {AGAIN}")
    holes = int(((offsets <= 0) | (counts <= 0)).sum())
    if holes and not sparse:
        cause = f"{holes} of {len(offsets)} segments of page {page.index} have no data"
        raise DataError("HOLE", f"{path}: {cause}; {AGAIN}")
    if (end := int((offsets + counts).max())) > size:
        cause = f"page {page.index} ends at byte {end}, the file has {size}"
        raise DataError("TRUNCATED", f"{path}: {cause}; {AGAIN}")


def _check_directory(path: Path, page: Any, size: int) -> None:
    """The list of a page's tags, and the link to the next page after it, must lie in the file."""
    fh, form = page.parent.filehandle, page.parent.tiff
    fh.seek(page.offset)
    count = int.from_bytes(fh.read(form.tagnosize), "little" if form.byteorder == "<" else "big")
    end = page.offset + form.tagnosize + count * form.tagsize + form.offsetsize
    if end > size:
        cause = f"the tags of page {page.index} end at byte {end}, the file has {size}"
        raise DataError("TRUNCATED", f"{path}: {cause}; {AGAIN}")


def check_promise(path: Path, tif: Any, size: int, max_pixels: int) -> None:
    """Refuse fewer planes than ImageJ's or tifffile's own description promises."""
    page, pages = tif.pages.first, len(tif.pages)
    promised = _promised(tif, page)
    if promised * page.size > max_pixels:
        cause = f"its description claims {promised} planes of {page.shape} pixels"
        raise DataError("TOO_LARGE", f"{path}: {cause}; raise max_pixels if that size is true")
    inside = page.dataoffsets[0] + promised * page.nbytes <= size
    if promised > pages and not (pages == 1 and page.is_contiguous and inside):
        cause = f"its description promises {promised} planes, the file holds {pages}"
        raise DataError("TRUNCATED", f"{path}: {cause}; {AGAIN}")


def _promised(tif: Any, page: Any) -> int:
    if tif.is_shaped:
        shape = json.loads(page.shaped_description).get("shape", page.shape)
        return prod(int(n) for n in shape) // max(page.size, 1)
    if tif.is_imagej and not tif.is_ome:
        meta = tif.imagej_metadata or {}
        counts = [int(meta.get(k, 1)) for k in ("frames", "slices", "channels")]
        samples = page.samplesperpixel
        planes = prod(counts) // (samples if samples > 1 and counts[2] == samples else 1)
        return max(planes, 1 if samples > 1 else int(meta.get("images", 1)))
    return int((tif.stk_metadata or {}).get("NumberPlanes", 1)) if tif.is_stk else 1
