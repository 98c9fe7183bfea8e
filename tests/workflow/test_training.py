"""`snakemake train`: from images and annotations to a model folder; a kill loses nothing; what is wrong is refused first."""

import copy
import csv
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from workflow_tools import (
    CHECKOUT,
    environment,
    read_lines,
    said,
    snakemake,
    snakemake_command,
    write_config,
    write_sheet,
)

from scopemill.config import merge
from scopemill.models.description import read_description
from scopemill.simulate.cytometry import nuclei_field

N_IMAGES = 6
WORDS = ("--profile", str(CHECKOUT / "profiles" / "local"), "--cores", "1")
CONFIG = {
    "study": "tiny",
    "channels": {"DNA": {"source": 0, "role": "nucleus"}},
    "pixel_size_um": "unknown",
    "images_per_batch": N_IMAGES,
    "annotate": {"nuclei": {"source": "truth/{image}.tif"}},
    "train": {
        "nuclei": {
            "collect": {
                "annotations": "nuclei",
                "channels": ["DNA"],
                "split": {"group": "subject", "validation": 0.34, "test": 0.33},
            },
            "method": {"name": "instances", "heads": ["foreground", "border"]},
            "network": {"name": "unet", "width": 2, "depth": 1},
            "crop": {"patch_size_px": 32},
            "training": {"steps": 40, "batch_size": 2, "validate_every": 10},
        }
    },
}


