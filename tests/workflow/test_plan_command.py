"""scopemill plan: what a study will take, before it runs, in its midst, and when it is done."""

import csv
import io
import json
import re
import subprocess
import sys

import pytest
from workflow_tools import environment, manifests, said, snakemake, write_study

TASKS = {
    "convert", "segment.nuclei", "detect.nuclei", "detect.particles", "quantify.nuclei",
    "classify.size", "qc",
}  # fmt: skip


def plan(folder, *flags):
    """Run it from the study's folder; what it printed."""
    command = [sys.executable, "-m", "scopemill", "plan", ".", "--cores", "2", *flags]
    machine = {"SCOPEMILL_MACHINE": str(folder / "machine.json")}
    return subprocess.run(
        command, cwd=folder, env=environment(**machine), capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A study that has not run."""
    folder = tmp_path_factory.mktemp("fresh")
    write_study(folder)
    return folder


def test_a_person_reads_images_tasks_and_totals(fresh):
    done = plan(fresh)
    assert done.returncode == 0, said(done)
    text = done.stdout
    assert re.search(r"^i0 +0\.01843 +1 2 1 96 96 +0\.5 +- +1 ", text, re.MULTILINE), text
    assert TASKS <= set(re.findall(r"^([a-z.]+) +3 +0 +2 ", text, re.MULTILINE)), text
    assert "left: 18 jobs" in text
    assert "scopemill plan --calibrate" in text


def test_a_program_reads_the_same(fresh):
    found = json.loads(plan(fresh, "--json").stdout)
    rows = list(csv.DictReader(io.StringIO(plan(fresh, "--tsv").stdout), delimiter="\t"))
    assert {row["task"] for row in rows} == TASKS and len(rows) == 3 * len(TASKS)
    assert [row["image"] for row in rows] == [one["image"] for one in found["tasks"]]
    assert found["left"]["jobs"] == 18 and found["images"]["i1"]["um_per_px"] == 0.5
    assert found["memory_mb"] == max(int(row["memory_mb"]) for row in rows)


def test_headers_are_read_once(fresh):
    plan(fresh)
    kept = fresh / "results/tiny/provenance/headers.jsonl"
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [one["shape"] for one in lines] == [[1, 2, 1, 96, 96]] * 3
    # what is kept is believed: no file is opened again
    changed = kept.read_text().replace("[1, 2, 1, 96, 96]", "[1, 2, 1, 5000, 5000]")
    kept.write_text(changed)
    found = json.loads(plan(fresh, "--json").stdout)
    kept.unlink()
    assert found["images"]["i0"]["shape"] == [1, 2, 1, 5000, 5000]


def test_an_image_that_cannot_be_opened_is_left_out(tmp_path):
    write_study(tmp_path, n=2)
    (tmp_path / "raw/i1.ome.tif").write_bytes(b"")
    done = plan(tmp_path)
    assert done.returncode == 1
    assert "left out: i1: EMPTY:" in done.stdout
    assert json.loads(plan(tmp_path, "--json").stdout)["left_out"]["i1"]["code"] == "EMPTY"


def test_no_study_is_a_sentence(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "scopemill", "plan"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2 and "name a study" in done.stderr


def test_rules_ask_for_what_the_plan_says(fresh):
    found = json.loads(plan(fresh, "--json").stdout)
    dry = snakemake(fresh, "--dry-run")
    asked = set(map(int, re.findall(r"mem_mb=(\d+)", said(dry))))
    assert dry.returncode == 0 and asked
    # never less than is forecast; a gigabyte at least
    assert max(asked) >= found["memory_mb"] and min(asked) >= 1000


def test_manifests_say_what_each_image_took(finished):
    for records in manifests(finished.folder).values():
        for record in records:
            assert record["seconds"] > 0 and record["cpu_seconds"] > 0
            assert 10 < record["peak_memory_mb"] < 2000


def test_a_finished_study_has_nothing_left(study):
    done = plan(study)
    assert done.returncode == 0, said(done)
    assert "left: 4 jobs, 0.0 s of CPU" in done.stdout, done.stdout
    assert set(re.findall(r"^([a-z.]+) +3 +3 +0 ", done.stdout, re.MULTILINE)) == TASKS


def test_memory_that_was_recorded_is_not_above_the_forecast(fresh, finished):
    rows = json.loads(plan(fresh, "--json").stdout)["tasks"]
    forecast = {(row["task"], row["image"]): row["memory_mb"] for row in rows}
    for name, records in manifests(finished.folder).items():
        for record in records:
            key = name.split("/")[0], record["image"]
            assert record["peak_memory_mb"] <= forecast[key], key
