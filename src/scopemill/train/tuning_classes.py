"""Tuning of classifiers: a network + validation examples -> temperature and thresholds; test examples -> scores.

Beside the model: confusion.csv (true classes in rows) where classes exclude each other, and classes.csv.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import metrics
from ..cutouts import cut_around, take_planes
from ..examples import Example, Examples
from ..metrics import Interval
from ..models.classes import (
    Decision,
    decide,
    join,
    list_thresholds,
    predict_logits,
    to_probabilities,
)
from ..models.predict import scale_grey_values
from ..models.whole import Ready
from ..scoring import summarise_multiple, summarise_single
from .class_tables import list_classes, list_confusion, take_highest
from .goal import Outcome
from .object_crops import to_vectors
from .outputs import write_table

BATCH = 32
TEMPERATURES = np.geomspace(0.25, 8, 51)


@dataclass(frozen=True)
class Found:
    """Examples of a part, and what the network says of them."""

    examples: list[Example]
    truth: np.ndarray  # (N, K) bool
    logits: np.ndarray  # (N, K)


def find(ready: Ready, examples: Examples, part: str) -> Found:
    """Look at all examples of a part."""
    numbers = examples.of(part)
    chosen = [examples.all[i] for i in numbers]
    n_classes = len(ready.description.output)
    logits = predict_logits(ready.network, read_batches(ready, examples, numbers), ready.device)
    truth = to_vectors([one.classes for one in chosen], n_classes) > 0
    return Found(chosen, truth, logits.reshape(-1, n_classes))


def read_batches(ready: Ready, examples: Examples, numbers: list[int]) -> Iterator[np.ndarray]:
    """The middle of each example, scaled, as the network sees it."""
    described, own = ready.description, ready.description.classifier
    for start in range(0, len(numbers), BATCH):
        crops = []
        for i in numbers[start : start + BATCH]:
            pixels = take_planes(examples.read(i)[0], own.planes)
            middle = (n / 2 for n in pixels.shape[-2:])
            crop = cut_around(pixels, *middle, own.crop_px)
            levels = examples.all[i].percentiles
            crops.append(scale_grey_values(crop, levels, described.normalisation))
        x = np.stack(crops)
        yield x[:, :, 0] if own.planes == 1 else x


def try_classifier(ready: Ready, examples: Examples, pictures: Path) -> Outcome:
    """Tune on validation, score on test examples (validation without those); tables go to `pictures`."""
    names, activation = ready.description.output, ready.description.activation
    known = find(ready, examples, "validation")
    decision = tune(known, names, activation)
    part = examples.scored_part
    found = find(ready, examples, "test") if part == "test" else known
    p = to_probabilities(found.logits, activation, decision.temperature)
    chosen = decide(p, names, activation, decision)
    if activation == "softmax":
        write_table(pictures / "confusion.csv", list_confusion(found.truth, p, names))
    taken = take_highest(p) if activation == "softmax" else p >= list_thresholds(names, decision)
    rows = list_classes(found.truth, taken, names, decision.thresholds)
    write_table(pictures / "classes.csv", rows)
    scores = summarise(found, p, activation, list_thresholds(names, decision))
    table = list_examples(found, p, chosen, names)
    return Outcome(asdict(decision), scores if found.examples else {}, part, table)


def tune(known: Found, names: list[str], activation: str) -> Decision:
    """Temperature by log loss, then thresholds by F1; the defaults without validation examples."""
    if not known.examples:
        return Decision()
    truth = known.truth.argmax(axis=1) if activation == "softmax" else known.truth
    losses = [
        metrics.log_losses(truth, to_probabilities(known.logits, activation, one)).mean()
        for one in TEMPERATURES
    ]
    temperature = round(float(TEMPERATURES[int(np.argmin(losses))]), 4)
    if activation == "softmax":
        return Decision(temperature=temperature)
    p = to_probabilities(known.logits, activation, temperature)
    thresholds = metrics.tune_thresholds(known.truth, p)
    return Decision(
        temperature=temperature,
        thresholds={name: float(one) for name, one in zip(names, thresholds, strict=True)},
    )


def summarise(
    found: Found, p: np.ndarray, activation: str, thresholds: np.ndarray
) -> dict[str, Interval]:
    """Scores with intervals; examples of one image, or of one group of images, are drawn together."""
    groups = [one.group for one in found.examples]
    if not groups:
        return {}
    if activation == "sigmoid":
        return summarise_multiple(found.truth, p, thresholds, groups)
    truth = found.truth.argmax(axis=1)
    return summarise_single(truth, p.argmax(axis=1), p.shape[1], p, groups)


def list_examples(
    found: Found, p: np.ndarray, chosen: list[str], names: list[str]
) -> list[dict[str, Any]]:
    """One row an example: where it is, what it is, and what it was taken for."""
    return [
        {
            "image": example.image, "group": example.group,
            **dict(zip(("t", "y", "x"), example.origin, strict=True)),
            "truth": join(names, truth), "predicted": name, "probability": float(probability.max()),
        }
        for example, truth, name, probability in zip(found.examples, found.truth, chosen, p, strict=True)
    ]  # fmt: skip
