"""Evaluate: label images and annotations -> scores of each image and of the study, each with an interval, and pictures.

results/<study>/evaluation/<task>/: scores.csv (a line an image), summary.csv, summary.json, pictures/, index.html.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from ..scoring import Score, score_image, summarise
from ..settings import AnnotateTask, ChannelName, SegmentTask, settings
from ..sheet import Row, read_sheet
from .collect import collect_cases
from .drawing import choose_cases, draw_cases
from .output import write_page, write_scores, write_summary, write_summary_table

__all__ = ["Score", "Settings", "run", "score_image", "summarise"]

LOG = logging.getLogger("scopemill")


@settings
class Settings:
    """What is compared, and how."""

    of: SegmentTask
    """Labels that are scored."""
    annotations: AnnotateTask
    """Annotations that are taken for the truth."""
    group: str = ""
    """Column of the sheet: images of one subject or field are drawn together for the intervals."""
    channel: ChannelName | None = None
    """Channel that the pictures show; the first one when not given."""
    pictures: Annotated[int, Field(ge=0)] = 3
    """Pictures of each of the best, middle and worst images."""
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
    cases = collect_cases(manifests, settings.of, settings.annotations)
    scores = [score_image(case.name, case.truth(), case.predicted()) for case in cases.scored]
    images = [case.image for case in cases.scored]
    groups = [find_group(rows[image], settings.group) for image in images]
    summary = summarise(scores, groups, settings.seed)
    write_scores(out.parent / "scores.csv", scores, images, groups)
    chosen = choose_cases(cases.scored, scores, settings.pictures)
    for old in (out.parent / "pictures").glob("*.png"):
        old.unlink()
    pictures = draw_cases(out.parent / "pictures", chosen, settings.channel)
    facts = {
        "of": settings.of,
        "annotations": settings.annotations,
        "group": settings.group or "image",
        "n_images": len(set(images)),
        "n_groups": len(set(groups)),
        "n_truth": sum(score.at_half.n_truth for score in scores),
        "n_predicted": sum(score.at_half.n_predicted for score in scores),
        "missed_images": cases.missed,
        "not_scored": cases.not_scored,
    }
    write_page(out.parent / "index.html", facts, summary, pictures)
    write_summary_table(out.parent / "summary.csv", summary)
    write_summary(out, summary, facts)  # last: it is what the rule waits for
    LOG.info("%s: %d images scored, wrote %s", settings.of, len(scores), out.parent)


def find_group(row: Row, column: str) -> str:
    """The image's value in the column; its id where it has none."""
    return (row.batch if column == "batch" else row.metadata.get(column, "")) or row.id
