"""Tissue: overview of a slide -> classes (Y, X): background, tissue, and what looks like tissue but is none.

A stained section absorbs light, in colours that histological stains have and with a texture at any scale; ink of a pen
has other colours or no texture, dust and rims of bubbles are grey. A fluorescent section is brighter than its background.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .foreground import find_lit
from .stains import Vector, absorb
from .tiling import Window

CLASS_NAMES = ("background", "tissue", "pen", "debris")
BACKGROUND, TISSUE, PEN, DEBRIS = range(4)

# optical densities, of the colour that is absorbed most unless another one is named
PALEST = 0.04  # of tissue: 9 % of the light is absorbed; an empty slide's shading reaches 3 %
INKED = 0.15  # paler ink is told by what it touches
SURE, LIKELY = 0, 1  # limits of ink, and of what touches ink
COLD = (0.15, 0.05)  # red absorbed so much more than green
WARM = (0.5, 0.15)  # green absorbed so much ...
PURE = (0.12, 0.15)  # ... and red at most this share of it
STRANGE = 0.3  # share of the density that the stains do not explain
BLACK = 0.8  # all colours absorbed so much
SMOOTH = 0.03  # neighbours differ by less, as a share of the density; in tissue, by 0.05 or more
GREY = 0.2  # the colours differ less than this share
# lengths in pixels of the overview
TEXTURE_PX = 2.0  # what is finer is texture ...
AROUND_PX = 4.0  # ... measured so far around
RIM_PX = 8  # where ink ends, there is neither texture nor colour of ink


@dataclass(frozen=True)
class Limits:
    """The smallest piece of tissue and the smallest hole in it that count, in pixels of the overview."""

    area_px: float
    hole_px: float


def find_tissue(
    overview: np.ndarray, white: Vector | None, limits: Limits, stains: Sequence[Vector] = ()
) -> np.ndarray:
    """Classes (Y, X), uint8, of an overview (C, Y, X).

    `white` is the background's colour, None for fluorescence; hues that are those of the `stains` are never ink.
    """
    if white is None:
        bright = np.any([find_lit(one) for one in overview], axis=0)
        classes = bright.astype(np.uint8)
    else:
        density = np.stack(absorb(np.moveaxis(overview, 0, -1), white))
        classes = find_stained(density, stains)
    return clean(classes, limits)


def find_stained(density: np.ndarray, stains: Sequence[Vector] = ()) -> np.ndarray:
    """Classes (Y, X) of optical densities (3, Y, X)."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(density, (0, 1, 1))
    most, least = smooth.max(axis=0), smooth.min(axis=0)
    seen = most > PALEST
    ink = find_ink(density, smooth, stains) & seen
    parts, n = ndimage.label(seen, np.ones((3, 3)))
    share = share_of(np.stack([ink, most - least < GREY * most]), parts, n)
    classes = seen.astype(np.uint8)
    classes[share[1] > 0.5] = DEBRIS
    # a stroke is ink as a whole; what little is left of it has no tissue beside it
    classes[ink | (share[0] > 0.7)] = PEN
    return np.where(seen, classes, BACKGROUND).astype(np.uint8)


def share_of(masks: np.ndarray, parts: np.ndarray, n: int) -> np.ndarray:
    """For each mask and pixel, the share of its part (1 to n) that lies in the mask."""
    sizes = np.maximum(np.bincount(parts.ravel(), minlength=n + 1), 1)
    shares = np.stack([np.bincount(parts[one], minlength=n + 1) / sizes for one in masks])
    shares[:, 0] = 0
    return shares[:, parts]


def find_ink(density: np.ndarray, smooth: np.ndarray, stains: Sequence[Vector]) -> np.ndarray:
    """Where a pen drew: colours that no stain has, black, or dark areas without any texture."""
    from scipy import ndimage

    most, least = smooth.max(axis=0), smooth.min(axis=0)
    flat = (most > INKED) & is_flat(density.mean(axis=0))
    sure, likely = flat | (least > BLACK), flat
    for hue, limit in ((is_cold, SURE), (is_warm, LIKELY)):
        # where a stain has the hue of ink, only what the stains together do not explain is ink
        shared = any(hue(np.array(one) / np.linalg.norm(one), limit) for one in stains)
        strange = is_unexplained(smooth, stains) if shared else True
        sure |= hue(smooth, SURE) & strange
        likely |= hue(smooth, LIKELY) & (most > INKED) & strange
    sure = ndimage.binary_opening(sure, iterations=2)
    if not sure.any():
        return sure
    ink = ndimage.binary_propagation(sure, mask=sure | likely)
    return ndimage.distance_transform_edt(~ink) <= RIM_PX


