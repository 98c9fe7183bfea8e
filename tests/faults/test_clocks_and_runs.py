"""Clocks that are wrong, two runs at once, a lost `.snakemake` after a kill -> tables and artifacts are those of an undisturbed run."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from shaking import PROFILE, find_broken, hash_artifacts, hash_inputs, run_and_kill, run_undisturbed
from workflow_tools import (
    assert_settled,
    changed,
    environment,
    results_of,
    run_study,
    snakemake_command,
    table_bytes,
    times,
)

from scopemill.manifests import replacing

YEAR_S = 365 * 24 * 3600


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return run_undisturbed(tmp_path_factory.mktemp("runs") / "undisturbed")


@pytest.fixture
def study(truth, tmp_path) -> Path:
    """The same study, not run."""
    folder = tmp_path / "study"
    shutil.copytree(truth.folder, folder, ignore=shutil.ignore_patterns("results", ".snakemake"))
    return folder


def assert_as(folder: Path, truth) -> None:
    """Nothing lost, nothing half written, inputs as they were."""
    run_study(folder, *PROFILE)
    assert table_bytes(folder) == truth.tables
    assert hash_artifacts(folder) == truth.artifacts and hash_inputs(folder) == truth.inputs
    assert find_broken(folder) == [] and not list(results_of(folder).rglob(".tmp-*"))
    assert_settled(folder)


def test_two_runs_of_one_study_at_once(study, truth):
    """Without a lock, as in the shipped profiles; one may fail over what the other takes away, none loses anything."""
    command = snakemake_command(study, *PROFILE)
    runs = []
    for number in range(2):
        with (study / f"printed{number}.txt").open("w") as printed:
            runs.append(
                subprocess.Popen(
                    command, env=environment(), cwd=study, stdout=printed, stderr=printed
                )
            )
        time.sleep(number)
    statuses = [run.wait(300) for run in runs]
    assert 0 in statuses, (study / "printed0.txt").read_text()[-3000:]
    assert_as(study, truth)


def test_snakemakes_memory_is_deleted_after_a_kill(study, truth):
    while not run_and_kill(study, "SIGKILL to all", 0.4 * truth.seconds):
        shutil.rmtree(results_of(study))
    shutil.rmtree(study / ".snakemake")
    assert_as(study, truth)


def test_a_clock_that_jumps_about_costs_no_artifact(truth, tmp_path):
    """Nodes whose clocks differ by decades: files of one stage seem older, or newer, than what they were made from."""
    folder = truth.folder.rename(truth.folder.with_name("jumping"))
    try:
        rng = random.Random(0)
        for path in sorted(results_of(folder).rglob("*")):
            when = rng.choice([0, 1, time.time() - 20 * YEAR_S, time.time() + YEAR_S])
            os.utime(path, (when, when))
        before = times(folder)
        run_study(folder, *PROFILE)
        made = {name for name in changed(before, times(folder)) if not name.startswith("qc/")}
        assert made == set(), "what is whole is kept, whatever its date"
        assert table_bytes(folder) == truth.tables and find_broken(folder) == []
    finally:
        folder.rename(truth.folder)


KILLED = """
import os, signal, sys
from pathlib import Path
from scopemill.manifests import replacing

Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("new")
"""


def test_a_kill_at_the_rename_leaves_the_old_file_and_nothing_for_long(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], env=environment(), check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 2
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a.csv", "new")]


def test_a_rename_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("the folder is gone")

    path = tmp_path / "a.csv"
    path.write_text("old")
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="gone"), replacing(path) as temporary:
        temporary.write_text("new")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a.csv", "old")]
