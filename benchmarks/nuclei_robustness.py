"""DSB2018 validation fields, spoilt in known ways -> accuracy of each segmenter under each condition; a table and JSON.

python benchmarks/nuclei_robustness.py --data ../shared/data/dsb2018_nuclei --model models/nuclei --out robustness.json

The middle of one field of each field group; the truth goes through what moves pixels. Shows where a model breaks, not how it does in
general: the segmenters are those of nuclei.py, tuned on images as they are.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from nuclei import FASTEST, OURS, prepare_methods, read_options, score, show
from peers import median_diameter
from scipy import ndimage
from skimage.transform import resize
from tuning import Field, middle, read_fields

SHOWN = ("F1@0.5", "mean AP")
SIZE_PX = 256  # at most, of each field
COVERED, MAX_OVERLAP, MAX_TRIES = 0.6, 0.1, 4000
FEATHER_PX = 1.0
SMALLEST_PX = 10  # parts of nuclei that a rescaled truth keeps


def main() -> None:
    """Print a line a condition."""
    options = read_options(__doc__)
    options.add_argument("--out", type=Path, help="JSON of all scores")
    options = options.parse_args()
    methods, about = prepare_methods(options.data, options.peer, options.model)
    chosen = [name for name in methods if name in (OURS, FASTEST) or name.startswith("Otsu")]
    fields = list({one.group: one for one in reversed(read_fields(options.data, "val"))}.values())
    fields = [
        one._replace(image=middle(one.image, SIZE_PX), truth=middle(one.truth, SIZE_PX))
        for one in fields
    ]
    print(f"{len(fields)} fields; {', '.join(SHOWN)} with 95 % intervals over fields\n")
    print(f"| condition | {' | '.join(chosen)} |\n|---|{'---|' * len(chosen)}", flush=True)
    table = {}
    for condition, spoilt in make_conditions(fields):
        groups = [one.group for one in spoilt]
        table[condition] = {
            name: score(spoilt, [methods[name].remember(one.image) for one in spoilt], groups)
            for name in chosen
        }
        cells = [", ".join(show(row[one]) for one in SHOWN) for row in table[condition].values()]
        print(f"| {condition} | {' | '.join(cells)} |", flush=True)
    if options.out:
        options.out.write_text(json.dumps({"about": about, "conditions": table}, indent=1) + "\n")


def make_conditions(fields: Sequence[Field]) -> Iterator[tuple[str, list[Field]]]:
    """Each condition's name and fields; the same each time."""
    for factor in (1, 0.25, 0.5, 2, 4):
        name = f"rescaled x{factor}" if factor != 1 else "as they are"
        yield name, [rescale(one, factor) for one in fields]
    lights = {
        "blur, sigma 10 % of the diameter": lambda one, rng: blur(one, 0.1),
        "blur, sigma 20 % of the diameter": lambda one, rng: blur(one, 0.2),
        "haze, contrast 30 %": lambda one, rng: add_haze(one, 0.3),
        "dim, 20 photons at the peak": lambda one, rng: dim(one, 20, rng),
        "bright, 5 % clipped": lambda one, rng: clip(one, 0.05),
        "uneven background": add_slope,
    }
    for name, spoil in lights.items():
        yield name, [relight(one, spoil, i) for i, one in enumerate(fields)]
    crowded = [crowd(one, fields, np.random.default_rng([1, i])) for i, one in enumerate(fields)]
    covered = np.mean([np.mean(one.truth > 0) for one in crowded])
    yield f"crowded, {covered:.0%} covered", crowded


def relight(one: Field, spoil: Callable, seed: int) -> Field:
    """A field with other grey values, rounded to 8 bits as they were."""
    image = spoil(one._replace(image=one.image.astype(float)), np.random.default_rng([0, seed]))
    return one._replace(image=np.clip(np.round(image), 0, 255).astype(np.uint8))


def rescale(one: Field, factor: float) -> Field:
    """Enlarged or made smaller; the truth takes the nearest pixel, and loses crumbs."""
    if factor == 1:
        return one
    size = [round(n * factor) for n in one.image.shape]
    image = resize(one.image.astype(float), size, order=1, anti_aliasing=factor < 1)
    truth = resize(one.truth, size, order=0, preserve_range=True, anti_aliasing=False)
    truth[np.bincount(truth.ravel())[truth] < SMALLEST_PX * min(1, factor)] = 0
    return one._replace(image=np.round(image).astype(np.uint8), truth=truth.astype(np.uint16))


def blur(one: Field, share: float) -> np.ndarray:
    """Out of focus, by a share of the median diameter."""
    return ndimage.gaussian_filter(one.image, share * median_diameter(one.truth))


