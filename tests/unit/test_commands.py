"""Commands: init writes what check accepts; check says which row is at fault and what to do."""

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile

from scopemill.__main__ import main
from scopemill.commands._conventions import CONVENTIONS
from scopemill.commands.init import make_ids
from scopemill.config import read_config
from scopemill.readers import open_raw
from scopemill.sheet import ID

CONFIG = """\
study: s
channels: {{DNA: 0, CD3: {{source: CD3, required: {required}}}}}
segment: {{nuclei: {{method: {{name: otsu, channel: DNA}}}}}}
"""


def write(path, channels=("DNA", "CD3"), um_per_px=0.5):
    """A tiny OME-TIFF."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.arange(len(channels) * 48, dtype=np.uint16).reshape(len(channels), 6, 8)
    metadata = {"axes": "CYX", "Channel": {"Name": list(channels)}}
    if um_per_px:
        metadata |= {"PhysicalSizeX": um_per_px, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": um_per_px, "PhysicalSizeYUnit": "µm"}  # fmt: skip
    tifffile.imwrite(path, pixels, ome=True, metadata=metadata, photometric="minisblack")


def write_plain(folder, *names):
    """Tiny TIFFs without metadata."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, np.arange(48, dtype=np.uint8).reshape(6, 8))


def read_rows(study):
    with (study / "images.tsv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture
def raw(tmp_path):
    return tmp_path / "raw"


@pytest.fixture
def init(tmp_path, raw, capsys):
    """Arguments -> (exit code, rows of the sheet, what was said)."""
    study = tmp_path / "study"

    def run(*arguments, images=raw):
        code = main(["init", str(study), "--images", str(images), *arguments])
        said = capsys.readouterr()
        rows = read_rows(study) if (study / "images.tsv").exists() else []
        return code, rows, said.out + said.err

    return run


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["a.tif", "b.ome.tif"], ["a", "b"]),
        (["a.tif", "a.png", "A.tif"], ["a", "a-2", "A-3"]),
        (["a b_(c).tif", "a-b-c.tif"], ["a-b-c", "a-b-c-2"]),
        (["Zellkern größe.tif"], ["Zellkern-gr-e"]),
        (["細胞.tif", "核.tif"], ["image", "image-2"]),
        (["w1_{channel}_z{z}.tif"], ["w1-z"]),
        (["$(touch x).tif", "-rf.tif", "../.tif"], ["touch-x", "rf", "tif"]),
        (["x" * 90 + ".tif", "x" * 91 + ".tif"], ["x" * 56, "x" * 56 + "-2"]),
    ],
)
def test_ids_are_made_of_file_names(names, ids):
    found = make_ids(names)
    assert found == ids
    assert all(ID.fullmatch(one) for one in found)


def test_init_lists_images_in_folders_below(init, raw):
    write(raw / "p1" / "a.ome.tif")
    write(raw / "p2" / "a.ome.tif")
    (raw / "notes.txt").write_text("no image")
    (raw / ".hidden.tif").write_bytes(b"")
    code, rows, said = init()
    assert code == 0 and "2 images" in said
    assert [row["id"] for row in rows] == ["a", "a-2"]
    assert [row["path"] for row in rows] == [str(raw / one / "a.ome.tif") for one in ("p1", "p2")]


def test_images_below_the_study_have_relative_paths(init, tmp_path):
    write(tmp_path / "study" / "raw" / "a.ome.tif")
    _, rows, _ = init(images=tmp_path / "study" / "raw")
    assert rows[0]["path"] == "raw/a.ome.tif"


def test_groups_of_the_pattern_become_columns(init, raw):
    write_plain(raw, "d1_A01.tif", "d10_B12.tif", "other.tif")
    _, rows, _ = init("--pattern", r"(?P<dose>d\d+)_(?P<well>[A-H]\d\d)\.tif")
    assert [(row["dose"], row["well"]) for row in rows] == [("d10", "B12"), ("d1", "A01")]


def test_files_of_one_image_are_joined(init, raw):
    names = [f"A0{w}_c{c}_z{z}.tif" for w in (1, 2) for c in (1, 2) for z in (0, 1, 2)]
    write_plain(raw, *names)
    _, rows, _ = init("--pattern", r"(?P<well>A\d\d)_c(?P<channel>\d)_z(?P<z>\d)\.tif")
    assert [row["well"] for row in rows] == ["A01", "A02"]
    assert rows[0]["path"] == str(raw / "A01_c{channel}_z{z}.tif")
    assert [row["id"] for row in rows] == ["A01-c-z", "A02-c-z"]
    assert "channel" not in rows[0] and "z" not in rows[0]