def write_study(folder: Path, *changes) -> Path:
    """Two images of each of three subjects, and the labels of their nuclei."""
    rows = []
    for n in range(N_IMAGES):
        pixels, labels = nuclei_field((64, 64), 4, np.random.default_rng(n), radius_px=7.0)
        for kind, array in (("raw", pixels), ("truth", labels)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(folder / kind / f"i{n}.tif", array)
        rows.append([f"i{n}", f"raw/i{n}.tif", f"s{n // 2}"])
    write_sheet(folder, rows, "id path subject")
    config = copy.deepcopy(CONFIG)
    for change in changes:
        config = merge(config, change)
    write_config(folder, config)
    return folder


def train(folder: Path) -> str:
    """Run it to its end; what it printed."""
    done = snakemake(folder, *WORDS, "train")
    assert done.returncode == 0, said(done) + "".join(
        path.read_text() for path in folder.rglob("*.log") if ".snakemake" not in path.parts
    )
    return said(done)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = write_study(tmp_path_factory.mktemp("trained"))
    train(folder)
    return folder


MODEL = Path("results/tiny/models/nuclei")


def test_a_model_folder_says_what_it_is_and_how_well_it_does(trained):
    names = {path.name for path in (trained / MODEL).iterdir()}
    assert names >= {
        "model.yaml", "weights.safetensors", "card.md", "split.csv", "scores.csv", "history.csv", "loss.png"
    }  # fmt: skip
    described = read_description(trained / MODEL)
    assert described.training["images"] == {"test": 2, "train": 2, "validation": 2}
    assert described.training["split"]["how"] == "groups of subject"
    card = (trained / MODEL / "card.md").read_text()
    assert "F1@0.5" in card and "How it was trained" in card


def test_no_subject_is_in_two_parts(trained):
    with (trained / MODEL / "split.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    parts = {row["group"]: set() for row in rows}
    for row in rows:
        parts[row["group"]].add(row["split"])
    assert len(rows) == N_IMAGES and set(parts) == {"s0", "s1", "s2"}
    assert sorted(map(tuple, parts.values())) == [("test",), ("train",), ("validation",)]


def test_a_second_run_has_nothing_to_do(trained):
    done = snakemake(trained, *WORDS, "--dry-run", "train")
    assert done.returncode == 0 and "Nothing to be done" in said(done), said(done)


def kill_after_a_checkpoint(folder: Path) -> None:
    """Start; when there is a checkpoint, kill the whole process group."""
    checkpoint = folder / MODEL / "checkpoint.pt"
    with (folder / "killed.txt").open("w") as printed:
        process = subprocess.Popen(
            snakemake_command(folder, *WORDS, "train"),
            env=environment(), cwd=folder, stdout=printed, stderr=printed, start_new_session=True,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + 200
            while not checkpoint.exists():
                assert process.poll() is None and time.monotonic() < deadline, (
                    folder / "killed.txt"
                ).read_text()
                time.sleep(0.02)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)


@pytest.mark.slow
def test_after_kill_9_the_same_command_ends_with_the_weights_of_an_undisturbed_training(tmp_path):
    longer = {"train": {"nuclei": {"training": {"steps": 300, "validate_every": 20}}}}
    undisturbed = write_study(tmp_path / "undisturbed", longer)
    train(undisturbed)
    killed = write_study(tmp_path / "killed", longer)
    kill_after_a_checkpoint(killed)
    assert not (killed / MODEL / "model.yaml").exists()
    train(killed)
    log = (killed / "results/tiny/logs/models.nuclei/train.log").read_text()
    assert "goes on from step " in log
    hashes = {read_description(one / MODEL).weights_sha256 for one in (killed, undisturbed)}
    assert len(hashes) == 1
    histories = {(one / MODEL / "history.csv").read_text() for one in (killed, undisturbed)}
    assert len(histories) == 1


@pytest.mark.slow
def test_a_trained_model_segments_and_is_the_beginning_of_another(trained, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(trained, folder)
    model = {"name": "unet", "model": str(MODEL), "channels": ["DNA"]}
    further = {
        **CONFIG["train"]["nuclei"],
        "init_from": "nuclei",
        "training": {"steps": 4, "batch_size": 2, "validate_every": 4, "freeze": "encoder"},
    }
    changes = {
        "segment": {"nuclei": {"method": model}},
        "train": {"further": further},
    }
    write_config(folder, merge(copy.deepcopy(CONFIG), changes))
    train(folder)
    log = (folder / "results/tiny/logs/models.further/train.log").read_text()
    assert "step 4/4" in log
    notes = read_description(folder / "results/tiny/models/further").training["notes"]
    assert "starts from results/tiny/models/nuclei; new weights: none" in notes[0]
    done = snakemake(folder, *WORDS)
    assert done.returncode == 0, said(done)
    records = read_lines(folder / "results/tiny/manifests/segment.nuclei/b0000.jsonl")
    assert [one["status"] for one in records] == ["ok"] * N_IMAGES


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param(
            {"method": {"name": "instance"}},
            ["train.nuclei.method.name: unknown method 'instance'", "did you mean 'instances'?"],
            id="method",
        ),
        pytest.param(
            {"collect": {"annotations": "nucleus"}},
            ["train.nuclei.collect.annotations: there is no annotate 'nucleus'", "'nuclei'?"],
            id="annotations",
        ),
        pytest.param(
            {"collect": {"split": {"group": ""}}},
            [
                "train.nuclei.collect.split: images would be drawn one by one, but column 'subject' says which",
                "set split.group to the column (subject)",
                "allow_random: true",
            ],
            id="random split",
        ),
        pytest.param(
            {"collect": {"split": {"group": "subjet"}}},
            ["train.nuclei.collect.split.group: the sheet has no column 'subjet'", "'subject'?"],
            id="column",
        ),
        pytest.param(
            {"training": {"step": 3}},
            ["train.nuclei.training.step: unknown key"],
            id="typing error",
        ),
    ],
)
def test_what_is_wrong_is_refused_before_anything_runs(tmp_path, changes, words):
    folder = write_study(tmp_path, {"train": {"nuclei": changes}})
    done = snakemake(folder, "--dry-run", "train")
    text = said(done)
    assert done.returncode != 0 and "Traceback" not in text, text
    assert all(one in text for one in words), text
    assert not (folder / "results").exists()


def test_a_random_split_that_is_asked_for_in_words_is_planned(tmp_path):
    split = {"group": "", "allow_random": True}
    folder = write_study(tmp_path, {"train": {"nuclei": {"collect": {"split": split}}}})
    done = snakemake(folder, "--dry-run", "train")
    assert done.returncode == 0, said(done)
