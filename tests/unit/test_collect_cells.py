"""Labelled and gated cells: who is who among measured objects, and what is refused."""

import re

import numpy as np
import pandas as pd
import pytest

from scopemill.collect.cells import Measured, know_objects, read_labelled
from scopemill.collect.features import choose_features, find_channels
from scopemill.collect.stage import Settings
from scopemill.collect.truth import read_truth
from scopemill.images import Meta, reader_of, write_labels
from scopemill.settings import ConfigError, load
from scopemill.study import load_study
from scopemill.tables import write_table

# label 2: a 3 x 3 square at the top left; 5: right of it; 9: below, in planes 1 and 2 only, above 5's lower part
LABELS = np.zeros((1, 3, 12, 12), np.uint32)
LABELS[0, :, 1:4, 1:4] = 2
LABELS[0, :, 1:6, 6:11] = 5
LABELS[0, 1:, 8:11, 3:9] = 9
TABLE = pd.DataFrame(
    {
        "image": "i0", "t": 0, "label": [2, 5, 9],
        "y0": [1, 1, 8], "x0": [1, 6, 3], "y1": [4, 6, 11], "x1": [4, 11, 9],
        "centroid_y": [2.0, 3, 9], "area": [9, 25, 18], "area_um2": [2.25, 6.25, 4.5], "n_spots": [3, 0, 1],
        "intensity_mean_CD3": [1.0, 9, 5], "touches_border": False, "orientation": 0.5, "solidity": 1.0,
    }
)  # fmt: skip


@pytest.fixture
def artifacts(tmp_path):
    """What the tasks made of one image, by task."""
    paths = {
        key: tmp_path / f"{key}.parquet"
        for key in ("quantify.cells", "detect.found", "classify.types")
    } | {"segment.outlines": tmp_path / "labels.ome.tif"}
    write_table(paths["quantify.cells"], TABLE, objects="found")
    write_table(paths["detect.found"], TABLE, name="from-labels", labels="outlines")
    gates = TABLE[["image", "t", "label"]].assign(**{"class": ["T", "unassigned", "uncertain"]})
    write_table(paths["classify.types"], gates, objects="cells")
    write_labels(
        paths["segment.outlines"], reader_of(LABELS[:, None]), LABELS.shape,
        Meta((1, 1, 3, 12, 12), ("a",), 0.5, 1.0), "mark",
    )  # fmt: skip
    return paths


@pytest.fixture
def know(tmp_path, artifacts):
    """CSV lines -> {label: class}."""

    def do(*lines, **more):
        own = Measured(objects="cells", labelled="cells.csv" if lines else "", **more)
        labelled = None
        if lines:
            (tmp_path / "cells.csv").write_text("\n".join(lines) + "\n")
            labelled = read_labelled(tmp_path / "cells.csv", own, ["i0", "i1"])
            labelled = labelled[labelled["image"] == "i0"]
        table, labels = know_objects(artifacts, own, labelled)
        assert labels == artifacts["segment.outlines"]
        return dict(zip(table["label"].tolist(), table["class"], strict=True))

    return do


def test_cells_are_found_by_label(know):
    assert know("image,label,class", "i0,5,T", "i0,2,B cell ", "i1,9,T") == {2: "B cell", 5: "T"}


def test_cells_are_found_by_a_place_within_them(know):
    assert know("image,y,x,class", "i0,1.2,3.4,T", "i0,5,10,B") == {2: "T", 5: "B"}


def test_in_a_stack_a_place_is_looked_for_in_all_planes_or_in_the_one_that_is_named(know):
    assert know("image,y,x,class", "i0,9,5,T") == {9: "T"}
    assert know("image,z,y,x,class", "i0,2,9,5,T") == {9: "T"}
    with pytest.raises(ConfigError, match=r"line 2 \(image i0\): is of no object"):
        know("image,z,y,x,class", "i0,0,9,5,T")


def test_what_the_study_writes_of_relabelled_cells_is_read_as_it_is(know):
    head = "image,t,object,label,y,x,class,class_by"
    rows = ["i0,0,cells,5,3,8,T,me", "i0,0,nuclei,2,2,2,T,me"]
    assert know(head, *rows) == {5: "T"}  # the nucleus is not asked for


def test_of_a_gate_what_it_could_not_tell_is_left_out(know):
    assert know(gated="types") == {2: "T"}


def test_a_persons_word_goes_over_the_gate(know):
    assert know("image,label,class", "i0,2,B", "i0,9,B", gated="types") == {2: "B", 9: "B"}


def test_a_person_may_say_that_a_gated_cell_is_of_no_class(know):
    assert know("image,label,class", "i0,2,unassigned", "i0,5,T", gated="types") == {5: "T"}


