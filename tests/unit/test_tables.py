"""Tables: types survive Parquet, names survive CSV."""

import numpy as np
import pandas as pd
import pytest

from scopemill import tables


def test_a_table_comes_back_with_types_and_statement(tmp_path):
    table = pd.DataFrame(
        {
            "image": ["001", "NA"],
            "label": np.array([1, 2**40]),
            "area_um2": [0.1, np.nan],
            "touches_border": [True, False],
            "class": ["T cell", None],
        }
    )
    tables.write_table(tmp_path / "a.parquet", table, fingerprint="mark", labels="cells")
    found = tables.read_table(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(found, table)
    assert found.attrs == {"fingerprint": "mark", "labels": "cells"}
    assert tables.read_statement(tmp_path / "a.parquet") == found.attrs


def test_an_empty_table_keeps_its_columns(tmp_path):
    table = pd.DataFrame({"label": np.array([], np.int64), "y": np.array([], float)})
    tables.write_table(tmp_path / "a.parquet", table, fingerprint="mark")
    pd.testing.assert_frame_equal(tables.read_table(tmp_path / "a.parquet"), table)


def test_the_index_is_no_column(tmp_path):
    tables.write_table(tmp_path / "a.parquet", pd.DataFrame({"x": [1, 2]}, index=[7, 8]))
    assert list(tables.read_table(tmp_path / "a.parquet")) == ["x"]


def test_equal_tables_are_equal_bytes(tmp_path):
    for name in "ab":
        tables.write_table(tmp_path / name, pd.DataFrame({"x": [1.5, 2.5]}), b=1, a=2)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_csv_is_written_for_people(tmp_path):
    table = pd.DataFrame({"image": ["001", "NA"], "x": [1 / 3, np.nan], "n": [2, 3]})
    tables.write_csv(tmp_path / "a.csv", table)
    assert (tmp_path / "a.csv").read_bytes() == b"image,x,n\n001,0.3333333,2\nNA,,3\n"


def test_csv_comes_back_with_names_as_text(tmp_path):
    (tmp_path / "a.csv").write_text("image,group,well,n,x\n001,0,01,2,\nNA,NA,02,3,0.5\n")
    table = tables.read_csv(tmp_path / "a.csv")
    assert table["image"].tolist() == ["001", "NA"]
    assert table["group"].tolist() == ["0", "NA"]
    assert table["well"].tolist() == ["01", "02"]
    assert table["n"].tolist() == [2, 3]
    assert np.isnan(table["x"][0]) and table["x"][1] == 0.5


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "2"], [1, 2]),
        (["0.5", "-3e2"], [0.5, -300]),
        (["0", "10"], [0, 10]),
        (["1", ""], [1, np.nan]),
    ],
)
def test_cells_that_are_all_numbers_become_numbers(cells, expected):
    np.testing.assert_array_equal(tables.to_numbers(pd.Series(cells, name="dose")), expected)


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        (["001", "002"], "dose"),
        (["1", "02"], "dose"),
        (["1", "high"], "dose"),
        (["1", "nan"], "dose"),
        (["", ""], "dose"),
        (["1", "2"], "group"),
        (["1", "2"], "well"),
    ],
)
def test_cells_that_may_be_names_stay_text(cells, name):
    assert tables.to_numbers(pd.Series(cells, name=name)).tolist() == cells


def test_only_the_wanted_columns_are_read(tmp_path):
    tables.write_table(tmp_path / "t.parquet", pd.DataFrame({"t": [0], "y": [1.5], "z_label": [3]}), a=1)  # fmt: skip
    found = tables.read_table(tmp_path / "t.parquet", lambda name: name != "y")
    assert found.to_dict("list") == {"t": [0], "z_label": [3]} and found.attrs == {"a": 1}


ODD = pd.DataFrame(
    {
        "a": [1.0, np.nan, np.inf, -1e-300, 123456789.0], "b": pd.array([1, None, 3, 4, 5], dtype="Int64"),
        "c": ["x,y", 'a "b"', "two\nlines", None, ""], "d": [True, None, 1, 2.5, "text"], "e": [True, False] * 2 + [True],
        "f": np.arange(5, dtype=np.float32) / 3, "g": pd.array([0.1, None, 3, 4, 5], dtype="Float64"), "nan": ["nan", *"abcd"],
    }
)  # fmt: skip


@pytest.mark.parametrize("table", [ODD, ODD[["c"]], ODD.iloc[:0], pd.concat([ODD] * 3)])
def test_a_csv_is_what_pandas_writes(table, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "ROWS_AT_ONCE", 4)
    tables.write_csv(tmp_path / "a.csv", table)
    expected = table.to_csv(index=False, float_format="%.7g", lineterminator="\n")
    assert (tmp_path / "a.csv").read_bytes() == expected.encode()


@pytest.mark.parametrize("other", [{"a": [3.0], "s": ["z"]}, {"a": [3], "s": ["z"]}, {"a": [0.5]}])
def test_tables_are_read_one_below_the_other(other, tmp_path):
    parts = [pd.DataFrame({"a": [1.0, np.nan], "s": ["x", None]}), pd.DataFrame(other)]
    paths = [tmp_path / f"{n}.parquet" for n in range(2)]
    for path, part in zip(paths, parts, strict=True):
        tables.write_table(path, part, fingerprint=path.stem)
    expected = pd.concat([tables.read_table(path) for path in paths], ignore_index=True)
    pd.testing.assert_frame_equal(tables.read_tables(paths), expected)
