"""Evaluate: label images against truth, from arrays and from the command line."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import tifffile

from scopemill import images
from scopemill.__main__ import main
from scopemill.evaluate.stage import score_image, summarise
from scopemill.manifests import Record, write_manifest

TRUTH = np.zeros((20, 30), np.uint16)
TRUTH[2:8, 2:8] = 1
TRUTH[12:18, 2:8] = 2
TRUTH[2:8, 12:18] = 3
TRUTH[12:18, 12:18] = 4
PERFECT = np.where(TRUTH > 0, TRUTH + 10, 0)
HALF = np.where(np.isin(TRUTH, (1, 2)), TRUTH, 0)  # two of four are missed


def test_a_perfect_result_has_full_marks():
    score = score_image("a", TRUTH, PERFECT)
    assert (score.at_half.f1, score.mean_average_precision, score.count_error) == (1, 1, 0)


def test_missed_objects_cost_recall_and_not_precision():
    score = score_image("a", TRUTH, HALF)
    assert (score.at_half.precision, score.at_half.recall, score.count_error) == (1, 0.5, -0.5)


def test_scores_of_images_are_pooled_with_an_interval():
    scores = [score_image(str(i), TRUTH, PERFECT if i % 2 else HALF) for i in range(8)]
    value, low, high = summarise(scores)["recall@0.5"]
    assert value == 0.75 and 0.5 <= low < 0.75 < high <= 1
    assert summarise(scores)["mean |count error|"][0] == 0.25


def test_images_of_one_subject_are_drawn_together():
    scores = [score_image(str(i), TRUTH, PERFECT if i < 4 else HALF) for i in range(8)]
    single, low, _ = summarise(scores)["recall@0.5"]
    pairs, low_of_pairs, _ = summarise(scores, ["u"] * 4 + ["v"] * 4)["recall@0.5"]
    assert single == pairs == 0.75 and low_of_pairs < low


@pytest.fixture
def study(tmp_path):
    """Results of two images and their truth."""
    root = tmp_path / "results" / "s"
    (root / "labels" / "cells").mkdir(parents=True)
    records = []
    for image, labels in (("a", PERFECT), ("b", HALF)):
        artifact = f"labels/cells/{image}.ome.tif"
        meta = images.Meta((1, 1, 1, *labels.shape), ("x",), None, None)
        images.write_labels(root / artifact, labels[None, None], meta, "")
        records.append(Record(image, "ok", "f", artifact=artifact))
        tifffile.imwrite(tmp_path / f"{image}.truth.tif", TRUTH)
    write_manifest(root / "manifests" / "segment.cells" / "b0.jsonl", records)
    (root / "images.csv").write_text("image,mask,subject\na,a.truth.tif,u\nb,b.truth.tif,v\n")
    return root


def evaluate(study, *more, truth="{image}.truth.tif", task="cells"):
    folder = study.parents[1]
    return main(["evaluate", str(study), "--task", task, "--truth", str(folder / truth), *more])


def test_a_study_is_scored(study, capsys, tmp_path):
    assert evaluate(study, "--out", str(tmp_path / "scores.csv")) == 0
    out = capsys.readouterr().out
    assert "2 images, 8 true objects" in out and "recall@0.5                   0.750" in out
    lines = (tmp_path / "scores.csv").read_text().splitlines()
    assert lines[1].startswith("a,4,4,1.0000") and lines[2].startswith("b,4,2,0.6667")
    assert json.loads((tmp_path / "scores.json").read_text())["recall@0.5"][0] == 0.75


def test_truth_may_be_named_by_a_column_of_the_sheet(study, capsys):
    assert evaluate(study, "--group", "subject", truth="{mask}") == 0
    assert "2 images" in capsys.readouterr().out


def test_truth_of_another_shape_is_refused(study, capsys, tmp_path):
    tifffile.imwrite(tmp_path / "b.truth.tif", TRUTH[:-1])
    assert evaluate(study) == 2
    assert "b.truth.tif: (19, 30) pixels, the labels of b have (20, 30)" in capsys.readouterr().err


def test_images_without_truth_are_left_out(study, capsys, tmp_path):
    (tmp_path / "b.truth.tif").unlink()
    assert evaluate(study) == 0
    assert "1 images, 4 true objects" in capsys.readouterr().out


def test_no_truth_at_all_is_refused(study, capsys):
    assert evaluate(study, truth="{image}.none.tif") == 2
    assert "no ground truth for any image" in capsys.readouterr().err


def test_an_unknown_task_is_refused_with_the_choice(study, capsys):
    assert evaluate(study, task="nuclei") == 2
    assert "no segment task 'nuclei'; there are ['cells']" in capsys.readouterr().err


@pytest.mark.parametrize(("status", "n"), [("skipped", 1), ("quarantined", 2)])
def test_objects_of_quarantined_images_count_as_missed(study, capsys, status, n):
    path = study / "manifests" / "segment.cells" / "b0.jsonl"
    good = Record("a", "ok", "f", artifact="labels/cells/a.ome.tif")
    path.write_text("".join(json.dumps(asdict(one)) + "\n" for one in (good, Record("b", "skipped", "f"))))  # fmt: skip
    images = study / "images.csv"
    images.write_text("image,status\na,ok\nb," + status + "\n")
    assert evaluate(study) == 0
    assert f"{n} images" in capsys.readouterr().out
