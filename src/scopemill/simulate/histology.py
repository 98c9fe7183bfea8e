"""Simulate a stained section in bright field: settings and a seed -> blocks (YX, RGB) with classes and nuclei.

Sheets of large cells with round nuclei, parted by bands of collagen (scarring, as in cirrhosis): wavy fibres, clefts,
few spindle-shaped nuclei, lymphocytes at the border, vessels. White around it; pen marks and a fold where asked for.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .fields import find_borders, noise, scatter_points, smooth_max
from .slides import Block, Nuclei, Places, Slide, draw_ellipses, sample, slope_angle

KINDS = ("parenchymal", "sinusoidal", "fibroblast", "lymphocyte")
PARENCHYMAL, SINUSOIDAL, FIBROBLAST, LYMPHOCYTE = range(len(KINDS))
HALF_AXES_UM = np.array([[3.7, 3.5], [4.2, 1.5], [5.6, 1.3], [2.5, 2.3]])
BACKGROUND, TISSUE, FIBROSIS = range(3)
LATTICE_UM, PER_CELL = 12.0, 5  # places that nuclei of bands are drawn from
STAINS = {  # optical density in red, green, blue of nuclei, cytoplasm and collagen
    "h-e": ((0.58, 0.72, 0.38), (0.15, 0.86, 0.47), (0.10, 0.88, 0.44)),
    "masson": ((0.60, 0.68, 0.42), (0.12, 0.86, 0.50), (0.83, 0.50, 0.22)),
    "sirius-red": ((0.45, 0.60, 0.66), (0.14, 0.36, 0.92), (0.06, 0.88, 0.46)),
}


@dataclass(frozen=True)
class Histology:
    """What the slide shows and how it is stained; amounts of stain are optical densities."""

    shape_yx: tuple[int, int] = (2048, 2048)
    pixel_size_um: float = 0.5
    seed: int = 0
    stain: str = "h-e"
    turn: float = 0.04  # how far stains stray from their colour, from slide to slide
    scarring: float = 0.5  # 0: healthy, thin bands; 1: broad bands all around nodules
    nodule_um: float = 520.0
    cell_um: float = 20.0
    fat: float = 0.03  # share of the cells with a droplet of fat, which washes out white
    amounts: tuple[float, float, float] = (0.95, 0.36, 0.40)  # nuclei, cytoplasm, collagen
    white: tuple[float, float, float] = (243.0, 242.0, 244.0)
    pen: bool = False
    fold: bool = False
    noise: float = 2.0  # grey values

    def __post_init__(self):
        if self.stain not in STAINS:
            raise ValueError(f"stain {self.stain!r}: choose from {list(STAINS)}")


class Anatomy(NamedTuple):
    """Depths in um (h, w), above 0 inside: the section, a band of collagen, a lumen, a gap between cells."""

    section: np.ndarray
    band: np.ndarray
    lumen: np.ndarray
    gap: np.ndarray
    ripple: np.ndarray  # waviness of the fibres, along the band


class HistologySlide(Slide):
    """A slide that can be looked at in windows; see slides.Slide."""

    channel_names = ("red", "green", "blue")
    class_names = ("background", "tissue", "fibrosis")
    kinds = KINDS
    half_axes_um = HALF_AXES_UM
    gap_um = 0.6
    rgb = True

    def __init__(self, settings: Histology):
        super().__init__(settings.shape_yx, settings.pixel_size_um)
        self.settings = settings
        rng = np.random.default_rng([settings.seed, 1])
        size = np.array(settings.shape_yx) * settings.pixel_size_um
        self.middle, self.radii = size * rng.uniform(0.4, 0.6, 2), size * rng.uniform(0.4, 0.56, 2)
        vectors = np.array(STAINS[settings.stain]) + settings.turn * rng.standard_normal((3, 3))
        self.vectors = vectors.clip(0.02) / np.linalg.norm(
            vectors.clip(0.02), axis=1, keepdims=True
        )
        self.amounts = np.array(settings.amounts) * rng.uniform(0.8, 1.2, 3)
        self.tilt = rng.uniform(0, np.pi)  # of the fold and the pen

    def look(self, y: np.ndarray, x: np.ndarray) -> Anatomy:
        """Anatomy at these coordinates (um), len(y) by len(x)."""
        own, seed = self.settings, self.settings.seed
        dy, dx = ((one - m) / r for one, m, r in zip((y, x), self.middle, self.radii, strict=True))
        round_ = (np.abs(dy[:, None]) ** 3 + np.abs(dx) ** 3) ** (1 / 3)
        rough = (
            70 * noise(y, x, 420, seed + 2)
            + 14 * noise(y, x, 70, seed + 3)
            + 4 * noise(y, x, 12, seed + 4)
        )
        section = (1 - round_) * self.radii.min() + rough
        at = np.stack(np.meshgrid(y, x, indexing="ij"))
        bent = at + [
            60 * noise(y, x, 300, seed + 5 + i) + 12 * noise(y, x, 70, seed + 7 + i) for i in (0, 1)
        ]
        depth, drawn = self._borders(bent, own.nodule_um, 4, 10)
        # broad where scarring is strong; some borders have no band at all
        width = (25 + 130 * own.scarring * drawn) * np.exp(0.35 * noise(y, x, 200, seed + 12))[
            ..., None
        ]
        width = np.where(drawn > 1.15 * own.scarring + 0.25, -200.0, width)
        band = (
            smooth_max(width / 2 - depth, 0.06)
            + 4 * noise(y, x, 30, seed + 13)
            + 2 * noise(y, x, 9, seed + 14)
        )
        lumen = self._lumens(bent, band) + 3 * noise(y, x, 22, seed + 17)
        crooked = at + [
            1.6 * noise(y, x, 11, seed + i) + 0.8 * noise(y, x, 5, seed + i + 2) for i in (20, 22)
        ]
        cells, which = self._borders(crooked, own.cell_um, 3, 16, 0.75)
        gap = smooth_max(np.where(which < 0.5, 0.8 + 4.4 * which, -20.0) / 2 - cells, 1.5)
        ripple = depth[..., 0] + 7 * noise(y, x, 45, seed + 18) + 2.5 * noise(y, x, 14, seed + 19)
        return Anatomy(section, band, lumen, gap, ripple)

    def _borders(self, at, spacing: float, n: int, seed: int, jitter: float = 1.0):
        """Distances to the borders of Voronoi cells, and what is drawn for each."""
        low, high = at.min(axis=(1, 2)) - 4 * spacing, at.max(axis=(1, 2)) + 4 * spacing
        seeds = scatter_points(
            tuple(low), tuple(high), spacing, 1, 0, self.settings.seed + seed, jitter
        )
        return find_borders(*at, seeds, n, self.settings.seed + seed + 1)[:2]

    def _lumens(self, at: np.ndarray, band: np.ndarray) -> np.ndarray:
        """Depth in the nearest vessel: they lie in broad bands, and here and there between cells."""
        from scipy.spatial import cKDTree

        low, high = at.min(axis=(1, 2)) - 300, at.max(axis=(1, 2)) + 300
        places = scatter_points(tuple(low), tuple(high), 150.0, 1, 2, self.settings.seed + 30, 0.6)
        distance, i = cKDTree(places.place).query(at.reshape(2, -1).T)
        radius = 6 + 26 * places.value[i, 0] ** 2
        depth = np.where(places.value[i, 1] < 0.5, radius, -50.0) - distance
        return depth.reshape(band.shape)

    def settle(self, window_um, anatomy: Anatomy, origin: tuple[int, int]) -> Places:
        """Places of nuclei in a window: one in the middle of each cell, others anywhere."""
        own = self.settings
        cells = scatter_points(*window_um, own.cell_um, 1, 8, own.seed + 16, 0.75)
        others = scatter_points(*window_um, LATTICE_UM, PER_CELL, 8, own.seed + 40)
        at = np.concatenate([cells.place, others.place])
        value = np.concatenate([cells.value, others.value])
        in_cell = np.arange(len(at)) < len(cells.place)
        where = at, origin, self.pixel_size_um
        section, band, lumen, gap, _ = (sample(one, *where) for one in anatomy)
        in_band = (band > 2) & ~in_cell
        gathering = gather_at(at, own.seed + 35) > 0.6
        crowded = np.clip(1.2 - np.abs(band - 8) / 14, 0, 1) * gathering
        kind = np.where(in_cell, PARENCHYMAL, np.where(in_band, FIBROBLAST, SINUSOIDAL))
        kind = np.where(in_band & (value[:, 3] < crowded), LYMPHOCYTE, kind)
        share = np.select(
            [kind == PARENCHYMAL, kind == SINUSOIDAL, kind == LYMPHOCYTE],
            [0.85 * (band < -4), 0.4 * ((gap > -0.5) & (band < -3)), 1.0], 0.06,
        )  # fmt: skip
        there = (value[:, 2] < share) & (section > 2) & (lumen < -3)
        along, beside = (slope_angle(one, *where) for one in (anatomy.ripple, anatomy.gap))
        angle = np.where(kind == FIBROBLAST, along, beside) + np.pi / 2
        angle += 0.5 * (value[:, 4] - 0.5)
        kind = np.where(there, kind, -1)
        return Places(at, value, kind, angle, value[:, 6] + (kind == PARENCHYMAL))

    def draw(self, y0: int, y1: int, x0: int, x1: int, nuclei: Nuclei) -> Block:
        """A window (pixels); `nuclei` holds those up to MARGIN_PX around it."""
        from .histology_light import photograph

        anatomy, origin, inner = self.enlarge_around(y0, y1, x0, x1)
        owner, rho = draw_ellipses(anatomy.section.shape, origin, nuclei)
        classes = np.where(anatomy.band > 0, FIBROSIS, TISSUE)
        classes[(anatomy.section < 0) | (anatomy.lumen > 0)] = BACKGROUND
        pixels = photograph(self, anatomy, (owner, rho, nuclei), origin, inner)
        labels = np.append(0, nuclei.label).astype(np.uint32)[owner[inner]]
        return Block(y0, x0, pixels, classes[inner].astype(np.uint8), labels)


def gather_at(at_um: np.ndarray, seed: int) -> np.ndarray:
    """Where lymphocytes gather: noise at places (n, 2)."""
    from scipy.ndimage import map_coordinates

    every = 8.0
    low, high = at_um.min(axis=0) // every, at_um.max(axis=0) // every + 2
    y, x = (np.arange(a, b) * every for a, b in zip(low, high, strict=True))
    field = noise(y, x, 120, seed)
    return map_coordinates(field, at_um.T / every - low[:, None], order=1, mode="nearest")
