"""Tuning: a trained network + validation images -> post-processing; with test images -> scores with intervals."""

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from ..examples import Example, Examples
from ..instances import Settings as InstanceSettings
from ..models.diameter import estimate_diameter
from ..models.predict import scale_grey_values
from ..models.whole import Ready, cut_objects, predict_at, predict_image
from ..scoring import score_image, summarise
from .goal import Outcome

LOG = logging.getLogger(__name__)
CHOICES = {
    "seed_threshold": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    "foreground_threshold": (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7),
    "min_area_px": (0.0, 0.03, 0.06, 0.1, 0.15, 0.2),  # of the square of the diameter
    "min_probability": (0.0, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85),
    "min_distance_px": (0.15, 0.25, 0.4, 0.6),  # of the diameter
}
ROUNDS = 2  # each choice depends on the others
HEAD_OF = {"border": "border", "distance": "distance", "flow": "flow_y"}


@dataclass(frozen=True)
class Predicted:
    """Maps of one example, as the network gave them."""

    example: Example
    truth: np.ndarray
    maps: np.ndarray  # (heads, Y', X') float16
    zoom: float


def predict_all(ready: Ready, examples: Examples, part: str) -> Iterator[Predicted]:
    """Maps of all examples of a part, with objects at the size that the network knows."""
    known = ready.description.object_diameter_px
    for i in examples.of(part):
        example = examples.all[i]
        pixels, truth = examples.read(i)
        image = scale_grey_values(pixels, example.percentiles, ready.description.normalisation)
        if example.shape[1] > 1:
            yield Predicted(example, truth, predict_image(ready, image).astype(np.float16), 1.0)
            continue
        image = image[:, 0]
        zoom = known / estimate_diameter(ready, image, InstanceSettings()) if known else 1.0
        maps = predict_at(ready, image, zoom) if zoom != 1 else predict_image(ready, image)
        yield Predicted(example, truth[0], maps.astype(np.float16), zoom)


def try_instances(ready: Ready, examples: Examples, pictures: Path) -> Outcome:
    """Tune the cutting of objects on validation images, score on test images (validation without those)."""
    tuned = tune(ready, list(predict_all(ready, examples, "validation")))
    part = examples.scored_part
    pairs = []
    for one in predict_all(ready, examples, part):
        found = cut(ready, one, tuned)
        pairs.append((one.example, score_image(one.example.image, one.truth, found)))
    scores = [score for _, score in pairs]
    groups = [example.group for example, _ in pairs]
    table = [
        {
            "image": score.image, "group": example.group, "n_truth": score.at_half.n_truth,
            "n_predicted": score.at_half.n_predicted, "f1": score.at_half.f1,
            "mean_average_precision": score.mean_average_precision,
        }
        for example, score in pairs
    ]  # fmt: skip
    summary = summarise(scores, groups) if scores else {}
    return Outcome(asdict(tuned), summary, part, table)


def cut(ready: Ready, one: Predicted, own: InstanceSettings) -> np.ndarray:
    """Labels of an example, at its own size."""
    maps = one.maps.astype(np.float32)
    return cut_objects(ready.description.output, maps, one.truth.shape[-2:], one.zoom, own)


def tune(ready: Ready, predicted: list[Predicted]) -> InstanceSettings:
    """The settings with the highest mean average precision per image, each chosen in turn; the defaults without images."""
    known = ready.description.object_diameter_px or 10.0
    kinds = [kind for kind, head in HEAD_OF.items() if head in ready.description.output]
    if any(one.maps.ndim == 4 for one in predicted):  # flow is followed in 2-D only
        kinds = [kind for kind in kinds if kind != "flow"]
    best, highest = InstanceSettings(min_distance_px=known / 4), -1.0
    for kind in (kinds or ["shape"]) if predicted else ():
        own = InstanceSettings(seeds=kind, min_distance_px=known / 4)
        value = score_all(ready, predicted, own)
        for name, choices in ROUNDS * list(CHOICES.items()):
            if (name == "seed_threshold" and kind not in ("border", "distance")) or (
                name == "min_distance_px" and kind not in ("distance", "shape")
            ):
                continue
            for choice in choices:
                scaled = {
                    "min_area_px": round(choice * known**2),
                    "min_distance_px": choice * known,
                }
                tried = replace(own, **{name: scaled.get(name, choice)})
                if tried != own and (reached := score_all(ready, predicted, tried)) > value + 1e-6:
                    own, value = tried, reached
        LOG.info("seeds from %s: mean AP %.4f on validation, %s", kind, value, own)
        if value > highest:
            best, highest = own, value
    return best


def score_all(ready: Ready, predicted: list[Predicted], own: InstanceSettings) -> float:
    """Mean average precision per image."""
    return float(np.mean([precision(ready, one, own) for one in predicted]))


def precision(ready: Ready, one: Predicted, own: InstanceSettings) -> float:
    """Mean average precision of one example."""
    return score_image(one.example.image, one.truth, cut(ready, one, own)).mean_average_precision
