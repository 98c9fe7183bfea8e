"""Collect: manifests and tables of all images -> records and data frames; nothing may be lost without a word."""

from pathlib import Path
from typing import TYPE_CHECKING

from .. import tables
from ..manifests import Record, read_manifest
from ..sheet import Row

if TYPE_CHECKING:
    import pandas as pd


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
        When a task has no record of the image: nothing may be lost without a word.
    """
    absent = [key for key, of_task in records.items() if row.id not in of_task]
    if absent:
        raise RuntimeError(f"image {row.id} is not accounted for by {absent}")
    bad = [
        of_task[row.id] for of_task in records.values() if of_task[row.id].status == "quarantined"
    ]
    return bad[0] if bad else records["convert"][row.id]


def read_objects(
    root: Path, records: dict[str, dict[str, Record]], good: list[str]
) -> "pd.DataFrame":
    """Measured objects of all quantify tasks, with their classes."""
    import pandas as pd

    found = []
    for key in (key for key in records if key.startswith("quantify.")):
        task = key.split(".")[1]
        table = read_all(root, records[key], good).assign(object=task)
        classifiers = [
            other
            for other in records
            if other.startswith("classify.") and describes(root, records[other], task)
        ]
        for other in classifiers:
            column = (
                "class"
                if len(classifiers) == 1
                else f"class_{other.split('.')[1].replace('-', '_')}"
            )
            classes = read_all(root, records[other], good).rename(columns={"class": column})
            table = table.merge(classes, on=["image", "t", "label"], how="left")
        found.append(table)
    return (
        pd.concat(found, ignore_index=True)
        if found
        else pd.DataFrame(columns=["image", "object", "t", "label"])
    )


def describes(root: Path, records: dict[str, Record], task: str) -> bool:
    """Whether a classify task's classes are those of a quantify task's objects."""
    made = [record for record in records.values() if record.status == "ok"]
    return bool(made) and tables.read_statement(root / made[0].artifact)["objects"] == task


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


def read_all(root: Path, records: dict[str, Record], good: list[str]) -> "pd.DataFrame":
    """One task's tables of all usable images, in the order of the sheet."""
    import pandas as pd

    made = [records[image] for image in good if records[image].status == "ok"]
    parts = [tables.read_table(root / record.artifact) for record in made]
    for part in parts:
        part.attrs = {}  # pandas compares them at each concat
    return (
        pd.concat(parts, ignore_index=True)
        if parts
        else pd.DataFrame(columns=["image", "t", "label"])
    )
