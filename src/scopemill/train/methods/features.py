"""Features: measured objects + their classes -> a random forest that gives a probability of each class.

Scores are of the test images; where none were kept, of grouped cross-validation: each group of images is judged by a
forest that has not seen it. The forest that is kept learns from all images but those of the test. After Breiman (2001).
"""

import logging
import shutil
from argparse import Namespace
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from ...settings import ConfigError, settings

if TYPE_CHECKING:
    import pandas as pd

    from ...metrics import Interval
    from ...models.description import Description

LOG = logging.getLogger(__name__)
TRUTH = "features"
FOLDS = 5
CROSS_VALIDATION = "cross-validation by groups of images"


@settings
class Settings:
    """The forest; what it learns from stands in `collect: measured`."""

    trees: Annotated[int, Field(ge=1, le=5000)] = 300
    """More give steadier probabilities, and take longer."""
    least_objects: Annotated[int, Field(ge=1)] = 2
    """Objects that a leaf of a tree holds at least: more give smoother probabilities."""
    balance: bool = False
    """All classes count alike, however rare; probabilities are then too high for rare ones."""


def run(stage: Any, method: Any, options: Namespace) -> None:
    """Train, try out and write the model folder that `options.out` (its model.yaml) names."""
    from ...measured import read_measured
    from ...models.forest import from_sklearn, save_forest
    from .. import outputs

    folder, source = options.out.parent, options.inputs[0]
    meta, table = read_measured(source)
    table = limit(table, stage.images, stage.training.seed)
    names = meta["classes"]
    known = table[table["part"] != "test"]
    check_classes(known, names)
    own = method.settings, stage.training.seed, options.threads
    fitted = fit(known, meta, *own)
    part, tried, p = try_out(table, known, fitted, meta, own)
    scores = score(tried, p, names) if len(tried) else {}
    folder.mkdir(parents=True, exist_ok=True)
    write_tables(folder, tried, p, names, source.with_name("split.csv"))
    metrics = {"images": part, **outputs.plain(scores)}
    described = describe(stage, method, meta, known, metrics)
    save_forest(folder, from_sklearn(fitted), described)
    LOG.info("%s: learnt from %d objects; %s", folder, len(known), metrics)


def limit(table: "pd.DataFrame", n_images: int | None, seed: int) -> "pd.DataFrame":
    """Objects of the test images, and of so many others, drawn by `seed`."""
    test = table["part"] == "test"
    images = sorted(table.loc[~test, "image"].unique())
    if n_images is None:
        return table
    if n_images > len(images):
        raise ConfigError(
            f"{n_images} training images were asked for, there are {len(images)}; lower images or learning_curve"
        )
    order = np.random.default_rng([seed, 2]).permutation(len(images))
    return table[test | table["image"].isin([images[i] for i in order[:n_images]])]


def check_classes(known: "pd.DataFrame", names: list[str]) -> None:
    """Raise ConfigError where there is nothing to tell apart."""
    lacking = sorted(set(names) - set(known["class"]))
    if lacking:
        cure = "label more cells, spread them with split.stratify, or name the others in `classes`"
        raise ConfigError(f"no training object is of class {', '.join(lacking)}; {cure}")
    if len(names) < 2:
        raise ConfigError("all training objects are of one class: there is nothing to tell apart")


def fit(known: "pd.DataFrame", meta: dict[str, Any], own: Settings, seed: int, threads: int) -> Any:
    """A scikit-learn forest."""
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(
        own.trees, min_samples_leaf=own.least_objects, class_weight="balanced" if own.balance else None,
        random_state=seed, n_jobs=threads,
    )  # fmt: skip
    return forest.fit(to_numbers(known, meta), number_classes(known, meta["classes"]))


def number_classes(table: "pd.DataFrame", names: list[str]) -> np.ndarray:
    """Numbers (n,) of the classes."""
    return table["class"].map(names.index).to_numpy(int)


