"""Augmentation: an example -> a crop at another place, scale and angle, with other light; seeded throughout.

Geometry moves pixels and truth alike; light changes pixels only, which are scaled to about 0..1 before.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .settings import Augmentation


def warp(
    pixels: np.ndarray, truth: np.ndarray, size: int, zoom: float, own: Augmentation, rng
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (C, Z, Y, X), truth (Z, Y, X) -> a crop (C, Z, size, size), (Z, size, size) around their middle.

    Mirrored where it reaches beyond what is given. Pixels are interpolated, truth takes the nearest.
    """
    angle = rng.uniform(0, 2 * math.pi) if own.rotate else 0.0
    stretch = math.exp(rng.uniform(-1, 1) * math.log1p(own.stretch))
    mirror = rng.choice([-1.0, 1.0], size=2) if own.flip else np.ones(2)
    height, width = truth.shape[-2:]
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    # from the crop's coordinates (-1..1, x before y) to those of the window
    steps = np.array([stretch * mirror[0], mirror[1] / stretch]) * size / zoom
    matrix = (turn * steps) / np.array([[width], [height]])
    theta = torch.tensor(np.hstack([matrix, np.zeros((2, 1))])[None], dtype=torch.float32)
    grid = functional.affine_grid(theta, (1, 1, size, size), align_corners=False)
    image = torch.from_numpy(pixels.reshape(1, -1, height, width).astype(np.float32))
    if zoom < 0.8:  # what is finer than a pixel of the crop would alias
        image = blur(image, 0.4 / zoom)
    mode = {"padding_mode": "reflection", "align_corners": False}
    image = functional.grid_sample(image, grid, mode="bilinear", **mode)
    ids = torch.from_numpy(truth.reshape(1, -1, height, width).astype(np.float32))
    ids = functional.grid_sample(ids, grid, mode="nearest", **mode)
    shape = (*pixels.shape[:2], size, size)
    return image.numpy().reshape(shape), ids.numpy().reshape(shape[1:]).astype(np.int32)


def blur(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur (..., Y, X) in the plane; the border is mirrored."""
    from scipy import ndimage

    widths = [0.0] * (image.ndim - 2) + [sigma, sigma]
    return torch.from_numpy(
        ndimage.gaussian_filter(image.numpy(), widths, mode="mirror", truncate=3)
    )


def blur_coarsely(image: Tensor, sigma: float) -> Tensor:
    """A wide blur, made at a quarter of the size."""
    small = blur(functional.avg_pool2d(image, 4), max(0.5, sigma / 4))
    return functional.interpolate(small, image.shape[-2:], mode="bilinear", align_corners=False)


def relight(pixels: np.ndarray, truth: np.ndarray, own: Augmentation, rng) -> np.ndarray:
    """Change the light of a crop (C, Z, Y, X) float32 of about 0..1."""
    image = torch.from_numpy(pixels)
    if rng.random() < own.uneven:
        image = image * uneven_light(image, truth, rng)
    if rng.random() < own.haze:
        share, width = rng.uniform(0.1, 0.7), rng.uniform(4, 24)
        image = (1 - share * rng.random()) * image + share * blur_coarsely(image, width)
    if own.blur_px and rng.random() < 0.5:
        image = blur(image, max(0.3, rng.uniform(0, own.blur_px)))
    if own.intensity:
        gamma = math.exp(rng.normal(0, 0.4 * own.intensity))
        image = image.clamp(min=0) ** gamma
        image = image * math.exp(rng.normal(0, 0.5 * own.intensity))
        image = image + rng.uniform(-0.1, 0.15) * own.intensity
        if rng.random() < 0.1 * own.intensity:
            image = image.clamp(max=rng.uniform(0.5, 1))  # saturated
    if own.colour:
        gammas = np.exp(rng.normal(0, 0.3 * own.colour, (len(image), 1, 1, 1))).astype(np.float32)
        image = image.clamp(min=0) ** torch.from_numpy(gammas)
    if own.noise:
        grain = rng.uniform(0, own.noise) ** 2 / max(own.noise, 1e-6)  # little is more frequent
        variance = grain**2 * (0.3 + 0.7 * image.clamp(min=0))
        image = (
            image + torch.from_numpy(rng.standard_normal(image.shape, np.float32)) * variance.sqrt()
        )
    return image.numpy()


def uneven_light(image: Tensor, truth: np.ndarray, rng) -> Tensor:
    """A factor for each pixel: a gradient across the crop, and each object's own brightness."""
    size = image.shape[-2:]
    coarse = torch.from_numpy(rng.uniform(-0.5, 0.5, (1, 1, 3, 3)).astype(np.float32))
    field = functional.interpolate(coarse, size, mode="bilinear", align_corners=True)[0]
    factors = np.exp(rng.normal(0, 0.4, truth.max() + 1)).astype(np.float32)
    factors[0] = 1
    objects = torch.from_numpy(factors[truth])[None]
    return torch.exp(field) * blur(objects, 1.0)


def crowd(
    pixels: np.ndarray, truth: np.ndarray, more: tuple[np.ndarray, np.ndarray], rng
) -> tuple[np.ndarray, np.ndarray]:
    """Lay some of another crop's objects over a crop, as if they lay in front of it."""
    other, ids = more
    chosen = np.flatnonzero(rng.random(ids.max() + 1) < rng.uniform(0.3, 1.0))
    mask = np.isin(ids, chosen[chosen > 0])
    soft = blur(torch.from_numpy(mask.astype(np.float32))[None], 0.7)[0].numpy()
    through = rng.uniform(0, 0.5)  # of what lies behind
    laid = soft * (other + through * pixels) + (1 - soft) * pixels
    return laid.astype(np.float32), np.where(mask, ids + truth.max(), truth)
