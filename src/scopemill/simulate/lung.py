"""Simulate a slide of lung in immunofluorescence: settings and a seed -> blocks (CYX) with classes and nuclei.

Thin alveolar walls around air, some of them open; airways with their epithelium, vessels full of blood, the pleura;
macrophages that lie free in the air. Channels: DNA, an epithelial marker, a macrophage marker.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .fields import find_borders, noise, scatter_points, smooth_max
from .slides import Block, Nuclei, Places, Slide, draw_ellipses, sample, slope_angle
from .tubes import Tubes, measure_depth

KINDS = ("wall", "epithelial", "alveolar_type_2", "interstitial_macrophage", "macrophage")
WALL, EPITHELIAL, TYPE_2, INTERSTITIAL, MACROPHAGE = range(len(KINDS))
HALF_AXES_UM = np.array([[4.4, 1.9], [4.0, 2.4], [3.3, 3.0], [3.4, 2.6], [3.6, 3.3]])
BACKGROUND, AIR_SPACE, TISSUE = range(3)
LATTICE_UM, PER_CELL = 12.0, 7  # places that nuclei are drawn from
FREE_UM = 10.0  # a macrophage in the air keeps this distance from walls
EPITHELIUM_UM, MUSCLE_UM, VESSEL_WALL_UM = 13.0, 12.0, 9.0
CAMERA_PX = 1000  # the scanner's camera: light falls off in its corners


@dataclass(frozen=True)
class Lung:
    """What the slide shows and how it is imaged; light is in photons a pixel."""

    shape_yx: tuple[int, int] = (2048, 2048)
    pixel_size_um: float = 0.65
    seed: int = 0
    alveolus_um: float = 48.0
    wall_um: float = 6.0
    open_walls: float = 0.3  # share of the walls that are missing, so that alveoli join to ducts
    thickening: float = 0.3  # how much thicker walls are in places, as after inflammation
    airways_per_mm2: float = 1.2
    macrophages_per_mm2: float = 110.0  # of air
    dna_photons: float = 90.0
    epithelium_photons: float = 60.0
    macrophage_photons: float = 90.0
    autofluorescence: tuple[float, float, float] = (5.0, 16.0, 11.0)
    glow: tuple[float, float, float] = (1.5, 3.0, 2.5)  # of what fills the air
    dark: float = 4.0
    fall_off: float = 0.12  # share of light lost in the corners of the camera
    debris_per_mm2: float = 2.0


class Anatomy(NamedTuple):
    """Depths in um (h, w), above 0 inside: the section, tissue, an airway's wall, a vessel."""

    section: np.ndarray
    tissue: np.ndarray
    airway: np.ndarray
    vessel: np.ndarray


