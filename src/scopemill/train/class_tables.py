"""Class tables: true and found classes of examples -> rows of confusion.csv and classes.csv. Without torch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def list_confusion(truth: np.ndarray, p: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """One row a true class, one column a predicted one; truth and probabilities (n, K)."""
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, (truth.argmax(axis=1), p.argmax(axis=1)), 1)
    return [
        {"true": name, **dict(zip(names, row.tolist(), strict=True))}
        for name, row in zip(names, counts, strict=True)
    ]


def list_classes(
    truth: np.ndarray,
    found: np.ndarray,
    names: Sequence[str],
    thresholds: Mapping[str, float] | None = None,
) -> list[dict[str, Any]]:
    """One row a class: how many there are, precision, recall, F1 and threshold; truth and found (n, K) bool."""
    rows = []
    for k, name in enumerate(names):
        tp = int((truth[:, k] & found[:, k]).sum())
        n, m = int(truth[:, k].sum()), int(found[:, k].sum())
        row = {"class": name, "n": n, "precision": tp / m if m else "", "recall": tp / n if n else ""}  # fmt: skip
        row["f1"] = 2 * tp / (n + m) if n + m else ""
        rows.append({**row, "threshold": (thresholds or {}).get(name, "")})
    return rows


def take_highest(p: np.ndarray) -> np.ndarray:
    """Probabilities (n, K) -> (n, K) bool: the class of each."""
    return p.argmax(axis=1)[:, None] == np.arange(p.shape[1])
