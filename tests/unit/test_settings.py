"""Settings: a mapping is checked key by key, and what is wrong is said in words."""

import dataclasses
from typing import Literal

import pytest

from scopemill.settings import (
    ChannelName,
    ConfigError,
    Fraction,
    Positive,
    SegmentTask,
    find_method,
    load,
    load_method,
    load_stage,
    method_names,
    nearest,
    references,
    settings,
)


@settings
class Tool:
    """Something to set."""

    channel: ChannelName
    width_um: Positive = 1.0
    share: Fraction = 0.5
    shape: Literal["disc", "square"] = "disc"
    others: tuple[ChannelName, ...] | None = None
    near: SegmentTask | None = None


def complaint(mapping):
    with pytest.raises(ConfigError) as caught:
        load(Tool, mapping, "segment.cells")
    return str(caught.value)


def test_what_is_not_given_has_its_default():
    assert load(Tool, {"channel": "DNA"}, "x") == Tool(channel="DNA", width_um=1.0)


def test_a_whole_number_will_do_for_a_length():
    assert load(Tool, {"channel": "DNA", "width_um": 3}, "x").width_um == 3.0


def test_an_unknown_key_is_refused_with_the_nearest_name():
    text = complaint({"channel": "DNA", "widht_um": 2})
    assert text == "segment.cells.widht_um: unknown key; did you mean 'width_um'?"


def test_a_key_like_no_other_is_refused_with_the_choice_there_is():
    assert "choose from ['channel', 'near'" in complaint({"channel": "DNA", "zzzz": 2})


@pytest.mark.parametrize("value", ["wide", "2", None, [1], {"a": 1}, True])
def test_a_wrong_type_is_refused_and_shown(value):
    text = complaint({"channel": "DNA", "width_um": value})
    assert text.startswith("segment.cells.width_um: expected ")
    assert repr(value) in text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("width_um", 0),
        ("width_um", -1),
        ("width_um", float("nan")),
        ("share", 1.01),
        ("share", -0.01),
    ],
)
def test_a_number_out_of_range_is_refused(key, value):
    text = complaint({"channel": "DNA", key: value})
    assert text.startswith(f"segment.cells.{key}: expected ")
    assert text.endswith(f"found {value!r}")


def test_a_misspelt_choice_is_refused_with_the_nearest_one():
    text = complaint({"channel": "DNA", "shape": "sqare"})
    assert "segment.cells.shape: expected 'disc' or 'square', found 'sqare'" in text
    assert text.endswith("did you mean 'square'?")


def test_a_required_key_is_asked_for():
    assert complaint({}) == "segment.cells.channel: this key is required"


def test_all_problems_are_told_at_once():
    lines = complaint({"widht_um": 2, "share": 7, "shape": "ring"}).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "segment.cells.widht_um", "segment.cells.channel", "segment.cells.share", "segment.cells.shape",
    ]  # fmt: skip


@pytest.mark.parametrize("value", [None, "otsu", ["a"], 3])
def test_no_mapping_is_refused(value):
    assert "segment.cells: expected keys with values" in complaint(value)


def test_a_date_that_yaml_made_is_told_not_crashed_on():
    import datetime

    text = complaint({"channel": "DNA", "width_um": datetime.date(2024, 1, 15)})
    assert text.startswith("segment.cells.width_um: expected a valid number")


def test_settings_are_frozen():
    tool = load(Tool, {"channel": "DNA"}, "x")
    with pytest.raises(dataclasses.FrozenInstanceError):
        tool.share = 0.1


def test_settings_have_no_positions():
    with pytest.raises(ValueError, match="Unexpected positional argument"):
        Tool("DNA")


def test_nearest_of_nothing_says_nothing():
    assert nearest("a", []) == ""


def test_the_methods_of_a_stage_are_its_files():
    assert {"otsu", "grow", "unet"} <= set(method_names("segment"))
    assert {"from-labels", "log-spots"} <= set(method_names("detect"))
    assert method_names("quantify") == []


def test_a_method_is_found_by_its_name_with_hyphens():
    assert find_method("detect", "log-spots").__name__ == "scopemill.detect.methods.log_spots"


def test_an_unknown_method_is_refused_with_the_nearest_one():
    with pytest.raises(
        ConfigError, match=r"segment\.a\.method\.name: unknown method 'unett'; did you mean 'unet'"
    ):
        load_method("segment", {"name": "unett"}, "segment.a.method")


@pytest.mark.parametrize("mapping", [{}, {"channel": "DNA"}, "otsu", None])
def test_a_method_without_a_name_is_refused_with_the_choice(mapping):
    with pytest.raises(ConfigError, match=r"m: expected \{name: \.\.\.\}; choose from .*'otsu'"):
        load_method("segment", mapping, "m")


def test_another_methods_setting_is_unknown():
    with pytest.raises(ConfigError, match=r"m\.max_distance_um: unknown key"):
        load_method("segment", {"name": "otsu", "channel": "DNA", "max_distance_um": 3}, "m")


def test_a_loaded_stage_holds_all_settings_of_its_method():
    own, method = load_stage(
        "segment", {"method": {"name": "otsu", "channel": "DNA"}}, "segment.nuclei"
    )
    assert own.method == method.as_dict()
    assert own.method["threshold"] == "otsu" and own.method["name"] == "otsu"


def test_a_stage_without_methods_has_none():
    own, method = load_stage("quantify", {"objects": "cells"}, "quantify.cells")
    assert method is None and own.objects == "cells"


def test_references_are_found_in_nested_hints():
    tool = Tool(channel="DNA", others=("CD3", "CD19"), near="cells")
    assert list(references(tool)) == [
        ("channel", "DNA", "channel"),
        ("channel", "CD3", "others"),
        ("channel", "CD19", "others"),
        ("segment", "cells", "near"),
    ]


def test_what_is_not_set_refers_to_nothing():
    assert list(references(Tool(channel="DNA"))) == [("channel", "DNA", "channel")]