def to_numbers(table: "pd.DataFrame", meta: dict[str, Any]) -> np.ndarray:
    """Features (n, k); what is infinite counts as missing."""
    x = table[meta["features"]].to_numpy(np.float32)
    return np.where(np.isfinite(x), x, np.nan)


def predict(fitted: Any, table: "pd.DataFrame", meta: dict[str, Any]) -> np.ndarray:
    """Probabilities (n, K) in the order of the set's classes, 0 for those that it has not seen."""
    p = np.zeros((len(table), len(meta["classes"])))
    p[:, fitted.classes_] = fitted.predict_proba(to_numbers(table, meta))
    return p


def try_out(
    table: "pd.DataFrame", known: "pd.DataFrame", fitted: Any, meta: dict[str, Any], own: tuple
) -> tuple[str, "pd.DataFrame", np.ndarray]:
    """Which images are scored, their objects, and the probabilities (n, K) that they are given."""
    test = table[table["part"] == "test"]
    if len(test):
        return "test", test, predict(fitted, test, meta)
    n_folds = min(FOLDS, known["group"].nunique(), known["class"].value_counts().max())
    if n_folds < 2:
        return "none: all objects are of one group of images", known[:0], np.empty((0, 0))
    from sklearn.model_selection import StratifiedGroupKFold

    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=own[1])
    p = np.zeros((len(known), len(meta["classes"])))
    for learn, judge in folds.split(known, known["class"], known["group"]):
        p[judge] = predict(fit(known.iloc[learn], meta, *own), known.iloc[judge], meta)
    return CROSS_VALIDATION, known, p


def score(tried: "pd.DataFrame", p: np.ndarray, names: list[str]) -> "dict[str, Interval]":
    """Scores with intervals; objects of one group of images are drawn together."""
    from ...scoring import summarise_single

    truth = number_classes(tried, names)
    return summarise_single(truth, p.argmax(axis=1), len(names), p, tried["group"].tolist())


def describe(
    stage: Any, method: Any, meta: dict[str, Any], known: "pd.DataFrame", metrics: dict[str, Any]
) -> "Description":
    """What the model is."""
    from ...models.description import Channel, Description
    from ...models.forest import NAME

    facts = {
        "examples_sha256": meta["sha256"], "split": meta["split"], "classes from": meta["learnt_from"],
        "images": {"train": known["image"].nunique()},
        "objects": dict(sorted(Counter(known["class"]).items())),
        "settings": {"method": method.as_dict(), "seed": stage.training.seed, "images": stage.images},
    }  # fmt: skip
    return Description(
        architecture={"name": NAME, **asdict(method.settings)},
        channels=[Channel(name=name, role=meta["roles"].get(name, "")) for name in meta["channels"]],
        output=meta["classes"], features=meta["features"], training=facts, metrics=metrics,
        purpose=stage.purpose, limits=stage.limits, licence=stage.licence,
    )  # fmt: skip


def write_tables(
    folder: Path, tried: "pd.DataFrame", p: np.ndarray, names: list[str], split: Path
) -> None:
    """confusion.csv, classes.csv, scores.csv (a row an object) and split.csv."""
    from ..class_tables import list_classes, list_confusion, take_highest
    from ..outputs import write_table

    if len(tried):
        truth = tried["class"].to_numpy()[:, None] == np.array(names)
        write_table(folder / "confusion.csv", list_confusion(truth, p, names))
        write_table(folder / "classes.csv", list_classes(truth, take_highest(p), names))
    predicted = np.array(names)[p.argmax(axis=1)] if len(tried) else ""
    said = tried[["image", "group", "t", "label"]].assign(
        truth=tried["class"], predicted=predicted, probability=p.max(axis=1, initial=0.0)
    )
    write_table(folder / "scores.csv", said.to_dict("records"))
    shutil.copyfile(split, folder / "split.csv")
