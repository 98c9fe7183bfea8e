"""Read TIFF, BigTIFF, OME-TIFF, ImageJ, Aperio SVS, MetaMorph STK and other vendor TIFFs.

Nothing but tifffile's headers and segment decoders is used: a region decodes only the tiles or
strips that it touches, and tifffile never follows a name to another file.
"""

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ._base import Raw, choose_scene, pair_um
from ._ome import ELSEWHERE, OmeImage, read_ome
from ._tiff_checks import captured_log, check_log, check_page, check_promise
from ._tiff_layout import Layout, is_channel_last, layout_of
from ._tiff_pixels import Pixels
from ._tiff_scale import channels_of, facts_of, scale_of

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
KINDS = {"ome": "ome-tiff", "imagej": "imagej", "svs": "svs", "stk": "stk", "lsm": "lsm"}
APERIO_YCC = 33003  # JPEG 2000 whose colours only OpenSlide converts


def recognise(head: bytes, path: Path) -> bool:
    """Tell TIFF and BigTIFF by their byte-order mark."""
    return head.startswith(MAGIC)


def open_file(path: Path, scene: str | None, max_pixels: int) -> Raw:
    """Open one series. Raises the DataErrors of `_tiff_checks`, `_ome` and `_tiff_layout`."""
    import tifffile

    size = path.stat().st_size
    with captured_log() as messages:
        try:
            tif = tifffile.TiffFile(path, mode="r", _multifile=False)
        except tifffile.TiffFileError as error:
            cause = f"not a valid TIFF ({str(error)[:100]})"
            raise DataError("FORMAT", f"{path}: {cause}; copy it again") from error
        try:
            return _open_series(path, tif, size, scene, max_pixels, messages)
        except BaseException:
            tif.close()
            raise


def _open_series(path, tif, size, scene, max_pixels, messages) -> Raw:
    ome = _check_structure(path, tif, size, max_pixels, messages)
    series = _scenes(tif.series)
    check_log(path, messages, size)
    ome = ome if len(ome) == len(series) and series[0].kind == "ome" else [None] * len(series)
    names = [(o or s).name for o, s in zip(ome, series, strict=True)]
    scenes, number = choose_scene(path, names, scene)
    chosen = series[number]
    if chosen.keyframe.compression == APERIO_YCC:
        from . import openslide

        tif.close()
        return openslide.open_file(path, None, max_pixels)
    if chosen.is_multifile or any(p is None or p.parent is not tif for p in chosen._pages):
        raise DataError("AXES", f"{path}: some of its planes are in other files; {ELSEWHERE}")
    layout = layout_of(path, chosen) if not is_channel_last(chosen) else _channel_last(chosen)
    header = _header(path, tif, chosen, layout, ome[number])
    check_log(path, messages, size)
    kind = _ChannelLast if is_channel_last(chosen) else _Tiff
    return kind(scenes=scenes, scene=scenes[number], max_pixels=max_pixels, tif=tif, **header)


def _check_structure(path, tif, size, max_pixels, messages) -> list[OmeImage]:
    """Check everything that can be known before tifffile builds series (and takes memory)."""
    tif.is_mmstack = tif.is_ndtiff = False  # these two would open neighbouring files
    if not len(tif.pages):
        check_log(path, messages, size)
        raise DataError("STRUCTURE", f"{path}: no image in the file; copy or export it again")
    sparse = bool(tif.is_philips)
    for page in tif.pages:
        check_page(path, page, size, max_pixels, sparse)
    first = tif.pages.first
    ome = []
    if tif.is_ome:
        xml = first.description
        ome = read_ome(path, xml, len(tif.pages), first.samplesperpixel, max_pixels)
    check_log(path, messages, size)
    check_promise(path, tif, size, max_pixels)
    return ome


def _scenes(series: list) -> list:
    """Leave out what is no image of the sample: label, macro, thumbnail, reduced copies."""
    baseline = [s for s in series if s.name == "Baseline"]
    full = [s for s in series if not s.keyframe.is_reduced]
    return baseline or full or list(series)


def _header(path: Path, tif: Any, series: Any, layout: Layout, ome: OmeImage | None) -> dict:
    pixels = Pixels(path, series, layout.kept)
    shape = layout.shape
    if pixels.palette is not None:  # a palette becomes three colours
        shape = (shape[0], shape[1] * 3, *shape[2:])
    size_um, step_um = scale_of(tif, series.keyframe)
    facts, names = facts_of(tif), channels_of(tif)
    if ome:
        size_um, step_um, names = ome.pixel_size_um, ome.z_step_um, ome.channel_names
        facts |= {"acquired": ome.acquired} if ome.acquired else {}
    facts |= {"axes_note": layout.note} if layout.note else {}
    facts |= pixels.notes
    return {
        "path": path,
        "format": KINDS.get(series.kind, "tiff"),
        "shape": shape,
        "dtype": pixels.dtype,
        "rgb": pixels.colour and shape[1] == 3 and layout.planar == "S",
        "channel_names": names,
        "pixel_size_um": size_um and pair_um(*size_um),
        "z_step_um": step_um,
        "metadata": facts,
        "pieces": "tiles" if series.keyframe.is_tiled and not is_channel_last(series) else "rows",
        "samples": shape[1] if is_channel_last(series) else pixels.samples,
        "pixels": pixels,
        "layout": layout,
    }


class _Tiff(Raw):
    def __init__(self, *, tif: Any, layout: Layout, pixels: Pixels, **header):
        super().__init__(**header)
        self._tif, self._layout, self._pixels = tif, layout, pixels

    def _decode(self, t, c, z, y, x):
        channel = c // 3 if self._pixels.palette is not None else c
        page, depth, sample = self._layout.locate(t, channel, z)
        return self._pixels.region(page, depth, sample, y, x)

    def _close(self):
        self._tif.close()
        self._pixels = None


class _ChannelLast(_Tiff):
    def _decode(self, t, c, z, y, x):
        columns = slice(0, self.shape[1])
        rows = [self._pixels.region(page, 0, 0, x, columns) for page in range(y.start, y.stop)]
        return np.array(rows).reshape(len(rows), -1, self.shape[1]).transpose(2, 0, 1)


def _channel_last(series: Any) -> Layout:
    height, width, channels = series.shape
    note = f"read as (Y, X, channel): {channels} channels lie last"
    return Layout(("Y", "X", "S"), (height, width, channels), 0, channels, note)
