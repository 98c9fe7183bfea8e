"""Light through a stained section: anatomy and nuclei -> RGB, by Beer and Lambert's law."""

from typing import TYPE_CHECKING

import numpy as np

from .fields import noise
from .slides import Nuclei, per_pixel

if TYPE_CHECKING:
    from .histology import Anatomy, HistologySlide

INKS = ((0.9, 0.25, 0.55), (0.85, 0.75, 0.12), (0.12, 0.8, 0.7))  # green, blue and red pens


def photograph(
    slide: "HistologySlide", anatomy: "Anatomy", nuclei: tuple[np.ndarray, np.ndarray, Nuclei],
    origin: tuple[int, int], inner: tuple[slice, slice],
) -> np.ndarray:  # fmt: skip
    """RGB (Y, X, 3) uint8 of the inner window."""
    from scipy.ndimage import gaussian_filter

    own, um = slide.settings, slide.pixel_size_um
    y, x = (np.arange(o, o + n) for o, n in zip(origin, anatomy.band.shape, strict=True))
    amounts = stain(slide, anatomy, nuclei, y, x)
    density = np.einsum(
        "kyx,kc->cyx", amounts, (slide.vectors * slide.amounts[:, None]).astype(np.float32)
    )
    if own.fold:
        density *= 1 + 1.1 * np.exp(-((line(slide, y * um, x * um, 0.2, 60) / 22) ** 4))
    if own.pen:
        ink = np.exp(-((line(slide, y * um, x * um, 0.42, 150) / 70) ** 6)) * np.exp(
            0.15 * noise(y, x, 90, own.seed + 70)
        )
        density += np.array(INKS[own.seed % len(INKS)], np.float32)[:, None, None] * ink
    rng = np.random.default_rng([own.seed, 3, *(int(one) + 10**6 for one in origin)])
    planes = []
    for level, plane in zip(own.white, density, strict=True):
        light = gaussian_filter(np.exp(-np.log(10) * plane), 0.7)[inner] * level
        light += own.noise * rng.standard_normal(light.shape, np.float32)
        planes.append(np.rint(light).clip(0, 255).astype(np.uint8))
    return np.stack(planes, axis=-1)


def stain(slide, anatomy: "Anatomy", nuclei, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Amounts (3, Y, X) of the stains of nuclei, cytoplasm and collagen; about 1 where each is strong."""
    seed, um = slide.settings.seed, slide.pixel_size_um
    fine, grainy, patchy = (
        noise(y, x, period / um, seed + 50 + i) for i, period in enumerate((1.4, 4.0, 60.0))
    )
    solid = np.clip(anatomy.section / 2, 0, 1) * np.clip(1 - anatomy.lumen / 1.5, 0, 1)
    rim = 3 + 2 * patchy - np.abs(anatomy.lumen + 3)  # walls of vessels
    band = np.clip(np.maximum(anatomy.band / 3, rim / 2) + 0.5, 0, 1)
    # fibres: sheets that follow the band, parted by clefts
    wave = np.sin(2 * np.pi * anatomy.ripple / 6.5 + 1.2 * grainy) + 0.6 * np.sin(
        2 * np.pi * anatomy.ripple / 2.9 + fine
    )
    cleft = 1 / (1 + np.exp(-8 * (wave + 0.9 + 0.5 * noise(y, x, 30 / um, seed + 55))))
    fibre = (0.25 + 0.75 * cleft) * np.exp(0.16 * wave + 0.12 * patchy)
    gap = np.clip(anatomy.gap + 0.5, 0, 1)
    cytoplasm = np.exp(0.18 * fine + 0.16 * grainy + 0.15 * patchy) * (1 - 0.7 * gap)
    cytoplasm *= 1 + 0.25 * np.exp(-((anatomy.gap + 1.2) ** 2))  # denser at the membrane
    fat = find_fat(slide, y, x)
    owner, rho, cells = nuclei
    inside = np.clip(4 * (1 - rho), 0, 1)
    chromatin = np.exp(0.35 * noise(y, x, 1.8 / um, seed + 56)) * (
        0.75 + 0.35 * rho.clip(0, 1) ** 3
    )
    darkness = np.array([0.72, 1.05, 0.95, 1.25])[cells.kind] * (0.8 + 0.4 * cells.value[:, 7])
    blue = per_pixel(owner, darkness) * inside * chromatin
    basophil = (0.13 * cytoplasm * (1 - band) + 0.03 * fibre * band) * (1 - inside)
    pink = cytoplasm * (1 - band) * (1 - fat) * (1 - 0.6 * inside)
    collagen = fibre * band * (1 - 0.6 * inside)
    return np.stack([(blue + basophil * (1 - fat)), pink, collagen]).astype(np.float32) * solid


def find_fat(slide, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Share (Y, X) of each pixel that a droplet of fat took."""
    from .fields import scatter_points

    own, um = slide.settings, slide.pixel_size_um
    share = np.zeros((len(y), len(x)), np.float32)
    low, high = ((one[0] * um for one in (y, x)), (one[-1] * um for one in (y, x)))
    cells = scatter_points(tuple(low), tuple(high), own.cell_um, 1, 9, own.seed + 16, 0.75)
    chosen = cells.value[:, 8] < own.fat
    for (cy, cx), size in zip(cells.place[chosen], 3 + 6 * cells.value[chosen, 7], strict=True):
        cy, cx = cy + 0.6 * size, cx + 0.6 * size
        here = tuple(
            slice(*np.searchsorted(one * um, (c - size - 2, c + size + 2)))
            for one, c in zip((y, x), (cy, cx), strict=True)
        )
        away = np.hypot(y[here[0], None] * um - cy, x[here[1]] * um - cx)
        share[here] = np.maximum(share[here], np.clip((size - away) / 0.8, 0, 1))
    return share


def line(slide, y: np.ndarray, x: np.ndarray, shift: float, bend: float) -> np.ndarray:
    """Distance (um) to a bent line across the slide, `shift` of its size from the middle."""
    across = np.cos(slide.tilt) * (y - slide.middle[0])[:, None] + np.sin(slide.tilt) * (
        x - slide.middle[1]
    )
    along = (
        np.cos(slide.tilt) * (x - slide.middle[1])
        - np.sin(slide.tilt) * (y - slide.middle[0])[:, None]
    )
    return across - shift * 2 * slide.radii.min() - bend * np.sin(along / (4 * bend))
