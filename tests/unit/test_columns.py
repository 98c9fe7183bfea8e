"""Columns: what a column means, by its name; that all columns made are described is tested in test_quantify."""

import pytest

from scopemill.columns import PATTERNS, describe, example_columns


@pytest.mark.parametrize(
    ("column", "unit", "words"),
    [
        ("area", "px", "number of pixels"),
        ("area_um2", "um2", "area"),
        ("volume_um3", "um3", "volume"),
        ("perimeter", "px", "length of the outline"),
        ("perimeter_um", "um", "length of the outline"),
        ("axis_minor_length_um", "um", "minor axis"),
        ("orientation", "rad", "angle"),
        ("y0", "px", "box of the object: y"),
        ("centroid_z", "px", "centre of the object, z"),
        ("centroid_z_um", "um", "centre of the object, z"),
        ("z_um", "um", "position of the spot, z"),
        ("intensity_sum_CD3", "counts", "sum of channel CD3 within the object"),
        ("nucleus_mean_CD3", "counts", "mean of channel CD3 in the object's nucleus"),
        ("nucleus_cytoplasm_ratio_CD3", "", "mean of channel CD3 in the nucleus / in the cyto"),
        ("ring_ratio_CD3", "", "mean of channel CD3 in the object / in the ring"),
        ("cells_label", "", "object of segment task cells"),
        ("n_particles", "", "number of particles"),
        ("n_cells_low", "", "number of cells: lower end of the 95 % interval"),
        ("fraction_cells_T_high", "", "share of cells_T: upper end of the 95 % interval"),
        ("n_particles_mean", "", "mean over the image's objects of: number of particles"),
        ("area_um2_mean", "um2", "mean over the image's objects of: area"),
        ("class", "", "class by classify task"),
        ("class_types", "", "class by classify task types"),
    ],
)
def test_a_column_has_a_unit_and_a_meaning(column, unit, words):
    found = describe(column)
    assert found is not None
    assert found[0] == unit and found[1].startswith(words)


@pytest.mark.parametrize("column", ["dose", "area_um", "intensity_mode_CD3", "intensity_mean_", ""])
def test_a_column_that_nothing_makes_is_unknown(column):
    assert describe(column) is None


def test_a_channel_that_the_study_lacks_is_unknown():
    assert describe("intensity_mean_CD3", ["DNA", "CD3"])
    assert describe("intensity_mean_CD3", ["DNA", "CD"]) is None
    assert describe("intensity_mean_CD3", []) is None


def test_a_channels_name_may_hold_another_columns_name():
    assert describe("intensity_mean_area", ["area"])[1] == "mean of channel area within the object"


def test_no_name_is_explained_twice():
    assert len({pattern for pattern, *_ in PATTERNS}) == len(PATTERNS)


def test_every_example_is_a_column():
    assert all(describe(column, ["DNA", "CD3"]) for column in example_columns(["DNA", "CD3"]))
