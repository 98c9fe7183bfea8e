"""Drawing classes: image, true and found classes -> an overview of each class, and the worst tiles at full size.

Nothing is read as a whole: an overview takes the pixel in the middle of each of its own.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import metrics, pictures
from ..scoring import SemanticScore, summarise_tiles
from ..tiling import list_cores
from .drawing import MISSED, PANEL_PX, RIGHT, WRONG
from .painting import (
    OTHER,
    STRONG,
    UNKNOWN,
    Show,
    join_panels,
    paint_class,
    paint_mistakes,
    to_pillow,
)
from .regions import BLOCK_PX, IGNORE

if TYPE_CHECKING:
    from .collect import Case
    from .stage import Settings

MAX_CLASSES = 3  # panels beside the image; the worst classes
BOX = "#ffffff"


def draw_regions(
    folder: Path,
    chosen: Sequence[tuple[str, "Case", SemanticScore]],
    names: Sequence[str],
    settings: "Settings",
) -> list[dict[str, str]]:
    """Write an overview and the worst tiles of each image; what the page says of them, the worst tiles first."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for place, case, score in chosen:
        worst = choose_tiles(score, settings.pictures)
        windows = [cut(score.places[k], settings.tile_px, case.shape[-2:]) for k in worst]
        show = Show(case, settings.channel)
        file = f"{case.name.replace(' ', '_')}.png"
        made = [(file, place, draw_overview(show, case, score, names, windows))]
        for n, (k, window) in enumerate(zip(worst, windows, strict=True), 1):
            title = f"{case.name}, tile {n} of the worst"
            tile = draw_tile(show, case, window, names, title, score.tiles[k])
            made.append((f"{file.removesuffix('.png')}.tile{n}.png", f"{place}, tile {n}", tile))
        for file, where, picture in made:
            pictures.write_png(folder / file, picture, "")
            drawn.append({"place": where, "image": case.name, "file": f"{folder.name}/{file}"})
    return drawn


def choose_tiles(score: SemanticScore, n: int) -> list[int]:
    """The tiles with the most wrong pixels, the worst first; none without any."""
    order = np.argsort(-score.wrong_px, kind="stable")[:n]
    return [int(k) for k in order if score.wrong_px[k]]


def cut(place: Sequence[int], size: int, shape: Sequence[int]) -> tuple[slice, slice]:
    """The window of a tile, within the image."""
    y, x = (slice(int(at), min(int(at) + size, n)) for at, n in zip(place, shape, strict=True))
    return y, x


def draw_overview(
    show: Show,
    case: "Case",
    score: SemanticScore,
    names: Sequence[str],
    windows: Sequence[tuple[slice, slice]],
):
    """The image with the worst tiles in boxes, and beside it each class: right, missed and wrong."""
    shape = case.shape[-2:]
    zoom = pictures.choose_zoom(shape, PANEL_PX, PANEL_PX)
    ys, xs = (middles(n, zoom) for n in shape)
    picture = show.at(ys, xs) if zoom < 1 else pictures.fit(show.window(*map(slice, shape)), zoom)
    truth, found = sample(case, ys, xs)
    classes = choose_classes(score)
    panels = [picture, *(paint_class(picture, truth, found, k) for k in classes)]
    whole = to_pillow(join_panels(panels))
    for n, (y, x) in enumerate(windows, 1):
        box = zoom * np.array([y.start, x.start, y.stop, x.stop])
        pictures.draw_box(whole, [*box[:2], *(box[2:] - 1)], str(n), BOX)
    return pictures.write_caption(whole, list(caption_overview(score, names, classes)))


def middles(n: int, zoom: float) -> np.ndarray:
    """The pixel in the middle of each pixel of an overview (as `pictures.fit` takes it)."""
    count = max(1, round(n * zoom))
    return np.clip(((np.arange(count) + 0.5) / zoom).astype(int), 0, n - 1)


