"""Stains: colour picture (Y, X, 3) -> optical density of each stain, by colour deconvolution.

After Ruifrok & Johnston (2001), Anal. Quant. Cytol. Histol. 23, 291-299; stain vectors are estimated after Macenko et al.
(2009), ISBI, 1107-1110. Densities are decadic: 1 lets a tenth of the light through.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

Vector = tuple[float, float, float]

# Absorption of red, green and blue by each stain.
# he, h-dab: the defaults of QuPath (Bankhead et al. 2017), dab after Ruifrok & Johnston.
# masson: Landini's values as in ImageJ and scikit-image; blue is collagen, red is muscle and cytoplasm.
# picrosirius: sirius red as in a QuPath script for such slides (Svidro); nobody published picric acid, so Landini's
# value of another yellow, orange G, stands in for it.
PRESETS: Mapping[str, Mapping[str, Vector]] = {
    "he": {"hematoxylin": (0.65111, 0.70119, 0.29049), "eosin": (0.2159, 0.8012, 0.5581)},
    "h-dab": {"hematoxylin": (0.65111, 0.70119, 0.29049), "dab": (0.26917, 0.56824, 0.77759)},
    "masson": {
        "methyl_blue": (0.799511, 0.591352, 0.105287),
        "ponceau_fuchsin": (0.0999716, 0.737386, 0.668033),
    },
    "picrosirius": {
        "sirius_red": (0.25052, 0.76455, 0.59388),
        "picric_acid": (0.107328, 0.367654, 0.923748),
    },
}
ROLES = {"hematoxylin": "nucleus", "eosin": "cytoplasm"}  # of a channel; others are markers
PALE = 0.15 / np.log(10)  # Macenko's beta: less than this is background
BLACK = 1.0  # all colours absorbed so much: edges, dust and black ink
ENDS = 1.0  # Macenko's alpha: this percentage at either end is noise
FEWEST = 2000  # pixels with stain, to estimate from
APART_DEG = 8.0  # closer vectors are one stain
ASTRAY_DEG = 25.0  # further from what is expected, it is another stain
# empty background, as shares of white light
BRIGHT, COLOURLESS = (
    0.8,
    0.06,
)  # at least so bright, and the three colours differ by at most so much
COMMON = 0.01  # of the pixels, else no background is in sight
PEAK = 0.1  # of the highest peak of the histogram: lower ones are noise
BINS = 256


@dataclass(frozen=True)
class Stains:
    """What an image is stained with: a vector of absorption (red, green, blue) a stain, and the colour of no stain."""

    names: tuple[str, ...]
    vectors: tuple[Vector, ...]
    white: Vector  # grey values of the empty background


def separate(rgb: np.ndarray, stains: Stains) -> np.ndarray:
    """Optical density of each stain (len(names), Y, X), float32, of a window (Y, X, 3).

    What no stain explains is left out in the sense of least squares: two stains give what a third vector at right
    angles to both gives in QuPath and scikit-image. Noise may be below 0.
    """
    vectors = np.array(stains.vectors, np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    unmix = np.linalg.pinv(vectors).T.astype(np.float32)  # (stains, 3)
    density = absorb(rgb, stains.white)
    return np.stack([sum(a * d for a, d in zip(row, density, strict=True)) for row in unmix])


def absorb(rgb: np.ndarray, white: Vector) -> list[np.ndarray]:
    """Optical density (Y, X), float32, of red, green and blue."""
    return [absorb_one(rgb[..., c], white[c]) for c in range(3)]


def absorb_one(plane: np.ndarray, white: float) -> np.ndarray:
    """Optical density of one colour; black is taken for the smallest grey value that is not 0."""
    if plane.dtype.kind == "u" and plane.dtype.itemsize <= 2:
        levels = np.arange(np.iinfo(plane.dtype).max + 1)
        return -np.log10(np.maximum(levels, 1) / white).astype(np.float32)[plane]
    darkest = 1.0 if plane.dtype.kind in "iu" else 1e-6 * white
    return -np.log10(np.maximum(plane, darkest) / white).astype(np.float32)


def angle_deg(a: Sequence[float], b: Sequence[float]) -> float:
    """Angle between two vectors, in degrees."""
    cosine = np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def estimate_vectors(
    rgb: np.ndarray, white: Vector, expected: Mapping[str, Vector]
) -> dict[str, Vector]:
    """Vectors of the two stains `expected` in pixels (N, 3) of tissue, in the same order (Macenko et al. 2009).

    Raises
    ------
    ValueError
        Saying why the pixels do not tell.
    """
    density = np.stack(absorb(rgb, white), axis=-1).reshape(-1, 3).astype(np.float64)
    stained = density[(density > PALE).all(axis=1) & ~(density > BLACK).all(axis=1)]
    if len(stained) < FEWEST:
        raise ValueError(f"only {len(stained)} pixels are stained")
    _, axes = np.linalg.eigh(np.cov(stained.T))
    axes = axes[:, :0:-1]  # (3, 2), the widest first
    axes = axes * np.where(axes.sum(axis=0) < 0, -1, 1)
    angles = np.arctan2(*(stained @ axes).T[::-1])
    ends = [np.array([np.cos(a), np.sin(a)]) for a in np.percentile(angles, [ENDS, 100 - ENDS])]
    found = [np.clip(axes @ end, 0, None) for end in ends]
    if angle_deg(*found) < APART_DEG:
        raise ValueError("all pixels have the hue of one stain")
    return match(found, expected)


def match(found: list[np.ndarray], expected: Mapping[str, Vector]) -> dict[str, Vector]:
    """The vectors found, by name: those nearest to what is expected."""
    targets = [np.array(one) for one in expected.values()]
    best = min(
        permutations(found),
        key=lambda order: sum(angle_deg(a, b) for a, b in zip(order, targets, strict=True)),
    )
    for name, vector, target in zip(expected, best, targets, strict=True):
        if (off := angle_deg(vector, target)) > ASTRAY_DEG:
            raise ValueError(f"what should be {name} is {off:.0f} degrees from it")
    return {
        name: tuple((one / np.linalg.norm(one)).round(5).tolist())
        for name, one in zip(expected, best, strict=True)
    }


def estimate_white(rgb: np.ndarray) -> Vector:
    """Grey values of the empty background in pixels (N, 3): the brightest peak of what has no colour.

    Pictures that are full of tissue show none: then the brightest value that their pixel type (or their camera) has.
    """
    full = full_scale(rgb)
    high, low = rgb.max(axis=1).astype(np.float32), rgb.min(axis=1).astype(np.float32)
    pale = rgb[(high >= BRIGHT * full) & (high - low <= COLOURLESS * full)].astype(np.float32)
    if len(pale) < COMMON * len(rgb):
        return (full, full, full)
    bins = np.minimum(pale.mean(axis=1) / full * BINS, BINS - 1).astype(int)
    counts = np.convolve(np.bincount(bins, minlength=BINS), np.ones(3), "same")
    around = np.lib.stride_tricks.sliding_window_view(np.pad(counts, 2), 5).max(axis=1)
    peak = np.flatnonzero((counts == around) & (counts > PEAK * counts.max()))[-1]
    return tuple(np.median(pale[np.abs(bins - peak) <= 2], axis=0).tolist())


def full_scale(pixels: np.ndarray) -> float:
    """What white light gives: the largest value of the pixel type, or of a camera of 10, 12 or 14 bits."""
    brightest = float(pixels.max(initial=0))
    if pixels.dtype.kind == "f" and brightest <= 1:
        return 1.0
    return next(2.0**n - 1 for n in (8, 10, 12, 14, 16, 32, 64) if brightest <= 2.0**n - 1)
