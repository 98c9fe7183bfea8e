"""The image sheet: every fault is found and placed; batches lose nobody."""

import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from scopemill.settings import ConfigError
from scopemill.sheet import (
    Row,
    choose_images_per_batch,
    make_batches,
    raw_state,
    read_sheet,
    resolve,
)


@pytest.fixture
def read(tmp_path):
    def run(text, name="images.tsv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_sheet(path)

    return run


@pytest.fixture
def complaint(read):
    def run(text, name="images.tsv"):
        with pytest.raises(ConfigError) as caught:
            read(text, name)
        return str(caught.value)

    return run


def test_a_sheet_is_read_as_text(read, tmp_path):
    (row,) = read("id\tpath\tdose\n001\ta.tif\t0010\n")
    assert row == Row("001", str(tmp_path / "a.tif"), 2, metadata={"dose": "0010"})


def test_own_columns_are_no_metadata(read):
    text = "id\tpath\tbatch\tscene\tpixel_size_um\tz_step_um\texclude\twell\n"
    (row,) = read(text + "a\ta.tif\tp1\ts2\t0.5\t2\tblurred\tB03\n")
    assert (row.batch, row.scene, row.pixel_size_um, row.z_step_um, row.exclude) == (
        "p1", "s2", "0.5", "2", "blurred",
    )  # fmt: skip
    assert row.metadata == {"well": "B03"}


def test_an_absolute_path_stays(read):
    assert read("id\tpath\na\t/data/a.tif\n")[0].path == "/data/a.tif"


@pytest.mark.parametrize("folder", [".", "sub", "/data"])
@pytest.mark.parametrize(
    "path", ["a.tif", "r/a.tif", "./a.tif", "r//a.tif", "r/./a.tif", "r/", "r/.", ".", "..", "../a.tif", "/a.tif", "//r/a.tif"]
)  # fmt: skip
def test_a_path_is_written_as_pathlib_would(folder, path):
    assert resolve(folder, path) == str(Path(folder) / path)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (b"\xef\xbb\xbfid\tpath\na\ta.tif\n", "images.tsv"),
        ("id,path\na,a.tif\n", "images.csv"),
        ("id\tpath\r\na\ta.tif\r\n", "images.tsv"),
        ("id\tpath\n\n \t \na\ta.tif\n\n", "images.tsv"),
        ('"id"\t"path"\n"a"\t" a.tif "\n', "images.tsv"),
    ],
    ids=["BOM", "CSV", "Windows", "blank lines", "quotes"],
)
def test_what_spreadsheets_write_is_read(read, tmp_path, text, name):
    (row,) = read(text, name)
    assert (row.id, row.path) == ("a", str(tmp_path / "a.tif"))


def test_a_quoted_cell_may_hold_the_delimiter(read):
    assert read('id,path,note\na,a.tif,"one, two"\n', "images.csv")[0].metadata == {
        "note": "one, two"
    }


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("name\tpath", "no column 'id'"),
        ("id\tpaht", "no column 'path'; did you mean 'paht'"),
        ("id\tpath\tcell type", "column 'cell type': use letters"),
        ("id\tpath\t", "column '': use letters"),
        ("id\tpath\t1st", "column '1st': use letters"),
        ("id\tpath\tlabel", "column 'label' is a column of the results; rename it"),
        ("id\tpath\tstatus", "column 'status' is a column of the results; rename it"),
        ("id\tpath\tdose\tdose", "column 'dose' stands there twice"),
        ("", "no column 'id'"),
    ],
)
def test_a_bad_header_is_refused(complaint, tmp_path, header, fault):
    text = complaint(f"{header}\na\ta.tif\n")
    assert f"{tmp_path / 'images.tsv'}, line 1: {fault}" in text


@pytest.mark.parametrize("one", ["001", "1e5", "A-1_b", "x" * 64, "0", "NA-1", "Nancy"])
def test_a_good_id_is_kept_letter_by_letter(read, one):
    assert read(f"id\tpath\n{one}\ta.tif\n")[0].id == one


@pytest.mark.parametrize(
    "one",
    [
        "a b", "a.b", "../../x", "..", "/abs", "$(touch x)", "`x`", "a;b", "-rf", "_a", "x" * 65, "",
        "Zellé", "細胞", "a\u200bb", "a{b}", "a%s", "a*", "~",
    ],
)  # fmt: skip
def test_a_bad_id_is_refused_where_it_stands(complaint, tmp_path, one):
    text = complaint(f"id\tpath\ngood\tg.tif\n{one}\ta.tif\n")
    assert text.startswith(f"{tmp_path / 'images.tsv'}, line 3, column id: {one!r}: use 1 to 64")


@pytest.mark.parametrize("one", ["NA", "nan", "None", "NULL", "true", "inf"])
def test_an_id_that_others_read_as_nothing_is_refused(complaint, one):
    assert f"line 2, column id: '{one}' is read as 'no value'" in complaint(
        f"id\tpath\n{one}\ta.tif\n"
    )


@pytest.mark.parametrize("other", ["a1", "A1"])
def test_an_id_stands_once_whatever_its_case(complaint, other):
    assert f"line 3, column id: '{other}' is taken by line 2" in complaint(
        f"id\tpath\na1\ta.tif\n{other}\tb.tif\n"
    )


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "0,5", "half"])
def test_a_pixel_size_is_a_positive_number(complaint, text):
    assert f"line 2, column pixel_size_um: '{text}' is no positive number" in complaint(
        f"id\tpath\tpixel_size_um\na\ta.tif\t{text}\n"
    )


