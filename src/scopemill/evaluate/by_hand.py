"""By hand: results of any study and truth from anywhere -> scores, without the study's config naming either.

Each kind of result has one function here: images and their truth -> a line an image and a summary.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import metrics, scoring
from ..images import read_labels
from ..metrics import Interval
from ..settings import ConfigError
from ..tables import read_table
from .class_pairs import class_names_of, make_class_case
from .collect import Case
from .pairs import Pair, Question, find_pairs
from .regions import describe_case, score_case
from .truth import read_truth, read_truth_boxes, read_truth_points

if TYPE_CHECKING:
    import pandas as pd


TILE_PX = 512


@dataclass(frozen=True)
class Answer:
    """Scores of the images, of all of them, and what they are of."""

    lines: list[dict[str, Any]]
    summary: dict[str, Interval]
    n_true: int
    cases: list[Case] = field(default_factory=list)
    scores: list[scoring.Score] = field(default_factory=list)
    plots: dict[str, str] = field(default_factory=dict)  # file -> SVG


def answer(question: Question) -> Answer:
    """Score a task of a study.

    Raises
    ------
    ConfigError
        When the task, a column or all of the truth is not there, or truth and results do not fit.
    """
    pairs = list(find_pairs(question))
    if not pairs:
        raise ConfigError(
            f"{question.truth}: no ground truth for any image that {question.task} was made of"
        )
    return KINDS[question.kind](question, pairs)


def groups_of(question: Question, pairs: list[Pair]) -> list[str] | None:
    """What is drawn again for the intervals; images when no column was named."""
    return [pair.group for pair in pairs] if question.group else None


def read_both(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """True and found labels on the same pixels."""
    found = None if pair.artifact is None else read_labels(pair.artifact).squeeze()
    truth = read_truth(pair.truth, pair.image, None if found is None else found.shape)
    if found is not None and truth.shape != found.shape:
        raise ConfigError(
            f"{pair.truth}: {truth.shape} pixels, the labels of {pair.image} have {found.shape}"
        )
    return truth, np.zeros_like(truth) if found is None else found


def score_instances(question: Question, pairs: list[Pair]) -> Answer:
    """Labels against label images or annotations."""
    scores = [scoring.score_image(pair.image, *read_both(pair)) for pair in pairs]
    lines = []
    for score in scores:
        at = score.at_half
        lines.append({
            "image": score.image, "n_truth": at.n_truth, "n_predicted": at.n_predicted, "f1": at.f1,
            "average_precision": at.average_precision, "panoptic_quality": at.panoptic_quality,
            "mean_average_precision": score.mean_average_precision, "dice": score.pixels.f1,
        })  # fmt: skip
    summary = scoring.summarise(scores, groups_of(question, pairs))
    n_true = sum(score.at_half.n_truth for score in scores)
    return Answer(lines, summary, n_true, [make_case(question, pair) for pair in pairs], scores)


def make_case(question: Question, pair: Pair) -> Case:
    """What a picture is drawn of."""
    path = question.results / "images" / f"{pair.image}.ome.tif"
    picture = path if path.is_file() and pair.artifact else None
    return Case(
        pair.image, 0, pair.image, lambda: read_both(pair)[0], lambda: read_both(pair)[1], picture
    )


def score_semantic(question: Question, pairs: list[Pair]) -> Answer:
    """Class images against class images or annotated classes; of labels, pixels with an object against those without."""
    names = class_names_of(pairs)
    if names:
        cases = [make_class_case(pair, names) for pair in pairs]
        scores = [score_case(case, len(names), TILE_PX) for case in cases]
        groups = [pair.group for pair in pairs]
        lines = [
            describe_case(score, names, score.image, group, seed=0)
            for score, group in zip(scores, groups, strict=True)
        ]
        n_true = sum(int(score.confusion[1:].sum()) for score in scores)
        return Answer(lines, scoring.summarise_classes(scores, names, groups), n_true)
    names, scores = ("background", "objects"), []
    for pair in pairs:
        truth, found = (labels > 0 for labels in read_both(pair))
        scores.append(scoring.score_classes(pair.image, truth, found, len(names)))
    lines = [
        {
            "image": score.image, "true_px": int(score.confusion[1].sum()),
            "dice": float(metrics.class_dice(score.confusion)[1]), "iou": float(metrics.class_iou(score.confusion)[1]),
        }
        for score in scores
    ]  # fmt: skip
    summary = scoring.summarise_classes(scores, names, groups_of(question, pairs))
    return Answer(lines, summary, sum(line["true_px"] for line in lines))


def score_points(question: Question, pairs: list[Pair]) -> Answer:
    """Spots, or centres of objects, against annotated points."""
    scores = []
    for pair in pairs:
        table = read_objects(pair)
        start = "" if "x" in table else "centroid_"
        found = table[[f"{start}y", f"{start}x"]].to_numpy(float)
        truth = read_truth_points(pair.truth, pair.image)
        scores.append(
            scoring.score_points(
                pair.image, truth, found, question.max_distance_px, scores=read_scores(table)
            )
        )
    return summarise_detection(question, pairs, scores)


def score_boxes(question: Question, pairs: list[Pair]) -> Answer:
    """Boxes of objects against annotated boxes (or those around annotated outlines)."""
    scores = []
    for pair in pairs:
        table = read_objects(pair)
        found = table[["y0", "x0", "y1", "x1"]].to_numpy(float)
        truth = read_truth_boxes(pair.truth, pair.image)
        scores.append(
            scoring.score_boxes(pair.image, truth, found, question.iou, read_scores(table))
        )
    return summarise_detection(question, pairs, scores)


def read_objects(pair: Pair) -> "pd.DataFrame":
    """Detected objects of one image; none of a quarantined one."""
    import pandas as pd

    if pair.artifact is None:
        return pd.DataFrame(columns=["y", "x", "y0", "x0", "y1", "x1"], dtype=float)
    table = read_table(pair.artifact)
    if table["t"].nunique() > 1:
        raise ConfigError(f"{pair.image}: objects of several time points; score them one by one")
    return table


def read_scores(table: "pd.DataFrame") -> np.ndarray | None:
    """How sure the detector was of each object, where it says so."""
    return table["score"].to_numpy(float) if "score" in table else None


def summarise_detection(
    question: Question, pairs: list[Pair], scores: list[scoring.DetectionScore]
) -> Answer:
    """Lines and summary of points or boxes."""
    lines = [
        {
            "image": score.image, "n_truth": score.matching.n_truth, "n_predicted": score.matching.n_predicted,
            "f1": score.matching.f1, "precision": score.matching.precision, "recall": score.matching.recall,
        }
        for score in scores
    ]  # fmt: skip
    summary = scoring.summarise_detection(scores, groups_of(question, pairs))
    return Answer(lines, summary, sum(line["n_truth"] for line in lines))


def score_classes(question: Question, pairs: list[Pair]) -> Answer:
    """Classes of objects against a table of true ones; objects of one image are drawn together."""
    import pandas as pd

    from . import classes

    tables = [classes.read_classes(pair.truth, pair.artifact, pair.image) for pair in pairs]
    groups = [pair.group for pair, one in zip(pairs, tables, strict=True) for _ in range(len(one))]
    table = pd.concat(tables, ignore_index=True)
    if table.empty:
        raise ConfigError(f"{question.truth}: names no object of {question.task}")
    summary, plots = classes.summarise(table, groups)
    lines = [
        {"image": image, "n": len(one), "accuracy": float((one["true"].astype(str) == one["class"]).mean())}
        for image, one in table.groupby("image", sort=False)
    ]  # fmt: skip
    return Answer(lines, summary, len(table), plots=plots)


KINDS = {
    "instances": score_instances, "semantic": score_semantic, "points": score_points, "boxes": score_boxes,
    "classes": score_classes,
}  # fmt: skip
