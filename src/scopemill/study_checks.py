"""Study checks: what the config wants of the sheet is there, before anything starts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .annotations.source import check_source, fill_in
from .columns import describe, example_columns
from .config import Channel
from .settings import ConfigError, nearest
from .sheet import Row, is_same
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


def check_particles(tasks: dict[str, Task], rows: list[Row]) -> None:
    """Particles must be counted by the quantify task named, and the control must be groups of the sheet."""
    gather = tasks["gather"].settings
    problems, there = [], list(rows[0].metadata)
    for task, own in gather.particles.items():
        where = f"gather.particles.{task}"
        if task not in tasks[f"quantify.{own.objects}"].settings.spots:
            problems.append(
                f"{where}.objects: quantify.{own.objects} does not count '{task}'; add it to its `spots`"
            )
        if unknown := [column for column in own.control if column not in there]:
            problems.append(
                f"{where}.control: the sheet has no column '{unknown[0]}'{nearest(unknown[0], there)}"
            )
        elif own.control:
            problems += check_control(own.control, gather.group_by, rows, f"{where}.control")
    if problems:
        raise ConfigError("\n".join(problems))


def check_control(control: Mapping[str, Any], by: str, rows: list[Row], where: str) -> list[str]:
    """Control images must be there, and be all of their groups."""
    chosen = [
        all(is_same(row.metadata[name], value) for name, value in control.items()) for row in rows
    ]
    if not any(chosen):
        return [f"{where}: no image of the sheet is such a control"]
    groups = [row.metadata.get(by, "") for row in rows]
    control_groups = {group for group, one in zip(groups, chosen, strict=True) if one}
    mixed = control_groups & {group for group, one in zip(groups, chosen, strict=True) if not one}
    if mixed and not all(chosen):
        return [
            f"{where}: the group '{min(mixed)}' holds control images and others; set gather.group_by to a column that tells them apart"
        ]
    return []


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


def check_labelled(tasks: dict[str, Task], folder: Path, channels: dict[str, Channel]) -> None:
    """The CSV of labelled cells is there, and the columns that are to be learnt from can be measured."""
    problems = []
    for task in [one for one in tasks.values() if one.stage == "collect" and one.settings.measured]:
        own, where = task.settings.measured, f"{place_of(task.key)}.measured"
        if own.labelled and not (folder / own.labelled).is_file():
            problems.append(
                f"{where}.labelled: {folder / own.labelled}: no such file; its path is relative to the sheet"
            )
        problems += [
            f"{where}.features: no column '{one}' is measured{nearest(one, example_columns(channels))}"
            for one in own.features
            if describe(one, channels) is None
        ]
    if problems:
        raise ConfigError("\n".join(problems))


def is_annotated(source: str, row: Row, folder: Path) -> bool:
    """Whether the annotation file of an image is there."""
    path = fill_in(source, row, folder)
    return path is not None and path.exists()