def test_a_pixel_size_may_be_unknown_but_a_plane_distance_not(read, complaint):
    assert read("id\tpath\tpixel_size_um\na\ta.tif\tunknown\n")[0].pixel_size_um == "unknown"
    assert "column z_step_um" in complaint("id\tpath\tz_step_um\na\ta.tif\tunknown\n")


def test_every_problem_is_listed_with_line_and_column(complaint):
    lines = complaint(
        "id\tpath\tbatch\tz_step_um\n"
        "a b\ta.tif\t\t\n"
        "c\t\t\t\n"
        "d\td.tif\n"
        "e\te.tif\tp 1\tx\n"
        "E\te.tif\t\t\n"
    ).splitlines()
    assert sorted(line.split("images.tsv, ")[1].split(":")[0] for line in lines) == [
        "line 2, column id",
        "line 3, column path",
        "line 4",
        "line 5, column batch",
        "line 5, column z_step_um",
        "line 6, column id",
    ]
    assert any("line 4: 2 cells, the header has 4" in line for line in lines)


def test_a_sheet_without_rows_is_refused(complaint):
    assert "no images; add a row for each" in complaint("id\tpath\n")


def test_other_encodings_are_refused_with_the_cure(complaint):
    assert "save it as" in complaint("id\tpath\na\tZellé.tif\n".encode("latin-1"))


def test_an_absent_sheet_says_who_writes_one(tmp_path):
    with pytest.raises(ConfigError, match="`scopemill init` writes one"):
        read_sheet(tmp_path / "images.tsv")


def rows(*batches):
    return [Row(f"i{n}", "a.tif", n + 2, batch) for n, batch in enumerate(batches)]


def ids(batches):
    return {name: [row.id for row in batch] for name, batch in batches.items()}


def test_rows_without_a_batch_are_put_together_in_order():
    assert ids(make_batches(rows("", "", "", "", ""), 2)) == {
        "b0000": ["i0", "i1"], "b0001": ["i2", "i3"], "b0002": ["i4"],
    }  # fmt: skip


def test_the_column_batch_goes_first():
    assert ids(make_batches(rows("p2", "", "p1", "p2", ""), 2)) == {
        "p2": ["i0", "i3"], "p1": ["i2"], "b0000": ["i1", "i4"],
    }  # fmt: skip


def test_a_batch_named_as_automatic_ones_are_loses_nobody():
    batches = ids(make_batches(rows("b0000", "", ""), 2))
    assert sorted(one for batch in batches.values() for one in batch) == ["i0", "i1", "i2"]


@pytest.mark.parametrize("n_images", [200, 10_000, 100_000])
def test_jobs_never_pass_900(n_images):
    assert -(-n_images // choose_images_per_batch(n_images, 9)) * 9 <= 900


@pytest.mark.parametrize(
    ("n_images", "size"), [(251, 50), (2500, 50), (2501, 100), (5000, 100), (5001, 200), (20_000, 200), (20_001, 400)]
)  # fmt: skip
def test_batches_grow_with_the_sheet(n_images, size):
    assert choose_images_per_batch(n_images, 9) == size


def test_a_few_images_use_all_cores():
    assert choose_images_per_batch(8, 9) == 2


@pytest.mark.parametrize("n_images", [3, 7, 20, 39, 60, 99, 200, 249, 300, 1000, 2499, 4999, 9999])
def test_one_more_image_leaves_the_batches_as_they_are(n_images):
    assert choose_images_per_batch(n_images, 9) == choose_images_per_batch(n_images + 1, 9)


def test_what_a_row_says_does_not_depend_on_where_it_stands():
    row = Row("a", "a.tif", 7, pixel_size_um="0.5", metadata={"group": "new"})
    assert row.says == replace(row, line=2).says
    assert row.says == {**asdict(row), "line": 0}
    assert row.says != replace(row, metadata={"group": "old"}).says


def state(path):
    return raw_state(Row("a", str(path), 2))


def test_the_raw_state_changes_with_size_and_time(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"123")
    first = state(path)
    assert state(path) == first
    os.utime(path, ns=(1, 1))
    second = state(path)
    path.write_bytes(b"1234")
    os.utime(path, ns=(1, 1))
    path_gone = state(tmp_path / "b.tif")
    assert len({first, second, state(path), path_gone}) == 4


@pytest.mark.parametrize("stem", ["a", "a[1]"])
def test_the_raw_state_of_a_pattern_is_that_of_all_its_files(tmp_path, stem):
    for channel in "12":
        (tmp_path / f"{stem}_c{channel}.tif").write_bytes(b"123")
    pattern = tmp_path / f"{stem}_c{{channel}}.tif"
    first = state(pattern)
    (tmp_path / "unrelated.tif").write_bytes(b"1")
    assert state(pattern) == first
    (tmp_path / f"{stem}_c2.tif").write_bytes(b"1234")
    second = state(pattern)
    (tmp_path / f"{stem}_c3.tif").write_bytes(b"1")
    assert len({first, second, state(pattern)}) == 3
