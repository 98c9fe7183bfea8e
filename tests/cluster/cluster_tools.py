"""Small studies for the test cluster, the snakemake that runs them, and what sacct and journals say of them."""

import csv
import io
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
PLUGIN = HERE / "plugin"
SACCT = "JobID,State,Partition,ReqMem,Timelimit,ReqTRES,AllocTRES,NodeList,Comment,Submit,Start,End,ElapsedRaw"


def require(there: bool, reason: str) -> None:
    """Skip with the reason; fail where everything must run."""
    if there:
        return
    if os.environ.get("SCOPEMILL_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass(frozen=True)
class Job:
    """One line of sacct."""

    id: str
    state: str
    partition: str
    memory: str
    time_limit: str
    requested: str
    allocated: str
    node: str
    rule: str
    wildcards: str
    submit: datetime | None
    start: datetime | None
    end: datetime | None
    seconds: int

    @classmethod
    def parse(cls, line: Sequence[str]) -> "Job":
        *words, comment, submit, start, end, seconds = line
        rule, _, wildcards = comment.removeprefix("rule_").partition("_wildcards_")
        times = [
            datetime.fromisoformat(t) if t[0].isdigit() else None for t in (submit, start, end)
        ]
        return cls(*words, rule, wildcards, *times, int(seconds))


@dataclass(frozen=True)
class Cluster:
    """A running cluster; commands find it through `env`."""

    root: Path
    env: dict[str, str]

    def ask(self, *command: str, seconds: float = 60) -> str:
        return subprocess.run(
            command, env=self.env, check=True, capture_output=True, text=True, timeout=seconds
        ).stdout

    def queue(self) -> list[list[str]]:
        """Jobs that wait or run: id, state, rule and batch."""
        return [line.split("|") for line in self.ask("squeue", "-h", "-o", "%i|%T|%k").splitlines()]

    def accounts(self, run: str) -> list[Job]:
        """What sacct says of a run's jobs, once all have ended there too."""
        command = ("sacct", "-X", "-D", "-n", "-P", "--name", run, "-o", SACCT)

        def ended() -> list[Job] | None:
            lines = csv.reader(io.StringIO(self.ask(*command)), delimiter="|")
            jobs = [Job.parse(line) for line in lines]
            busy = any(job.state in ("PENDING", "RUNNING", "COMPLETING") for job in jobs)
            return jobs if jobs and not busy else None

        return wait_for("sacct to know all jobs", ended, 60)


def wait_for(what: str, ask: Callable, seconds: float):
    """What `ask` answers, once that is true."""
    end = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.3)
    return answer


def tail(folder: Path) -> str:
    """The last lines of each log of a folder."""
    return "\n".join(
        f"{log.name}: {' / '.join(log.read_text(errors='replace').splitlines()[-3:])}"
        for log in sorted(folder.glob("*.log"))
    )


def write_image(path: Path, seed: int, mark: int = 0) -> None:
    """Discs on a dim ground; the first pixel may tell the `trouble` method what to do."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((96, 96))
    image = rng.normal(100, 5, y.shape)
    for row, column in rng.integers(12, 84, (6, 2)):
        image[(y - row) ** 2 + (x - column) ** 2 <= 36] = 3000
    image[0, 0] = mark
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, image.astype(np.uint16))


def write_study(folder: Path, marks: Sequence[int], config: dict, per_batch: int = 2) -> Path:
    """A study of small images, one a mark; its config."""
    rows = []
    for i, mark in enumerate(marks):
        write_image(folder / f"raw/f{i}.tif", i, mark)
        rows.append(f"f{i}\traw/f{i}.tif\t{'ab'[i % 2]}\n")
    (folder / "images.tsv").write_text("id\tpath\tgroup\n" + "".join(rows))
    base = {
        "study": "small",
        "channels": {"DNA": 0},
        "pixel_size_um": 0.5,
        "images_per_batch": per_batch,
        "segment": {"cells": {"method": {"name": "trouble", "channel": "DNA"}}},
        "detect": {"cells": {"method": {"name": "from-labels", "labels": "cells"}}},
        "quantify": {"cells": {"objects": "cells"}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(base | config))
    return folder / "config.yaml"


@dataclass
class Run:
    """A snakemake process and what it says."""

    process: subprocess.Popen | None
    log: Path

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def id(self) -> str:
        """The run id: the name of its SLURM jobs."""
        return self.text.split("SLURM run ID: ", 1)[1].split()[0]

    def finish(self, seconds: float = 300) -> str:
        """Wait for it to end well; what it said."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.stop()
            pytest.fail(f"snakemake took more than {seconds} s:\n{self.text[-6000:]}")
        assert code == 0, self.text[-6000:]
        return self.text

    def stop(self) -> None:
        """End it at once, as a lost node would."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def journal(results: Path, key: str) -> list[dict]:
    """Every line of a task's journals, in order: who made which image."""
    files = sorted((results / "results/small/provenance" / key).glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def manifests(results: Path) -> dict[str, dict[str, dict]]:
    """Task -> image -> record."""
    found: dict[str, dict[str, dict]] = {}
    for file in sorted((results / "results/small/manifests").glob("*/*.jsonl")):
        for record in map(json.loads, file.read_text().splitlines()):
            found.setdefault(file.parent.name, {})[record["image"]] = record
    return found
