"""Evaluate: label images against truth, from arrays and from the command line."""

import json
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import tifffile

from scopemill import images, metrics, scoring, tables
from scopemill.__main__ import main
from scopemill.evaluate import drawing, plots
from scopemill.evaluate.collect import Case
from scopemill.evaluate.stage import score_image, summarise
from scopemill.manifests import Record, write_manifest
from scopemill.metrics import match
from scopemill.settings import ConfigError
from scopemill.study import load_study

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
        read, shape = images.reader_of(labels[None, None]), (1, 1, *labels.shape)
        images.write_labels(root / artifact, read, shape, meta, "")
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


# each kind of result, in memory


def test_scores_at_every_threshold_and_of_the_foreground():
    two_thirds = np.where(TRUTH == 1, 0, TRUTH)
    two_thirds[2:8, 2:6] = 1  # IoU 2/3
    scores = [scoring.score_image("a", TRUTH, two_thirds)]
    summary = scoring.summarise(scores)
    assert summary["AP@0.65"][0] == 1 and summary["AP@0.7"][0] == 3 / 5
    assert summary["Dice of the foreground"][0] == pytest.approx(2 * 132 / (132 + 144))
    assert scores[0].mean_average_precision == pytest.approx((4 * 1 + 6 * 3 / 5) / 10)


def test_semantic_scores_are_pooled_over_pixels():
    scores = [
        scoring.score_classes("a", np.array([0, 1, 2, 255]), np.array([0, 1, 1, 2]), 3, ignore=255),
        scoring.score_classes("b", np.array([1, 1, 1, 1]), np.array([1, 1, 1, 0]), 3),
    ]
    summary = scoring.summarise_classes(scores, ["background", "cell", "debris"])
    assert summary["Dice of cell"][0] == pytest.approx(2 * 4 / (5 + 5))
    assert summary["IoU of debris"][0] == 0 and summary["pixel accuracy"][0] == pytest.approx(5 / 7)
    assert scores[1].mean_dice == pytest.approx((0 + 6 / 7) / 2)


def test_points_and_their_scores():
    truth, found = [[0, 0], [10, 10]], [[0, 1], [50, 50], [10, 10]]
    score = scoring.score_points("a", truth, found, 2, scores=[0.9, 0.8, 0.3])
    assert score.hits.tolist() == [True, False, True]
    summary = scoring.summarise_detection([score, scoring.score_points("b", truth, [], 2)])
    assert summary["recall"][0] == 0.5 and summary["precision"][0] == pytest.approx(2 / 3)
    assert summary["AP"][0] == pytest.approx(0.25 * 1 + 0.25 * 2 / 3)
    nowhere = scoring.score_points("c", np.empty((0, 2)), found, 2, scores=[1, 1, 1])
    assert not nowhere.hits.any() and nowhere.matching.fp == 3


def test_distances_count_in_the_unit_of_the_scale():
    far = scoring.score_points("a", [[0, 0]], [[3, 0]], 1, scale=(0.3, 1), scores=[0.5])
    assert far.matching.tp == 1 and far.hits.tolist() == [True]


def test_boxes_without_scores_have_no_average_precision():
    truth, found = [(0, 0, 10, 10)], [(0, 0, 10, 8), (5, 5, 9, 9)]
    assert "AP" not in scoring.summarise_detection([scoring.score_boxes("a", truth, found)])
    scored = scoring.score_boxes("a", truth, found, scores=[0.2, 0.9])
    assert scoring.summarise_detection([scored])["AP"][0] == 0.5
    with pytest.raises(ValueError, match="1 scores for 2 found objects"):
        scoring.score_boxes("a", truth, found, scores=[0.2])


def test_a_drawn_image_counts_as_often_as_it_is_drawn():
    # one image found, one missed: resamples have AP 1, 1/2 or 0
    one = scoring.score_boxes("a", [(0, 0, 4, 4)], [(0, 0, 4, 4)], scores=[0.5])
    none = scoring.score_boxes("b", [(0, 0, 4, 4)], np.empty((0, 4)), scores=[])
    assert scoring.summarise_detection([one, none])["AP"] == (0.5, 0, 1)