def test_a_group_called_id_names_the_images(init, raw):
    write_plain(raw, "x_17.tif")
    assert init("--pattern", r"x_(?P<id>\d+)\.tif")[1][0]["id"] == "17"


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        (r"(?P<a>\d", "unterminated"),
        (r"(?P<label>\d)", "a group cannot be called 'label'"),
        (r"(?P<path>.)", "a group cannot be called 'path'"),
        (r"nothing", "no image files whose path matches nothing among 1 files"),
    ],
)
def test_a_pattern_that_will_not_do_is_refused(init, raw, pattern, fault):
    write_plain(raw, "a1.tif")
    code, rows, said = init("--pattern", pattern)
    assert code == 2 and not rows and fault in said


@pytest.fixture
def plate(raw, tmp_path):
    """Two wells, and a table of what is in them."""
    write_plain(raw, "A_01.tif", "A_02.tif")
    table = tmp_path / "plate.csv"
    table.write_text("row,column,drug,path\nA,1,DMSO,elsewhere\nA,2,LY,elsewhere\nB,1,none,no\n")
    return ["--pattern", r"(?P<row>[A-H])_(?P<column>\d+)\.tif", "--metadata", str(table)]


def test_metadata_are_joined_where_01_is_1(init, plate, raw):
    _, rows, _ = init(*plate)
    assert [(row["column"], row["drug"]) for row in rows] == [("01", "DMSO"), ("02", "LY")]
    assert rows[0]["path"] == str(raw / "A_01.tif")  # not the table's


def test_metadata_without_a_shared_column_are_refused(init, raw, tmp_path):
    write_plain(raw, "a.tif")
    (tmp_path / "m.csv").write_text("drug\nDMSO\n")
    code, _, said = init("--metadata", str(tmp_path / "m.csv"))
    assert code == 2 and "none of its columns ['drug'] is a column of the sheet" in said


def test_only_rows_that_are_asked_for_are_kept(init, plate):
    _, rows, _ = init(*plate, "--where", "drug=LY", "row=A")
    assert [row["column"] for row in rows] == ["02"]


def test_conditions_that_leave_nothing_are_refused(init, plate):
    code, rows, said = init(*plate, "--where", "drug=XX")
    assert code == 2 and not rows
    assert "--where drug=XX: no row is left of 2; columns: ['id', 'path', 'row'" in said


@pytest.mark.parametrize("name", ["config.yaml", "images.tsv"])
def test_init_writes_over_nothing(init, raw, tmp_path, name):
    write(raw / "a.ome.tif")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / name).write_text("mine\n")
    code, _, said = init()
    assert code == 2 and f"{name}: exists already; add --force" in said
    assert [path.name for path in (tmp_path / "study").iterdir()] == [name]
    assert (tmp_path / "study" / name).read_text() == "mine\n"
    assert init("--force")[0] == 0


def test_an_empty_folder_and_no_folder_are_refused(init, raw):
    code, _, said = init()
    assert code == 2 and "no such folder" in said
    raw.mkdir()
    code, _, said = init()
    assert code == 2 and "no image files among 0 files" in said


def test_what_init_writes_check_accepts(init, raw, tmp_path, capsys):
    write(raw / "a.ome.tif", ("dna", "cytoplasm", "FITC"))
    assert init()[0] == 0
    config = read_config(tmp_path / "study" / "config.yaml")
    assert config["channels"]["DNA"]["source"] == "dna"  # found by name, whatever its case
    assert config["channels"]["particles"]["source"] == 2
    assert main(["check", str(tmp_path / "study")]) == 0
    assert "1 images in 1 batches" in capsys.readouterr().out


@pytest.fixture
def check(tmp_path, capsys):
    """Files by name, rows of the sheet -> (exit code, what was said)."""

    def run(rows="", required="true", config=CONFIG):
        (tmp_path / "config.yaml").write_text(config.format(required=required))
        (tmp_path / "images.tsv").write_text(f"id\tpath\tpixel_size_um\texclude\n{rows}")
        code = main(["check", str(tmp_path / "config.yaml")])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_a_good_study_passes(check, tmp_path):
    write(tmp_path / "a.ome.tif")
    code, said = check("a\ta.ome.tif\t\t\n")
    assert code == 0
    assert "1 images in 1 batches of up to 2; convert, segment.nuclei, qc" in said
    assert "all files can be read. Run: snakemake" in said


@pytest.mark.parametrize(
    ("make", "code", "cure"),
    [
        (lambda path: None, "MISSING", "check the path in the sheet"),
        (lambda path: path.write_bytes(b""), "EMPTY", "copy it again"),
        (lambda path: path.mkdir(), "NOT_A_FILE", "name one image file"),
        (lambda path: path.write_text("<!doctype html>"), "FORMAT", "download the file itself"),
        (lambda path: write(path, ("DNA",)), "CHANNELS", "set `required: false`"),
        (lambda path: write(path, um_per_px=None), "PIXEL_SIZE", "add it to the sheet"),
        (lambda path: write(path, um_per_px=500.0), "PIXEL_SIZE", "correct column pixel_size_um"),
    ],
)
def test_check_names_row_fault_and_cure(check, tmp_path, make, code, cure):
    write(tmp_path / "good.ome.tif")
    make(tmp_path / "bad.ome.tif")
    status, said = check("good\tgood.ome.tif\t\t\nbad\tbad.ome.tif\t\t\n")
    assert status == 1
    (line,) = [line for line in said.splitlines() if "images.tsv, line" in line]
    assert line.startswith(f"{tmp_path / 'images.tsv'}, line 3, image bad: {code}: ")
    assert cure in line
    assert f"1 images would be quarantined: 1 x {code}" in said


