"""Pairs: a study's results and a pattern for truth -> for each image, where its truth and its artifact lie."""

import csv
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..manifests import Record, read_manifest
from ..settings import ConfigError
from .truth import find_truth

LOG = logging.getLogger("scopemill")
STAGES = {
    "instances": "segment", "semantic": "segment", "points": "detect", "boxes": "detect", "classes": "classify",
}  # fmt: skip


@dataclass(frozen=True)
class Question:
    """What a person asks for on the command line."""

    results: Path
    task: str
    truth: str  # path with {image} or {column of the sheet} in it
    kind: str = "instances"
    group: str | None = None
    iou: float = 0.5
    max_distance_px: float = 5.0


@dataclass(frozen=True)
class Pair:
    """One image: where its truth lies, and the task's artifact (none for a quarantined image)."""

    image: str
    group: str
    truth: Path
    artifact: Path | None


def read_metadata(results: Path) -> dict[str, dict[str, str]]:
    """Image -> its row of images.csv, as text."""
    path = results / "images.csv"
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; has the study run to its end?")
    with path.open(newline="", encoding="utf-8") as file:
        return {row["image"]: row for row in csv.DictReader(file)}


def read_records(results: Path, stage: str, task: str) -> dict[str, Record]:
    """Image -> record of a task, of all batches."""
    folder = results / "manifests" / f"{stage}.{task}"
    if not folder.is_dir():
        known = sorted(
            path.name.removeprefix(f"{stage}.") for path in folder.parent.glob(f"{stage}.*")
        )
        raise ConfigError(f"{results}: no {stage} task '{task}'; there are {known}")
    return {
        image: one
        for path in sorted(folder.glob("*.jsonl"))
        for image, one in read_manifest(path).items()
    }


def find_pairs(question: Question) -> Iterator[Pair]:
    """Images of the task that have truth; those that were quarantined have no artifact."""
    metadata = read_metadata(question.results)
    if question.group and question.group not in next(iter(metadata.values()), {}):
        raise ConfigError(f"--group: images.csv has no column '{question.group}'")
    records = read_records(question.results, STAGES[question.kind], question.task)
    for image, record in records.items():
        row = {"image": image, **metadata.get(image, {})}
        path = find_truth(question.truth, row)
        group = row[question.group] if question.group else image
        if not path.is_file():
            LOG.warning("%s: no %s; not scored", image, path)
        elif record.status == "ok":
            yield Pair(image, group, path, question.results / record.artifact)
        elif row.get("status") == "quarantined":
            # leaving it out would praise a method for what it could not do
            LOG.warning("%s: quarantined; all its objects count as missed", image)
            yield Pair(image, group, path, None)
