"""Image artifacts: tiled, pyramidal OME-TIFF <-> TCZYX pixels with channel names and pixel size, window by window.

The only code that knows how Scopemill's own images, label images and class images lie on disk (vendor
files: `readers/`). An image may be larger than memory: it is written tile by tile and read by windows.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .errors import Skip
from .image_writers import reader_of, write_classes, write_image, write_labels
from .ometiff import GRID_PX, Meta, Read, parse_meta
from .pyramid import choose_level, count_levels, level_size, shrink
from .tiff_tiles import TiledPages

__all__ = [
    "GRID_PX", "Image", "Meta", "Read", "as_stack", "project", "read_labels", "reader_of",
    "write_classes", "write_image", "write_labels",
]  # fmt: skip

WHOLE = slice(None)


class Image:
    """An open image artifact; tiles are decoded when they are read. Several threads may read."""

    def __init__(self, path: Path):
        import tifffile

        self._tiff = tifffile.TiffFile(path, _multifile=False)
        self._pages = TiledPages(self._tiff)
        self.path = path
        self.meta = parse_meta(self._tiff.pages.first.description)
        self.dtype = self._tiff.pages.first.dtype

    def __enter__(self) -> "Image":
        return self

    def __exit__(self, *_: object) -> None:
        self._tiff.close()

    @property
    def um_per_px(self) -> float:
        """Micrometres a pixel; 1 where the size is unknown, so that lengths are in pixels there."""
        return self.meta.pixel_size_um or 1.0

    @property
    def spacing_um(self) -> tuple[float, float, float]:
        """Size of a voxel (z, y, x) in micrometres; 1 where the pixel size is unknown."""
        if self.meta.pixel_size_um is None:
            return (1.0, 1.0, 1.0)
        return (self.meta.z_step_um or self.um_per_px, self.um_per_px, self.um_per_px)

    @property
    def stain_names(self) -> tuple[str, ...]:
        """Stains of a colour image: channels that are computed when they are read."""
        return self.meta.stains.names if self.meta.rgb and self.meta.stains else ()

    @property
    def channel_names(self) -> tuple[str, ...]:
        """What `read` takes: stored channels, then stains."""
        return (*self.meta.channel_names, *self.stain_names)

    @property
    def n_levels(self) -> int:
        """Levels of the pyramid, the full image (level 0) included."""
        return count_levels(*self.meta.shape[3:]) + 1

    def level_size(self, level: int) -> tuple[int, int]:
        """(Y, X) of a level: each pixel is 2**level pixels of the image wide."""
        return level_size(self.meta.shape[3:], level)

    def index(self, channel: str) -> int:
        """Index of a stored channel.

        Raises
        ------
        Skip
            NO_CHANNEL where the image has no such channel (it is optional; convert saw to that).
        """
        if channel not in self.meta.channel_names:
            raise Skip(
                "NO_CHANNEL",
                f"the image has no channel '{channel}'; it has {list(self.channel_names)}",
            )
        return self.meta.channel_names.index(channel)

    def window(
        self,
        c: str | int,
        t: int = 0,
        z: int = 0,
        y: slice = WHOLE,
        x: slice = WHOLE,
        level: int = 0,
    ) -> np.ndarray:
        """A window (Y, X) of one plane; slices count the level's pixels. Stains are float32 optical density."""
        if c in self.stain_names:
            from .stains import separate

            colours = self.colours(t, z, y, x, level)
            return separate(colours, self.meta.stains)[self.stain_names.index(c)]
        index = self.index(c) if isinstance(c, str) else c
        if self.meta.rgb:
            return np.ascontiguousarray(self.colours(t, z, y, x, level)[..., index])
        return self._pages.window(self._page(t, index, z), level, y, x)

    def colours(
        self, t: int = 0, z: int = 0, y: slice = WHOLE, x: slice = WHOLE, level: int = 0
    ) -> np.ndarray:
        """A window (Y, X, 3) of a colour image."""
        return self._pages.window(self._page(t, 0, z), level, y, x)

    def _page(self, t: int, c: int, z: int) -> int:
        n_times, n_channels, n_planes, _, _ = self.meta.shape
        for axis, at, n in (("t", t, n_times), ("c", c, n_channels), ("z", z, n_planes)):
            if not 0 <= at < n:
                raise IndexError(f"{self.path}: {axis}={at} of {n}")
        return t * n_planes + z if self.meta.rgb else (t * n_channels + c) * n_planes + z

    def plane(self, t: int, c: str | int, z: int) -> np.ndarray:
        """One plane (Y, X)."""
        return self.window(c, t, z)

    def stack(
        self, channel: str | int, t: int = 0, y: slice = WHOLE, x: slice = WHOLE, level: int = 0
    ) -> np.ndarray:
        """One channel at one time point: (Z, Y, X)."""
        return np.stack(list(self._planes(channel, t, y, x, level)))

    def _planes(
        self, channel: str | int, t: int, y: slice, x: slice, level: int
    ) -> Iterator[np.ndarray]:
        return (self.window(channel, t, z, y, x, level) for z in range(self.meta.shape[2]))

    def read(
        self,
        channel: str | int,
        t: int = 0,
        z: str = "max",
        y: slice = WHOLE,
        x: slice = WHOLE,
        level: int = 0,
    ) -> np.ndarray:
        """One channel at one time point, its planes put together by `z` (see `project`) one after the other."""
        n = self.meta.shape[2]
        if n == 1 or z == "middle":
            return self.window(channel, t, n // 2, y, x, level)
        if z not in ("max", "mean"):
            return self.stack(channel, t, y, x, level)
        planes = self._planes(channel, t, y, x, level)
        found = next(planes)
        if z == "mean":
            found = found.astype(np.float32)
        for plane in planes:
            (np.maximum if z == "max" else np.add)(found, plane, out=found)
        return found / np.float32(n) if z == "mean" else found

    def overview(
        self, c: str | int, t: int = 0, z: str = "max", max_px: int = 2048
    ) -> tuple[np.ndarray, float]:
        """The whole image (Y, X) in at most `max_px` a side, and how many image pixels one of its pixels is wide.

        Means of blocks; of labels and classes every n-th pixel. It is more than half of `max_px` wide
        where the image is.
        """
        level, scale = choose_level(self.meta.shape[3:], self.n_levels, max_px)
        plane = self.read(c, t, "max" if z == "stack" else z, level=level)
        small = shrink(plane, scale, nearest=self.meta.kind != "image")
        return small, float(2**level * scale)


def as_stack(plane: np.ndarray) -> np.ndarray:
    """(Y, X) or (Z, Y, X) -> (Z, Y, X)."""
    return plane.reshape(-1, *plane.shape[-2:])


def project(stack: np.ndarray, z: str) -> np.ndarray:
    """(Z, Y, X) -> (Y, X) by 'max', 'mean' or 'middle', or unchanged by 'stack' (one plane drops to 2-D)."""
    if len(stack) == 1:
        return stack[0]
    if z == "max":
        return stack.max(axis=0)
    if z == "mean":
        return stack.mean(axis=0, dtype=np.float32)
    if z == "middle":
        return stack[len(stack) // 2]
    return stack


def read_labels(path: Path) -> np.ndarray:
    """Label images (T, Z, Y, X), uint32; class images, uint8."""
    with Image(path) as image:
        return np.stack([image.stack(0, t) for t in range(image.meta.shape[0])])
