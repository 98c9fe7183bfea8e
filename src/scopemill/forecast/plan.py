"""Plan: forecasts and records of every image and task -> what is left of a study, and how long it will take."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..manifests import Record
from ..tasks import BATCH_STAGES, Task
from .facts import Facts
from .forecaster import Forecast, Forecaster
from .history import Correction, Records, learn, ran_on_gpu

STUDY_JOBS = 4  # gather, report, account, all


@dataclass(frozen=True)
class Line:
    """One image and task: recorded where it was done, else forecast."""

    image: str
    batch: str
    task: str
    done: bool
    forecast: Forecast


@dataclass(frozen=True)
class Plan:
    """A whole study."""

    lines: list[Line]
    corrections: dict[str, Correction]
    start_s: dict[str, float]  # of a job, by task
    jobs: dict[str, int]  # left, by task
    needs: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def of_task(self, key: str) -> list[Line]:
        """Its images."""
        return [line for line in self.lines if line.task == key]

    @property
    def left(self) -> list[Line]:
        """What is still to do."""
        return [line for line in self.lines if not line.done]

    @property
    def n_jobs(self) -> int:
        """Jobs of Snakemake that are left, those of the whole study included."""
        return sum(self.jobs.values()) + STUDY_JOBS

    def seconds_left(self, gpu: bool = False) -> float:
        """CPU seconds, with networks on the CPU or without them; starting jobs included."""
        work = sum(line.forecast.cpu_s if gpu else line.forecast.all_cpu_s for line in self.left)
        return work + sum(self.start_s[key] * n for key, n in self.jobs.items())

    def wall_s(self, cores: int) -> float:
        """How long it takes: all cores busy, but no shorter than the longest batch."""
        return max(self.seconds_left() / cores, self.longest_batch_s())

    def longest_batch_s(self) -> float:
        """Of the chains of tasks that wait for each other in one batch, the longest one, on one core."""
        seconds: dict[tuple[str, str], float] = {}
        for line in self.left:
            key = line.batch, line.task
            seconds[key] = seconds.get(key, self.start_s[line.task]) + line.forecast.all_cpu_s
        ends: dict[tuple[str, str], float] = {}
        for key in self.needs:  # in the order of stages: what a task waits for stands before it
            for batch in {line.batch for line in self.lines}:
                before = max((ends.get((batch, one), 0.0) for one in self.needs[key]), default=0.0)
                ends[batch, key] = before + seconds.get((batch, key), 0.0)
        return max(ends.values(), default=0.0)


def make_plan(
    forecaster: Forecaster, facts: Mapping[str, Facts], history: Records, root: Path
) -> Plan:
    """Forecast of all images whose facts are known; what was recorded goes over it."""
    tasks = batch_tasks(forecaster.study.tasks.values())
    corrections = {task.key: learn(forecaster, task.key, facts, history) for task in tasks}
    lines, jobs = [], {}
    for task in tasks:
        key, recorded = task.key, history.get(task.key, {})
        for batch, rows in forecaster.study.batches.items():
            jobs[key] = jobs.get(key, 0) + (not manifest_of(root, key, batch).exists())
            for row in rows:
                if row.exclude or row.id not in facts:
                    continue
                forecast = forecaster.of(key, facts[row.id])
                if forecast.applies:
                    record, off = recorded.get(row.id), corrections[key]
                    lines.append(make_line(row.id, batch, key, record, off.apply(forecast)))
    start = {task.key: forecaster.start_s(task.key) for task in tasks}
    return Plan(lines, corrections, start, jobs, {task.key: task.needs for task in tasks})


def batch_tasks(tasks: Iterable[Task]) -> list[Task]:
    """Those that handle images, in such an order that a task stands behind what it waits for."""
    waiting = {task.key: task for task in tasks if task.stage in BATCH_STAGES}
    ordered: dict[str, Task] = {}
    while waiting:
        ready = [task for task in waiting.values() if not set(task.needs) & set(waiting)]
        ordered |= {task.key: task for task in ready}
        waiting = {key: task for key, task in waiting.items() if key not in ordered}
    return list(ordered.values())


def manifest_of(root: Path, key: str, batch: str) -> Path:
    """What a job writes last."""
    return root / "manifests" / key / f"{batch}.jsonl"


def make_line(image: str, batch: str, key: str, record: Record | None, forecast: Forecast) -> Line:
    """A task's image, as recorded or as forecast."""
    if record is None:
        return Line(image, batch, key, False, forecast)
    on_gpu = ran_on_gpu(record)
    seen = Forecast(
        memory_mb=record.peak_memory_mb or forecast.memory_mb,
        cpu_s=record.cpu_seconds or record.seconds,
        gpu_s=record.seconds if on_gpu else 0.0,
        disk_mb=record.size / 1e6,
        blocks=forecast.blocks,
    )
    return Line(image, batch, key, True, seen)
