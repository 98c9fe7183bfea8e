"""Tiles: windows of a study's images -> JPEG of one channel in its colour, PNG of outlines, polygons of one object."""

import io
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from .. import pictures
from ..images import Image

TILE_PX = 512
OVERVIEW_PX, THUMBNAIL_PX = 1024, 240
PERCENTILES = (20.0, 99.9)
COLOURS = ("#3f6bff", "#2e9e5b", "#ff5fa2", "#ffe14d", "#35d0d6", "#ff9a3d", "#b57bff", "#ffffff")
Z = int | str  # a plane, or "max"


class NoTile(Exception):
    """The image has no such tile."""


def describe_image(path: Path) -> dict[str, Any]:
    """Size, levels, planes, and of each channel its colour and contrast."""
    with Image(path) as image:
        n_times, _, n_planes, height, width = image.meta.shape
        names = ("colour",) if image.meta.rgb else image.meta.channel_names
        return {
            "width": width, "height": height, "n_levels": image.n_levels, "tile_px": TILE_PX,
            "n_times": n_times, "n_planes": n_planes, "pixel_size_um": image.meta.pixel_size_um,
            "rgb": image.meta.rgb,
            "channels": [describe_channel(image, c, name, len(names)) for c, name in enumerate(names)],
        }  # fmt: skip


def describe_channel(image: Image, c: int, name: str, n: int) -> dict[str, Any]:
    """Name, colour, and which intensities are black and bright."""
    plane, _ = image.overview(c, max_px=OVERVIEW_PX)
    low, high = (0.0, brightest(image.dtype)) if image.meta.rgb else pictures.contrast_limits(plane, PERCENTILES)  # fmt: skip
    colour = "#ffffff" if n == 1 else COLOURS[c % len(COLOURS)]
    least, most = float(plane.min()), float(max(plane.max(), high))
    return {"name": name, "color": colour, "low": low, "high": high, "min": min(least, low), "max": most}  # fmt: skip


def brightest(dtype: np.dtype) -> float:
    """What is white in a colour picture."""
    return float(np.iinfo(dtype).max) if np.issubdtype(dtype, np.integer) else 1.0


def render_channel(
    path: Path, c: int, level: int, at: tuple[int, int], t: int, z: Z, low: float, high: float, color: str
) -> bytes:  # fmt: skip
    """JPEG of one tile of a channel; of a colour image all of it."""
    pixels = read_tile(path, path.stat().st_mtime_ns, c, level, at, t, z)
    if pixels.ndim == 3:
        return to_jpeg(np.clip(pixels.astype(np.float32) / max(high, 1e-9), 0, 1))
    return to_jpeg(pictures.composite([pixels], [color], [(low, max(high, low + 1e-9))]))


@lru_cache(maxsize=64)
def read_tile(
    path: Path, _changed: int, c: int, level: int, at: tuple[int, int], t: int, z: Z
) -> np.ndarray:
    """(Y, X) or (Y, X, 3), unscaled, so that another contrast need not read again."""
    with Image(path) as image:
        (y, x), _ = window_of(image, level, at, margin=0)
        return read_window(image, c, t, z, y, x, level)


def read_window(image: Image, c: int, t: int, z: Z, y: slice, x: slice, level: int) -> np.ndarray:
    """One plane, or the maximum of all."""
    n_times, n_channels, n_planes, _, _ = image.meta.shape
    if not (0 <= c < n_channels and 0 <= t < n_times and (z == "max" or 0 <= int(z) < n_planes)):
        raise NoTile(f"no channel {c}, time {t}, plane {z}")
    if image.meta.rgb:
        return image.colours(t, 0 if z == "max" else int(z), y, x, level)
    if z == "max":
        return image.read(c, t, "max", y, x, level)
    return image.window(c, t, int(z), y, x, level)


def window_of(
    image: Image, level: int, at: tuple[int, int], margin: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Tile (column, row) of a level -> its window with a margin, and where the tile lies in that."""
    if not 0 <= level < image.n_levels:
        raise NoTile(f"no level {level}")
    outer, inner = [], []
    for n, index in zip(image.level_size(level), reversed(at), strict=True):
        start, stop = index * TILE_PX, min(n, (index + 1) * TILE_PX)
        if not 0 <= start < n:
            raise NoTile(f"no tile {at}")
        first = max(0, start - margin)
        outer.append(slice(first, min(n, stop + margin)))
        inner.append(slice(start - first, stop - first))
    return (outer[0], outer[1]), (inner[0], inner[1])


def render_outlines(path: Path, level: int, at: tuple[int, int], t: int, z: Z, color: str) -> bytes:
    """PNG of the inner borders of labels, transparent elsewhere."""
    from skimage.segmentation import find_boundaries

    with Image(path) as image:
        # what a tile shows of a border does not depend on where the tile ends
        (y, x), inner = window_of(image, level, at, margin=1)
        flat = "max" if image.meta.shape[2] == 1 else z
        labels = read_window(image, 0, t, flat, y, x, level)
    border = find_boundaries(labels, mode="inner")[inner]
    picture = np.zeros((*border.shape, 4), np.uint8)
    picture[border] = (*(pictures.to_rgb(color) * 255).round().astype(np.uint8), 255)
    return encode(picture, "PNG", compress_level=1)


def trace(path: Path, label: int, box: tuple[int, int, int, int], t: int) -> list[list[list[float]]]:  # fmt: skip
    """Outlines of one object: polygons of (x, y) in pixels of the image, whose corner is (0, 0)."""
    from skimage.measure import find_contours

    y0, x0, y1, x1 = box
    step = max(1, max(y1 - y0, x1 - x0) // OVERVIEW_PX)
    with Image(path) as image:
        labels = read_window(image, 0, t, "max", slice(y0, y1), slice(x0, x1), 0)[::step, ::step]
    mask = np.pad(labels == label, 1)
    return [
        ((line[:, ::-1] - 0.5) * step + (x0, y0)).round(1).tolist()
        for line in find_contours(mask.astype(np.float32), 0.5)
    ]


def render_thumbnail(path: Path) -> bytes:
    """JPEG of the whole image, all channels."""
    with Image(path) as image:
        if image.meta.rgb:
            planes = [image.overview(c, max_px=OVERVIEW_PX)[0] for c in range(3)]
            picture = np.stack(planes, -1).astype(np.float32) / brightest(image.dtype)
        else:
            n = image.meta.shape[1]
            planes = [image.overview(c, max_px=OVERVIEW_PX)[0] for c in range(n)]
            colours = ["#ffffff"] if n == 1 else [COLOURS[c % len(COLOURS)] for c in range(n)]
            limits = [pictures.contrast_limits(one, PERCENTILES) for one in planes]
            picture = pictures.composite(planes, colours, limits)
    return to_jpeg(pictures.shrink(picture, THUMBNAIL_PX / max(picture.shape[:2])))


def to_jpeg(picture: np.ndarray) -> bytes:
    """(Y, X, 3), 0 to 1 -> bytes."""
    return encode((np.clip(picture, 0, 1) * 255).round().astype(np.uint8), "JPEG", quality=92, subsampling=0)  # fmt: skip


def encode(pixels: np.ndarray, form: str, **options: Any) -> bytes:
    """Pixels -> a picture file."""
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()