class LungSlide(Slide):
    """A slide that can be looked at in windows; see slides.Slide."""

    channel_names = ("DNA", "epithelium", "macrophage")
    class_names = ("background", "air_space", "tissue")
    kinds = KINDS
    half_axes_um = HALF_AXES_UM
    gap_um = 0.4
    rgb = False

    def __init__(self, settings: Lung):
        super().__init__(settings.shape_yx, settings.pixel_size_um)
        self.settings = settings
        rng = np.random.default_rng([settings.seed, 1])
        size = np.array(settings.shape_yx) * settings.pixel_size_um
        self.middle, self.radii = (
            size * rng.uniform(0.42, 0.58, 2),
            size * rng.uniform(0.42, 0.54, 2),
        )
        n = max(1, rng.poisson(settings.airways_per_mm2 * size.prod() / 1e6))
        self.airways = Tubes.scatter(n, self.middle, 0.85 * self.radii, (35.0, 95.0), rng)
        self.vessels = self.airways.beside((22.0, 60.0), 0.9 * EPITHELIUM_UM + MUSCLE_UM, rng)

    def look(self, y: np.ndarray, x: np.ndarray) -> Anatomy:
        """Anatomy at these coordinates (um), len(y) by len(x)."""
        seed = self.settings.seed
        rough = 50 * noise(y, x, 330, seed + 2) + 12 * noise(y, x, 60, seed + 3)
        dy, dx = ((one - m) / r for one, m, r in zip((y, x), self.middle, self.radii, strict=True))
        round_ = (np.abs(dy[:, None]) ** 2.6 + np.abs(dx) ** 2.6) ** (1 / 2.6)
        section = (1 - round_) * self.radii.min() + rough
        airway = measure_depth(y, x, self.airways)  # below 0 in the lumen
        vessel = VESSEL_WALL_UM - measure_depth(y, x, self.vessels)
        tissue = np.maximum(
            self._alveoli(y, x), np.minimum(airway, EPITHELIUM_UM + MUSCLE_UM - airway)
        )
        tissue = np.maximum(np.minimum(tissue, airway), np.maximum(vessel, 5 - section))
        return Anatomy(section, np.minimum(tissue, section), airway, vessel)

    def _alveoli(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Depth in the walls of alveoli."""
        own, seed = self.settings, self.settings.seed
        bend = 0.17 * own.alveolus_um
        at = np.stack(np.meshgrid(y, x, indexing="ij"))
        at[0] += bend * noise(y, x, 0.6 * own.alveolus_um, seed + 4)
        at[1] += bend * noise(y, x, 0.6 * own.alveolus_um, seed + 5)
        reach = 4 * own.alveolus_um
        seeds = scatter_points((y[0] - reach, x[0] - reach), (y[-1] + reach, x[-1] + reach), own.alveolus_um, 1, 0, seed + 6)  # fmt: skip
        depth, drawn, _ = find_borders(*at, seeds, 5, seed + 7)
        local = np.exp(own.thickening * np.maximum(0, 1.3 * noise(y, x, 260, seed + 8)))
        width = own.wall_um * (0.75 + 0.5 * drawn) * local[..., None] ** 2
        width = np.where(drawn < own.open_walls, -60.0, width)
        return smooth_max(width / 2 - depth, 0.45) - 0.6 + 0.6 * noise(y, x, 9, seed + 9)

    def settle(self, window_um, anatomy: Anatomy, origin: tuple[int, int]) -> Places:
        """Places of nuclei in a window; `anatomy` begins at pixel `origin`."""
        places = scatter_points(*window_um, LATTICE_UM, PER_CELL, 8, self.settings.seed + 20)
        at, value = places.place, places.value
        where = at, origin, self.pixel_size_um
        section, tissue, airway, vessel = (sample(one, *where) for one in anatomy)
        p, q = value[:, 2], value[:, 3]
        epithelium = (airway > 3) & (airway < EPITHELIUM_UM - 2)
        blood = vessel > VESSEL_WALL_UM
        alveolar = (airway > EPITHELIUM_UM + MUSCLE_UM) & (vessel < 0)
        kind = np.select([(q < 0.16) & alveolar, q > 0.96], [TYPE_2, INTERSTITIAL], WALL)
        kind = np.where(epithelium, EPITHELIAL, np.where(blood, INTERSTITIAL, kind))
        share = np.where(epithelium, 1.0, np.where(blood, 0.02, np.where(airway < 40, 0.3, 0.4)))
        kind = np.where((tissue > 0.8) & (p < share), kind, -1)
        wanted = self.settings.macrophages_per_mm2 * 1e-6 * LATTICE_UM**2 / PER_CELL
        free = (tissue < -FREE_UM) & (section > 2 * FREE_UM) & (p < wanted)
        kind = np.where(free, MACROPHAGE, kind)
        along = slope_angle(anatomy.tissue, *where) + np.pi / 2
        angle = np.where(kind == EPITHELIAL, slope_angle(anatomy.airway, *where), along)
        return Places(at, value, kind, angle + 0.5 * (value[:, 4] - 0.5), value[:, 6])

    def draw(self, y0: int, y1: int, x0: int, x1: int, nuclei: Nuclei) -> Block:
        """A window (pixels); `nuclei` holds those up to MARGIN_PX around it."""
        from .lung_light import photograph

        anatomy, origin, inner = self.enlarge_around(y0, y1, x0, x1)
        size = anatomy.section.shape
        owner, rho = draw_ellipses(size, origin, nuclei)
        bodies = nuclei.take(np.isin(nuclei.kind, (TYPE_2, INTERSTITIAL, MACROPHAGE)))
        body, depth = draw_ellipses(size, origin, bodies, body_scale(bodies))
        classes = np.where(
            anatomy.section < 0, BACKGROUND, np.where(anatomy.tissue > 0, TISSUE, AIR_SPACE)
        )
        for drawn, cells in ((owner, nuclei), (body, bodies)):  # cells of a wall bulge out of it
            walled = np.append(False, cells.kind != MACROPHAGE)[drawn]
            classes[walled & (anatomy.section > 0)] = TISSUE
        pixels = photograph(
            self, anatomy, (owner, rho, nuclei), (body, depth, bodies), origin, inner
        )
        labels = np.append(0, nuclei.label).astype(np.uint32)[owner[inner]]
        return Block(y0, x0, pixels, classes[inner].astype(np.uint8), labels)


def body_scale(nuclei: Nuclei) -> np.ndarray:
    """How much wider than its nucleus each cell is."""
    return np.where(nuclei.kind == MACROPHAGE, 1.9, 1.6) + 0.3 * nuclei.value[:, 5]
