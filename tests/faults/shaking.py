"""Shaking: a study that is killed at random moments, again and again -> what was lost. Nothing must be."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "workflow"))
from workflow_tools import (
    CHECKOUT,
    SHORT,
    environment,
    manifests,
    results_of,
    run_study,
    sha256,
    snakemake_command,
    table_bytes,
    write_study,
)

from scopemill.manifests import is_whole, read_journal

PROFILE = ("--profile", str(CHECKOUT / "profiles" / "local"), "--cores", "2")
KILLS = ("SIGKILL to all", "SIGTERM to all", "SIGKILL to a job", "SIGTERM to snakemake")
N_IMAGES = 4
LONGEST_S = 600


@dataclass
class Shaken:
    """What came of it."""

    kills: Counter = field(default_factory=Counter)
    ended: int = 0  # runs that came to their end, as undisturbed ones do
    losses: list[str] = field(default_factory=list)
    inputs_changed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Truth:
    """An undisturbed run."""

    folder: Path
    seconds: float
    tables: dict[str, bytes]
    artifacts: dict[str, str]  # path -> sha256
    inputs: dict[str, str]


def run_undisturbed(folder: Path) -> Truth:
    """Write a study and run it."""
    write_study(folder, SHORT, {"images_per_batch": N_IMAGES}, n=N_IMAGES)
    start = time.monotonic()
    run_study(folder, *PROFILE)
    seconds = time.monotonic() - start
    return Truth(folder, seconds, table_bytes(folder), hash_artifacts(folder), hash_inputs(folder))


def shake(folder: Path, truth: Truth, kills: int, rng: random.Random, until: float = 1e18) -> Shaken:  # fmt: skip
    """Kill the study in `folder` so often, or until a time of the monotonic clock; then let it end."""
    folder.mkdir()
    shutil.copytree(truth.folder / "raw", folder / "raw")  # times too: they are in fingerprints
    for name in ("images.tsv", "config.yaml"):
        shutil.copy2(truth.folder / name, folder / name)
    shaken, longest_s = Shaken(), truth.seconds
    while shaken.kills.total() < kills and time.monotonic() < until:
        how, start = rng.choice(KILLS), time.monotonic()
        if run_and_kill(folder, how, rng.uniform(0.02, 1) * longest_s):
            shaken.kills[how] += 1
            shaken.losses += find_broken(folder)
        else:
            longest_s = time.monotonic() - start  # a machine that is less busy now
            end(folder, truth, shaken)
    run_study(folder, *PROFILE)
    end(folder, truth, shaken)
    return shaken


def run_and_kill(folder: Path, how: str, after_s: float) -> bool:
    """Start the study in a session of its own and kill; False where it ended before that."""
    with (folder / "printed.txt").open("w") as printed:
        run = subprocess.Popen(
            snakemake_command(folder, *PROFILE),
            env=environment(), cwd=folder, stdout=printed, stderr=printed, start_new_session=True,
        )  # fmt: skip
    try:
        status = run.wait(after_s)
        assert status == 0, (folder / "printed.txt").read_text()[-3000:]
        return False
    except subprocess.TimeoutExpired:
        kill(run.pid, how)
        run.wait(LONGEST_S)
        return True
    finally:
        wait_for_the_rest(run.pid)


def kill(leader: int, how: str) -> None:
    """Send one signal: to the run's whole session, to snakemake alone, or to one job."""
    number = signal.SIGKILL if "KILL" in how else signal.SIGTERM
    if how.endswith("all"):
        os.killpg(leader, number)
    elif how.endswith("snakemake"):
        os.kill(leader, number)
    elif jobs := [pid for pid in session(leader) if b"scopemill" in read_proc(pid, "cmdline")]:
        os.kill(random.Random(leader).choice(jobs), number)


def session(leader: int) -> list[int]:
    """Processes of the session that `leader` leads, but itself."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
    return [pid for pid in pids if pid != leader and session_of(pid) == leader]


def session_of(pid: int) -> int | None:
    fields = read_proc(pid, "stat").rpartition(b")")[2].split()
    return int(fields[3]) if fields and fields[0] != b"Z" else None


def read_proc(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def wait_for_the_rest(leader: int) -> None:
    """Jobs outlive a killed snakemake; the next run must not find them at work, so they are ended."""
    for pid in session(leader):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    while session(leader):
        time.sleep(0.05)


def find_broken(folder: Path) -> list[str]:
    """Artifacts that a journal calls finished and that are not what was written."""
    broken = []
    for journal in (folder / "results").glob("*/provenance/*/*.jsonl"):
        root = journal.parents[2]
        records = read_journal(journal).values()
        broken += [record.artifact for record in records if not is_whole(record, root)]
    return broken


def end(folder: Path, truth: Truth, shaken: Shaken) -> None:
    """Compare a run that came to its end with the undisturbed one; then begin anew."""
    shaken.ended += 1
    found = hash_artifacts(folder)
    shaken.losses += [f"{name}: differs" for name in truth.artifacts if truth.artifacts[name] != found.get(name)]  # fmt: skip
    tables = table_bytes(folder)
    shaken.losses += [f"{name}: differs" for name in truth.tables if truth.tables[name] != tables.get(name)]  # fmt: skip
    inputs = hash_inputs(folder)
    shaken.inputs_changed += [name for name in truth.inputs if truth.inputs[name] != inputs.get(name)]  # fmt: skip
    leftovers = [str(path) for path in results_of(folder).rglob(".tmp-*")]
    shaken.losses += [f"{name}: left over" for name in leftovers]
    results_of(folder).rename(folder / f"ended-{shaken.ended}")


def hash_artifacts(folder: Path) -> dict[str, str]:
    """Path -> sha256 of what manifests name."""
    records = [record for found in manifests(folder).values() for record in found]
    return {one["artifact"]: sha256(results_of(folder) / one["artifact"]) for one in records if one["artifact"]}  # fmt: skip


def hash_inputs(folder: Path) -> dict[str, str]:
    """Path -> sha256 of what the study reads."""
    paths = [folder / "config.yaml", folder / "images.tsv", *sorted((folder / "raw").iterdir())]
    return {path.relative_to(folder).as_posix(): sha256(path) for path in paths}