def add_haze(one: Field, contrast: float) -> np.ndarray:
    """Light of cells above and below: blurred copies of the image and its neighbours, as bright as it."""
    diameter = median_diameter(one.truth)
    step = round(1.5 * diameter)
    places = ((0, 0), (step, 0), (-step, 0), (0, step), (0, -step))
    light = ndimage.gaussian_filter(
        np.mean([np.roll(one.image, place, (0, 1)) for place in places], axis=0), diameter
    )
    light *= np.percentile(one.image, 99) / max(np.percentile(light, 99), 1e-6)
    return contrast * one.image + (1 - contrast) * light


def dim(one: Field, photons: float, rng) -> np.ndarray:
    """So many photons where the image is brightest, and a grey value a photon."""
    darkest, peak = np.percentile(one.image, [0.1, 99.9])
    share = np.clip((one.image - darkest) / max(peak - darkest, 1e-6), 0, None)
    return rng.poisson(photons * share)


def clip(one: Field, share: float) -> np.ndarray:
    """A share of all pixels is white, but no more than half of the nuclei."""
    share = min(share, np.mean(one.truth > 0) / 2)
    return one.image * (255 / max(np.quantile(one.image, 1 - share), 1e-6))


def add_slope(one: Field, rng) -> np.ndarray:
    """Background that rises from one side to the other by as much as a nucleus is bright."""
    inside = one.truth > 0
    height = np.median(one.image[inside]) - np.median(one.image[~inside])
    angle = rng.uniform(0, 2 * np.pi)
    y, x = (np.linspace(-1, 1, n) for n in one.image.shape)
    slope = np.sin(angle) * y[:, None] + np.cos(angle) * x[None]
    slope = (slope - slope.min()) / np.ptp(slope)
    top = np.max(one.image) + height
    return (one.image + height * slope) * min(1, 255 / top)


def crowd(one: Field, others: Sequence[Field], rng) -> Field:
    """Nuclei of other fields, of about this field's size and brightness, laid in until it is covered."""
    diameter, level = median_diameter(one.truth), np.median(one.image[one.truth == 0])
    brightness = np.median(one.image[one.truth > 0]) - level
    donors = [other for other in others if other.group != one.group]
    cuts = [
        cut
        for other in rng.permutation(len(donors))[:4]
        for cut in cut_out(rescale_to(donors[other], diameter), brightness)
    ]
    image, truth = one.image.astype(float), one.truth.astype(np.int32)
    for _ in range(MAX_TRIES):
        if np.mean(truth > 0) >= COVERED:
            break
        free = np.flatnonzero(truth == 0)
        y, x = np.unravel_index(rng.choice(free), truth.shape)
        paste(image, truth, cuts[rng.integers(len(cuts))], (int(y), int(x)), level)
    return one._replace(image=np.clip(np.round(image), 0, 255).astype(np.uint8), truth=truth)


def rescale_to(one: Field, diameter_px: float) -> Field:
    """A field whose median nucleus has another diameter."""
    return rescale(one, diameter_px / median_diameter(one.truth))


def cut_out(one: Field, brightness: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Light above the background and mask of each whole nucleus, at about this brightness."""
    level = np.median(one.image[one.truth == 0])
    light = one.image - level
    light = light * (brightness / max(np.median(light[one.truth > 0]), 1e-6))
    cuts = []
    for label, box in enumerate(ndimage.find_objects(one.truth.astype(np.int32)), 1):
        if box is None or any(
            s.start == 0 or s.stop == n for s, n in zip(box, one.truth.shape, strict=True)
        ):
            continue
        mask = one.truth[box] == label
        cuts.append((light[box] * mask, mask))
    return cuts


def paste(image, truth, cut, centre: tuple[int, int], level: float) -> None:
    """Lay one nucleus in, where it hides hardly anything; what it would hide stays."""
    light, mask = cut
    start = [c - n // 2 for c, n in zip(centre, mask.shape, strict=True)]
    stop = [s + n for s, n in zip(start, mask.shape, strict=True)]
    if min(start) < 0 or any(s > n for s, n in zip(stop, truth.shape, strict=True)):
        return
    place = tuple(slice(s, e) for s, e in zip(start, stop, strict=True))
    taken = truth[place] > 0
    if np.mean(taken[mask]) > MAX_OVERLAP:
        return
    added = ndimage.gaussian_filter(light, FEATHER_PX) if FEATHER_PX else light
    image[place] = np.maximum(image[place], level + added)
    truth[place][mask & ~taken] = truth.max() + 1


if __name__ == "__main__":
    main()
