"""Gate: the first rule that holds decides."""

import numpy as np
import pandas as pd
import pytest

from scopemill.classify.methods import gate
from scopemill.classify.stage import Settings, classify
from scopemill.errors import Skip
from scopemill.frames import Frame
from scopemill.settings import ConfigError, load_stage

TABLE = pd.DataFrame({"intensity_mean_CD3": [9.0, 1, 9, np.nan], "area_um2": [50.0, 50, 5, 5]})
FRAME = Frame.of({"CD3": np.zeros((2, 2))})


def classes(table=TABLE, frame=FRAME, **rules):
    named = {name.replace("_", " "): rule for name, rule in rules.items()}
    return gate.classify(table, frame, gate.Settings(rules=named))["class"].tolist()


def test_an_object_has_the_class_whose_rule_holds():
    assert classes(T_cell="intensity_mean_CD3 > 5") == ["T cell", "unassigned"] * 2


def test_the_first_rule_that_holds_decides():
    big, bright = "area_um2 > 20", "intensity_mean_CD3 > 5"
    assert classes(big=big, bright=bright) == ["big", "big", "bright", "unassigned"]
    assert classes(bright=bright, big=big) == ["bright", "big", "bright", "unassigned"]


def test_a_rule_without_columns_holds_for_all():
    assert classes(T="intensity_mean_CD3 > 5", rest="1 > 0") == ["T", "rest", "T", "rest"]


def test_no_objects_no_classes():
    assert classes(TABLE[:0], T="area_um2 > 5") == []


def test_an_image_without_the_rules_channel_is_passed_over():
    with pytest.raises(Skip, match="lacks the channel of 'intensity_mean_CD19'") as caught:
        classes(B="area_um2 > 1 and intensity_mean_CD19 > 5")
    assert caught.value.code == "NO_CHANNEL"


def test_a_column_that_was_not_measured_is_the_configs_fault():
    with pytest.raises(ConfigError, match=r"rules\.B: 'ring_mean_CD3' was not measured"):
        classes(B="ring_mean_CD3 > 5")


def test_a_rule_is_checked_against_the_studys_channels():
    rules = gate.Settings(rules={"T": "intensity_mean_CD3 > 1 and area_um2 < 5 * 2"})
    gate.check(rules, ["CD3"])
    with pytest.raises(ConfigError, match=r"rules\.T: no column 'intensity_mean_CD3' is measured; did you mean 'intensity_mean_CD4'"):  # fmt: skip
        gate.check(rules, ["CD4"])


def test_the_stage_gives_one_row_an_object():
    table = TABLE.assign(image="i", t=0, label=[1, 2, 5, 9])
    frame = Frame.of({"CD3": np.zeros((2, 2))}, tables={"quantify.cells": table}.__getitem__)
    mapping = {"objects": "cells", "method": {"name": "gate", "rules": {"T": "area_um2 > 20"}}}
    own, method = load_stage("classify", mapping, "classify.types")
    assert isinstance(own, Settings)
    found = classify(frame, own, method)
    assert found.to_dict("list") == {
        "image": ["i"] * 4, "t": [0] * 4, "label": [1, 2, 5, 9],
        "class": ["T", "T", "unassigned", "unassigned"],
    }  # fmt: skip
