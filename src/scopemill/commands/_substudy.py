"""A study's own detection on other images: the command lines that rules would run, one after the other."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..manifests import Record, read_manifest
from ..settings import ConfigError, references
from ..sheet import make_batches, read_sheet
from ..study import Study
from ..tasks import Task

if TYPE_CHECKING:
    import pandas as pd

# what the simulator calls the channels that are there whatever the study
OF_ROLE = {"nucleus": "DNA", "cytoplasm": "cytoplasm"}


@dataclass(frozen=True)
class SubStudy:
    """Simulated images with their truth, and what the study's tasks made of them."""

    folder: Path  # raw/, truth/ and images.tsv
    root: Path  # results

    @cached_property
    def batch(self) -> str:
        """The one batch that holds all images."""
        rows = read_sheet(self.folder / "images.tsv")
        return next(iter(make_batches(rows, len(rows))))

    def manifest(self, key: str) -> Path:
        return self.root / "manifests" / key / f"{self.batch}.jsonl"

    def records(self, key: str) -> dict[str, Record]:
        return read_manifest(self.manifest(key))

    @property
    def images(self) -> list[str]:
        """Ids of all images."""
        return [row.id for row in read_sheet(self.folder / "images.tsv")]

    def read_truth(self, image: str) -> tuple["pd.DataFrame", "pd.DataFrame", np.ndarray]:
        """True objects, true particles and labels of the cells."""
        import pandas as pd
        import tifffile

        stem = self.folder / "truth" / image
        tables = [pd.read_csv(f"{stem}.{kind}.csv") for kind in ("objects", "particles")]
        return *tables, tifffile.imread(f"{stem}.cells.tif")

    def read_found(self, image: str, task: Task) -> tuple["pd.DataFrame", np.ndarray]:
        """Found particles, and labels of the found cells: (Y, X), or (Z, Y, X)."""
        from ..images import read_labels
        from ..tables import read_table

        paths = []
        for key in (task.key, f"segment.{task.method.settings.within}"):
            record = self.records(key)[image]
            if record.status != "ok":
                raise ConfigError(
                    f"--simulated: {key} cannot use {image}: {record.code}: {record.message}"
                )
            paths.append(self.root / record.artifact)
        return read_table(paths[0]), np.squeeze(read_labels(paths[1]))

    def n_planes(self, image: str) -> int:
        """Of the stack."""
        from ..images import Image

        with Image(self.root / self.records("convert")[image].artifact) as opened:
            return opened.meta.shape[2]


def run_detection(study: Study, task: Task, folder: Path, root: Path) -> SubStudy:
    """Run all tasks that lead to a detect task, and the task itself, on the images of a folder."""
    sub = SubStudy(folder, root)
    chosen = list(tasks_before(study, task))
    given = simulated_channels(folder)
    converted = asdict(study.tasks["convert"].settings)
    sources = {name: source_of(name, one, given) for name, one in converted["channels"].items()}
    refuse_missing(study, chosen, sources, given)
    converted |= {"pixel_size_um": None, "z_step_um": None, "stains": None, "channels": {
        name: one | {"source": sources[name]} for name, one in converted["channels"].items() if sources[name]
    }}  # fmt: skip
    for one in chosen:
        own = converted if one.stage == "convert" else asdict(one.settings)
        run_task(sub, one, own, study.config.device)
    return sub


def tasks_before(study: Study, task: Task) -> Iterator[Task]:
    """The tasks that a task waits for, in an order in which they can run, then itself."""
    wanted, left = {task.key}, [task.key]
    while left:
        needs = set(study.tasks[left.pop()].needs) - wanted
        wanted |= needs
        left += needs
    done: set[str] = set()
    while len(done) < len(wanted):
        for key in sorted(wanted - done):
            if done.issuperset(study.tasks[key].needs):
                done.add(key)
                yield study.tasks[key]


def run_task(sub: SubStudy, task: Task, own: dict[str, Any], device: str) -> None:
    """One job, in a process of its own.

    Raises
    ------
    RuntimeError
        With the end of what it said, when it failed.
    """
    command = [sys.executable, "-m", "scopemill", task.stage, "--out", sub.manifest(task.key)]
    command += ["--settings", json.dumps(own), "--device", device]
    if task.stage == "convert":
        n = len(sub.images)
        command += ["--sheet", sub.folder / "images.tsv", "--images-per-batch", n]
    else:
        command += ["--task", task.name, "--in", *(sub.manifest(key) for key in task.needs)]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{task.key} failed: {done.stderr[-2000:]}")


def simulated_channels(folder: Path) -> tuple[str, ...]:
    """Names of the channels of a folder's first image."""
    from ..readers import open_raw

    row = read_sheet(folder / "images.tsv")[0]
    with open_raw(Path(row.path), None, 2**36) as raw:
        return raw.channel_names


def source_of(name: str, channel: dict[str, Any], given: tuple[str, ...]) -> str | None:
    """Where a channel of the study is found in a simulated image: by its name, else by what it shows."""
    return next((one for one in (name, OF_ROLE.get(channel["role"])) if one in given), None)


def refuse_missing(study: Study, chosen: list[Task], sources: dict, given: tuple[str, ...]) -> None:
    """Raise ConfigError when a task needs a channel that is not simulated."""
    for task in chosen:
        loaded = [task.settings, *([task.method.settings] if task.method else [])]
        for kind, name, key in (one for settings in loaded for one in references(settings)):
            if kind == "channel" and not sources.get(name):
                raise ConfigError(
                    f"--simulated: {task.key}.{key} needs the channel '{name}', but {list(given)} are simulated; "
                    "name it in markers or particle_channels of the YAML file"
                )
