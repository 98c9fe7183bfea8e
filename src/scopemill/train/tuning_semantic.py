"""Tuning of classes of pixels: a trained network + validation images -> thresholds; with test images -> scores with intervals."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .. import metrics
from ..class_images import decide
from ..examples import Examples
from ..models.whole import Ready
from ..scoring import score_classes, summarise_classes
from .goal import Outcome
from .tuning import ROUNDS, Predicted, predict_all

LOG = logging.getLogger(__name__)
CHOICES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
WORTH = 0.002  # of mean Dice: less is chance


def try_classes(ready: Ready, examples: Examples, pictures: Path) -> Outcome:
    """Tune thresholds on validation images, score classes of pixels on test images (validation without those)."""
    names, part = ready.description.output, examples.scored_part
    thresholds = tune_thresholds(list(predict_all(ready, examples, "validation")), names)
    scores, groups, table = [], [], []
    for one in predict_all(ready, examples, part):
        found = decide(one.maps, names, thresholds)
        score = score_classes(one.example.image, one.truth, found, len(names))
        scores.append(score)
        groups.append(one.example.group)
        table.append(
            {"image": score.image, "group": one.example.group, "mean_dice": score.mean_dice}
        )
    summary = summarise_classes(scores, names, groups) if scores else {}
    return Outcome({"thresholds": thresholds} if thresholds else {}, summary, part, table)


def tune_thresholds(predicted: list[Predicted], names: list[str]) -> dict[str, float]:
    """Thresholds with the highest mean Dice of all pixels together, each chosen in turn; nothing where 0.5 is as good."""
    chosen: dict[str, float] = {}
    value = mean_dice(predicted, names, chosen) if predicted else 1.0
    for name in ROUNDS * names[1:] if predicted else ():
        for threshold in CHOICES:
            tried = {**chosen, name: threshold}
            if tried != chosen and (reached := mean_dice(predicted, names, tried)) > value + WORTH:
                chosen, value = tried, reached
    LOG.info("thresholds %s: mean Dice %.4f on validation", chosen or "0.5", value)
    return chosen


def mean_dice(
    predicted: list[Predicted], names: list[str], thresholds: Mapping[str, float]
) -> float:
    """Over the classes, of all pixels together."""
    confusion = sum(
        metrics.confusion(one.truth, decide(one.maps, names, thresholds), len(names))
        for one in predicted
    )
    return float(metrics.mean_there(metrics.class_dice(np.asarray(confusion))))
