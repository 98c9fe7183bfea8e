"""Plates: every way to name a well means that well, and fields of a well are put together."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopemill.gather import plates
from scopemill.wells import COLUMNS, ROWS, find_wells, name_row, read_well


@pytest.mark.parametrize(
    ("text", "well"),
    [
        ("A01", ("A01", 1, 1)), ("a1", ("A01", 1, 1)), ("H-12", ("H12", 8, 12)), ("P24 ", ("P24", 16, 24)),
        ("B 003", ("B03", 2, 3)), ("AF48", ("AF48", 32, 48)), ("AA1", ("AA01", 27, 1)), ("Z9", ("Z09", 26, 9)),
    ],
)  # fmt: skip
def test_wells_are_read_as_people_write_them(text, well):
    assert read_well(text) == well


@pytest.mark.parametrize("text", ["", "nan", "A", "12", "A0", "A49", "AG1", "ABC1", "left", "A1b", "1A"])  # fmt: skip
def test_what_is_no_well_is_none(text):
    assert read_well(text) == (None, None, None)


@given(st.integers(1, ROWS), st.integers(1, COLUMNS))
def test_row_and_column_come_back(row, column):
    name, *place = read_well(f"{name_row(str(row))}{column}")
    assert place == [row, column] and read_well(name) == (name, row, column)


@pytest.mark.parametrize(
    "columns",
    [
        {"well": ["A01", "B02"]}, {"Well": ["a1", "b2"]}, {"row": ["A", "B"], "column": ["01", "02"]},
        {"Row": [1, 2], "Column": [1, 2]}, {"row": [1.0, 2.0], "column": [1.0, 2.0]},
    ],
)  # fmt: skip
def test_columns_of_the_sheet_name_the_well(columns):
    found = find_wells(pd.DataFrame({"image": ["a", "b"], **columns}))
    assert found["well"].tolist() == ["A01", "B02"]
    assert found[["row", "column"]].to_numpy().tolist() == [[1, 1], [2, 2]]
    assert found["plate"].tolist() == ["", ""]


IMAGES = pd.DataFrame(
    {
        "image": list("abcde"), "status": ["ok", "ok", "ok", "ok", "quarantined"], "plate": ["p", "p", "p", "q", "q"],
        "well": ["A01", "A01", "B02", "A01", "C03"], "n_cells": [2.0, 1, 0, 1, float("nan")],
    }
)  # fmt: skip
OBJECTS = pd.DataFrame(
    {"image": list("aabd"), "object": "cells", "class": list("TTBT"), "area_um2": [1.0, 3, 8, 5]}
)


def test_fields_of_a_well_are_put_together():
    found = plates.make_plates(IMAGES, OBJECTS, None, 0)
    counts = found[(found["quantity"] == "count") & (found["class"] == "")]
    assert counts[["plate", "well", "row", "column", "value", "n_images"]].to_numpy().tolist() == [
        ["p", "A01", 1, 1, 3, 2],
        ["p", "B02", 2, 2, 0, 1],
        ["q", "A01", 1, 1, 1, 1],
    ]
    first = found[(found["plate"] == "p") & (found["well"] == "A01")]
    assert first.query("quantity == 'mean area_um2' and `class` == ''")["value"].tolist() == [4]
    fractions = first.query("quantity == 'fraction'").set_index("class")["value"]
    assert fractions.to_dict() == {"B": pytest.approx(1 / 3), "T": pytest.approx(2 / 3)}


def test_a_well_in_which_nothing_was_found_has_a_count_of_zero_with_its_interval():
    found = plates.make_plates(IMAGES, OBJECTS, None, 0).query("well == 'B02'")
    assert found[["class", "quantity", "value", "low"]].to_numpy().tolist() == [["", "count", 0, 0]]
    assert found["high"].tolist() == [pytest.approx(3.689, 1e-3)]


def test_a_well_that_was_not_measured_is_not_zero():
    images = IMAGES.assign(n_cells=[2.0, 1, float("nan"), 1, float("nan")])
    assert plates.make_plates(images, OBJECTS, None, 0)["well"].unique().tolist() == ["A01"]


def test_without_wells_there_is_no_table():
    assert plates.make_plates(IMAGES.drop(columns="well"), OBJECTS, None, 0).empty
    assert plates.make_plates(IMAGES.assign(well="left"), OBJECTS, None, 0).empty
