"""Classify by measured features: classes, probabilities, and a plain word where the model does not fit the table."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from test_forest import DESCRIBED, HAND

from scopemill.classify.methods import features
from scopemill.errors import DataError
from scopemill.frames import Frame
from scopemill.models.forest import save_forest
from scopemill.settings import ConfigError

# of the forest HAND: intensity above 5 is a T cell; else 3 : 1 for B up to an area of 2, and even above
TABLE = pd.DataFrame({"intensity_mean_CD3": [9.0, 1, 1], "area_um2": [1.0, 1, 3]})
FRAME = Frame.of({"CD3": np.zeros((2, 2))})


@pytest.fixture
def classify(tmp_path):
    save_forest(tmp_path / "m", HAND, DESCRIBED)

    def do(table=TABLE, frame=FRAME, **more):
        own = features.Settings(model=str(tmp_path / "m"), **more)
        return features.classify(table, frame, own)

    return do


def test_an_object_gets_the_class_and_the_probabilities_that_the_forest_gives_it(classify):
    found = classify()
    assert found["class"].tolist() == ["T cell", "B cell", "B cell"]
    np.testing.assert_array_equal(found["probability"], [1.0, 0.75, 0.5])
    np.testing.assert_array_equal(found["probability_B_cell"], [0, 0.75, 0.5])
    np.testing.assert_array_equal(found["probability_T_cell"], [1, 0.25, 0.5])


@pytest.mark.parametrize(("level", "n"), [(0.5, 0), (0.6, 1), (0.8, 2), (1.0, 2)])
def test_below_the_level_a_class_is_uncertain(classify, level, n):
    assert classify(certain_from=level)["class"].tolist().count("uncertain") == n


def test_columns_are_found_by_name_whatever_their_order(classify):
    turned = TABLE.assign(other=1)[["other", "area_um2", "intensity_mean_CD3"]]
    assert classify(turned)["class"].tolist() == classify()["class"].tolist()


def test_no_objects_no_classes(classify):
    assert [len(one) for one in classify(TABLE[:0]).values()] == [0] * 4


def test_a_value_that_is_missing_is_said(classify):
    notes = []
    frame = dataclasses.replace(FRAME, note=notes.append)
    table = TABLE.assign(intensity_mean_CD3=[np.nan, np.inf, 1])
    assert classify(table, frame)["class"].tolist() == ["T cell", "T cell", "B cell"]
    assert notes == ["2 objects have no value of intensity_mean_CD3"]


def test_an_image_without_the_features_channel_is_quarantined(classify):
    frame = Frame.of({"CD19": np.zeros((2, 2))})
    with pytest.raises(DataError, match=r"not there: intensity_mean_CD3; the image has the channels CD19") as caught:  # fmt: skip
        classify(TABLE[["area_um2"]], frame)
    assert caught.value.code == "MODEL_MISMATCH"


def test_a_feature_that_was_not_measured_is_the_configs_fault(classify):
    with pytest.raises(ConfigError, match=r"not there: area_um2.*measure them"):
        classify(TABLE[["intensity_mean_CD3"]].rename(columns={"intensity_mean_CD3": "area"}).assign(intensity_mean_CD3=1.0))  # fmt: skip
