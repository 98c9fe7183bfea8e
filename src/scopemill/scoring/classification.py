"""Classification: true and predicted classes of objects -> accuracy, F1, calibration and log loss, with intervals."""

from collections.abc import Sequence

import numpy as np

from .. import metrics
from ..metrics import Interval

BINS = 15


def summarise_single(
    truth: np.ndarray,
    predicted: np.ndarray,
    n_classes: int,
    probabilities: np.ndarray | None = None,
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> dict[str, Interval]:
    """One class an object: truth and predicted are class numbers (n,), probabilities (n, K); groups of objects.

    Objects of one image (or subject) resemble each other: give its name as their group.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    one_hot = np.zeros((len(truth), n_classes, n_classes), np.float32)
    one_hot[np.arange(len(truth)), truth, predicted] = 1
    statistics = {
        name: lambda sums, name=name: metrics.class_scores(sums["confusion"])[name]
        for name in ("accuracy", "balanced accuracy", "macro F1", "micro F1")
    }
    counts = {"confusion": one_hot, "objects": np.ones(len(truth))}
    if probabilities is not None:
        p = np.asarray(probabilities, float)
        counts |= count_reliability(p.max(axis=1), p.argmax(axis=1) == truth)
        counts["log loss"] = metrics.log_losses(truth, p)
        statistics |= CALIBRATION
    rng = np.random.default_rng(seed)
    return metrics.bootstrap_sums(counts, statistics, groups=groups, rng=rng)


def summarise_multiple(
    truth: np.ndarray,
    probabilities: np.ndarray,
    thresholds: np.ndarray | float = 0.5,
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> dict[str, Interval]:
    """Several classes an object: truth (n, K) of 0 and 1, probabilities (n, K), thresholds (K,) of `tune_thresholds`.

    Accuracy is the share of objects with all classes right.
    """
    truth, p = np.asarray(truth, bool), np.asarray(probabilities, float)
    predicted = p >= thresholds
    counts = {
        "tp": truth & predicted, "fp": predicted & ~truth, "fn": truth & ~predicted, "objects": np.ones(len(truth)),
        "accuracy": (truth == predicted).all(axis=1), "log loss": metrics.log_losses(truth, p),
        **count_reliability(p, truth),
    }  # fmt: skip
    statistics = {"accuracy": lambda sums: sums["accuracy"] / sums["objects"]}
    for name in ("macro F1", "micro F1"):
        statistics[name] = lambda sums, name=name: metrics.label_scores(
            sums["tp"], sums["fp"], sums["fn"]
        )[name]
    rng = np.random.default_rng(seed)
    return metrics.bootstrap_sums(counts, statistics | CALIBRATION, groups=groups, rng=rng)


def count_reliability(confidence: np.ndarray, right: np.ndarray) -> dict[str, np.ndarray]:
    """Confidence (n,) or (n, K) -> what the calibration error adds up, (n, bins)."""
    bins = [metrics.bin_reliability(c, r, BINS) for c, r in zip(confidence, right, strict=True)]
    return {f"bin {key}": np.array([getattr(one, key) for one in bins]) for key in metrics.Reliability._fields}  # fmt: skip


CALIBRATION = {
    "expected calibration error": lambda sums: metrics.calibration_error(
        *(sums[f"bin {key}"] for key in metrics.Reliability._fields)
    ),
    "log loss": lambda sums: sums["log loss"] / sums["objects"],
}