def sample(case: "Case", ys: np.ndarray, xs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True and found classes of some rows and columns; of a stack, of its middle plane."""
    truth, found = np.zeros((2, len(ys), len(xs)), np.uint8)
    middle = case.shape[0] // 2
    for y, x in list_cores(case.shape[-2:], BLOCK_PX):
        rows, columns = (np.searchsorted(at, [part.start, part.stop]) for at, part in ((ys, y), (xs, x)))  # fmt: skip
        inside = slice(*rows), slice(*columns)
        if rows[0] < rows[1] and columns[0] < columns[1]:
            index = np.ix_(ys[inside[0]] - y.start, xs[inside[1]] - x.start)
            truth[inside] = case.truth(y, x)[middle][index]
            found[inside] = case.predicted(y, x)[middle][index]
    return truth, found


def choose_classes(score: SemanticScore) -> list[int]:
    """Classes that are somewhere, but for the background, those with the lowest IoU first."""
    iou = metrics.class_iou(score.confusion)
    there = [k for k in range(1, len(iou)) if not np.isnan(iou[k])]
    return sorted(there, key=lambda k: iou[k])[:MAX_CLASSES]


def draw_tile(
    show: Show,
    case: "Case",
    window: tuple[slice, slice],
    names: Sequence[str],
    title: str,
    confusion: np.ndarray,
):
    """Image, truth and overlay side by side, at full size or larger."""
    middle = case.shape[0] // 2
    truth, found = (read(*window)[middle] for read in (case.truth, case.predicted))
    picture = show.window(*window)
    drawn = picture.copy()
    colors = class_colors(names)
    pictures.tint(drawn, truth, colors, 0.5)
    pictures.tint(drawn, truth, {IGNORE: UNKNOWN}, STRONG)
    panels = [picture, drawn, paint_mistakes(picture, truth, found)]
    zoom = pictures.choose_zoom(truth.shape, PANEL_PX, PANEL_PX)
    whole = to_pillow(join_panels([pictures.shrink(panel, zoom) for panel in panels]))
    (y, x), wrong = window, 1 - np.trace(confusion) / confusion.sum()
    lines = [
        [(f"{title}: {wrong:.1%} of its pixels are wrong; rows {y.start}-{y.stop}, columns {x.start}-{x.stop}", "#ffffff")],
        [("middle, truth:", "#c9ccd3"), *((names[k], color) for k, color in colors.items())],
        [("right, result:", "#c9ccd3"), *LEGEND, ("another class", OTHER), NOT_ANNOTATED],
    ]  # fmt: skip
    return pictures.write_caption(whole, lines)


LEGEND = [("right", RIGHT), ("missed", MISSED), ("wrong", WRONG)]
NOT_ANNOTATED = ("not annotated", UNKNOWN)


def class_colors(names: Sequence[str]) -> dict[int, str]:
    """A colour for each class but the background."""
    return {k: pictures.AREAS[(k - 1) % len(pictures.AREAS)] for k in range(1, len(names))}


def caption_overview(
    score: SemanticScore, names: Sequence[str], classes: Sequence[int]
) -> Iterator[list[tuple[str, str]]]:
    """Name and scores, and what the colours mean."""
    within = summarise_tiles([score], names)
    yield [(f"{score.image if len(score.image) <= 40 else score.image[:37] + '...'}  mean Dice {score.mean_dice:.3f}", "#ffffff")]  # fmt: skip
    for k in classes:
        parts = [f"{word} {say(within[f'{word} of {names[k]}'])}" for word in ("Dice", "IoU")]
        yield [(f"{names[k]}: {', '.join(parts)}", "#c9ccd3")]
    shown = ", ".join(names[k] for k in classes)
    text = f"panels: image, {shown}" if shown else "nothing was annotated or found"
    yield [*LEGEND, NOT_ANNOTATED, (text, "#c9ccd3")]


def say(value: metrics.Interval) -> str:
    """'0.912 (0.880 to 0.941)', without the ends where they are not known."""
    ends = "" if np.isnan(value.low) else f" ({value.low:.3f} to {value.high:.3f})"
    return f"{value.estimate:.3f}{ends}"
