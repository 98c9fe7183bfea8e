"""Harness: a task, a baseline and ours -> both done in turns -> the median ratio with its interval, or what does not agree.

Each side has a process of its own, which does the task once before it is timed (imports, compilation, warm files); where a turn
takes minutes, a small one. A ratio is given only where the check of both results finds nothing.
"""

import json
import multiprocessing
import os
import platform
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

CHECKOUT = Path(__file__).resolve().parents[2]
RESULTS = CHECKOUT / "benchmarks" / "results"
PAIRS = 5
DRAWS = 2000
PACKAGES = ("numpy", "scipy", "scikit-image", "torch", "numba", "snakemake", "pandas", "shapely")


@dataclass(frozen=True)
class Goal:
    """What a number of the outcome should be."""

    name: str
    of: Callable[["Outcome"], float]
    at_least: float | None = None
    at_most: float | None = None

    def is_met(self, value: float) -> bool:
        """Whether the value is on the right side of its bound; never, where it is not a number."""
        above = self.at_least is None or value >= self.at_least
        return bool(above and (self.at_most is None or value <= self.at_most))

    def text(self, value: float) -> str:
        """The value beside its bound."""
        sign, bound = (">=", self.at_least) if self.at_most is None else ("<=", self.at_most)
        return f"{self.name} {value:.3g} ({sign} {bound:g}: {'met' if self.is_met(value) else 'missed'})"


@dataclass(frozen=True)
class Benchmark:
    """One task, done by the baseline and by ours; all functions are top-level functions of a module."""

    name: str
    task: str
    """What is done, in words a user would use, with its size."""
    against: str
    """What the baseline is."""
    prepare: Callable[[Path, Mapping[str, Any]], Any]
    """Folder, size -> the case that both sides get; called once, what it returns is pickled."""
    baseline: Callable[[Any], Any] | None
    """Case -> result; None where there is nothing to compare with."""
    ours: Callable[[Any], Any]
    check: Callable[[Any, Any, Any], list[str]]
    """Case, result of the baseline (None), ours -> what is wrong, in words; empty when all is right."""
    spoil: Callable[[Any], Any]
    """Our result, made slightly wrong: the check must find it."""
    full: Mapping[str, Any]
    """Size to measure."""
    small: Mapping[str, Any]
    """Size for the tests: both sides within seconds."""
    goals: tuple[Goal, ...]
    unavailable: Callable[[], str] = lambda: ""
    """Why it cannot be run here (no GPU, no network); empty when it can."""
    facts: Callable[[Any, Any], Mapping[str, float]] = lambda case, result: {}
    """Case, our result -> further numbers that goals refer to."""
    share: Callable[[Any], float] = lambda case: 1.0
    """Case -> the share of the task that the baseline does, where all of it would take hours; its times are divided by it."""
    pairs: int = PAIRS
    warm_up_small: bool = False
    """Before it is timed, the small task is done, not the full one: loading is little beside a turn, compiled code is kept on disk."""


@dataclass(frozen=True)
class Run:
    """What one execution took; children are counted in."""

    cpu_s: float
    wall_s: float
    peak_mb: float


@dataclass(frozen=True)
class Outcome:
    """All that was measured of one benchmark."""

    name: str
    ours: list[Run]
    baseline: list[Run]
    facts: Mapping[str, float]
    objections: list[str] = field(default_factory=list)

    def ratio(self, of: str = "cpu_s") -> float:
        """Median over pairs: how many times more the baseline takes; NaN without a baseline."""
        return self.interval(of)[1]

    def interval(self, of: str = "cpu_s") -> tuple[float, float, float]:
        """2.5 %, median, 97.5 % of the pairs' ratios, by bootstrap."""
        if not self.baseline:
            return (float("nan"),) * 3
        pairs = zip(self.baseline, self.ours, strict=True)
        ratios = np.array(
            [getattr(one, of) / max(getattr(other, of), 1e-9) for one, other in pairs]
        )
        drawn = np.random.default_rng(0).integers(0, len(ratios), (DRAWS, len(ratios)))
        low, high = np.percentile(np.median(ratios[drawn], axis=1), [2.5, 97.5])
        return float(low), float(np.median(ratios)), float(high)

    def median(self, of: str = "cpu_s", side: str = "ours") -> float:
        """Median of cpu_s, wall_s or peak_mb of 'ours' or 'baseline'."""
        runs = getattr(self, side)
        return float(np.median([getattr(run, of) for run in runs])) if runs else float("nan")


