"""Read slide formats that only OpenSlide knows: NDPI, MRXS, SCN, BIF, VMS, DICOM, ..."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ._base import Raw, blame, choose_scene, extra, pair_um

SLIDES = (".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide", ".zvi")
DICOM = b"DICM"
CONVERT = "convert it to OME-TIFF, for instance with bioformats2raw or bfconvert"
BLOCK_PX = 2048
MAX_TILE_PIXELS = 2**28


def recognise(head: bytes, path: Path) -> bool:
    """Tell DICOM by its mark; the others are TIFF, JPEG or text, so the extension decides."""
    return head[128:132] == DICOM or path.suffix.lower() in SLIDES


def open_file(path: Path, scene: str | None, max_pixels: int) -> Raw:
    """Open the largest level of a slide. Raises DataError FORMAT or STRUCTURE."""
    vendor = extra(path, "openslide")
    if vendor.OpenSlide.detect_format(path) is None:
        raise DataError("FORMAT", f"{path}: a slide that OpenSlide does not know; {CONVERT}")
    with blame(path, "STRUCTURE", "OpenSlide cannot open it"):
        slide = vendor.OpenSlide(path)
    try:
        scenes, _ = choose_scene(path, ["0"], scene)
        return _header(path, slide, scenes, max_pixels)
    except BaseException:
        slide.close()
        raise


def _header(path: Path, slide: Any, scenes: tuple[str, ...], max_pixels: int) -> Raw:
    facts = slide.properties
    _check_tiles(path, facts)
    width, height = slide.dimensions
    known = {
        "vendor": facts.get("openslide.vendor"),
        "objective": facts.get("openslide.objective-power"),
        "acquired": facts.get("aperio.Date") or facts.get("tiff.DateTime"),
    }
    return _Slide(
        path=path,
        format="openslide",
        scenes=scenes,
        shape=(1, 3, 1, height, width),
        dtype=np.dtype("uint8"),
        rgb=True,
        pixel_size_um=pair_um(facts.get("openslide.mpp-y"), facts.get("openslide.mpp-x")),
        metadata={key: str(value) for key, value in known.items() if value},
        max_pixels=max_pixels,
        samples=3,
        pieces="tiles",
        slide=slide,
    )


def _check_tiles(path: Path, facts: Mapping[str, str]) -> None:
    """Refuse tiles that OpenSlide could not hold: it would end the process."""
    tile = [int(facts.get(f"openslide.level[0].tile-{side}", 1)) for side in ("height", "width")]
    if not 0 < min(tile) <= tile[0] * tile[1] <= MAX_TILE_PIXELS:
        message = f"{path}: claims tiles of {tile[0]} x {tile[1]} pixels"
        raise DataError("TOO_LARGE", f"{message}; copy or export it again")


class _Slide(Raw):
    def __init__(self, *, slide: Any, **header):
        super().__init__(**header)
        self._slide = slide
        colour = slide.properties.get("openslide.background-color", "FFFFFF")
        self._background = np.frombuffer(bytes.fromhex(colour), np.uint8)

    def _decode(self, t, c, z, y, x):
        out = np.empty((3, max(y.stop - y.start, 0), max(x.stop - x.start, 0)), np.uint8)
        for top in range(y.start, y.stop, BLOCK_PX):
            for left in range(x.start, x.stop, BLOCK_PX):
                bottom, right = min(top + BLOCK_PX, y.stop), min(left + BLOCK_PX, x.stop)
                block = self._block(top, left, bottom - top, right - left)
                out[:, top - y.start : bottom - y.start, left - x.start : right - x.start] = block
        return out

    def _block(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Pixels (3, Y, X); where the scanner saw nothing, the slide's background colour."""
        rgba = np.asarray(self._slide.read_region((left, top), 0, (width, height)))
        seen = rgba[..., 3:] > 0
        return np.moveaxis(np.where(seen, rgba[..., :3], self._background), 2, 0)

    def _close(self):
        self._slide.close()
