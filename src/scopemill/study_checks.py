"""Study checks: what the config wants of the sheet is there, before anything starts."""

from pathlib import Path
from typing import Any

from .annotations.source import check_source, fill_in
from .columns import describe, example_columns
from .config import Channel
from .settings import ConfigError, nearest
from .sheet import Row
from .splits.make import check_columns as check_split_columns
from .splits.objections import find_ignored
from .tasks import Task, place_of


def check_columns(gather: Any, rows: list[Row], channels: dict[str, Channel]) -> None:
    """Columns by which the study is summarised must be in the sheet, or be measured."""
    there = list(rows[0].metadata)
    wanted = [("gather.group_by", gather.group_by)] if gather.group_by != "group" else []
    wanted += [("gather.fits.x", fit.x) for fit in gather.fits]
    problems = [
        f"{key}: the sheet has no column '{name}'{nearest(name, there)}"
        for key, name in wanted
        if name not in there
    ]
    for fit in gather.fits:
        if describe(fit.y, channels) is None:
            problems.append(
                f"gather.fits.y: no column '{fit.y}' is measured{nearest(fit.y, example_columns(channels))}"
            )
    if problems:
        raise ConfigError("\n".join(problems))


def check_classes(tasks: dict[str, Task], rows: list[Row]) -> None:
    """Classes that quantify names must be those of the class task; objects get a column of a region's name."""
    problems = []
    for key, task in tasks.items():
        if task.stage != "quantify":
            continue
        own = task.settings
        wanted = [(f"within.{name}", name, classes) for name, classes in own.within.items()]
        wanted += [("whole", own.classes, own.whole)] if own.classes else []
        for setting, name, classes in wanted:
            method = tasks[f"segment.{name}"].method
            there = method.module.class_names(method.settings)
            problems += [
                f"{key}.{setting}: '{name}' has no class '{one}'{nearest(one, there)}"
                for one in classes
                if one not in there
            ]
        problems += [
            f"{key}.regions: the sheet has a column '{name}' already; rename that task or the column"
            for name in own.regions
            if name in rows[0].metadata
        ]
    if problems:
        raise ConfigError("\n".join(problems))


def check_sources(tasks: dict[str, Task], rows: list[Row]) -> None:
    """What stands in braces in the path of annotations must be a column of the sheet."""
    for key, task in tasks.items():
        if task.stage == "annotate":
            check_source(task.settings.source, rows[0], f"{key}.source")


def check_groups(tasks: dict[str, Task], rows: list[Row]) -> None:
    """Columns by which images are drawn together must be in the sheet."""
    there = [*rows[0].metadata, "batch"]
    problems = [
        f"{key}.group: the sheet has no column '{task.settings.group}'{nearest(task.settings.group, there)}"
        for key, task in tasks.items()
        if task.stage == "evaluate" and task.settings.group and task.settings.group not in there
    ]
    if problems:
        raise ConfigError("\n".join(problems))


def check_splits(tasks: dict[str, Task], rows: list[Row], folder: Path) -> None:
    """What the sheet alone says against a split is said now, not after all images were converted.

    Copies and neighbours among the images, and groups in two parts, are found when the training set is collected.
    """
    for task in [one for one in tasks.values() if one.stage == "collect"]:
        where = place_of(task.key)
        truth = task.settings.annotations
        truth = tasks.get(
            f"annotate.{task.settings.annotations}"
        )  # None: classes stand in the sheet
        annotated = [
            row for row in rows if truth is None or is_annotated(truth.settings.source, row, folder)
        ]
        keys = [{"image": row.id, **row.metadata} for row in annotated or rows]
        split = task.settings.split
        try:
            check_split_columns(keys, split)
        except ConfigError as error:
            raise ConfigError(
                "\n".join(f"{where}.{line}" for line in str(error).split("\n"))
            ) from None
        ignored = [] if split.column or split.allow_random else find_ignored(keys, split)
        if ignored:
            raise ConfigError(
                f"{where}.{ignored[0]}, or allow_random: true to split all the same, which is written down"
            )


def is_annotated(source: str, row: Row, folder: Path) -> bool:
    """Whether the annotation file of an image is there."""
    path = fill_in(source, row, folder)
    return path is not None and path.exists()
