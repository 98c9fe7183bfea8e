"""Whole images: a network + an image in memory -> probability maps, and objects at the size it knows best.

A network that was trained on objects of one diameter finds objects of another one when the image is rescaled. Where
nobody says how large they are, a first pass over a part of the image, at several scales, finds out.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..instances import Settings as InstanceSettings
from ..instances import find_instances
from ..scaling import find_step, take_nearest
from ..thresholds import find_threshold, smoothen
from ..tiling import Blend, choose_tile, cut, tile_origins
from .description import Description
from .predict import predict_patches

TILE = 1536  # large, for each tile is wider than what it gives by all that the network looks at
TILE_3D = 512
BATCH_PX = 512**2  # what `batch_size` counts
LOOK = 256  # pixels of the part that the first pass looks at
ZOOMS = (0.25, 0.5, 1.0, 2.0)
ZOOMS_AN_OCTAVE = 8
CLOSE = 0.15  # a scale that is off by less is near enough
NEARBY = 0.3  # one that is off by less is put right without another look
GUESS = 512  # pixels of the part whose bright parts are measured
BELIEVED = 0.5  # of the bright area must be objects that the network is sure of
FITS = (0.55, 1.8)  # times the network's diameter: what it was trained to recognise


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


def estimate_diameter(ready: Ready, image: np.ndarray, own: InstanceSettings) -> float:
    """Diameter of the objects in pixels, from the scale at which most of them look as in training.

    That of the bright parts is where the search begins, and ends where the network finds most of their area at that scale.
    """
    known = ready.description.object_diameter_px
    guess, threshold = guess_diameter(image)
    if guess and min(ZOOMS) < known / guess < max(ZOOMS) / FITS[0]:
        zoom = round_zoom(known / guess)
        score, diameter = look_at(ready, image, zoom, own)
        bright = smoothen_light(choose_part(image, int(LOOK / zoom))) > threshold
        if score > BELIEVED * bright.mean():
            return refine(ready, image, own, zoom, diameter)
    best, zoom, found = 0.0, 1.0, known
    for candidate in ZOOMS:
        if candidate > 1 and best and zoom < found / known / FITS[0]:
            break  # a dear look, for objects so small that a smaller scale shows none
        score, diameter = look_at(ready, image, candidate, own)
        if score > best:
            best, zoom, found = score, candidate, diameter
    return refine(ready, image, own, zoom, found)


def refine(
    ready: Ready, image: np.ndarray, own: InstanceSettings, zoom: float, diameter: float
) -> float:
    """The diameter in pixels of the image of objects that have this one at a zoom, looked at again where it is far off."""
    known = ready.description.object_diameter_px
    for _ in range(2):
        if not diameter or abs(diameter / known - 1) < NEARBY:
            break
        zoom = round_zoom(zoom * known / diameter)
        _, diameter = look_at(ready, image, zoom, own)
    if diameter and abs(diameter / known - 1) > CLOSE:
        zoom = round_zoom(zoom * known / diameter)
    return known / zoom


def round_zoom(zoom: float) -> float:
    """One of few zooms: each size of image that is new to the CPU's library takes as long as an image."""
    return 2 ** (round(ZOOMS_AN_OCTAVE * np.log2(zoom)) / ZOOMS_AN_OCTAVE)


def guess_diameter(image: np.ndarray) -> tuple[float, float]:
    """Diameter of the bright parts of the brightest window, 0 where nothing is; and the light from which on they are."""
    from scipy import ndimage

    light = smoothen_light(choose_part(image, GUESS))
    threshold = find_threshold(light, "otsu")
    areas = np.bincount(ndimage.label(light > threshold)[0].ravel())[1:]
    return (middle_diameter(areas) if len(areas) else 0.0), threshold


def smoothen_light(image: np.ndarray) -> np.ndarray:
    """(C, Y, X) -> (Y, X), without noise."""
    return smoothen(image.clip(0, 1).mean(axis=0), 1.0, (1.0, 1.0))


def look_at(
    ready: Ready, image: np.ndarray, zoom: float, own: InstanceSettings
) -> tuple[float, float]:
    """How much of the brightest part is objects of a fitting size, and their diameter at this scale."""
    part = choose_part(image, int(LOOK / zoom))
    maps = predict_at(ready, part, zoom)
    named = dict(zip(ready.description.output, maps, strict=True))
    labels = find_instances(named, own)
    areas = np.bincount(labels.ravel())[1:].astype(float)
    if not len(areas):
        return 0.0, 0.0
    diameters = np.sqrt(areas * 4 / np.pi)
    surety = np.bincount(labels.ravel(), named["foreground"].ravel())[1:] / areas
    known = ready.description.object_diameter_px
    fits = (diameters > FITS[0] * known) & (diameters < FITS[1] * known)
    return float((areas * surety * fits).sum() / labels.size), middle_diameter(areas)


def middle_diameter(areas: np.ndarray) -> float:
    """Diameter of a disc with the area of the object in which the middle pixel lies, objects in order of size."""
    ordered = np.sort(areas)
    i = np.searchsorted(np.cumsum(ordered), ordered.sum() / 2)
    return float(np.sqrt(ordered[min(i, len(ordered) - 1)] * 4 / np.pi))


def choose_part(image: np.ndarray, size: int) -> np.ndarray:
    """The window (C, size, size) with the most light."""
    height, width = image.shape[-2:]
    if height <= size and width <= size:
        return image
    light = functional.avg_pool2d(torch.from_numpy(image.clip(0, 1).mean(axis=0)[None, None]), 8)
    window = (min(size, height) // 8, min(size, width) // 8)
    sums: Tensor = functional.avg_pool2d(light, window, stride=max(1, size // 32))
    y, x = np.unravel_index(int(sums.argmax()), sums.shape[-2:])
    y, x = (8 * int(v) * max(1, size // 32) for v in (y, x))
    return image[:, y : y + size, x : x + size]
