"""Diameter: a network + an image whose objects nobody has measured -> how large they are, by a look at a part of it."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..instances import Settings as InstanceSettings
from ..instances import find_instances
from ..thresholds import find_threshold, smoothen
from .whole import Ready, predict_at

LOOK = 256  # pixels of the part that the first pass looks at
ZOOMS = (0.25, 0.5, 1.0, 2.0)
ZOOMS_AN_OCTAVE = 8
CLOSE = 0.15  # a scale that is off by less is near enough
NEARBY = 0.3  # one that is off by less is put right without another look
GUESS = 512  # pixels of the part whose bright parts are measured
BELIEVED = 0.5  # of the bright area must be objects that the network is sure of
FITS = (0.55, 1.8)  # times the network's diameter: what it was trained to recognise


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
