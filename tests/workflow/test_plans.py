"""Plans: a sheet of 10,000 rows, every recipe and every example are planned; the rules are clean."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from workflow_tools import (
    CHECKOUT,
    TIMEOUT_S,
    environment,
    said,
    snakemake,
    snakemake_command,
    write_config,
    write_sheet,
)

RECIPES = sorted((CHECKOUT / "config/recipes").glob("*.yaml"))
EXAMPLES = sorted((CHECKOUT / "config/examples").glob("*.yaml"))
DEMO = CHECKOUT / "config/examples/demo.yaml"
COLUMNS = "id path group subject split SBS_Doses field_group position"
ROWS = [[f"i{n}", f"raw/i{n}.tif", "control", "s1", "train", str(n), "f1", "p1"] for n in range(3)]
CALIBRATED = {"efficiency": 0.9, "efficiency_low": 0.8, "efficiency_high": 0.95, "false_per_megavoxel": 0.0,
              "false_low": 0.0, "false_high": 1.0}  # fmt: skip


def count_jobs(text: str) -> int:
    """'total' of the table that a dry run prints."""
    return int(re.findall(r"^total\s+(\d+)", text, re.MULTILINE)[0])


def test_ten_thousand_images_are_planned_as_less_than_a_thousand_jobs(tmp_path, capsys):
    config = yaml.safe_load(DEMO.read_text())
    (tmp_path / "config.yaml").write_text(DEMO.read_text())
    rows = ([f"i{n:05d}", f"raw/i{n:05d}.tif", "control"] for n in range(10_000))
    write_sheet(tmp_path, rows, "id path group")
    start = time.perf_counter()
    with (tmp_path / "printed.txt").open("w") as file:
        process = subprocess.Popen(
            snakemake_command(tmp_path, "--dry-run"),
            env=environment(), cwd=tmp_path, stdout=file, stderr=file,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    text = (tmp_path / "printed.txt").read_text()
    assert os.waitstatus_to_exitcode(status) == 0, text[-3000:]
    jobs = count_jobs(text)
    with capsys.disabled():
        sys.stdout.write(
            f"\n10,000 images: {jobs} jobs, {seconds:.1f} s, {usage.ru_maxrss / 1024:.0f} MB\n"
        )
    rules = set(re.findall(r"^rule (\w+):", text, re.MULTILINE))
    assert {"convert", "segment", "detect", "quantify", "classify", "qc", "gather"} <= rules
    assert len(config["segment"]) >= 2 and 100 < jobs <= 1000
    assert seconds < 60


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_is_planned(tmp_path, recipe):
    write_config(tmp_path, {"study": "dry", "recipe": recipe.stem})
    write_sheet(tmp_path, ROWS, COLUMNS)
    done = snakemake(tmp_path, "--dry-run")
    assert done.returncode == 0 and count_jobs(said(done)) > 3, said(done)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_planned(tmp_path, example):
    (tmp_path / "config.yaml").write_text(example.read_text())
    (tmp_path / "detection.json").write_text(json.dumps(CALIBRATED))
    write_sheet(tmp_path, ROWS, COLUMNS)
    done = snakemake(tmp_path, "--dry-run")
    assert done.returncode == 0 and count_jobs(said(done)) > 3, said(done)


def test_the_default_config_is_planned(tmp_path):
    folder = CHECKOUT / "config"
    for name in ("config.yaml", "images.tsv"):
        (tmp_path / name).write_text((folder / name).read_text())
    done = snakemake(tmp_path, "--dry-run")
    assert done.returncode == 0 and count_jobs(said(done)) > 3, said(done)


def test_snakemake_finds_nothing_to_complain_of(tmp_path):
    (tmp_path / "config.yaml").write_text(DEMO.read_text())
    write_sheet(tmp_path, ROWS, COLUMNS)
    done = snakemake(tmp_path, "--lint")
    assert done.returncode == 0, said(done)


def test_rules_are_laid_out_by_snakefmt():
    program = Path(sys.executable).parent / "snakefmt"
    files = [str(CHECKOUT / "Snakefile"), str(CHECKOUT / "workflow")]
    done = subprocess.run(
        [program, "--check", *files],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, said(done)