def measure(benchmark: Benchmark, size: Mapping[str, Any], pairs: int) -> Outcome:
    """Check, then time in turns."""
    with tempfile.TemporaryDirectory(prefix=f"bench-{benchmark.name}-") as name:
        folder = Path(name)
        if benchmark.warm_up_small:
            with at_work(benchmark, folder / "small", benchmark.small) as (_, workers):
                do_once(workers)
        with at_work(benchmark, folder / "full", size) as (case, workers):
            first = do_once(workers)
            results = {side: result for side, (_, result) in first.items()}
            objections = benchmark.check(case, results.get("baseline"), results["ours"])
            if objections:
                return Outcome(benchmark.name, [], [], {}, objections)
            facts = dict(benchmark.facts(case, results["ours"]))
            runs: dict[str, list[Run]] = {"baseline": [], "ours": []}
            if benchmark.warm_up_small:
                runs |= {side: [run] for side, (run, _) in first.items()}
            for i in range(len(runs["ours"]), pairs):
                # who begins changes, so that neither always follows the other
                for side in sorted(workers, reverse=i % 2 == 1):
                    runs[side].append(workers[side].ask("run"))
            share = benchmark.share(case)
            theirs = [replace(one, cpu_s=one.cpu_s / share, wall_s=one.wall_s / share) for one in runs["baseline"]]  # fmt: skip
            return Outcome(benchmark.name, runs["ours"], theirs, facts)


@contextmanager
def at_work(
    benchmark: Benchmark, folder: Path, size: Mapping[str, Any]
) -> Iterator[tuple[Any, dict[str, "Worker"]]]:
    """The case, and a process of each side that has it."""
    folder.mkdir()
    case = benchmark.prepare(folder, size)
    sides = {"baseline": benchmark.baseline, "ours": benchmark.ours}
    workers = {side: Worker(one, case) for side, one in sides.items() if one}
    try:
        yield case, workers
    finally:
        for worker in workers.values():
            worker.stop()


def do_once(workers: Mapping[str, "Worker"]) -> dict[str, tuple[Run, Any]]:
    """Each side's turn and what came of it."""
    return {side: worker.ask("result") for side, worker in workers.items()}


class Worker:
    """A process that does one side's task when it is told to."""

    def __init__(self, function: Callable[[Any], Any], case: Any):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, function, case))
        self.process.start()
        theirs.close()

    def ask(self, what: str) -> Any:
        """Do it once: the "run" that it was, or that and the "result"."""
        self.pipe.send(what)
        answer = self.pipe.recv()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def stop(self) -> None:
        self.pipe.close()
        self.process.join(10)
        self.process.kill()


def serve(pipe: Any, function: Callable[[Any], Any], case: Any) -> None:
    """Do as asked until nobody listens."""
    while True:
        try:
            wanted = pipe.recv()
        except EOFError:
            return
        try:
            run, result = time_once(function, case)
            pipe.send((run, result) if wanted == "result" else run)
        except Exception as error:
            pipe.send(error)


def time_once(function: Callable[[Any], Any], case: Any) -> tuple[Run, Any]:
    """CPU and wall seconds of one call, and the process's (or a child's) greatest memory so far; what it returned."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    result = function(case)
    return Run(cpu_seconds() - cpu, time.perf_counter() - wall, peak_mb()), result


WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def cpu_seconds() -> float:
    """User and system seconds of this process and of its children that ended."""
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, WHO))


def peak_mb() -> float:
    """The most that this process held, or one of its children that ended."""
    # not ru_maxrss of this process, which counts what its parent held when it was started
    lines = Path("/proc/self/status").read_text().splitlines()
    own = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


def machine() -> dict[str, Any]:
    """Where and with what it was measured."""
    cpuinfo = Path("/proc/cpuinfo")
    models = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")] if cpuinfo.exists() else []  # fmt: skip
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True, check=False)  # fmt: skip
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cpu": models[0].split(":")[1].strip() if models else platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := find_version(name))},
    }


def find_version(package: str) -> str:
    """As installed; empty where it is not."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def write_result(benchmark: Benchmark, outcome: Outcome) -> dict[str, Any]:
    """benchmarks/results/<name>.json: everything that was measured, and the goals."""
    values = {goal: goal.of(outcome) if outcome.ours else float("nan") for goal in benchmark.goals}
    found = {
        "name": benchmark.name, "task": benchmark.task, "against": benchmark.against,
        "objections": outcome.objections, "facts": dict(outcome.facts),
        "ours": [asdict(run) for run in outcome.ours], "baseline": [asdict(run) for run in outcome.baseline],
        "ratio": dict(zip(("low", "median", "high"), outcome.interval(), strict=True)),
        "goals": [{"text": goal.text(value), "value": value, "met": goal.is_met(value)} for goal, value in values.items()],
        "machine": machine(),
    }  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{benchmark.name}.json").write_text(json.dumps(found, indent=1) + "\n")
    return found