def test_the_sheet_mends_what_the_file_does_not_say(check, tmp_path):
    write(tmp_path / "a.ome.tif", um_per_px=None)
    assert check("a\ta.ome.tif\t0.5\t\n")[0] == 0
    assert check("a\ta.ome.tif\tunknown\t\n")[0] == 0


def test_an_optional_channel_may_be_absent(check, tmp_path):
    write(tmp_path / "a.ome.tif", ("DNA",))
    assert check("a\ta.ome.tif\t\t\n", required="false")[0] == 0


def test_excluded_images_are_not_looked_at(check, tmp_path):
    write(tmp_path / "a.ome.tif")
    assert check("a\ta.ome.tif\t\t\nb\tnone.tif\t\tlost\n")[0] == 0


def test_faults_of_the_config_end_the_check_with_2(check, tmp_path):
    code, said = check("a\ta.tif\t\t\n", config=CONFIG.replace("channel: DNA", "channel: DNB"))
    assert code == 2
    assert f"{tmp_path / 'config.yaml'}: segment.nuclei.channel: there is no channel 'DNB'" in said


def test_no_config_is_said(tmp_path, capsys):
    assert main(["check", str(tmp_path)]) == 2
    assert "config.yaml: no such file" in capsys.readouterr().err


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_convention_reads_its_own_example(init, raw, name):
    example, _ = CONVENTIONS[name]
    write_plain(raw, example, "readme.tif")
    code, rows, _ = init("--convention", name)
    assert code == 0 and len(rows) == 1


@pytest.mark.parametrize(
    ("name", "files", "path", "known"),
    [
        (
            "cellvoyager",
            ["x_7_B03_T0001F002L01A01Z01C01.tif", "x_7_B03_T0001F002L01A02Z01C02.tif"],
            "x_7_B03_T{t}F002L01A{channel}Z{z}C{channel}.tif",
            {"plate": "x_7", "well": "B03", "field": "002"},
        ),
        (
            "cellomics",
            ["AS_091_D03f00d0.TIF", "AS_091_D03f00d1.TIF"],
            "AS_091_D03f00d{channel}.TIF",
            {"plate": "AS_091", "well": "D03", "field": "00"},
        ),
        (
            "imagexpress",
            ["p_A01_s4_w1.tif", "p_A01_s4_w2.tif"],
            "p_A01_s4_w{channel}.tif",
            {"plate": "p", "well": "A01", "field": "4"},
        ),
        (
            "incell",
            ["A - 01(fld 2 wv 390 - Blue).tif", "A - 01(fld 2 wv 473 - Green).tif"],
            "A - 01(fld 2 wv {channel}).tif",
            {"row": "A", "column": "01", "field": "2"},
        ),
        (
            "incell",
            ["A - 01(fld 2 wv 390 - Blue z 1).tif", "A - 01(fld 2 wv 390 - Blue z 2).tif"],
            "A - 01(fld 2 wv {channel} z {z}).tif",
            {"row": "A", "column": "01", "field": "2"},
        ),
        (
            "opera",
            ["r02c11f03p01-ch1sk1fk1fl1.tiff", "r02c11f03p02-ch2sk1fk1fl1.tiff"],
            "r02c11f03p{z}-ch{channel}sk{t}fk1fl1.tiff",
            {"row": "02", "column": "11", "field": "03"},
        ),
        (
            "wells",
            ["A01_f1_d0.tif", "A01_f1_d1.tif"],
            "A01_f1_d{channel}.tif",
            {"well": "A01", "field": "1"},
        ),
    ],
)
def test_a_convention_joins_files_and_names_the_well(init, raw, name, files, path, known):
    write_plain(raw, *files)
    _, (row,), _ = init("--convention", name)
    assert row["path"] == str(raw / path)
    assert {key: row[key] for key in row if key not in ("id", "path")} == known


def test_files_that_a_convention_names_are_read_as_one_image(init, raw):
    raw.mkdir()
    for number in (1, 2):
        pixels = np.full((4, 5), number, np.uint8)
        tifffile.imwrite(raw / f"p_B03_T0001F002L01A0{number}Z01C0{number}.tif", pixels)
    _, (row,), _ = init("--convention", "cellvoyager")
    with open_raw(Path(row["path"])) as image:
        assert image.channel_names == ("01", "02")
        assert image.read(0, 1, 0, slice(0, 4), slice(0, 5)).tolist() == [[2] * 5] * 4


def test_a_convention_and_a_pattern_exclude_each_other(init, raw):
    with pytest.raises(SystemExit):
        init("--convention", "opera", "--pattern", "x")
