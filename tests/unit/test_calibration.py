"""Calibration: the file of figures is checked, and goes into the settings so that no job needs it."""

import json

import pytest

from scopemill.calibration import Detection, read_detection, with_figures
from scopemill.settings import ConfigError, load

FIGURES = {
    "efficiency": 0.93, "efficiency_low": 0.9, "efficiency_high": 0.95,
    "false_per_megavoxel": 0.4, "false_low": 0, "false_high": 1.2,
}  # fmt: skip


def write(tmp_path, **changes):
    path = tmp_path / "c.json"
    path.write_text(json.dumps({**FIGURES, "n_images": 8, "snr": 5.1, "settings": {"a": [1]}, **changes}))  # fmt: skip
    return path


def test_what_is_for_people_is_left_out(tmp_path):
    found = read_detection(write(tmp_path, by_class={"T": {**FIGURES, "snr": 4}}), "w")
    assert found == {**FIGURES, "by_class": {"T": FIGURES}, "n_images": 8, "made_by": ""}


def test_a_class_without_figures_has_those_of_all(tmp_path):
    read = read_detection(write(tmp_path, by_class={"T": {**FIGURES, "efficiency_low": 0.5}}), "w")
    found = load(Detection, read, "w")
    assert (found.of("T").efficiency_low, found.of("B").efficiency_low) == (0.5, 0.9)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"efficiency": 1.2}, "w.efficiency: expected less than or equal to 1"),
        ({"efficiency": None}, "w.efficiency: this key is required"),
        ({"efficiency_low": 0.0}, "efficiency must lie in its interval, above 0"),
        ({"efficiency": 0.96}, "efficiency must lie in its interval"),
        ({"false_high": 0.1}, "false_per_megavoxel must lie in its interval"),
        ({"by_class": {"T": {"efficiency": 0.5}}}, "w.by_class.T.efficiency_low: this key"),
        ({"by_class": [1]}, "w.by_class"),
    ],
)
def test_impossible_figures_are_refused(tmp_path, changes, words):
    with pytest.raises(ConfigError, match=words):
        read_detection(write(tmp_path, **changes), "w")


def test_a_file_that_is_not_there_or_no_json_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"w: there is no file .*no.json; `scopemill calibrate`"):
        read_detection(tmp_path / "no.json", "w")
    (tmp_path / "c.json").write_text("{")
    with pytest.raises(ConfigError, match=r"c.json is no JSON"):
        read_detection(tmp_path / "c.json", "w")
    (tmp_path / "c.json").write_text("[1]")
    with pytest.raises(ConfigError, match=r"holds no figures"):
        read_detection(tmp_path / "c.json", "w")


def test_figures_stand_beside_the_files_name(tmp_path):
    write(tmp_path)
    own = {"objects": "cells", "detection": "c.json"}
    filled = with_figures({"group_by": "arm", "particles": {"beads": own, "dots": {}}}, tmp_path)
    assert filled["group_by"] == "arm" and filled["particles"]["dots"] == {}
    assert filled["particles"]["beads"] == {**own, "figures": read_detection(tmp_path / "c.json", "w")}  # fmt: skip
    assert with_figures({"particles": None}, tmp_path) == {"particles": None}
