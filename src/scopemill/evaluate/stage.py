"""Evaluate: label or class images and annotations -> scores of each image and of the study, with intervals, and pictures.

results/<study>/evaluation/<task>/: scores.csv (a line an image), summary.csv, summary.json, pictures/, index.html.
Class images are scored in pixels, block by block; the interval of one image is by drawing its tiles again.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from ..scoring import Score, score_image, summarise, summarise_classes, summarise_tiles
from ..settings import AnnotateTask, ChannelName, ConfigError, SegmentedTask, settings
from ..sheet import Row, read_sheet
from .collect import Case, Cases, collect_cases
from .drawing import choose_cases, draw_cases, rank_of
from .drawing_classes import draw_regions
from .output import (
    describe_labels,
    describe_slides,
    write_lines,
    write_page,
    write_scores,
    write_summary,
    write_summary_table,
)
from .regions import TrueClasses, describe_case, read_class_names, score_case

__all__ = ["Score", "Settings", "run", "score_image", "summarise"]

LOG = logging.getLogger("scopemill")
GIGAPIXEL = 10**9


@settings
class Settings:
    """What is compared, and how."""

    of: SegmentedTask
    """Labels or classes that are scored."""
    annotations: AnnotateTask
    """Annotations that are taken for the truth; of a class image, by their classes."""
    group: str = ""
    """Column of the sheet: images of one subject or field are drawn together for the intervals."""
    channel: ChannelName | None = None
    """Channel that the pictures show; the first one (of a colour image: the colours) when not given."""
    pictures: Annotated[int, Field(ge=0)] = 3
    """Pictures of each of the best, middle and worst images; of class images also as many of each one's worst tiles."""
    region: str = ""
    """Of class images: class of the annotations that outline what was annotated; only pixels inside are scored."""
    ignore: tuple[str, ...] = ()
    """Of class images: classes of annotations whose pixels are not scored."""
    tile_px: Annotated[int, Field(ge=16)] = 512
    """Of class images: width of the tiles that are drawn again for the interval of one image; wider than its structures."""
    seed: int = 0
    """For the bootstrap."""


def run(settings: Settings, manifests: Sequence[Path], out: Path, sheet: Path) -> None:
    """Write everything into the folder of `out`, the summary (JSON).

    Raises
    ------
    ConfigError
        When nothing can be compared, or labels and annotations do not fit.
    """
    rows = {row.id: row for row in read_sheet(sheet)}
    names = read_class_names(manifests, settings.of)
    if not names and (settings.region or settings.ignore):
        raise ConfigError(
            f"evaluate: {settings.of} gives labels, `region` and `ignore` are for class images; remove them"
        )
    for old in (out.parent / "pictures").glob("*.png"):
        old.unlink()
    score = score_regions if names else score_labels
    score(settings, manifests, out, rows, names)


def score_labels(
    settings: Settings, manifests: Sequence[Path], out: Path, rows: dict[str, Row], _: tuple
) -> None:
    """Objects against annotated objects, each image as a whole."""
    from ..annotations.raster import to_labels

    cases = collect_cases(manifests, settings.of, settings.annotations, to_labels)
    for case in cases.scored:
        warn_of_size(case)
    scores = [score_image(case.name, case.truth(), case.predicted()) for case in cases.scored]
    images, groups = list_groups(cases, rows, settings.group)
    summary = summarise(scores, groups, settings.seed)
    write_scores(out.parent / "scores.csv", scores, images, groups)
    chosen = choose_cases(cases.scored, list(map(rank_of, scores)), settings.pictures)
    pictures = draw_cases(out.parent / "pictures", chosen, settings.channel)
    facts = describe_task(settings, cases, images, groups) | {
        "n_truth": sum(score.at_half.n_truth for score in scores),
        "n_predicted": sum(score.at_half.n_predicted for score in scores),
    }
    write_all(out, facts, summary, pictures, describe_labels(facts))


def score_regions(
    settings: Settings,
    manifests: Sequence[Path],
    out: Path,
    rows: dict[str, Row],
    names: tuple[str, ...],
) -> None:
    """Classes against annotated classes, in pixels."""
    truth = TrueClasses(names, settings.region, settings.ignore)
    cases = collect_cases(manifests, settings.of, settings.annotations, truth)
    scores = [score_case(case, len(names), settings.tile_px) for case in cases.scored]
    images, groups = list_groups(cases, rows, settings.group)
    single = len(set(groups)) < 2  # one slide alone: its tiles carry the interval
    summary = (
        summarise_tiles(scores, names, settings.seed)
        if single
        else summarise_classes(scores, names, groups, settings.seed)
    )
    lines = [
        describe_case(score, names, image, group, settings.seed)
        for score, image, group in zip(scores, images, groups, strict=True)
    ]
    write_lines(out.parent / "scores.csv", lines)
    # images in which nothing is annotated come last
    ranks = [(score.mean_dice if score.confusion.any() else 2.0,) for score in scores]
    chosen = [
        (place, case, scores[k])
        for place, case, k in choose_cases(cases.scored, ranks, settings.pictures)
    ]
    pictures = draw_regions(out.parent / "pictures", chosen, names, settings)
    facts = describe_task(settings, cases, images, groups) | {
        "classes": list(names),
        "counted_px": int(sum(score.confusion.sum() for score in scores)),
        "drawn_again": "tile" if single else settings.group or "image",
        "n_drawn": sum(len(score.tiles) for score in scores) if single else len(set(groups)),
    }
    write_all(out, facts, summary, pictures, describe_slides(facts, lines), lines)


def warn_of_size(case: Case) -> None:
    """Say that an image is too large to be read at once without much memory."""
    n = case.shape[0] * case.shape[1] * case.shape[2]
    if n > GIGAPIXEL:
        LOG.warning(
            "%s: %.1f gigapixels of labels are scored as a whole, which needs about %.0f GB; annotate and score a part of it",
            case.name, n / GIGAPIXEL, 40 * n / GIGAPIXEL,
        )  # fmt: skip


def list_groups(cases: Cases, rows: dict[str, Row], column: str) -> tuple[list[str], list[str]]:
    """Image and group of each case."""
    images = [case.image for case in cases.scored]
    return images, [find_group(rows[image], column) for image in images]


def describe_task(
    settings: Settings, cases: Cases, images: Sequence[str], groups: Sequence[str]
) -> dict[str, Any]:
    """What summary.json says of any task."""
    return {
        "of": settings.of,
        "annotations": settings.annotations,
        "group": settings.group or "image",
        "n_images": len(set(images)),
        "n_groups": len(set(groups)),
        "missed_images": cases.missed,
        "not_scored": cases.not_scored,
    }


def write_all(out: Path, facts, summary, pictures, sentence: str, slides=()) -> None:
    """Page, table and summary; the summary last: it is what the rule waits for."""
    write_page(out.parent / "index.html", facts, summary, pictures, sentence, slides)
    write_summary_table(out.parent / "summary.csv", summary)
    write_summary(out, summary, facts)
    LOG.info("%s: %d images scored, wrote %s", facts["of"], facts["n_images"], out.parent)


def find_group(row: Row, column: str) -> str:
    """The image's value in the column; its id where it has none."""
    return (row.batch if column == "batch" else row.metadata.get(column, "")) or row.id
