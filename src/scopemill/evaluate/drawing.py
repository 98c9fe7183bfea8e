"""Drawing: image, truth and labels -> two views side by side: what was to be found, and what was found.

Colours are those of Okabe and Ito (2008), which colour-blind people tell apart: found right, missed, found wrong.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import pictures
from ..images import Image
from ..metrics import Matching, match
from ..scoring import Score

if TYPE_CHECKING:
    from .collect import Case

RIGHT, MISSED, WRONG = "#56b4e9", "#f0e442", "#d55e00"
CROP_PX = 512  # of larger images only the part with the most mistakes is shown
PANEL_PX = 640  # smaller ones are enlarged to at most this
GAP_PX = 6
DIM, DIM_BRIGHT = 0.75, 0.5  # outlines stand out on a darker image
PERCENTILES = (1.0, 99.8)


def choose_cases(
    cases: Sequence["Case"], ranks: Sequence[tuple[float, ...]], n: int
) -> list[tuple[str, "Case", int]]:
    """The n worst, middle and best cases that can be drawn, with their numbers, none twice; a rank is low where it is bad."""
    drawable = [k for k, case in enumerate(cases) if case.picture is not None]
    order = sorted(drawable, key=lambda k: ranks[k])
    worst, rest = order[:n], order[n:]
    best, rest = rest[max(0, len(rest) - n) :][::-1], rest[: max(0, len(rest) - n)]
    start = max(0, (len(rest) - n) // 2)
    named = {"worst": worst, "middle": rest[start : start + n], "best": best}
    return [(name, cases[k], k) for name, chosen in named.items() for k in chosen]


def rank_of(score: Score) -> tuple[float, float]:
    """How good a label image is: by F1, then by mean average precision."""
    return score.at_half.f1, score.mean_average_precision


def draw_cases(
    folder: Path, chosen: Sequence[tuple[str, "Case", int]], channel: str | None
) -> list[dict[str, str]]:
    """Write <image>.png for each case; what the page says of them."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, case, _ in chosen:
        file = f"{case.name.replace(' ', '_')}.png"
        truth, predicted = (flatten(labels()) for labels in (case.truth, case.predicted))
        picture = draw_case(read_picture(case, channel), truth, predicted, case.name)
        pictures.write_png(folder / file, picture, "")
        drawn.append({"place": name, "image": case.name, "file": f"{folder.name}/{file}"})
    return drawn


def flatten(labels: np.ndarray) -> np.ndarray:
    """(..., Y, X) -> (Y, X): of objects that lie over each other, the one with the highest number."""
    return labels.reshape(-1, *labels.shape[-2:]).max(axis=0)


def read_picture(case: "Case", channel: str | None) -> np.ndarray:
    """(Y, X, 3), 0 to 1: one channel in grey, or a colour photograph as it is."""
    with Image(case.picture) as image:
        if image.meta.rgb and channel is None:
            planes = np.stack([image.read(c, case.t) for c in range(3)], -1)
            return to_grey_or_colour(planes)
        return to_grey_or_colour(image.read(channel if channel is not None else 0, case.t))


def to_grey_or_colour(image: np.ndarray) -> np.ndarray:
    """(Y, X) or (Y, X, 3) of any type -> (Y, X, 3), 0 to 1."""
    if image.ndim == 3:
        top = 255 if image.dtype == np.uint8 else float(image.max())
        return image.astype(np.float32) / max(top, 1)
    limits = pictures.contrast_limits(image, PERCENTILES)
    return pictures.composite([image], ["#ffffff"], [limits])


def draw_case(picture: np.ndarray, truth: np.ndarray, predicted: np.ndarray, name: str):
    """(Y, X, 3) and two label images (Y, X) -> Pillow: truth on the left, found on the right, matched at IoU 0.5."""
    from PIL import Image as Pillow

    matching = match(truth, predicted)
    where = choose_crop(truth, predicted, matching)
    zoom = pictures.choose_zoom(picture[where].shape[:2], PANEL_PX, PANEL_PX)
    sides, dim = [], DIM_BRIGHT if picture.mean() > 0.4 else DIM
    for labels, field, other in ((truth, "truth", MISSED), (predicted, "predicted", WRONG)):
        panel = dim * pictures.shrink(picture[where], zoom)
        colors = {int(label): RIGHT for label in matching.pairs[field]}
        pictures.draw_outlines(panel, pictures.fit(labels[where], zoom), colors, other)
        sides.append(panel)
    gap = np.full((sides[0].shape[0], GAP_PX, 3), 0.1, np.float32)
    whole = np.concatenate([sides[0], gap, sides[1]], axis=1)
    drawn = Pillow.fromarray((np.clip(whole, 0, 1) * 255).round().astype(np.uint8))
    return pictures.write_caption(drawn, list(make_caption(name, matching, where, truth.shape)))


def make_caption(
    name: str, matching: Matching, where: tuple[slice, slice], shape: tuple[int, ...]
) -> Iterator[list[tuple[str, str]]]:
    """Name and score, what the colours mean, and which part is shown."""
    yield [(f"{name if len(name) <= 40 else name[:37] + '...'}  F1 {matching.f1:.3f}", "#ffffff")]
    yield [
        (f"right {matching.tp}", RIGHT), (f"missed {matching.fn} (left)", MISSED),
        (f"wrong {matching.fp} (right)", WRONG),
    ]  # fmt: skip
    (y, x), (height, width) = where, shape
    text = "left: annotated, right: found; matched at IoU 0.5"
    if (y.stop - y.start, x.stop - x.start) != (height, width):
        text += f"; rows {y.start}-{y.stop}, columns {x.start}-{x.stop} of {height} x {width}"
    yield [(text, "#c9ccd3")]


def choose_crop(
    truth: np.ndarray, predicted: np.ndarray, matching: Matching, size: int = CROP_PX
) -> tuple[slice, slice]:
    """The window with the most pixels of missed and wrong objects; without any, of all objects."""
    from scipy.ndimage import uniform_filter

    wrong = ~np.isin(truth, matching.pairs["truth"]) & (truth > 0)
    wrong |= ~np.isin(predicted, matching.pairs["predicted"]) & (predicted > 0)
    weight = wrong if wrong.any() else (truth > 0) | (predicted > 0)
    window = [min(size, n) for n in truth.shape]
    density = uniform_filter(weight.astype(np.float32), window, mode="constant")
    center = np.unravel_index(density.argmax(), density.shape) if weight.any() else (0, 0)
    starts = [
        min(max(0, int(c) - w // 2), n - w)
        for c, w, n in zip(center, window, truth.shape, strict=True)
    ]
    return tuple(slice(s, s + w) for s, w in zip(starts, window, strict=True))
