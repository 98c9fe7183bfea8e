"""Tuning of spots: a trained network + validation images -> the threshold; with test images -> scores with intervals."""

import logging
from dataclasses import asdict, dataclass, replace

import numpy as np

from ..examples import Example, Examples
from ..models.heat import find_spots, predict_heat
from ..models.whole import Ready
from ..points import unpack_points
from ..scoring import score_points, summarise_detection
from ..spots import Peaks, to_logit
from .goal import Outcome

LOG = logging.getLogger(__name__)
NEAR_PX = 3.0  # a spot found nearer than this is that one
THRESHOLDS = tuple(round(0.02 * k, 2) for k in range(5, 49))


@dataclass(frozen=True)
class Found:
    """Spots of one example, and those that the network may take for such."""

    example: Example
    truth: np.ndarray  # (n, 3)
    points: np.ndarray  # (m, 3)
    heights: np.ndarray  # (m,)

    def score(self, threshold: float):
        """How those above a threshold compare with the truth."""
        seen = self.heights > threshold
        return score_points(
            self.example.image, self.truth, self.points[seen], NEAR_PX, scores=self.heights[seen]
        )


def try_spots(ready: Ready, examples: Examples, own: Peaks) -> Outcome:
    """Tune the threshold on validation images, score on test images (validation without those)."""
    known = find_all(ready, examples, "validation", own)
    own = replace(own, threshold=tune(known), calibration=calibrate(known))
    part = examples.scored_part
    found = find_all(ready, examples, part, own)
    scores = [one.score(own.threshold) for one in found]
    groups = [one.example.group for one in found]
    summary = summarise_detection(scores, groups) if scores else {}
    table = [
        {
            "image": one.example.image, "group": one.example.group, "n_truth": score.matching.n_truth,
            "n_predicted": score.matching.n_predicted, "f1": score.matching.f1,
        }
        for one, score in zip(found, scores, strict=True)
    ]  # fmt: skip
    return Outcome(asdict(own), summary, part, table)


def find_all(ready: Ready, examples: Examples, part: str, own: Peaks) -> list[Found]:
    """What may be spots in all examples of a part."""
    low, found = replace(own, threshold=THRESHOLDS[0]), []
    for i in examples.of(part):
        pixels, truth = examples.read(i)
        points, heights = find_spots(predict_heat(ready, pixels[0], own.planes), low)
        found.append(Found(examples.all[i], unpack_points(truth), points, heights))
    return found


def tune(found: list[Found]) -> float:
    """The threshold with the highest mean F1 per image, so that crowded ones do not decide; the default without images."""
    found = [one for one in found if len(one.truth)]
    if not found:
        return Peaks().threshold
    values = [np.mean([one.score(t).matching.f1 for one in found]) for t in THRESHOLDS]
    best = int(np.argmax(values))
    LOG.info("threshold %s: mean F1 per image %.4f on validation", THRESHOLDS[best], values[best])
    return THRESHOLDS[best]


def calibrate(found: list[Found]) -> tuple[float, float]:
    """Slope and start that make heights probabilities (Platt 1999); none without hits and false ones to learn from."""
    from scipy.optimize import minimize

    scores = [one.score(0.0) for one in found]
    heights = np.concatenate([one.scores for one in scores]) if scores else np.empty(0)
    hits = np.concatenate([one.hits for one in scores]) if scores else np.empty(0, bool)
    if hits.all() or not hits.any():
        return Peaks().calibration
    x, sign = to_logit(heights), np.where(hits, -1.0, 1.0)

    def lost(line: np.ndarray) -> float:
        return float(np.logaddexp(0, sign * (line[0] * x + line[1])).mean())

    slope, start = minimize(lost, [1.0, 0.0], method="Nelder-Mead").x
    return round(max(float(slope), 0.01), 4), round(float(start), 4)
