"""Report: one page in which nothing from a file can run, and numbers that can be read."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scopemill import manifests, tables
from scopemill.manifests import Record
from scopemill.report import plots, stage

EVIL = "<script>alert(1)</script>"
AWKWARD = "a_$x^2$ <b> & \"c\" 'd' €µ"
VALUES = {
    "study": "s", "version": "1", "date": "today", "counts": {"all": 2, "ok": 1, "quarantined": 1, "skipped": 0},
    "quarantine": [], "figures": [], "comparison": [], "fits": [], "summary": [], "gallery": [], "timing": [], "notes": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 / 3, "0.3333"),
        (12345678, "1.235e+07"),
        (1000, "1000"),
        (0.0, "0"),
        (float("nan"), "-"),
        ("exact", "exact"),
        (None, "None"),
    ],
)
def test_numbers_have_four_digits(value, text):
    assert stage.format_number(value) == text


ROW = {"group": "g", "object": "o", "class": "c", "quantity": "q", "value": 1.0, "low": 0.5, "high": 2.0, "interval": "i", "n_images": 1, "n_objects": 2}  # fmt: skip


@pytest.mark.parametrize(
    "values",
    [
        {"study": EVIL},
        {"notes": [EVIL]},
        {"quarantine": [{"image": EVIL, "status": EVIL, "code": EVIL, "message": EVIL}]},
        {"figures": [{"title": EVIL, "svg": "<svg></svg>"}]},
        {"comparison": [{"column": EVIL, "n_images": 1, "expected": 1.0, "measured": 1.0, "difference": 0.0}]},
        *({"summary": [{**ROW, key: EVIL}]} for key in ("group", "object", "class", "quantity", "interval")),
        {"gallery": [{"image": EVIL, "group": EVIL, "data": ""}]},
        {"gallery": [{"image": '" onload="alert(1)', "group": "g", "data": ""}]},
        {"timing": [{"task": EVIL, "ok": 1, "other": 0, "seconds": 1.0, "per_image": 1.0, "slowest": 1.0}]},
    ],
)  # fmt: skip
def test_nothing_from_a_file_can_run(values):
    page = stage.render(**(VALUES | values))
    assert "<script>alert" not in page and '" onload="' not in page
    assert "alert(1)" in page  # it is shown, as text
    assert page.count("<script>") == 1


def test_a_forgotten_value_is_an_error():
    with pytest.raises(Exception, match="notes"):
        stage.render(**{key: value for key, value in VALUES.items() if key != "notes"})


def test_a_page_reads_numbers_as_people_do():
    page = stage.render(**(VALUES | {"summary": [{**ROW, "value": 1 / 3, "low": float("nan")}]}))
    assert "<td>0.3333</td><td>- to 2</td>" in page


OBJECTS = pd.DataFrame(
    {
        "image": np.repeat(["i1", "i2", "i3", "i4"], 6),
        "object": "cells",
        "group": np.repeat([AWKWARD, EVIL, "x", "y"], 6),
        "area_um2": np.random.default_rng(0).normal(50, 5, 24),
        "intensity_mean_C_D_3": np.random.default_rng(1).normal(50, 5, 24),
        AWKWARD: 1.0,
        "dose": np.repeat([0.0, 1, 10, 100], 6),
    }
)
IMAGES = pd.DataFrame(
    {
        "image": ["i1", "i2", "i3", "i4"], "status": "ok", "group": [AWKWARD, EVIL, "x", "y"],
        "n_cells": [6, 6, 6, np.nan], "n_cells_low": [2.0, 2, 2, np.nan], "n_cells_high": [13.0, 13, 13, np.nan],
    }
)  # fmt: skip
SUMMARY = pd.DataFrame([{**ROW, "group": AWKWARD, "object": "cells", "class": EVIL, "quantity": "fraction", "value": 0.5, "low": 0.4, "high": 0.7}])  # fmt: skip
FITS = pd.DataFrame([{"object": "cells", "y": AWKWARD, "x": "dose", "n_images": 4, "bottom": 1.0, "top": 2.0, "ec50": 3.0, "slope": 1.0, "ec50_low": 2.0, "ec50_high": 4.0}])  # fmt: skip
COMPARISON = pd.DataFrame({"column": "n_cells", "image": ["i1"], "expected": [5], "measured": [6]})
ALL = stage.Tables(OBJECTS, IMAGES, SUMMARY, pd.DataFrame(), FITS, COMPARISON)


@pytest.fixture(scope="module")
def figures():
    return list(plots.make_figures(ALL, stage.Settings(plots=("area_um2", AWKWARD))))


def test_every_kind_of_plot_is_drawn(figures):
    titles = [figure["title"] for figure in figures]
    assert titles[0].startswith(f"{AWKWARD} against dose: EC50 3 (95 % interval 2 to 4, 4 images)")
    assert [title.split(",")[0] for title in titles[1:]] == [
        "n_cells: measured against known", "cells: number in each image", "cells: share of each class",
        "cells: area_um2", f"cells: {AWKWARD}",
    ]  # fmt: skip
    assert all(figure["svg"].startswith("<svg") for figure in figures)


def test_names_in_plots_are_text_and_nothing_else(figures):
    import xml.etree.ElementTree as ElementTree

    assert not any("<script" in figure["svg"] for figure in figures)
    texts = {
        "".join(node.itertext()).strip()
        for figure in figures
        for node in ElementTree.fromstring(figure["svg"]).iter()
        if node.tag.endswith("}text")
    }
    assert EVIL in texts and AWKWARD in texts


def test_plots_are_the_same_every_time(figures):
    again = plots.draw("cells: area_um2", plots.draw_distribution, OBJECTS, "area_um2", "group")
    assert again in figures


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        (None, ["area_um2", "intensity_mean_C_D_3"]),
        (("dose", "none"), ["dose"]),
        ((), []),
    ],
)
def test_plots_are_chosen_or_sensible(columns, chosen):
    assert plots.choose_columns(OBJECTS, columns) == chosen


def test_an_image_without_objects_breaks_no_plot():
    empty = stage.Tables(OBJECTS[:0], IMAGES, SUMMARY[:0], pd.DataFrame(), pd.DataFrame(), pd.DataFrame())  # fmt: skip
    assert list(plots.make_figures(empty, stage.Settings())) == []


def test_known_and_measured_are_summed():
    table = pd.DataFrame({"column": ["n", "n", "m"], "image": list("aba"), "expected": [4, 6, 0], "measured": [5, 7, 1]})  # fmt: skip
    m, n = stage.summarise_comparison(table)
    assert (n["column"], n["n_images"], n["expected"], n["measured"]) == ("n", 2, 10, 12)
    assert n["difference"] == pytest.approx(0.2) and np.isnan(m["difference"])


@pytest.fixture
def study(tmp_path):
    """A finished study of two images, one of them quarantined."""
    sheet = tmp_path / "images.tsv"
    sheet.write_text("id\tpath\na\ta.tif\nb\tb.tif\n")
    root = tmp_path / "results" / "s"
    records = [
        Record("a", "ok", "f", seconds=2.0, facts={"pixel_size_um": None, "flat_channels": ["DNA"]}),
        Record("b", "quarantined", "f", "EMPTY", EVIL),
    ]  # fmt: skip
    for key in ("convert", "qc"):
        manifests.write_manifest(root / "manifests" / key / "b0000.jsonl", records)
    images = pd.DataFrame({"image": ["a", "b"], "status": ["ok", "quarantined"], "code": ["", "EMPTY"], "n_cells": [2.0, np.nan], "n_cells_low": [0.2, np.nan], "n_cells_high": [7.2, np.nan]})  # fmt: skip
    tables.write_csv(root / "images.csv", images)
    objects = pd.DataFrame({"image": ["a", "a"], "object": "cells", "label": [1, 2], "area_um2": [3.0, 4.0]})  # fmt: skip
    tables.write_table(root / "objects.parquet", objects)
    tables.write_csv(root / "summary.csv", pd.DataFrame([ROW]))
    (root / "quarantine.tsv").write_text(f"image\tstatus\tcode\tmessage\tpath\nb\tquarantined\tEMPTY\t{EVIL}\tb.tif\n")  # fmt: skip
    (root / "qc").mkdir()
    Image.new("RGB", (900, 300), "#ff0000").save(root / "qc" / "a.png")
    return root, sheet


def test_a_study_has_its_page(study):
    root, sheet = study
    stage.run(stage.Settings(tasks=("convert",)), root / "report.html", sheet, 50)
    page = (root / "report.html").read_text()
    assert "<b>2</b>images" in page and "<b>1</b>quarantined" in page
    assert "&lt;script&gt;alert(1)" in page and page.count("<script>") == 1
    assert page.count("data:image/jpeg;base64,") == 1 and 'href="qc/a.png"' in page
    assert "The pixel size of 1 images is unknown" in page
    assert "a channel with one value only" in page
    assert "<td>convert</td><td>1</td><td>1</td><td>2</td>" in page
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace("http://creativecommons.org", "")  # fmt: skip


def test_a_large_gallery_shows_every_nth_image(tmp_path):
    (tmp_path / "qc").mkdir()
    images = pd.DataFrame({"image": [f"i{n}" for n in range(10)], "status": "ok", "group": "g"})
    for image in images["image"]:
        Image.new("RGB", (8, 8)).save(tmp_path / "qc" / f"{image}.png")
    (tmp_path / "qc" / "i3.png").unlink()
    shown = stage.make_gallery(tmp_path, images, stage.Settings(max_thumbnails=3))
    assert [one["image"] for one in shown] == ["i0", "i4", "i7"]
