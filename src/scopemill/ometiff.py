"""OME-TIFF: how image artifacts are laid out on disk: tiles, pyramid, metadata, and their own statement."""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

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