def test_classes_of_objects_with_calibration():
    truth, chance = (
        np.array([0, 1, 1, 1]),
        np.array([[0.8, 0.2], [0.4, 0.6], [0.6, 0.4], [0.2, 0.8]]),
    )
    summary = scoring.summarise_single(truth, chance.argmax(axis=1), 2, chance, groups=list("aabb"))
    assert summary["accuracy"] == (0.75, 0.5, 1.0)
    assert summary["balanced accuracy"][0] == pytest.approx((1 + 2 / 3) / 2)
    assert summary["expected calibration error"][0] == pytest.approx((2 * 0.2 + abs(1.2 - 1)) / 4)
    assert summary["log loss"][0] == pytest.approx(-np.log([0.8, 0.6, 0.4, 0.8]).mean())
    assert "log loss" not in scoring.summarise_single(truth, truth, 2)


def test_several_classes_an_object():
    truth, chance = np.array([[1, 0], [1, 1]]), np.array([[0.9, 0.4], [0.6, 0.3]])
    assert scoring.summarise_multiple(truth, chance)["accuracy"][0] == 0.5
    assert scoring.summarise_multiple(truth, chance, np.array([0.5, 0.35]))["micro F1"][0] == pytest.approx(2 / 3)  # fmt: skip
    assert scoring.summarise_multiple(truth, chance, 0.3)["macro F1"][0] == pytest.approx((1 + 2 / 3) / 2)  # fmt: skip


# pictures


def test_outlines_say_what_was_found_missed_and_wrong():
    truth, found = np.zeros((2, 40, 40), np.uint16)
    truth[2:10, 2:10], truth[20:30, 20:30] = 1, 2
    found[2:10, 3:10], found[20:24, 20:24] = 5, 6
    drawn = np.asarray(drawing.draw_case(np.zeros((40, 40, 3), np.float32), truth, found, "a"))
    zoom, panel = 16, 640
    left, right = drawn[:panel, :panel], drawn[:panel, panel + drawing.GAP_PX :]
    assert drawn.shape[1] == 2 * panel + drawing.GAP_PX

    def color(side, y, x):
        return "#" + bytes(side[y * zoom, x * zoom]).hex()

    assert (color(left, 2, 2), color(left, 20, 20)) == (drawing.RIGHT, drawing.MISSED)
    assert (color(right, 2, 3), color(right, 20, 20)) == (drawing.RIGHT, drawing.WRONG)


def test_of_a_large_image_the_part_with_the_mistakes_is_shown():
    truth, found = np.zeros((2, 1500, 1200), np.uint16)
    truth[:300, :300], found[:300, :300], truth[1400:1410, 1000:1010] = 1, 1, 2
    where = drawing.choose_crop(truth, found, match(truth, found))
    assert truth[where].shape == (512, 512) and (truth[where] == 2).sum() == 100
    perfect = drawing.choose_crop(truth, truth, match(truth, truth))
    assert perfect[0].start < 300 and perfect[1].start < 300


def test_the_worst_the_middle_and_the_best_are_drawn_once():
    cases = [Case(name, 0, name, None, None, "there" if name != "x" else None) for name in "abcdefx"]  # fmt: skip
    scores = [scoring.score_image(name, TRUTH, PERFECT if k % 2 else HALF) for k, name in enumerate("abcdefx")]  # fmt: skip
    ranks = list(map(drawing.rank_of, scores))
    chosen = drawing.choose_cases(cases, ranks, 1)
    assert [(place, case.image) for place, case, _ in chosen] == [("worst", "a"), ("middle", "e"), ("best", "f")]  # fmt: skip
    assert len(drawing.choose_cases(cases, ranks, 3)) == 6
    assert drawing.choose_cases(cases, ranks, 0) == []


def test_plots_hold_their_numbers():
    svg = plots.draw(plots.draw_confusion, np.array([[11, 2], [3, 14]]), ["early", "late"])
    assert svg.startswith("<svg") and all(f">{text}<" in svg for text in ("11", "14", "early"))
    bins = metrics.bin_reliability([0.5, 0.5, 1.0, 1.0], [0, 0, 1, 0], n_bins=10)
    assert "expected calibration error 0.500" in plots.draw(plots.draw_reliability, bins)


