"""Collect: manifests and tables of all images -> records and data frames; nothing may be lost without a word."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import tables
from ..manifests import LIFTED, Record, read_manifest
from ..settings import ConfigError
from ..sheet import Row
from .regions import Measured
from .summary import column_name

if TYPE_CHECKING:
    import pandas as pd

AT_ONCE = 100  # tables


def measured_images(records: dict[str, Record], good: list[str]) -> set[str]:
    """Usable images that a task has something of."""
    return {image for image in good if records[image].status == "ok"}


def read_records(root: Path, tasks: list[str], batches: list[str]) -> dict[str, dict[str, Record]]:
    """Task key -> image -> record."""
    return {
        key: {image: record for batch in batches for image, record in read_manifest(root / "manifests" / key / f"{batch}.jsonl").items()}
        for key in tasks
    }  # fmt: skip


def account(row: Row, records: dict[str, dict[str, Record]]) -> Record:
    """How one image stands: by the first task that quarantined it, else by convert.

    Raises
    ------
    RuntimeError
        When a task has no record of the image, or an open one: nothing may be lost without a word.
    """
    absent = [key for key, of_task in records.items() if row.id not in of_task]
    if absent:
        raise RuntimeError(f"image {row.id} is not accounted for by {absent}")
    lifted = [key for key, of_task in records.items() if of_task[row.id].status == LIFTED]
    if lifted:
        raise RuntimeError(
            f"image {row.id} waits to be tried again by {lifted}; run snakemake first"
        )
    bad = [
        of_task[row.id] for of_task in records.values() if of_task[row.id].status == "quarantined"
    ]
    return bad[0] if bad else records["convert"][row.id]


def read_objects(
    root: Path, records: dict[str, dict[str, Record]], good: list[str]
) -> "pd.DataFrame":
    """Measured objects of all quantify tasks, with their classes."""
    import pandas as pd

    found, keys = [], ["image", "t", "label"]
    for key in (key for key in records if key.startswith("quantify.")):
        if "classes" in first_statement(root, records[key]):
            continue
        task = key.split(".")[1]
        table = read_all(root, records[key], good).assign(object=task)
        classifiers = [
            other
            for other in records
            if other.startswith("classify.") and describes(root, records[other], task)
        ]
        for other in classifiers:
            classes = read_all(root, records[other], good)
            if len(classifiers) > 1:  # each says class, and perhaps probabilities
                suffix = other.split(".")[1].replace("-", "_")
                own = [name for name in classes if name not in keys]
                classes = classes.rename(columns={name: f"{name}_{suffix}" for name in own})
            table = table.merge(classes, on=keys, how="left")
        found.append(table)
    if len(found) == 1:  # a copy would take as much memory again
        return found[0]
    return (
        pd.concat(found, ignore_index=True)
        if found
        else pd.DataFrame(columns=["image", "object", "t", "label"])
    )


def describes(root: Path, records: dict[str, Record], task: str) -> bool:
    """Whether a classify task's classes are those of a quantify task's objects."""
    return first_statement(root, records).get("objects") == task


def first_statement(root: Path, records: dict[str, Record]) -> dict[str, Any]:
    """What a task stated with the first of its tables; empty where it made none."""
    made = (record for record in records.values() if record.status == "ok")
    return next((tables.read_statement(root / one.artifact) for one in made), {})


def read_areas(
    root: Path, records: dict[str, dict[str, Record]], good: list[str], seed: int
) -> list[Measured]:
    """Areas of all quantify tasks that measure classes."""
    return [
        Measured(
            key.split(".")[1],
            read_all(root, records[key], good),
            read_statements(root, records[key], good),
            seed,
        )
        for key in records
        if key.startswith("quantify.") and "classes" in first_statement(root, records[key])
    ]


def find_placed(
    root: Path, records: dict[str, dict[str, Record]], good: list[str], objects: "pd.DataFrame"
) -> list[Measured]:
    """Objects of all quantify tasks that tell them apart by region."""
    return [
        Measured(
            task,
            objects[objects["object"] == task],
            read_statements(root, records[f"quantify.{task}"], good),
        )
        for task in [key.split(".")[1] for key in records if key.startswith("quantify.")]
        if first_statement(root, records[f"quantify.{task}"]).get("regions")
        and "objects" in first_statement(root, records[f"quantify.{task}"])
    ]


def read_statements(
    root: Path, records: dict[str, Record], good: list[str]
) -> dict[str, dict[str, Any]]:
    """What a task stated with each of its tables."""
    made = [image for image in good if records[image].status == "ok"]
    return {image: tables.read_statement(root / records[image].artifact) for image in made}


def region_columns(placed: list[Measured], metadata: list[str]) -> dict[str, str]:
    """Column of objects -> the class task whose regions it holds.

    Raises
    ------
    ConfigError
        When the image sheet has a column of that name.
    """
    found = {
        column_name(task): task
        for one in placed
        for statement in one.statements.values()
        for task in statement["regions"]
    }
    for column, task in found.items():
        if column in metadata:
            raise ConfigError(
                f"segment.{task}: the sheet has a column '{column}' too, and objects get one of that name; rename one of them"
            )
    return found


def read_spots(
    root: Path, records: dict[str, dict[str, Record]], good: list[str]
) -> "pd.DataFrame":
    """Spots of all detect tasks that find points."""
    import pandas as pd

    found = []
    for key in (key for key in records if key.startswith("detect.")):
        table = read_all(root, records[key], good)
        if "x" in table:
            found.append(table.assign(object=key.split(".")[1]))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def read_all(
    root: Path, records: dict[str, Record], good: list[str], at_once: int = AT_ONCE
) -> "pd.DataFrame":
    """One task's tables of all usable images, in the order of the sheet."""
    import pandas as pd

    made = [records[image] for image in good if records[image].status == "ok"]
    paths = [root / record.artifact for record in made]
    # what is read of many images takes several times their rows, so that few are held at a time
    parts = [
        tables.read_tables(paths[first : first + at_once])
        for first in range(0, len(paths), at_once)
    ]
    return (
        pd.concat(parts, ignore_index=True)
        if parts
        else pd.DataFrame(columns=["image", "t", "label"])
    )
