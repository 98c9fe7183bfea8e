"""Classes: classified objects and a table of their true classes -> confusion, scores and plots."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .. import metrics, scoring
from ..metrics import Interval
from ..settings import ConfigError
from ..tables import read_table
from .plots import draw, draw_confusion, draw_reliability

UNFOUND = "(not found)"
PREFIX = "probability_"


def read_classes(truth: Path, artifact: Path | None, image: str):
    """True and predicted class of each object of one image, and probabilities where there are any.

    `truth` is a CSV with columns label and class (t; image, of several). Objects that are not there any more have the
    class "(not found)".
    """
    import pandas as pd

    true = pd.read_csv(truth, keep_default_na=False)
    if not {"label", "class"} <= set(true):
        raise ConfigError(f"{truth}: expected columns label and class, found {list(true)}")
    if "image" in true:
        true = true[true["image"].astype(str) == image]
    keys = [name for name in ("t", "label") if name in true]
    if true.duplicated(keys).any():
        raise ConfigError(f"{truth}: {image} has a label twice; give each object one class")
    true = true[[*keys, "class"]].rename(columns={"class": "true"}).assign(image=image)
    if artifact is None:
        return true.assign(**{"class": UNFOUND})
    found = read_table(artifact)
    there = [name for name in found if name == "class" or str(name).startswith(PREFIX)]
    joined = true.merge(found[[*keys, *there]], on=keys, how="left", validate="one_to_one")
    return joined.assign(**{"class": joined["class"].fillna(UNFOUND)})


def summarise(table, groups: Sequence[str]) -> tuple[dict[str, Interval], dict[str, str]]:
    """Objects with columns true and class -> summary, and plots by name; objects of a group are drawn together."""
    names = sorted({*table["true"].astype(str), *table["class"].astype(str)})
    number = {name: n for n, name in enumerate(names)}
    true, found = (
        table[column].astype(str).map(number).to_numpy(int) for column in ("true", "class")
    )
    chances = read_probabilities(table, names)
    summary = scoring.summarise_single(true, found, len(names), chances, groups)
    counts = metrics.confusion(true, found, len(names))
    for name, column in metrics.per_class(counts, names).items():
        summary |= {f"{key} of {name}": Interval(value, np.nan, np.nan)
                    for key, value in column.items() if key != "n"}  # fmt: skip
    plots = {"confusion.svg": draw(draw_confusion, counts, names)}
    if chances is not None:
        bins = metrics.bin_reliability(chances.max(axis=1), chances.argmax(axis=1) == true)
        plots["reliability.svg"] = draw(draw_reliability, bins)
    return summary, plots


def read_probabilities(table, names: Sequence[str]) -> np.ndarray | None:
    """(objects, classes) of columns probability_<class>; none unless every object has one for every class."""
    columns = [f"{PREFIX}{name}" for name in names]
    if not set(columns) <= set(table) or table[columns].isna().any(axis=None):
        return None
    return table[columns].to_numpy(float)
