"""Whole images: a network + an image in memory -> probability maps, and objects at the size it knows best.

A network that was trained on objects of one diameter finds objects of another one when the image is rescaled.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..instances import Settings as InstanceSettings
from ..instances import find_instances
from ..scaling import find_step, take_nearest
from ..tiling import Blend, choose_tile, cut, tile_origins
from .description import Description
from .predict import predict_patches

TILE = 1536  # large, for each tile is wider than what it gives by all that the network looks at
TILE_3D = 512
BATCH_PX = 512**2  # what `batch_size` counts


@dataclass(frozen=True)
class Ready:
    """A network that is ready to predict, and what to know of it."""

    network: nn.Module
    description: Description
    device: torch.device
    batch_size: int = 4


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(C, Y, X) float32 -> another size, without aliasing."""
    if image.shape[-2:] == tuple(size):
        return image
    x = torch.from_numpy(np.ascontiguousarray(image))[None]
    smaller = size[0] < image.shape[-2]
    y = functional.interpolate(x, size, mode="bilinear", align_corners=False, antialias=smaller)
    return y[0].numpy()


def predict_image(ready: Ready, image: np.ndarray) -> np.ndarray:
    """Scaled grey values (C, [Z,] Y, X) -> maps (heads, [Z,] Y, X), tile by tile; planes as if undivided."""
    halo = getattr(ready.network, "halo_px", 0)
    multiple = getattr(ready.network, "size_multiple", (1,))[-1]
    size, largest = image.shape[-2:], TILE if image.ndim == 3 else TILE_3D
    overlap = 2 * halo + 2 if image.ndim == 3 else min(largest // 4, 2 * halo + 2)
    largest = max(largest, 2 * overlap)
    if max(size) <= largest:
        overlap = 0
    tile = choose_tile(size, largest, overlap, multiple)
    inner = (len(ready.description.output), *image.shape[1:-2])
    origins = tile_origins(size, tile, overlap, multiple)
    blend = Blend(int(np.prod(inner)), size, tile, overlap, halo)
    n = max(1, ready.batch_size * BATCH_PX // (tile[0] * tile[1]))
    groups = [origins[i : i + n] for i in range(0, len(origins), n)]
    tiles = (np.stack([cut(image, origin, tile) for origin in group]) for group in groups)
    maps = predict_patches(ready.network, tiles, ready.device, ready.description.activation)
    for group, predicted in zip(groups, maps, strict=True):
        blend.add(group, predicted.reshape(len(group), -1, *predicted.shape[-2:]))
    return blend.result().reshape(*inner, *size)


def predict_at(ready: Ready, image: np.ndarray, zoom: float) -> np.ndarray:
    """Maps (heads, Y', X') of an image that is enlarged by `zoom` first."""
    size = tuple(max(8, round(n * zoom)) for n in image.shape[-2:])
    return predict_image(ready, resize(image, size))


def predict_zoomed(ready: Ready, image: np.ndarray, zoom: float) -> np.ndarray:
    """Maps (heads, Y', X') at the network's scale, or at the image's (heads, Y, X) where that is finer.

    A part of an image gives what the whole gives there, where it begins at whole pixels of both scales.
    """
    size = image.shape[-2:]
    step = find_step(zoom)
    missing = [(0, min(-n % step, n - 1)) for n in size]
    padded = np.pad(image, [(0, 0), *missing], mode="reflect")
    maps = predict_at(ready, padded, zoom)
    if zoom < 1:
        return resize(maps, padded.shape[-2:])[:, : size[0], : size[1]]
    return maps[:, : round(size[0] * zoom), : round(size[1] * zoom)]


def find_objects(
    ready: Ready,
    image: np.ndarray,
    zoom: float,
    own: InstanceSettings,
    spacing: tuple[float, ...] | None = None,
) -> np.ndarray:
    """Scaled grey values (C, [Z,] Y, X), enlarged by `zoom` for the network -> labels ([Z,] Y, X).

    `spacing` is the size of a voxel in pixels of the plane, for stacks.
    """
    if image.ndim == 4:  # stacks are not rescaled
        maps = predict_image(ready, image)
        return find_instances(dict(zip(ready.description.output, maps, strict=True)), own, spacing)
    maps = predict_zoomed(ready, image, zoom)
    return cut_objects(ready.description.output, maps, image.shape[-2:], zoom, own)


def cut_objects(
    outputs: list[str], maps: np.ndarray, size: tuple[int, int], zoom: float, own: InstanceSettings
) -> np.ndarray:
    """Maps (heads, Y', X') of an image that was enlarged by `zoom` -> labels (Y, X) of the image's size."""
    if zoom < 1:
        maps, own = resize(maps, size), enlarge(own, 1 / zoom)
    return take_nearest(find_instances(dict(zip(outputs, maps, strict=True)), own), size)


def enlarge(own: InstanceSettings, factor: float) -> InstanceSettings:
    """Settings in pixels, for maps that are larger than those they were tuned on."""
    return replace(
        own,
        min_distance_px=own.min_distance_px * factor,
        min_area_px=round(own.min_area_px * factor**2),
    )
