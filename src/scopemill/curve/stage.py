"""Curve: models that were trained with few images -> score against number of images, to see whether more annotation helps."""

import logging
from argparse import Namespace
from pathlib import Path

import numpy as np

from ..manifests import replacing
from ..metrics import bootstrap_interval
from ..models.description import Description, read_description
from ..settings import ConfigError, settings
from .plot import draw_curve

LOG = logging.getLogger(__name__)
SCORES = ("mean AP@0.5:0.95 per image", "mean Dice", "macro F1")


@settings
class Settings:
    """A learning curve has no settings of its own."""


def run(settings: Settings, method: None, options: Namespace) -> None:
    """Write learning_curve.csv and .png; `options.inputs` are model.yaml files, `options.out` is the table."""
    models = [read_description(path.parent) for path in options.inputs]
    score = find_score(models, options.inputs)
    points: dict[int, list[float]] = {}
    for described in models:
        points.setdefault(described.training["images"]["train"], []).append(
            described.metrics[score][0]
        )
    lines = ["images,trainings,score,mean,low,high"]
    for n in sorted(points):
        mean, low, high = bootstrap_interval(points[n], np.mean, rng=np.random.default_rng(0))
        lines.append(f"{n},{len(points[n])},{score},{mean:.4f},{low:.4f},{high:.4f}")
    draw_curve(options.out.with_suffix(".png"), points, score)
    with replacing(options.out) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    LOG.info("learning curve: %s", "; ".join(lines[1:]))


def find_score(models: list[Description], paths: list[Path]) -> str:
    """The score that all models have, the one that matters most."""
    for score in SCORES:
        if all(score in one.metrics for one in models):
            return score
    raise ConfigError(
        f"{paths[0]}: no score to draw; a learning curve needs test or validation images"
    )
