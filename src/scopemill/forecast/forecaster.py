"""Forecaster: a study -> what each of its tasks and jobs will take. Rules and `scopemill plan` both ask it."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..sheet import Row
from ..study import Study
from ..tasks import Task
from .costs import DISK_SHARE, GPU_MB, JOB_S, NETWORK_MB, Cost
from .facts import Facts, make_facts
from .headers import HeaderStore, guess_header
from .machine import Machine
from .work import Work, applies, cost_of, measure_work

SAFETY = 1.15  # of memory: what is asked for must not be a hair too little


@dataclass(frozen=True)
class Forecast:
    """What one task takes with one image."""

    memory_mb: float = 0.0
    cpu_s: float = 0.0  # without networks
    network_cpu_s: float = 0.0  # of networks, where there is no GPU
    gpu_s: float = 0.0  # of networks, where there is one
    disk_mb: float = 0.0
    blocks: int = 0
    applies: bool = True

    @property
    def all_cpu_s(self) -> float:
        """CPU seconds where networks run on the CPU."""
        return self.cpu_s + self.network_cpu_s


@dataclass(frozen=True)
class Forecaster:
    """Forecasts of a study, on a machine; equal images are reckoned once."""

    study: Study
    machine: Machine = field(default_factory=Machine)
    headers: HeaderStore | None = None
    _by_batch: dict[str, Counter[Facts]] = field(default_factory=dict)
    _known: dict[tuple[str, Facts], Forecast] = field(default_factory=dict)

    @classmethod
    def of_rules(cls, study: Study) -> "Forecaster":
        """With the headers that were read before, and this user's calibration."""
        root = Path("results") / study.config.study
        return cls(study, Machine.read(), HeaderStore(root))

    def facts(self, row: Row) -> Facts:
        """Of an image, without opening it."""
        header = self.headers.find(row) if self.headers else None
        return make_facts(self.study, row, header or guess_header(row, len(self.study.channels)))

    def of_batch(self, key: str, batch: str) -> list[tuple[Forecast, int]]:
        """Of a task's images in a batch, without opening them: different forecasts, and of how many images."""
        if batch not in self._by_batch:
            rows = self.study.batches[batch]
            self._by_batch[batch] = Counter(self.facts(row) for row in rows if not row.exclude)
        return [(self.of(key, facts), n) for facts, n in self._by_batch[batch].items()]

    def of(self, key: str, facts: Facts) -> Forecast:
        """Of a task and an image."""
        if (key, facts) not in self._known:
            self._known[key, facts] = self._reckon(self.study.tasks[key], facts)
        return self._known[key, facts]

    def _reckon(self, task: Task, facts: Facts) -> Forecast:
        if not applies(task, self.study.tasks, facts):
            return Forecast(applies=False)
        cost = cost_of(task)
        work = measure_work(task, self.study.tasks, facts)
        return Forecast(
            memory_mb=SAFETY * reckon_memory(cost, work, facts, self.uses_gpu(task)),
            cpu_s=self.machine.arrays * reckon_seconds(cost, work),
            network_cpu_s=self.machine.networks * cost.network_s * work.network / 1e6,
            gpu_s=self.machine.gpu * cost.gpu_s * work.network / 1e6,
            disk_mb=reckon_disk(task, cost, work, facts),
            blocks=work.blocks,
        )

    def uses_gpu(self, task: Task) -> bool:
        """Whether a task's method runs on a GPU where there is one, and the config lets it."""
        module = task.method.module if task.method else None
        return self.study.config.device != "cpu" and getattr(module, "USES_GPU", False)

    def job_memory_mb(self, key: str, batch: str) -> float:
        """What a job needs: its hungriest image."""
        return max((one.memory_mb for one, _ in self.of_batch(key, batch)), default=0.0)

    def job_seconds(self, key: str, batch: str) -> float:
        """CPU seconds of a job."""
        return self.start_s(key) + sum(one.all_cpu_s * n for one, n in self.of_batch(key, batch))

    def start_s(self, key: str) -> float:
        """CPU seconds of a job before its first image, and of loading what that needs."""
        return self.machine.arrays * JOB_S + self.load_s(key)

    def load_s(self, key: str) -> float:
        """CPU seconds that the first image of a job takes longer than the others."""
        return self.machine.arrays * cost_of(self.study.tasks[key]).load_s


def reckon_seconds(cost: Cost, work: Work) -> float:
    """CPU seconds of the reference machine, without networks."""
    per_pixel = cost.value_s * work.values + cost.pixel_s * work.pixels
    return cost.image_s + per_pixel / 1e6 + cost.object_s * work.objects / 1e3


def reckon_memory(cost: Cost, work: Work, facts: Facts, on_gpu: bool) -> float:
    """Megabytes: libraries, what is looked at at once, and a table of all objects."""
    libraries = cost.base_mb + NETWORK_MB * work.network_width + GPU_MB * on_gpu
    values = (cost.value_b + facts.itemsize) * work.window_values
    held = values + cost.pixel_b * work.window + cost.network_b * work.network_window
    return libraries + (held + cost.object_b * work.objects) / 1e6


def reckon_disk(task: Task, cost: Cost, work: Work, facts: Facts) -> float:
    """Megabytes of an artifact."""
    if task.stage == "convert":
        return DISK_SHARE * facts.megapixels * facts.itemsize
    pixels = work.values * facts.itemsize if task.stage == "patch" else work.pixels
    return cost.disk_mb + (cost.disk_b * pixels + cost.disk_object_b * work.objects) / 1e6


def describe(forecast: Forecast) -> dict[str, Any]:
    """For tables and JSON."""
    return {
        "memory_mb": round(forecast.memory_mb),
        "cpu_seconds": round(forecast.all_cpu_s, 2),
        "of_networks": round(forecast.network_cpu_s, 2),
        "gpu_seconds": round(forecast.gpu_s, 3),
        "disk_mb": round(forecast.disk_mb, 2),
        "blocks": forecast.blocks,
    }
