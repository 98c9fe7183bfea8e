"""History: what a study's journals recorded -> by how much its forecasts are off. The best forecast is what was seen."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..manifests import Record, read_journal
from .facts import Facts
from .forecaster import SAFETY, Forecast, Forecaster

ON_GPU = "networks run on cuda"  # how a record says so, among its notes
FEWEST_S = 1.0  # CPU seconds: less than this tells nothing of the next image

Records = Mapping[str, Mapping[str, Record]]  # by task key, by image


@dataclass(frozen=True)
class Correction:
    """What forecasts of a task are multiplied by."""

    cpu: float = 1.0
    gpu: float = 1.0
    memory: float = 1.0
    disk: float = 1.0
    images: int = 0  # that it was learned from

    def apply(self, forecast: Forecast) -> Forecast:
        """The forecast as the study's own records would have it."""
        return replace(
            forecast,
            memory_mb=forecast.memory_mb * self.memory,
            cpu_s=forecast.cpu_s * self.cpu,
            network_cpu_s=forecast.network_cpu_s * self.cpu,
            gpu_s=forecast.gpu_s * self.gpu,
            disk_mb=forecast.disk_mb * self.disk,
        )


def read_history(root: Path) -> dict[str, dict[str, Record]]:
    """Everything that was made, also in batches that did not come to their end."""
    records: dict[str, dict[str, Record]] = {}
    for path in sorted((root / "provenance").glob("*/*.jsonl")):
        records.setdefault(path.parent.name, {}).update(read_journal(path))
    return records


def ran_on_gpu(record: Record) -> bool:
    """Whether networks ran on a GPU."""
    return any(note.startswith(ON_GPU) for note in record.facts.get("notes", ()))


def learn(
    forecaster: Forecaster, key: str, facts: Mapping[str, Facts], history: Records
) -> Correction:
    """How a task's forecasts compare with its records; 1 where there are none."""
    pairs = [
        (record, forecaster.of(key, facts[image]))
        for image, record in history.get(key, {}).items()
        if image in facts and record.status == "ok" and record.cpu_seconds
    ]
    on_gpu = [(record, one) for record, one in pairs if ran_on_gpu(record)]
    on_cpu = [(record, one) for record, one in pairs if not ran_on_gpu(record)]
    loading = [(0.0, forecaster.load_s(key))] * count_batches(
        forecaster, [r.image for r, _ in pairs]
    )
    seconds = loading + [(record.cpu_seconds, one.all_cpu_s) for record, one in on_cpu]
    seconds += [(record.cpu_seconds, one.cpu_s) for record, one in on_gpu]
    higher = [
        record.peak_memory_mb * SAFETY / one.memory_mb for record, one in pairs if one.memory_mb
    ]
    return Correction(
        cpu=compare(seconds),
        gpu=compare([(record.seconds, one.gpu_s) for record, one in on_gpu]),
        memory=max([1.0, *higher]),
        disk=compare([(record.size / 1e6, one.disk_mb) for record, one in pairs], 0.0),
        images=len(pairs),
    )


def count_batches(forecaster: Forecaster, images: Collection[str]) -> int:
    """Batches that these images are of: each had a first image, which took longer."""
    found = set(images)
    batches = forecaster.study.batches.values()
    return sum(any(row.id in found for row in rows) for rows in batches)


def compare(pairs: list[tuple[float, float]], fewest: float = FEWEST_S) -> float:
    """Sum of what was seen / sum of what was forecast; 1 where that is too little to tell."""
    seen, forecast = (sum(one) for one in zip(*pairs, strict=True)) if pairs else (0.0, 0.0)
    return seen / forecast if seen > fewest and forecast > 0 else 1.0
