"""Plan in words: a plan -> text for a person, rows for a spreadsheet, JSON for a program."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..forecast.facts import Facts
from ..forecast.forecaster import Forecaster, describe
from ..forecast.plan import Line, Plan

MOST_IMAGES = 20  # in the text; --tsv and --json have all
COLUMNS = (
    "image", "batch", "task", "done", "megapixels", "memory_mb", "cpu_seconds", "of_networks",
    "gpu_seconds", "disk_mb", "blocks",
)  # fmt: skip


def as_text(
    plan: Plan,
    facts: Mapping[str, Facts],
    faults: Mapping[str, DataError],
    forecaster: Forecaster,
    cores: int,
    path: Path,
) -> Iterator[str]:
    """What a person reads."""
    yield f"{path}: {len(facts) + len(faults)} images, {len(forecaster.study.batches)} batches"
    yield ""
    yield from align(image_table(plan, facts))
    if len(facts) > MOST_IMAGES:
        yield f"... and {len(facts) - MOST_IMAGES} more (--tsv and --json have all)"
    yield ""
    yield from align(task_table(plan))
    yield ""
    yield from in_all(plan, forecaster, cores)
    for image, fault in list(faults.items())[:MOST_IMAGES]:
        yield f"left out: {image}: {fault.code}: {fault}"
    if faults:
        yield f"{len(faults)} images are left out; scopemill check {path} says more"


def image_table(plan: Plan, facts: Mapping[str, Facts]) -> Iterator[Sequence[str]]:
    """A row an image."""
    yield "image", "Mpx", "TCZYX", "um/px", "tissue", "blocks", "memory", "CPU", "GPU", "disk"
    shown = list(facts)[:MOST_IMAGES]
    lines: dict[str, list[Line]] = {image: [] for image in shown}
    for line in plan.lines:
        lines.get(line.image, []).append(line)
    for image in shown:
        one, found = facts[image], [line.forecast for line in lines[image]]
        yield (
            image,
            f"{one.megapixels:.4g}",
            " ".join(map(str, one.shape)),
            f"{one.um_per_px:.4g}" if one.um_per_px else "-",
            "-" if one.tissue is None else f"{one.tissue:.0%}",
            str(max((each.blocks for each in found), default=0)),
            say_mb(max((each.memory_mb for each in found), default=0.0)),
            say_s(sum(each.all_cpu_s for each in found)),
            say_s(sum(each.gpu_s for each in found)),
            say_mb(sum(each.disk_mb for each in found)),
        )


def task_table(plan: Plan) -> Iterator[Sequence[str]]:
    """A row a task."""
    yield (
        "task",
        "images",
        "done",
        "jobs left",
        "memory",
        "CPU left",
        "or GPU",
        "disk",
        "forecast from",
    )
    for key in plan.jobs:
        lines = plan.of_task(key)
        left = [line.forecast for line in lines if not line.done]
        starting = plan.start_s[key] * plan.jobs[key]
        known = plan.corrections[key].images
        yield (
            key,
            str(len(lines)),
            str(len(lines) - len(left)),
            str(plan.jobs[key]),
            say_mb(max((line.forecast.memory_mb for line in lines), default=0.0)),
            say_s(sum(one.all_cpu_s for one in left) + starting),
            say_s(sum(one.gpu_s for one in left)),
            say_mb(sum(line.forecast.disk_mb for line in lines)),
            f"{known} done" if known else "headers",
        )


def in_all(plan: Plan, forecaster: Forecaster, cores: int) -> Iterator[str]:
    """Totals."""
    cpu, gpu = plan.seconds_left(), sum(line.forecast.gpu_s for line in plan.left)
    memory = max((line.forecast.memory_mb for line in plan.lines), default=0.0)
    disk = sum(line.forecast.disk_mb for line in plan.lines)
    yield (
        f"left: {plan.n_jobs} jobs, {say_s(cpu)} of CPU, {say_s(plan.wall_s(cores))} on {cores} cores;"
        f" up to {say_mb(memory)} of memory a job, {say_mb(disk)} of disk in all"
    )
    if gpu:
        yield f"with a GPU for networks: {say_s(plan.seconds_left(gpu=True))} of CPU and {say_s(gpu)} of GPU"
    factors = forecaster.machine
    yield (
        f"on {factors.name}: arrays {factors.arrays:g} x, networks {factors.networks:g} x, GPU {factors.gpu:g} x"
        " the seconds of the reference machine"
    )
    if factors.name == "reference":
        yield "this machine may be slower: scopemill plan --calibrate"


def align(rows: Iterator[Sequence[str]]) -> Iterator[str]:
    """Columns of equal width; the first to the left, numbers to the right."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join([row[0].ljust(widths[0]), *cells[1:]]).rstrip()


def say_s(seconds: float) -> str:
    """12.3 s, 4:05 min, 7:30 h."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    if minutes < 60:
        return f"{int(minutes)}:{int(seconds % 60):02d} min"
    return f"{int(minutes // 60)}:{int(minutes % 60):02d} h"


def say_mb(megabytes: float) -> str:
    """812 MB, 3.4 GB, 1.2 TB."""
    for factor, unit in ((1e6, "TB"), (1e3, "GB")):
        if megabytes >= factor:
            return f"{megabytes / factor:.1f} {unit}"
    return f"{megabytes:.0f} MB"


def as_rows(plan: Plan, facts: Mapping[str, Facts]) -> Iterator[dict[str, Any]]:
    """One an image and task."""
    for line in plan.lines:
        yield {
            "image": line.image,
            "batch": line.batch,
            "task": line.task,
            "done": line.done,
            "megapixels": round(facts[line.image].megapixels, 4),
            **describe(line.forecast),
        }


def as_tsv(plan: Plan, facts: Mapping[str, Facts]) -> Iterator[str]:
    """Header and rows."""
    yield "\t".join(COLUMNS)
    for row in as_rows(plan, facts):
        yield "\t".join(str(row[name]) for name in COLUMNS)


def as_json(
    plan: Plan,
    facts: Mapping[str, Facts],
    faults: Mapping[str, DataError],
    forecaster: Forecaster,
    cores: int,
) -> dict[str, Any]:
    """Everything."""
    return {
        "machine": asdict(forecaster.machine),
        "images": {
            image: asdict(one) | {"megapixels": one.megapixels} for image, one in facts.items()
        },
        "left_out": {
            image: {"code": one.code, "message": str(one)} for image, one in faults.items()
        },
        "tasks": list(as_rows(plan, facts)),
        "corrections": {key: asdict(one) for key, one in plan.corrections.items()},
        "left": {
            "jobs": plan.n_jobs,
            "cpu_seconds": round(plan.seconds_left(), 1),
            "cpu_seconds_with_gpu": round(plan.seconds_left(gpu=True), 1),
            "gpu_seconds": round(sum(line.forecast.gpu_s for line in plan.left), 1),
            "cores": cores,
            "wall_seconds": round(plan.wall_s(cores), 1),
        },
        "memory_mb": round(max((line.forecast.memory_mb for line in plan.lines), default=0.0)),
        "disk_mb": round(sum(line.forecast.disk_mb for line in plan.lines), 1),
    }
