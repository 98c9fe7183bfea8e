"""Collect: manifests -> cases: what was annotated and what was found in a time point of an image."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..images import Image, read_labels
from ..manifests import Record, read_manifests, results_root
from ..settings import ConfigError
from ..tables import read_table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Case:
    """One time point of one image; arrays are read when they are asked for."""

    image: str
    t: int
    name: str  # the image, with the time point where there are several
    truth: Callable[[], np.ndarray]
    predicted: Callable[[], np.ndarray]
    picture: Path | None = None  # OME-TIFF of the image; none where it was lost


@dataclass
class Cases:
    """What can be compared, and what cannot."""

    scored: list[Case] = field(default_factory=list)
    missed: list[str] = field(
        default_factory=list
    )  # quarantined: all their objects count as missed
    not_scored: dict[str, str] = field(default_factory=dict)


def collect_cases(manifests: Sequence[Path], of: str, annotations: str) -> Cases:
    """Cases of all images that have annotations and labels; `manifests` are of all tasks that led to the labels."""
    records = read_manifests(manifests)
    root = results_root(manifests[0])
    found, drawn = records.get(f"segment.{of}", {}), records.get(f"annotate.{annotations}", {})
    cases = Cases()
    for image, labels in found.items():
        annotated = drawn.get(image)
        lost = [] if labels.status == "ok" else find_quarantine(records, image)
        if annotated is None or annotated.status != "ok":
            cases.not_scored[image] = explain(annotated, lost)
        elif labels.status != "ok" and not lost:
            cases.not_scored[image] = f"no labels: {labels.message}"
        else:
            # leaving a lost image out would praise a method for what it could not do
            cases.missed += [image] if lost else []
            convert = records["convert"][image]
            cases.scored += make_cases(root, image, annotated, labels, convert)
    if not cases.scored:
        reasons = "; ".join(dict.fromkeys(cases.not_scored.values()))
        raise ConfigError(
            f"evaluate: no image has both labels of segment.{of} and annotations of annotate.{annotations}: {reasons}"
        )
    return cases


def find_quarantine(records: dict[str, dict[str, Record]], image: str) -> list[str]:
    """Tasks that quarantined the image."""
    return [
        key
        for key, each in records.items()
        if image in each and each[image].status == "quarantined"
    ]


def explain(annotated: Record | None, lost: list[str]) -> str:
    """Why there is nothing to compare with."""
    if lost:
        return f"quarantined by {lost[0]}, and without annotations"
    return f"no annotations: {annotated.message}" if annotated else "no annotations"


def make_cases(
    root: Path, image: str, annotated: Record, labels: Record, convert: Record
) -> Iterator[Case]:
    """A case for each time point that was annotated."""
    table = read_table(root / annotated.artifact)
    path = root / convert.artifact if convert.status == "ok" else None
    shape = find_shape(root, labels, path, table)
    times = sorted(set(table["t"]) - {-1}) or range(shape[0])
    outside = [t for t in times if t >= shape[0]]
    if outside:
        raise ConfigError(
            f"evaluate: {image} has annotations of time point {outside[0]}, there are {shape[0]}"
        )

    def predicted(t: int) -> np.ndarray:
        if labels.status != "ok":
            return np.zeros(shape[1:], np.uint32)
        return read_labels(root / labels.artifact)[t]

    for t in times:
        name = image if shape[0] == 1 else f"{image} t{t}"
        yield Case(
            image, t, name,
            lambda t=t: read_truth(image, table, t, shape[1:]), lambda t=t: predicted(t), path,
        )  # fmt: skip


def find_shape(
    root: Path, labels: Record, picture: Path | None, table: "pd.DataFrame"
) -> tuple[int, int, int, int]:
    """(T, Z, Y, X) of the labels; where there are none of the image, flat, or just what the annotations cover."""
    if labels.status != "ok" and picture is None:
        last = table[["t", "y1", "x1"]].max()
        return max(1, int(last["t"]) + 1), 1, int(np.ceil(last["y1"])), int(np.ceil(last["x1"]))
    with Image(root / labels.artifact if labels.status == "ok" else picture) as opened:
        t, _, z, y, x = opened.meta.shape
    return t, z if labels.status == "ok" else 1, y, x


def read_truth(image: str, table: "pd.DataFrame", t: int, shape: tuple[int, ...]) -> np.ndarray:
    """Annotations of one time point as labels (Z, Y, X)."""
    from ..annotations.table import at_time, to_labels

    rows = at_time(table, t)
    without = rows[rows["kind"].isin(["point", "line"])]
    if len(without):
        raise ConfigError(
            f"evaluate: {image} has {len(without)} annotations without an area ({without['kind'].iloc[0]}); "
            "labels can only be scored against masks, outlines and boxes"
        )
    flat = shape[1:] if shape[0] == 1 else shape
    try:
        return to_labels(rows, flat).reshape(shape)
    except ValueError as error:
        raise ConfigError(f"evaluate: {image}: {error}") from None