def is_cold(density: np.ndarray, limit: int) -> np.ndarray:
    """Blue and green ink: stains absorb more green than red."""
    red, green, _ = density
    return red - green > COLD[limit]


def is_warm(density: np.ndarray, limit: int) -> np.ndarray:
    """Red ink: green and blue absorbed, red hardly."""
    red, green, blue = density
    return (green > WARM[limit]) & (red < PURE[limit] * green) & (blue > 0.65 * green)


def is_unexplained(density: np.ndarray, stains: Sequence[Vector]) -> np.ndarray:
    """Colours (3, Y, X) that are no mixture of the stains."""
    vectors = np.array(stains, np.float64).T
    rest = np.eye(3) - vectors @ np.linalg.pinv(vectors)
    left = np.linalg.norm(np.tensordot(rest, density, 1), axis=0)
    return left > STRANGE * np.linalg.norm(density, axis=0)


def is_flat(density: np.ndarray) -> np.ndarray:
    """Where neighbouring pixels (Y, X) hardly differ."""
    from scipy import ndimage

    fine = density - ndimage.gaussian_filter(density, TEXTURE_PX)
    texture = np.sqrt(ndimage.gaussian_filter(fine**2, AROUND_PX))
    return texture < SMOOTH * ndimage.gaussian_filter(density, AROUND_PX)


def clean(classes: np.ndarray, limits: Limits) -> np.ndarray:
    """Fill small holes in tissue, then drop small pieces of it."""
    from scipy import ndimage

    tissue = classes == TISSUE
    holes = drop_large(~tissue, limits.hole_px, ndimage.generate_binary_structure(2, 1))
    # a hole that is a pen mark stays one: what is under it cannot be measured
    filled = np.where(holes & (classes != PEN), TISSUE, classes)
    islands = drop_large(filled == TISSUE, limits.area_px, np.ones((3, 3)))
    return np.where(islands, BACKGROUND, filled).astype(np.uint8)


def drop_large(mask: np.ndarray, limit_px: float, structure: np.ndarray) -> np.ndarray:
    """The parts of a mask that are smaller than a limit."""
    from scipy import ndimage

    parts, _ = ndimage.label(mask, structure)
    small = np.bincount(parts.ravel()) < limit_px
    small[0] = False
    return small[parts]


def enlarge(classes: np.ndarray, scale: float, window: Window) -> np.ndarray:
    """A window (Y, X) of the image, by classes of its overview; borders are smooth, not made of blocks.

    Each pixel has the class that weighs most in bilinear interpolation.
    """
    if scale == 1:
        return classes[window]
    (top, bottom, down), (left, right, across) = (
        between(one, scale, n) for one, n in zip(window, classes.shape, strict=True)
    )
    rows, columns = slice(top[0], bottom[-1] + 1), slice(left[0], right[-1] + 1)
    part, best = classes[rows, columns], None
    for value in np.unique(part):
        is_it = (part == value).astype(np.float32)
        wide = is_it[:, left - left[0]] * (1 - across) + is_it[:, right - left[0]] * across
        weight = wide[top - top[0]] * (1 - down)[:, None] + wide[bottom - top[0]] * down[:, None]
        if best is None:
            best, found = weight, np.full(weight.shape, value, np.uint8)
            continue
        found[weight > best] = value
        np.maximum(best, weight, out=best)
    return found


def between(pixels: slice, scale: float, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For pixels of the image: the two pixels of its overview that they lie between, and how near to the second."""
    centres = (np.arange(pixels.start, pixels.stop) + 0.5) / scale - 0.5
    centres = np.clip(centres, 0, n - 1)
    first = centres.astype(int)
    return first, np.minimum(first + 1, n - 1), (centres - first).astype(np.float32)
