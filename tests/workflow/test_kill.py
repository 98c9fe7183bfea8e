"""A run that is killed goes on where it was: what was whole is kept, and the tables are those of an undisturbed run."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from workflow_tools import (
    CHECKOUT,
    SHORT,
    assert_settled,
    changed,
    environment,
    make_config,
    manifests,
    read_lines,
    results_of,
    run_study,
    said,
    sha256,
    snakemake,
    snakemake_command,
    table_bytes,
    times,
    write_config,
    write_study,
)

N_IMAGES = 8
PROFILE = ("--profile", str(CHECKOUT / "profiles" / "local"), "--cores", "2")
SLOW = '''"""Slow: Otsu that first sleeps as long as SLOW_S says."""

import os
import time

from scopemill.segment.methods.otsu import Settings, segment as find

__all__ = ["Settings", "segment"]


def segment(frame, settings):
    time.sleep(float(os.environ["SLOW_S"]))
    return find(frame, settings)
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory) -> Path:
    """A folder that provides the method `slow`, laid out as pip would."""
    site = tmp_path_factory.mktemp("site")
    (site / "slow_method.py").write_text(SLOW)
    info = site / "slow_method-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-method\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[scopemill.segment]\nslow = slow_method\n")
    return site


@pytest.fixture(scope="module")
def undisturbed(plugin, tmp_path_factory) -> Path:
    """The study, run without a kill."""
    folder = tmp_path_factory.mktemp("undisturbed")
    method = {"name": "slow", "channel": "DNA", "split_um": 4}
    config = make_config(
        SHORT, {"images_per_batch": N_IMAGES, "segment": {"nuclei": {"method": method}}}
    )
    write_study(folder, n=N_IMAGES)
    write_config(folder, config)
    run_study(folder, env=environment(plugin, SLOW_S="0"))
    return folder


@pytest.fixture
def unborn(undisturbed, tmp_path) -> Path:
    """The same study, not run."""
    for name in ("raw", "images.tsv", "config.yaml"):
        copy = shutil.copytree if (undisturbed / name).is_dir() else shutil.copy2
        copy(undisturbed / name, tmp_path / name)
    return tmp_path


def kill_in_the_middle(folder: Path, plugin: Path, how: signal.Signals, *flags: str) -> int:
    """Start; when three images are segmented, signal the whole process group. Its exit status."""
    journal = folder / "results/tiny/provenance/segment.nuclei/b0000.jsonl"
    with (folder / "killed.txt").open("w") as printed:
        process = subprocess.Popen(
            snakemake_command(folder, *flags),
            env=environment(plugin, SLOW_S="0.5"),
            cwd=folder,
            stdout=printed,
            stderr=printed,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 120
            while not journal.exists() or journal.read_text().count("\n") < 3:
                assert process.poll() is None and time.monotonic() < deadline, (
                    folder / "killed.txt"
                ).read_text()
                time.sleep(0.05)
            os.killpg(process.pid, how)
            return process.wait(60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def assert_as_undisturbed(folder: Path, undisturbed: Path, plugin: Path, before: dict) -> None:
    """Kept what was whole; tables, artifacts and manifests are those of a run without a kill."""
    lost = {name for name in changed(before, times(folder)) if name in before}
    assert len(before) >= N_IMAGES + 3 and not lost
    assert table_bytes(folder) == table_bytes(undisturbed)
    assert set(times(folder)) == set(times(undisturbed))
    hashes = [
        {
            record["artifact"]: record["sha256"]
            for found in manifests(one).values()
            for record in found
        }
        for one in (folder, undisturbed)
    ]
    assert hashes[0] == hashes[1]
    journal = read_lines(results_of(folder) / "provenance/segment.nuclei/b0000.jsonl")
    made = [entry["image"] for entry in journal]
    assert sorted(made) == [f"i{n}" for n in range(N_IMAGES)]  # each once
    assert_settled(folder, environment(plugin, SLOW_S="0"))


@pytest.mark.slow
def test_after_kill_9_the_documented_words_go_on(unborn, undisturbed, plugin):
    kill_in_the_middle(unborn, plugin, signal.SIGKILL)
    before = times(unborn)
    segmented = [name for name in before if name.startswith("labels/")]
    assert 3 <= len(segmented) < N_IMAGES
    env = environment(plugin, SLOW_S="0")
    refused = snakemake(unborn, env=env)
    assert refused.returncode != 0 and "--unlock" in said(refused), said(refused)
    unlocked = snakemake(unborn, "--unlock", env=env)
    assert unlocked.returncode == 0, said(unlocked)
    run_study(unborn, "--rerun-incomplete", env=env)
    assert_as_undisturbed(unborn, undisturbed, plugin, before)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_with_the_local_profile_the_same_command_goes_on(unborn, undisturbed, plugin, how):
    status = kill_in_the_middle(unborn, plugin, how, *PROFILE)
    assert status != 0
    before = times(unborn)
    run_study(unborn, *PROFILE, env=environment(plugin, SLOW_S="0"))
    assert_as_undisturbed(unborn, undisturbed, plugin, before)


def test_two_writers_of_one_batch_leave_it_whole(unborn, undisturbed, plugin):
    shutil.copytree(undisturbed / "results", unborn / "results")
    before = manifests(unborn)["segment.nuclei/b0000"]
    for name in ("labels/nuclei", "provenance/segment.nuclei", "manifests/segment.nuclei"):
        shutil.rmtree(results_of(unborn) / name)
    method = {"name": "slow", "channel": "DNA", "split_um": 4}
    out = "results/tiny/manifests/segment.nuclei/b0000.jsonl"
    command = ["scopemill", "segment", "--task", "nuclei", "--out", out, "--settings"]
    command += [
        json.dumps({"method": method}),
        "--in",
        "results/tiny/manifests/convert/b0000.jsonl",
    ]
    env = environment(plugin, SLOW_S="0.1")
    writers = [
        subprocess.Popen(command, env=env, cwd=unborn, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for writer in writers:
        _, errors = writer.communicate(timeout=120)
        assert writer.returncode == 0, errors
    records = manifests(unborn)["segment.nuclei/b0000"]
    # what one writer finds finished by the other it takes as it is, with another time and without facts
    keys = ("image", "status", "fingerprint", "artifact", "size", "sha256")
    assert [[one[key] for key in keys] for one in records] == [
        [one[key] for key in keys] for one in before
    ]
    for record in records:
        assert sha256(results_of(unborn) / record["artifact"]) == record["sha256"]
    assert not list(results_of(unborn).rglob(".tmp-*"))
