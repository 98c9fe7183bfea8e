"""Image artifacts: tiled, pyramidal OME-TIFF <-> TCZYX planes with channel names and pixel size.

The only code that knows how Scopemill's own images and label images lie on disk (vendor files: `readers/`).
"""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import DataError, Skip

NAMESPACE = "scopemill/artifact"
TILE_PX = 256
LARGE_PX = 2048  # images wider or higher than this get a pyramid ...
SMALLEST_LEVEL_PX = 1024  # ... down to a level not larger than this


@dataclass(frozen=True)
class Meta:
    """What an image artifact says of itself."""

    shape: tuple[int, int, int, int, int]  # TCZYX
    channel_names: tuple[str, ...]
    pixel_size_um: float | None
    z_step_um: float | None
    rgb: bool = False
    fingerprint: str = ""


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


def parse_meta(description: str) -> Meta:
    """The artifact's own statement in its OME-XML."""
    import defusedxml.ElementTree as ElementTree

    for annotation in ElementTree.fromstring(description).iter():
        if annotation.tag.endswith("}MapAnnotation") and annotation.get("Namespace") == NAMESPACE:
            values = {one.get("K"): one.text for one in annotation.iter() if one.tag.endswith("}M")}
            stated = json.loads(values["meta"])
            tuples = {
                "shape": tuple(stated["shape"]),
                "channel_names": tuple(stated["channel_names"]),
            }
            return Meta(**{**stated, **tuples})
    raise ValueError("no image of Scopemill")


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


def write_planes(
    path: Path,
    meta: Meta,
    dtype: np.dtype,
    plane: Callable,
    shrink: Callable[[np.ndarray, int], np.ndarray],
) -> None:
    """Write all planes, then each pyramid level of all planes."""
    import tifffile

    height, width = meta.shape[3:]
    levels = count_levels(height, width)
    tile = TILE_PX * (2 if levels else 1)
    options = {
        "tile": (tile, tile),
        "compression": "zlib",
        "compressionargs": {"level": 1},
        "predictor": dtype.kind in "iu",  # a float image one pixel wide would come back wrong
        "photometric": "rgb" if meta.rgb else "minisblack",
        "software": "scopemill",
    }
    with tifffile.TiffWriter(
        path, ome=True, bigtiff=np.prod(meta.shape, dtype=float) * dtype.itemsize > 2**31
    ) as tiff:
        for level in range(levels + 1):
            scale = 2**level
            size = (-(-height // scale), -(-width // scale))
            tiff.write(
                (
                    part
                    for one in iterate_planes(meta, plane)
                    for part in cut_tiles(shrink(one, scale), tile)
                ),
                shape=stored_shape(meta, size),
                dtype=dtype,
                metadata=ome_metadata(meta) if level == 0 else None,
                **({"subifds": levels} if level == 0 else {"subfiletype": 1}),
                **options,
            )


def iterate_planes(meta: Meta, plane: Callable) -> Iterator[np.ndarray]:
    """Planes in the order in which they are stored: T, C, Z."""
    n_times, n_channels, n_planes, _, _ = meta.shape
    for t in range(n_times):
        for c in range(1 if meta.rgb else n_channels):
            for z in range(n_planes):
                yield plane(t, c, z)


def cut_tiles(plane: np.ndarray, tile: int) -> Iterator[np.ndarray]:
    """The tiles of a plane, row by row; those at the far borders may be smaller."""
    for y in range(0, plane.shape[0], tile):
        for x in range(0, plane.shape[1], tile):
            yield np.ascontiguousarray(plane[y : y + tile, x : x + tile])


def stored_shape(meta: Meta, size: tuple[int, int]) -> tuple[int, ...]:
    """Shape of a level as tifffile wants it."""
    n_times, n_channels, n_planes, _, _ = meta.shape
    return (n_times, n_planes, *size, 3) if meta.rgb else (n_times, n_channels, n_planes, *size)


def count_levels(height: int, width: int) -> int:
    """Pyramid levels below the full image."""
    levels, size = 0, max(height, width)
    while max(height, width) > LARGE_PX and size > SMALLEST_LEVEL_PX:
        levels, size = levels + 1, -(-size // 2)
    return levels


def shrink_mean(plane: np.ndarray, scale: int) -> np.ndarray:
    """Block means, of the plane's own type; the last block may be smaller."""
    if scale == 1:
        return plane
    starts = [np.arange(0, n, scale) for n in plane.shape[:2]]
    sums = np.add.reduceat(
        np.add.reduceat(plane.astype(np.float64), starts[0], axis=0), starts[1], axis=1
    )
    counts = np.outer(
        *(np.diff([*start, n]) for start, n in zip(starts, plane.shape[:2], strict=True))
    )
    means = sums / counts.reshape(counts.shape + (1,) * (plane.ndim - 2))
    return (means if plane.dtype.kind == "f" else means.round()).astype(plane.dtype)


def shrink_nearest(plane: np.ndarray, scale: int) -> np.ndarray:
    """Every `scale`-th pixel: labels must not be averaged."""
    return plane[::scale, ::scale]


def ome_metadata(meta: Meta) -> dict[str, Any]:
    """OME metadata for other programs, and the artifact's statement for this one."""
    names: Sequence[str] = ("rgb",) if meta.rgb else meta.channel_names
    metadata: dict[str, Any] = {
        "axes": "TZYXS" if meta.rgb else "TCZYX",
        "Channel": {"Name": list(names)},
        # a random identifier would make equal images differ
        "UUID": uuid.uuid5(uuid.NAMESPACE_URL, meta.fingerprint).urn,
        "MapAnnotation": {"Namespace": NAMESPACE, "meta": json.dumps(asdict(meta), sort_keys=True)},
    }
    for axis, size in (("X", meta.pixel_size_um), ("Y", meta.pixel_size_um), ("Z", meta.z_step_um)):
        if size:
            metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
    return metadata
