"""Image artifacts: tiled, pyramidal OME-TIFF <-> TCZYX planes with channel names and pixel size.

The only code that knows how Scopemill's own images and label images lie on disk (vendor files: `readers/`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .errors import DataError, Skip
from .ometiff import Meta, parse_meta, shrink_mean, shrink_nearest, write_planes


class Image:
    """An open image artifact; planes are decoded when they are read."""

    def __init__(self, path: Path):
        import tifffile

        self._tiff = tifffile.TiffFile(path, _multifile=False)
        self._last: tuple[int, Any] = (-1, None)
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

    def index(self, channel: str) -> int:
        """Index of a channel.

        Raises
        ------
        Skip
            NO_CHANNEL where the image has no such channel (it is optional; convert saw to that).
        """
        if channel not in self.meta.channel_names:
            raise Skip(
                "NO_CHANNEL",
                f"the image has no channel '{channel}'; it has {list(self.meta.channel_names)}",
            )
        return self.meta.channel_names.index(channel)

    def plane(self, t: int, c: int, z: int) -> np.ndarray:
        """One plane (Y, X)."""
        _, n_channels, n_planes, _, _ = self.meta.shape
        if self.meta.rgb:
            return self._colour_page(t * n_planes + z)[..., c]
        return self._tiff.pages[(t * n_channels + c) * n_planes + z].asarray()

    def _colour_page(self, index: int) -> np.ndarray:
        # its three channels are asked for one after the other
        if self._last[0] != index:
            self._last = (index, self._tiff.pages[index].asarray())
        return self._last[1]

    def stack(self, channel: str | int, t: int = 0) -> np.ndarray:
        """One channel at one time point: (Z, Y, X)."""
        c = self.index(channel) if isinstance(channel, str) else channel
        return np.stack([self.plane(t, c, z) for z in range(self.meta.shape[2])])

    def read(self, channel: str | int, t: int = 0, z: str = "max") -> np.ndarray:
        """One channel at one time point, its planes put together by `z` (see `project`)."""
        return project(self.stack(channel, t), z)


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


def write_image(
    path: Path, meta: Meta, dtype: Any, plane: Callable[[int, int, int], np.ndarray]
) -> None:
    """Write planes that `plane(t, c, z)` gives one by one ((Y, X, 3) for colour, with c = 0).

    The same planes and meta give the same bytes.
    """
    write_planes(path, meta, np.dtype(dtype), plane, shrink_mean)


def write_labels(path: Path, labels: np.ndarray, like: Meta, fingerprint: str) -> None:
    """Write label images (T, Z, Y, X), uint32, with the pixel size of the image they belong to.

    Raises
    ------
    DataError
        TOO_MANY_OBJECTS where ids do not fit.
    """
    if labels.size and labels.max() >= 2**32:
        raise DataError("TOO_MANY_OBJECTS", f"{int(labels.max())} objects; labels hold 4294967295")
    shape = (labels.shape[0], 1, *labels.shape[1:])
    meta = Meta(shape, ("labels",), like.pixel_size_um, like.z_step_um, False, fingerprint)
    write_planes(
        path,
        meta,
        np.dtype(np.uint32),
        lambda t, _, z: labels[t, z].astype(np.uint32),
        shrink_nearest,
    )


def read_labels(path: Path) -> np.ndarray:
    """Label images (T, Z, Y, X), uint32."""
    with Image(path) as image:
        return np.stack([image.stack(0, t) for t in range(image.meta.shape[0])])