# the command line, other kinds


def test_pictures_are_drawn_and_nothing_else_in_the_folder_is_touched(study, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "mine.png").write_text("mine")
    with_images(study)
    assert evaluate(study, "--pictures", str(pictures)) == 0
    assert sorted(path.name for path in pictures.iterdir()) == ["a.png", "b.png", "mine.png"]


def with_images(study):
    (study / "images").mkdir()
    for image in "ab":
        meta = images.Meta((1, 1, 1, *TRUTH.shape), ("DNA",), 0.5, None)
        images.write_image(study / f"images/{image}.ome.tif", meta, np.uint16, images.reader_of(TRUTH[None, None] * 100))  # fmt: skip


def test_pixels_are_scored(study, capsys):
    assert evaluate(study, "--kind", "semantic") == 0
    out = capsys.readouterr().out
    assert "288 true pixels of objects" in out and "Dice of objects              0.857" in out


def test_outlines_drawn_by_hand_are_truth_too(study, capsys, tmp_path):
    for image in "ab":
        features = [square(y, x) for y, x in ((2, 2), (12, 2), (2, 12), (12, 12))]
        text = json.dumps({"type": "FeatureCollection", "features": features})
        (tmp_path / f"{image}.geojson").write_text(text)
    assert evaluate(study, truth="{image}.geojson") == 0
    assert "recall@0.5                   0.750" in capsys.readouterr().out


def square(y, x, size=6):
    ring = [[x, y], [x + size, y], [x + size, y + size], [x, y + size], [x, y]]
    return {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}  # fmt: skip


def add_task(study, key, tables_of):
    folder, stage = {"detect": "objects", "classify": "classified"}[key.split(".")[0]], key.split(".")[1]  # fmt: skip
    (study / folder / stage).mkdir(parents=True)
    records = []
    for image, columns in tables_of.items():
        artifact = f"{folder}/{stage}/{image}.parquet"
        tables.write_table(study / artifact, pd.DataFrame(columns).assign(image=image, t=0))
        records.append(Record(image, "ok", "f", artifact=artifact))
    write_manifest(study / "manifests" / key / "b0.jsonl", records)


