"""Light of a slide of lung: anatomy and cells -> what a slide scanner's camera reads of each channel."""

from typing import TYPE_CHECKING

import numpy as np

from .fields import hash_uniform, lattice_keys, noise
from .optics import expose
from .slides import Nuclei, per_pixel

if TYPE_CHECKING:
    from .lung import Anatomy, LungSlide

Drawn = tuple[np.ndarray, np.ndarray, Nuclei]  # owner, rho, cells


def photograph(
    slide: "LungSlide", anatomy: "Anatomy", nuclei: Drawn, bodies: Drawn,
    origin: tuple[int, int], inner: tuple[slice, slice],
) -> np.ndarray:  # fmt: skip
    """Grey values (3, Y, X) uint16 of the inner window."""
    from scipy.ndimage import gaussian_filter

    own = slide.settings
    y, x = (np.arange(o, o + n) for o, n in zip(origin, anatomy.tissue.shape, strict=True))
    shade = fall_off(y[inner[0]], x[inner[1]], own.fall_off)
    rng = np.random.default_rng([own.seed, 3, *(int(one) + 10**6 for one in origin)])
    glows = shine(slide, anatomy, nuclei, bodies, y, x)
    dust = dirt(slide, y, x)
    grey = []
    for light, glow in zip(glows, own.glow, strict=True):
        light += dust + glow * (anatomy.section > 0)
        seen = gaussian_filter(light, 1.0) + 0.12 * gaussian_filter(light, 9.0, truncate=3)
        grey.append(expose((seen[inner] + own.dark) * shade, rng))
    return np.stack(grey)


def shine(slide, anatomy, nuclei: Drawn, bodies: Drawn, y, x) -> list[np.ndarray]:
    """Photons of DNA, epithelium and macrophage, in focus."""
    from .lung import EPITHELIAL, EPITHELIUM_UM, INTERSTITIAL, MACROPHAGE, TYPE_2

    own, seed, um = slide.settings, slide.settings.seed, slide.pixel_size_um
    grain = [noise(y, x, period / um, seed + 40 + i) for i, period in enumerate((1.6, 5.0, 40.0))]
    tissue = np.clip(anatomy.tissue / 1.5 + 0.5, 0, 1)
    matrix = tissue * np.exp(0.3 * grain[0] + 0.3 * grain[1] + 0.2 * grain[2])
    blood = np.clip(anatomy.vessel - 9, 0, 2) / 2 * np.exp(0.5 * noise(y, x, 3.2 / um, seed + 44))
    fibres = np.exp(-((noise(y, x, 14 / um, seed + 45) / 0.13) ** 2)) * tissue  # elastin
    own_light = matrix + 0.8 * blood + 1.1 * fibres
    dna_light, epithelium, macrophage = (level * own_light for level in own.autofluorescence)
    owner, rho, cells = nuclei
    spread = np.exp(0.35 * (cells.value[:, 7] * 2 - 1) + 0.2 * (cells.value[:, 4] - 0.5))
    dome = np.sqrt(1 - 0.7 * rho.clip(0, 1) ** 2)
    dna_light += own.dna_photons * per_pixel(owner, spread) * dome * np.exp(0.25 * grain[0])
    lining = np.clip(anatomy.airway, 0, 1) * np.clip(EPITHELIUM_UM - anatomy.airway, 0, 1)
    apical = np.exp(-np.abs(anatomy.airway - 2) / 3)
    in_nucleus = np.append(0, cells.kind == EPITHELIAL)[owner]
    epithelium += own.epithelium_photons * lining * (0.35 + 0.6 * apical) * (1 - 0.75 * in_nucleus) * np.exp(0.25 * grain[1])  # fmt: skip
    body, depth, whole = bodies
    strength = np.exp(0.5 * (whole.value[:, 7] * 2 - 1))
    cytoplasm = np.clip(2 * (1 - depth), 0, 1) * np.exp(0.4 * grain[0]) * (1 - 0.6 * (owner > 0))
    for kinds, light, level in (
        ((TYPE_2,), epithelium, 1.4 * own.epithelium_photons),
        ((INTERSTITIAL, MACROPHAGE), macrophage, own.macrophage_photons),
        ((MACROPHAGE,), epithelium, 0.8 * own.autofluorescence[1]),  # their own light
        ((MACROPHAGE,), dna_light, 0.8 * own.autofluorescence[0]),
    ):
        light += level * cytoplasm * per_pixel(body, strength * np.isin(whole.kind, kinds))
    return [dna_light, epithelium, macrophage]


def fall_off(y: np.ndarray, x: np.ndarray, share: float) -> np.ndarray:
    """Illumination of the scanner's camera, field by field: 1 in the middle, less in the corners."""
    from .lung import CAMERA_PX

    y, x = ((one % CAMERA_PX) / CAMERA_PX * 2 - 1 for one in (y, x))
    return (1 - share * (y[:, None] ** 2 + x**2) / 2).astype(np.float32)


def dirt(slide: "LungSlide", y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Photons of lint and dust, in every channel alike: at most one piece a square of 400 um."""
    own, um, every = slide.settings, slide.pixel_size_um, 400.0
    light = np.zeros((len(y), len(x)), np.float32)
    rows, columns = (
        np.arange(np.floor(one[0] * um / every) - 1, np.floor(one[-1] * um / every) + 2)
        for one in (y, x)
    )
    keys = lattice_keys(rows, columns)
    u = [hash_uniform(keys, own.seed + 60 + i) for i in range(6)]
    for i, j in np.argwhere(u[0] < own.debris_per_mm2 * (every / 1e3) ** 2):
        long, thick = 4 + 50 * u[5][i, j] ** 3, 1.5 + 6 * u[4][i, j] ** 2
        centre = (rows[i] + u[1][i, j]) * every, (columns[j] + u[2][i, j]) * every
        reach = 2 * long + 4 * thick
        here = tuple(
            slice(*np.searchsorted(one * um, (c - reach, c + reach)))
            for one, c in zip((y, x), centre, strict=True)
        )
        dy, dx = y[here[0], None] * um - centre[0], x[here[1]] * um - centre[1]
        turn = np.pi * u[3][i, j]
        along, across = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
        bent = across - 0.2 * thick * np.sin(along / 15 + 6 * u[4][i, j])
        light[here] += 120 * np.exp(-((along / long) ** 4) - (bent / thick) ** 2).astype(np.float32)
    return light
