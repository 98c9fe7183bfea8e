"""OME-TIFF: how image artifacts are laid out on disk: tiles, pyramid, metadata, and their own statement."""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .pyramid import HalvedTiles, count_levels, halve, level_size

if TYPE_CHECKING:
    from .stains import Stains

NAMESPACE = "scopemill/artifact"
TILE_PX = 256  # of images with levels:
GRID_PX = 512  # ... whatever their size, no tile crosses this grid
BUFFER_BYTES = 2**24  # tiles that wait for their compression
BIG_BYTES = 2**31  # from here on offsets need 64 bits

Read = Callable[[int, int, int, slice, slice], np.ndarray]  # t, c, z, y, x -> (Y, X) or (Y, X, 3)


@dataclass(frozen=True)
class Meta:
    """What an image artifact says of itself."""

    shape: tuple[int, int, int, int, int]  # TCZYX
    channel_names: tuple[str, ...]
    pixel_size_um: float | None
    z_step_um: float | None
    rgb: bool = False
    fingerprint: str = ""
    class_names: tuple[str, ...] = ()  # of the values 0, 1, 2, ... of a class image
    stains: "Stains | None" = None  # of a colour image: how it is taken apart
    kind: Literal["image", "labels", "classes"] = "image"


def parse_meta(description: str) -> Meta:
    """The artifact's own statement in its OME-XML."""
    import defusedxml.ElementTree as ElementTree

    for annotation in ElementTree.fromstring(description).iter():
        if annotation.tag.endswith("}MapAnnotation") and annotation.get("Namespace") == NAMESPACE:
            values = {one.get("K"): one.text for one in annotation.iter() if one.tag.endswith("}M")}
            stated = {key: as_tuples(value) for key, value in json.loads(values["meta"]).items()}
            return Meta(**(stated | {"stains": parse_stains(stated.get("stains"))}))
    raise ValueError("no image of Scopemill")


def parse_stains(stated: dict[str, Any] | None) -> "Stains | None":
    """Stains as the statement holds them -> Stains."""
    if stated is None:
        return None
    from .stains import Stains

    return Stains(**{key: as_tuples(value) for key, value in stated.items()})


def as_tuples(value: Any) -> Any:
    """JSON's lists -> tuples."""
    return tuple(as_tuples(one) for one in value) if isinstance(value, list) else value


def write_tiles(path: Path, meta: Meta, dtype: np.dtype, read: Read) -> None:
    """Write all planes tile by tile, then each pyramid level of all planes.

    Each level is made of the halved tiles of the level before, which wait in a file: what is in
    memory does not depend on the image's size.
    """
    import tifffile

    size, nearest = meta.shape[3:], meta.kind != "image"
    levels = count_levels(*size)
    tile = GRID_PX if levels else TILE_PX
    options = {
        "tile": (tile, tile),
        "compression": "zlib",
        "compressionargs": {"level": 1},
        "predictor": dtype.kind in "iu",
        "photometric": "rgb" if meta.rgb else "minisblack",
        "software": "scopemill",
        "buffersize": BUFFER_BYTES,
    }
    big = np.prod(meta.shape, dtype=float) * dtype.itemsize > BIG_BYTES
    like = np.empty((0, 0, 3) if meta.rgb else (0, 0), dtype)
    with tifffile.TiffWriter(path, ome=True, bigtiff=big) as tiff, ExitStack() as stack:
        parts = read_tiles(meta, dtype, read, tile)
        for level in range(levels + 1):
            here = level_size(size, level)
            below = None
            if level < levels:
                grid = (-(-here[0] // tile), -(-here[1] // tile))
                below = stack.enter_context(HalvedTiles(path.parent, tile, grid, like, nearest))
                parts = keep_halved(parts, below, nearest)
            # tifffile takes a tile one pixel wide for samples unless these have their own axis
            pixels = (part.reshape(*part.shape[:2], -1) for part in parts)
            tiff.write(
                encode_labels(parts, tile) if nearest else pixels,
                shape=stored_shape(meta, here),
                dtype=dtype,
                metadata=ome_metadata(meta) if level == 0 else None,
                **({"subifds": levels} if level == 0 else {"subfiletype": 1}),
                **options,
            )
            if below:
                parts = read_halved(meta, below, level_size(size, level + 1), tile)


def read_tiles(meta: Meta, dtype: np.dtype, read: Read, tile: int) -> Iterator[np.ndarray]:
    """The tiles of the full image, each asked for once."""
    colours = (3,) if meta.rgb else ()
    for t, c, z in planes(meta):
        for y, x in tile_windows(meta.shape[3:], tile):
            part = np.ascontiguousarray(read(t, c, z, y, x), dtype)
            if part.shape != (y.stop - y.start, x.stop - x.start, *colours):
                raise ValueError(f"tile {y}, {x} was asked for, {part.shape} pixels came")
            yield part


def read_halved(
    meta: Meta, halved: HalvedTiles, size: tuple[int, int], tile: int
) -> Iterator[np.ndarray]:
    """The tiles of a pyramid level."""
    for plane, _ in enumerate(planes(meta)):
        for y, x in tile_windows(size, tile):
            wanted = (y.stop - y.start, x.stop - x.start)
            yield halved.read(plane, y.start // tile, x.start // tile, wanted)


def keep_halved(
    parts: Iterator[np.ndarray], halved: HalvedTiles, nearest: bool
) -> Iterator[np.ndarray]:
    """Pass tiles on; what the next level needs of them is kept."""
    for part in parts:
        halved.append(halve(part, nearest))
        yield part


def encode_labels(parts: Iterator[np.ndarray], tile: int) -> Iterator[bytes]:
    """Tiles of labels or classes -> what the file holds of each: differences along the rows, deflated.

    By zlib-ng, in a quarter of the time of libdeflate, which tifffile calls; for images that one is the quicker.
    """
    import imagecodecs

    quick = imagecodecs.ZLIBNG.available
    deflate = imagecodecs.zlibng_encode if quick else imagecodecs.deflate_encode
    for part in parts:
        steps = np.empty_like(part, order="C")
        # in one go, across the ends of rows too: twice as quick as row by row
        np.subtract(part.reshape(-1)[1:], part.reshape(-1)[:-1], out=steps.reshape(-1)[1:])
        steps[:, 0] = part[:, 0]
        if part.shape != (tile, tile):  # beyond the border nothing changes
            steps = np.pad(steps, [(0, tile - n) for n in part.shape])
        yield deflate(steps, level=2 if quick else 1)


def planes(meta: Meta) -> Iterator[tuple[int, int, int]]:
    """(t, c, z) of the planes in the order in which they are stored."""
    n_times, n_channels, n_planes, _, _ = meta.shape
    return product(range(n_times), range(1 if meta.rgb else n_channels), range(n_planes))


def tile_windows(size: tuple[int, int], tile: int) -> Iterator[tuple[slice, slice]]:
    """Windows of the tiles of a plane, row by row; those at the far borders may be smaller."""
    for y in range(0, size[0], tile):
        for x in range(0, size[1], tile):
            yield slice(y, min(y + tile, size[0])), slice(x, min(x + tile, size[1]))


def stored_shape(meta: Meta, size: tuple[int, int]) -> tuple[int, ...]:
    """Shape of a level as tifffile wants it."""
    n_times, n_channels, n_planes, _, _ = meta.shape
    return (n_times, n_planes, *size, 3) if meta.rgb else (n_times, n_channels, n_planes, *size)


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
