"""Simulate crowded nuclei: settings and rng -> one fluorescence image (YX) and its labels (YX).

What makes real images hard is in it: nuclei that touch, of unlike brightness and grain, light from above and below
the focus, light that falls unevenly, and few photons.
"""

from dataclasses import dataclass

import numpy as np

from .optics import Outlines, expose, scatter, texture, wavy


@dataclass(frozen=True)
class Crowd:
    """What lies in the field and how it is imaged; light is in photons a pixel."""

    shape_yx: tuple[int, int] = (256, 256)
    n_nuclei: int = 60
    radius_px: float = 10.0
    radius_spread: float = 0.18  # relative, from nucleus to nucleus
    elongation: float = 0.16  # first wave of the outline: 0.16 makes axes of about 1.4 to 1
    roughness: float = 0.05
    touching: float = 0.6  # share of nuclei that lean on another
    photons: float = 45.0
    brightness_spread: float = 0.45  # lognormal sigma, from nucleus to nucleus
    grain: float = 0.25  # contrast of the chromatin
    out_of_focus: float = 0.5  # light of the nuclei above and below, as a share
    haze: float = 0.4  # light of the nuclei themselves that is scattered widely
    gradient: float = 0.6  # how much brighter one side is lit than the other
    background_photons: float = 8.0
    psf_sigma_px: float = 1.2


def simulate_crowd(settings: Crowd, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Image (Y, X) uint16 and labels (Y, X) uint32, numbered from 1 without gaps.

    Raises ValueError when the nuclei do not fit.
    """
    from scipy.ndimage import gaussian_filter

    light, labels = shine(settings, settings.n_nuclei, settings.touching, rng)
    others, _ = shine(settings, settings.n_nuclei // 3, 0.2, rng)
    seen = gaussian_filter(light, settings.psf_sigma_px)
    seen += settings.out_of_focus * gaussian_filter(others, 0.6 * settings.radius_px)
    seen += settings.haze * gaussian_filter(light, 3 * settings.radius_px)
    seen = (seen + settings.background_photons) * fall(settings, rng)
    return expose(seen, rng), number(labels)


def shine(
    settings: Crowd, n: int, touching: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Light (Y, X) of nuclei in focus, and their labels."""
    spread = settings.radius_spread * rng.standard_normal(n).clip(-2, 2)
    radius = settings.radius_px * np.exp(spread)
    centre = scatter(settings.shape_yx, radius, 1.0, touching, rng)
    labels, rho = elongate(wavy(centre, radius, settings.roughness, rng), settings, rng).draw(
        settings.shape_yx
    )
    level = settings.photons * rng.lognormal(0, settings.brightness_spread, n)
    dome = np.sqrt(1 - 0.7 * rho.clip(0, 1) ** 2)  # thinner towards its outline
    chromatin = texture((1, *settings.shape_yx), (0, 1.5, 1.5), settings.grain, rng)[0]
    return np.append(0, level).astype(np.float32)[labels] * dome * chromatin, labels


def elongate(outlines: Outlines, settings: Crowd, rng: np.random.Generator) -> Outlines:
    """Round outlines -> oval ones, each in a direction of its own."""
    n = len(outlines.radius_px)
    oval = settings.elongation * rng.uniform(0, 1, n) * np.exp(2j * np.pi * rng.uniform(0, 1, n))
    waves = outlines.waves.astype(complex)
    waves[:, 0] += oval
    return outlines._replace(waves=waves)


def fall(settings: Crowd, rng: np.random.Generator) -> np.ndarray:
    """How light falls (Y, X): brighter on one side, dimmer in the corners; about 1 in the mean."""
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in settings.shape_yx)
    angle = rng.uniform(0, 2 * np.pi)
    tilt = np.sin(angle) * y[:, None] + np.cos(angle) * x
    return np.exp(0.5 * settings.gradient * tilt) * (1 - 0.15 * (y[:, None] ** 2 + x**2))


def number(labels: np.ndarray) -> np.ndarray:
    """Labels 1, 2, ...: a nucleus that others hide leaves no gap."""
    found, numbers = np.unique(labels, return_inverse=True)
    start = 0 if found[0] == 0 else 1
    return (numbers.reshape(labels.shape) + start).astype(np.uint32)
