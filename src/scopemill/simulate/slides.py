"""Slides: a simulated slide of any size, made block by block -> pixels, classes and labels of each block, and a table.

Nuclei are listed first, so that their numbers do not depend on the blocks; then each block is drawn with those near it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from .fields import enlarge, keep_apart

BLOCK_PX = 1024
MARGIN_PX = 64  # how far a nucleus, its cell and the blur of the optics reach
STEP_PX = 4  # anatomy is worked out at every so many pixels


@dataclass(frozen=True)
class Nuclei:
    """Ellipses with wavy outlines, and the cells around them; arrays (n,), lengths in pixels."""

    y: np.ndarray
    x: np.ndarray
    long: np.ndarray  # half axes
    short: np.ndarray
    angle: np.ndarray  # of the long axis: arctan2(dy, dx)
    kind: np.ndarray  # number of the kind of cell
    value: np.ndarray  # (n, k) uniform in 0..1, for what differs from cell to cell
    label: np.ndarray  # 1, 2, ...

    def take(self, chosen: np.ndarray) -> "Nuclei":
        """Those of a mask or of indices."""
        return Nuclei(*(getattr(self, one.name)[chosen] for one in fields(self)))

    def within(self, y0: int, y1: int, x0: int, x1: int) -> "Nuclei":
        """Those whose centre lies in a window."""
        return self.take((self.y >= y0) & (self.y < y1) & (self.x >= x0) & (self.x < x1))


class Block(NamedTuple):
    """A window of a slide."""

    y: int
    x: int
    pixels: np.ndarray  # (C, Y, X) uint16, or (Y, X, 3) uint8
    classes: np.ndarray  # (Y, X) uint8
    labels: np.ndarray  # (Y, X) uint32


class Places(NamedTuple):
    """Where nuclei may lie, and what would lie there; arrays (n, ...)."""

    at_um: np.ndarray  # (n, 2) y, x
    value: np.ndarray  # (n, k) uniform in 0..1
    kind: np.ndarray  # -1: nothing
    angle: np.ndarray
    rank: np.ndarray  # of two that would overlap, the higher stays


class Slide:
    """A slide that can be looked at in windows; `lung` and `histology` say what is to be seen."""

    channel_names: tuple[str, ...]
    class_names: tuple[str, ...]
    kinds: tuple[str, ...]
    half_axes_um: np.ndarray  # (kinds, 2) of nuclei
    gap_um: float  # least distance between two nuclei
    rgb: bool

    def __init__(self, shape_yx: tuple[int, int], pixel_size_um: float):
        self.shape_yx, self.pixel_size_um = shape_yx, pixel_size_um
        # nuclei are listed before they are drawn: few windows need to be looked at twice
        self.look_around = lru_cache(maxsize=32)(self._look_around)

    def look(self, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, ...]:
        """Anatomy at these coordinates (um): fields (len(y), len(x))."""
        raise NotImplementedError

    def settle(self, window_um, anatomy, origin: tuple[int, int]) -> Places:
        """Places of nuclei in a window; `anatomy` begins at pixel `origin`."""
        raise NotImplementedError

    def draw(self, y0: int, y1: int, x0: int, x1: int, nuclei: Nuclei) -> Block:
        """A window (pixels); `nuclei` holds those up to MARGIN_PX around it."""
        raise NotImplementedError

    def find_nuclei(self, y0: int, y1: int, x0: int, x1: int) -> Nuclei:
        """Nuclei whose centres lie in a window (pixels); the same from whichever window one looks."""
        um = self.pixel_size_um
        anatomy, origin = self.look_around(y0, y1, x0, x1)
        places = self.settle(((y0 * um, x0 * um), (y1 * um, x1 * um)), anatomy, origin)
        kind, value = places.kind, places.value
        long, short = (self.half_axes_um[kind] * (0.83 + 0.34 * value[:, 5:6])).T
        there = kind >= 0
        there[there] = keep_apart(
            places.at_um[there], np.sqrt(long * short)[there], places.rank[there], self.gap_um
        )
        y, x = places.at_um.T / um
        there &= (y >= y0) & (y < y1) & (x >= x0) & (x < x1)
        label = np.zeros(len(y), np.uint32)
        found = Nuclei(y, x, long / um, short / um, places.angle, kind, value, label)
        return found.take(there)

    def _look_around(self, y0: int, y1: int, x0: int, x1: int) -> tuple[Any, tuple[int, int]]:
        """Anatomy of a window and its margin at every STEP_PX-th pixel, and the first pixel."""
        origin = tuple((one - MARGIN_PX) // STEP_PX * STEP_PX for one in (y0, x0))
        y, x = (
            np.arange(first, last + MARGIN_PX + 2 * STEP_PX, STEP_PX) * self.pixel_size_um
            for first, last in zip(origin, (y1, x1), strict=True)
        )
        return self.look(y, x), origin

    def enlarge_around(self, y0: int, y1: int, x0: int, x1: int):
        """Anatomy of a window and its margin at every pixel, the first pixel, and where the window lies in it."""
        coarse, origin = self.look_around(y0, y1, x0, x1)
        size = tuple(b - o + MARGIN_PX for b, o in zip((y1, x1), origin, strict=True))
        anatomy = type(coarse)(*(enlarge(one, STEP_PX, *size) for one in coarse))
        inner = tuple(
            slice(a - o, b - o) for a, b, o in zip((y0, x0), (y1, x1), origin, strict=True)
        )
        return anatomy, origin, inner


def sample(field: np.ndarray, at_um: np.ndarray, origin: tuple[int, int], pixel_size_um: float):
    """A field of every STEP_PX-th pixel from `origin` on -> its values (n,) at places (n, 2)."""
    from scipy.ndimage import map_coordinates

    at = ((at_um / pixel_size_um).T - np.array(origin)[:, None]) / STEP_PX
    return map_coordinates(field, at, order=1, mode="nearest")


def slope_angle(field: np.ndarray, at_um, origin: tuple[int, int], pixel_size_um: float):
    """Direction (arctan2(dy, dx)) in which a field rises, at places (n, 2)."""
    return np.arctan2(*(sample(one, at_um, origin, pixel_size_um) for one in np.gradient(field)))


def windows(shape_yx: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """y0, y1, x0, x1 of the blocks of a slide, row by row."""
    height, width = shape_yx
    for y in range(0, height, BLOCK_PX):
        for x in range(0, width, BLOCK_PX):
            yield y, min(y + BLOCK_PX, height), x, min(x + BLOCK_PX, width)


def list_nuclei(slide: Slide) -> Nuclei:
    """All nuclei of a slide, numbered from 1."""
    parts = [slide.find_nuclei(*window) for window in windows(slide.shape_yx)]
    found = Nuclei(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Nuclei)))
    found.label[:] = np.arange(1, len(found.label) + 1)
    return found


def draw_blocks(slide: Slide, nuclei: Nuclei) -> Iterator[Block]:
    """The slide, block by block."""
    for y0, y1, x0, x1 in windows(slide.shape_yx):
        near = (y0 - MARGIN_PX, y1 + MARGIN_PX, x0 - MARGIN_PX, x1 + MARGIN_PX)
        yield slide.draw(y0, y1, x0, x1, nuclei.within(*near))


def draw_ellipses(
    shape_yx: tuple[int, int],
    origin: tuple[int, int],
    nuclei: Nuclei,
    grow: float | np.ndarray = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Index + 1 of the nucleus of each pixel (0: none), and rho: 0 in its centre, 1 on its outline, 2 outside.

    Where two overlap, a pixel goes to the one that it lies deeper in.
    """
    owner, rho = np.zeros(shape_yx, np.int32), np.full(shape_yx, 2.0, np.float32)
    long, short = nuclei.long * grow, nuclei.short * grow
    centre = np.stack([nuclei.y - origin[0], nuclei.x - origin[1]], axis=1)
    low = np.clip(np.floor(centre - 1.15 * long[:, None]), 0, shape_yx).astype(int)
    high = np.clip(np.ceil(centre + 1.15 * long[:, None]) + 1, 0, shape_yx).astype(int)
    turn = np.exp(-1j * nuclei.angle)
    wave = 0.12 * nuclei.value[:, 0] * np.exp(2j * np.pi * nuclei.value[:, 1])
    for i in np.flatnonzero((low < high).all(axis=1)):
        window = slice(low[i, 0], high[i, 0]), slice(low[i, 1], high[i, 1])
        dy = np.arange(low[i, 0], high[i, 0]) - centre[i, 0]
        dx = np.arange(low[i, 1], high[i, 1]) - centre[i, 1]
        z = (dx + 1j * dy[:, None]) * turn[i]
        z = z.real / long[i] + 1j * (z.imag / short[i])
        size = np.abs(z)
        waviness = (wave[i] * z**3).real / np.maximum(size, 0.3) ** 3
        own = (size * (1 + waviness)).astype(np.float32)
        mine = (own < 1) & (own < rho[window])
        owner[window][mine], rho[window][mine] = i + 1, own[mine]
    return owner, rho


def per_pixel(owner: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A value of each nucleus -> float32 in its pixels, 0 elsewhere."""
    return np.append(0, values).astype(np.float32)[owner]
