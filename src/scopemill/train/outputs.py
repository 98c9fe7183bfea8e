"""Outputs: what a training says of itself -> tables and pictures beside the model."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..manifests import replacing
from ..metrics import Interval
from .goal import Outcome

SHOWN = ("F1@0.5", "F1", "mean AP@0.5:0.95 per image", "mean Dice", "macro F1", "accuracy")


def plain(scores: Mapping[str, Interval]) -> dict[str, list[float]]:
    """Scores as model.yaml holds them: value, low, high."""
    return {name: [round(float(value), 4) for value in one] for name, one in scores.items()}


def in_words(outcome: Outcome) -> str:
    """The scores that matter most, in a line."""
    shown = [
        f"{name} {one.estimate:.3f} ({one.low:.3f} to {one.high:.3f})"
        for name, one in outcome.scores.items()
        if name in SHOWN
    ]
    return f"{len(outcome.table)} {outcome.part} images: {', '.join(shown) or 'no scores'}"


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """CSV, whole or not at all."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["image"], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({key: round_number(value) for key, value in row.items()})


def round_number(value: Any) -> Any:
    """Four digits tell scores apart."""
    return round(value, 4) if isinstance(value, float) else value


def draw_history(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    """The loss curve: where training and validation part, the network begins to learn by heart."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    steps = [one["step"] for one in history]
    for key, color in (("loss", "#4477aa"), ("validation", "#cc6677")):
        name = "training" if key == "loss" else key
        axes.plot(steps, [one[key] for one in history], ".-", color=color, label=name)
    if history:
        best = min(history, key=lambda one: one["validation"])
        axes.axvline(best["step"], color="#999999", lw=1, ls=":", label="weights that were kept")
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