def test_boxes_and_points_of_objects_are_scored(study, capsys, tmp_path):
    columns = {"y0": [2, 12], "x0": [2, 2], "y1": [8, 18], "x1": [8, 8], "centroid_y": [4.5, 14.5], "centroid_x": [4.5, 4.5], "score": [0.9, 0.8]}  # fmt: skip
    add_task(study, "detect.cells", {"a": columns})
    features = [square(2, 2), square(12, 2), square(2, 12), square(12, 12)]
    (tmp_path / "a.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))  # fmt: skip
    for kind in ("boxes", "points"):
        assert (
            evaluate(study, "--kind", kind, "--max-distance", "0.1", truth="{image}.geojson") == 0
        )
        out = capsys.readouterr().out
        assert "1 images, 4 true objects" in out
        assert "precision                    1.000" in out and "AP                           0.500" in out  # fmt: skip


def test_classes_are_scored_and_plotted(study, capsys, tmp_path):
    add_task(study, "classify.cells", {"a": {"label": [1, 2, 3], "class": ["x", "y", "y"]}})
    (tmp_path / "a.csv").write_text("label,class\n1,x\n2,x\n3,y\n4,y\n")
    more = ("--kind", "classes", "--pictures", str(tmp_path / "plots"))
    assert evaluate(study, *more, truth="{image}.csv") == 0
    out = capsys.readouterr().out
    assert "4 true objects" in out and "accuracy                     0.500" in out
    assert "(not found)" in (tmp_path / "plots" / "confusion.svg").read_text()


def test_pictures_of_what_has_none_are_refused(study):
    with pytest.raises(SystemExit):
        evaluate(study, "--kind", "semantic", "--pictures", "there")


# the workflow's form


@pytest.fixture
def annotated(study, tmp_path):
    """The study with images, annotations and a sheet; c was quarantined by convert, d by segment, e is not annotated."""
    from scopemill.annotations.table import from_labels

    with_images(study)
    (study / "annotations" / "drawn").mkdir(parents=True)
    status = dict.fromkeys("abde", "ok") | {"c": "quarantined"}
    (study / "images" / "d.ome.tif").write_bytes((study / "images" / "b.ome.tif").read_bytes())
    converted = [Record(i, s, "f", "" if s == "ok" else "TRUNCATED", artifact=f"images/{i}.ome.tif") for i, s in status.items()]  # fmt: skip
    drawn = [Record(i, "ok", "f", artifact=f"annotations/drawn/{i}.parquet") for i in "abd"]
    drawn += [Record(i, "skipped", "f", "NO_ANNOTATION", "no file") for i in "ec"]
    for record in drawn[:3]:
        tables.write_table(study / record.artifact, from_labels(TRUTH), fingerprint="f")
    labels = [Record(i, "ok", "f", artifact=f"labels/cells/{i}.ome.tif") for i in "ab"]
    labels += [Record("c", "skipped", "f", "UPSTREAM"), Record("d", "quarantined", "f", "FLAT"), Record("e", "skipped", "f")]  # fmt: skip
    for key, records in (("convert", converted), ("annotate.drawn", drawn), ("segment.cells", labels)):  # fmt: skip
        write_manifest(study / "manifests" / key / "b0.jsonl", records)
    sheet = tmp_path / "images.tsv"
    sheet.write_text("id\tpath\tsubject\n" + "".join(f"{i}\t{i}.tif\t{s}\n" for i, s in zip("abcde", "uuvvv", strict=True)))  # fmt: skip
    return study, sheet


def score_task(annotated, **settings):
    study, sheet = annotated
    manifests = [str(path) for path in sorted((study / "manifests").glob("*/b0.jsonl"))]
    out = study / "evaluation" / "cells" / "summary.json"
    chosen = json.dumps({"of": "cells", "annotations": "drawn", **settings})
    code = main(["evaluate", "--task", "cells", "--in", *manifests, "--out", str(out), "--sheet", str(sheet), "--settings", chosen])  # fmt: skip
    return code, out


def test_a_task_of_the_config_is_scored(annotated):
    code, out = score_task(annotated, group="subject")
    summary = json.loads(out.read_text())
    # a is perfect, b has two of four, all four of d are missed
    assert code == 0 and summary["scores"]["recall@0.5"] == [0.5, 0.0, 0.75]
    assert (summary["n_images"], summary["n_groups"], summary["n_truth"]) == (3, 2, 12)
    assert summary["missed_images"] == ["d"]
    assert summary["not_scored"] == {"c": "quarantined by convert, and without annotations", "e": "no annotations: no file"}  # fmt: skip
    table = pd.read_csv(out.parent / "scores.csv").set_index("image")
    assert table["f1"].to_dict() == {"a": 1, "b": 0.6667, "d": 0} and table["group"]["d"] == "v"
    assert pd.read_csv(out.parent / "summary.csv").set_index("score")["value"]["recall@0.5"] == 0.5
    page = (out.parent / "index.html").read_text()
    assert all(f'src="pictures/{image}.png"' in page for image in "abd") and "all objects counted as missed: d" in page  # fmt: skip
    assert {path.stem for path in (out.parent / "pictures").iterdir()} == set("abd")


def test_pictures_of_the_last_time_are_removed(annotated):
    _, out = score_task(annotated)
    assert score_task(annotated, pictures=0)[0] == 0
    assert list((out.parent / "pictures").iterdir()) == []


def test_annotations_without_an_area_are_refused(annotated, capsys):
    study, _ = annotated
    path = study / "annotations/drawn/b.parquet"
    tables.write_table(path, tables.read_table(path).assign(kind="point"), fingerprint="f")
    assert score_task(annotated)[0] == 2
    assert "evaluate.cells: b has 4 annotations without an area (point)" in capsys.readouterr().err


def test_settings_of_class_images_are_refused_for_labels(annotated, capsys):
    assert score_task(annotated, ignore=["fold"])[0] == 2
    assert "cells gives labels, `region` and `ignore` are for class images" in capsys.readouterr().err  # fmt: skip


def test_nothing_to_compare_is_refused_with_the_reasons(annotated, capsys):
    study, _ = annotated
    write_manifest(study / "manifests/annotate.drawn/b0.jsonl", [Record(i, "skipped", "f", "X", "no file") for i in "abcde"])  # fmt: skip
    assert score_task(annotated)[0] == 2
    assert "no image has both labels of segment.cells and annotations of annotate.drawn" in capsys.readouterr().err  # fmt: skip


def test_a_lost_image_counts_with_its_annotations_alone(annotated):
    study, _ = annotated
    path = study / "manifests/convert/b0.jsonl"
    path.write_text(path.read_text().replace('"image": "d", "status": "ok"', '"image": "d", "status": "quarantined"'))  # fmt: skip
    _, out = score_task(annotated)
    summary = json.loads(out.read_text())
    assert summary["missed_images"] == ["d"] and summary["scores"]["recall@0.5"][0] == 0.5
    assert {path.stem for path in (out.parent / "pictures").iterdir()} == set("ab")


def test_time_points_are_scored_where_they_were_annotated(annotated):
    study, _ = annotated
    movie = np.stack([PERFECT, HALF])[:, None]
    meta = images.Meta((2, 1, 1, *TRUTH.shape), ("x",), None, None)
    read = images.reader_of(movie)
    images.write_labels(study / "labels/cells/a.ome.tif", read, movie.shape, meta, "")
    pixels = images.reader_of(np.stack([TRUTH, TRUTH])[:, None])
    images.write_image(study / "images/a.ome.tif", meta, np.uint16, pixels)
    path = study / "annotations/drawn/a.parquet"
    tables.write_table(path, tables.read_table(path).assign(t=1), fingerprint="f")
    _, out = score_task(annotated)
    table = pd.read_csv(out.parent / "scores.csv").set_index("name")
    assert table["f1"]["a t1"] == 0.6667 and "a t0" not in table.index
    assert (out.parent / "pictures" / "a_t1.png").exists()


# what the workflow knows of it

CONFIG = {
    "study": "s",
    "channels": {"DNA": 0},
    "annotate": {"drawn": {"source": "{mask}"}},
    "patch": {"nuclear": {"pixel_size_um": 0.5}},
    "segment": {
        "nuclei": {"method": {"name": "otsu", "channel": "DNA"}},
        "cells": {"method": {"name": "grow", "seeds": "nuclei", "channel": "DNA"}},
    },
}


def needs_of(tmp_path, **settings):
    (tmp_path / "images.tsv").write_text("id\tpath\tmask\tsubject\na\ta.tif\tm.tif\tu\n")
    task = {"of": "cells", "annotations": "drawn", **settings}
    study = load_study({**CONFIG, "evaluate": {"cells": task}}, tmp_path / "config.yaml")
    return set(study.tasks["evaluate.cells"].needs), study.tasks


def test_scoring_waits_for_all_that_led_to_the_labels_and_for_nothing_else(tmp_path):
    needs, tasks = needs_of(tmp_path, group="subject")
    assert needs == {"convert", "segment.nuclei", "segment.cells", "annotate.drawn"}
    assert not any("evaluate" in key for key in tasks["gather"].needs)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"group": "sujbect"}, "evaluate.cells.group: the sheet has no column 'sujbect'; did you mean 'subject'?"),
        ({"of": "cell"}, "evaluate.cells.of: there is no segment task 'cell'; did you mean 'cells'?"),
        ({"annotations": "mine"}, "evaluate.cells.annotations: there is no annotate 'mine'"),
        ({"channel": "RNA"}, "evaluate.cells.channel: there is no channel 'RNA'"),
        ({"picture": 1}, "evaluate.cells.picture: unknown key; did you mean 'pictures'?"),
    ],
)  # fmt: skip
def test_a_task_that_names_what_is_not_there_is_refused(tmp_path, wrong, message):
    with pytest.raises(ConfigError) as error:
        needs_of(tmp_path, **wrong)
    assert message in str(error.value)