def test_unassigned_cells_of_a_csv_are_not_learnt_from(know):
    assert know("image,label,class", "i0,2,T", "i0,5,unassigned", "i0,9,") == {2: "T"}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["image,label", "i0,2"], "it needs image, class, and label or y and x"),
        (["image,class,y", "i0,T,2"], "it needs image, class, and label or y and x"),
        (["image,label,class", "i7,2,T"], "line 2 (image i7): is of an image that the sheet does not have"),
        (["image,label,class", "i0,2,T", "i0,3,T"], "line 3 (image i0): is of no object that was measured"),
        (["image,y,x,class", "i0,0,0,T"], "line 2 (image i0): is of no object"),
        (["image,y,x,class", "i0,70,2,T"], "line 2 (image i0): is of no object"),
        (["image,label,class", "i0,two,T"], "has a label that is no number"),
        (["image,label,class", "i0,2.5,T"], "has a label that is no whole number"),
        (["image,y,x,class", "i0,inf,2,T"], "has a y that is no number"),
        (["image,label,class", 'i0,2,"T'], "no CSV"),
        (["image,label,y,x,class", "i0,,2,,T"], "has neither label nor y and x"),
        (["image,label,y,x,class", "i0,2,9,5,T"], "whose object lies elsewhere"),
        (["image,label,class", "i0,2,T", "i0,2,B"], "line 2 (image i0), line 3 (image i0): says another class"),
        (["image,t,label,class", "i0,1,2,T"], "is of no object that was measured"),
    ],
)  # fmt: skip
def test_rows_that_match_nothing_are_named(know, lines, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        know(*lines)


def test_the_same_word_twice_is_one(know):
    assert know("image,label,class", "i0,2,T", "i0,2,T") == {2: "T"}


def test_a_gate_about_other_objects_is_refused(know, artifacts):
    gates = TABLE[["image", "t", "label"]].assign(**{"class": "T"})
    write_table(artifacts["classify.types"], gates, objects="nuclei")
    with pytest.raises(ConfigError, match=r"classify\.types is about the objects of quantify\.nuclei"):  # fmt: skip
        know(gated="types")


def test_features_are_what_an_object_looks_like_in_um_where_there_are_both():
    own = Measured(objects="cells", gated="types")
    assert choose_features(TABLE, own) == ["area_um2", "intensity_mean_CD3", "solidity"]
    own = Measured(objects="cells", gated="types", features=("n_spots", "area"))
    assert choose_features(TABLE, own) == ["n_spots", "area"]


def test_a_feature_that_was_not_measured_is_named():
    own = Measured(objects="cells", gated="types", features=("intensity_mean_CD4",))
    with pytest.raises(ConfigError, match="intensity_mean_CD4; did you mean 'intensity_mean_CD3'"):
        choose_features(TABLE, own)


def test_channels_are_those_of_the_features():
    features = ["area_um2", "intensity_mean_CD3", "ring_ratio_CD4", "n_CD8"]
    assert find_channels(features, ["CD8", "CD4", "CD3", "DNA"]) == ["CD4", "CD3"]


@pytest.mark.parametrize(("n_planes", "n_pixels"), [(3, [9 * 3, 25 * 3, 18 * 2]), (1, [9, 25, 18])])
def test_labels_have_as_many_planes_as_the_model_sees(artifacts, n_planes, n_pixels):
    truth = read_truth(artifacts["segment.outlines"], 0, n_planes)
    assert truth.shape == (n_planes, 12, 12) and truth.dtype == np.uint8
    assert np.bincount(truth.ravel())[[2, 5, 9]].tolist() == n_pixels


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"truth": "features"}, "measured: this key is required"),
        ({"truth": "labels", "measured": {"objects": "c", "gated": "g"}, "channels": ["a"]}, "measured: goes with method"),
        ({"truth": "objects", "measured": {"objects": "c"}, "channels": ["a"]}, "labelled or gated"),
        ({"truth": "objects", "measured": {"objects": "c", "gated": "g"}}, "channels: this key is required"),
        ({"truth": "features", "measured": {"objects": "c", "gated": "g"}, "annotations": "a"}, "give either measured"),
    ],
)  # fmt: skip
def test_settings_that_do_not_go_together_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        load(Settings, settings, "train.types.collect")


CONFIG = {
    "study": "s", "channels": {"CD3": 0},
    "segment": {"cells": {"method": {"name": "otsu", "channel": "CD3"}}},
    "detect": {"cells": {"method": {"name": "from-labels", "labels": "cells"}}},
    "quantify": {"cells": {"objects": "cells"}},
    "classify": {"types": {"objects": "cells", "method": {"name": "gate", "rules": {"T": "area > 5"}}}},
}  # fmt: skip


@pytest.fixture
def plan(tmp_path):
    """`measured` of a training -> the study's tasks."""
    (tmp_path / "images.tsv").write_text("id\tpath\ni0\ti0.tif\ni1\ti1.tif\n")
    (tmp_path / "cells.csv").write_text("image,label,class\n")

    def do(**measured):
        collect = {"measured": {"objects": "cells", **measured}}
        train = {"types": {"collect": collect, "method": {"name": "features"}}}
        return load_study({**CONFIG, "train": train}, tmp_path / "config.yaml").tasks

    return do


def test_a_training_on_measured_cells_waits_for_all_that_it_reads(plan):
    tasks = plan(labelled="cells.csv", gated="types", features=["area", "intensity_mean_CD3"])
    wanted = {"convert", "quantify.cells", "classify.types", "detect.cells", "segment.cells"}
    assert set(tasks["collect.types"].needs) == wanted
    assert tasks["collect.types"].settings.truth == "features"


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        ({"labelled": "no.csv"}, r"train\.types\.collect\.measured\.labelled: .*no\.csv: no such file"),
        ({"gated": "typs"}, r"there is no classify 'typs'; did you mean 'types'"),
        ({"gated": "types", "objects": "cels"}, r"there is no quantify 'cels'"),
        ({"gated": "types", "features": ["intensity_mean_CD4"]}, r"measured\.features: no column 'intensity_mean_CD4' is measured; did you mean 'intensity_mean_CD3'"),
        ({}, "labelled or gated"),
    ],
)  # fmt: skip
def test_what_cannot_be_learnt_from_is_said_before_anything_runs(plan, measured, words):
    with pytest.raises(ConfigError, match=words):
        plan(**measured)
