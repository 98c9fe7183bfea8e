"""Report: one page in which nothing from a file can run, and numbers that can be read."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scopemill import manifests, tables
from scopemill.manifests import Record
from scopemill.report import gallery, plates, plots, region_plots, seams, stage

EVIL = "<script>alert(1)</script>"
AWKWARD = "a_$x^2$ <b> & \"c\" 'd' €µ"
VALUES = {
    "study": "s", "version": "1", "date": "today", "counts": {"all": 2, "ok": 1, "quarantined": 1, "skipped": 0},
    "quarantine": [], "figures": [], "comparison": [], "fits": [], "summary": [], "gallery": [], "more": [], "timing": [], "notes": [],
    "regions": [], "n_regions": 0, "suspects": [], "plates": {"figures": [], "left_out": 0}, "region_figures": [], "seams": [], "particles": None,
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


ROW = {"group": "g", "object": "o", "region_of": "r", "region": "A", "class": "c", "quantity": "q", "value": 1.0, "low": 0.5, "high": 2.0, "interval": "i", "n_images": 1, "n_objects": 2}  # fmt: skip

REGION = {
    "image": "i", "object": "o", "t": 0, "region_of": "r", "region": "A", "class": "c", "area_mm2": float("nan"), "area_px": 4,
    "fraction": 0.5, "fraction_low": 0.4, "fraction_high": 0.6, "n_tiles": 9, "n": 3, "density_per_mm2": 1.5,
    "density_per_mm2_low": 1.0, "density_per_mm2_high": 2.0, "mean_distance_um": 7.0,
}  # fmt: skip
SEAM = {
    "task": "segment.cells", "image": "i", "passed": True, "limit": 0.05, "border_objects": 12, "interior_objects": 340,
    "density_ratio": 1.02, "area_ratio": 0.99, "foreground_disagreement": 0.004, "object_f1": 0.998, "windows": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    "values",
    [
        {"study": EVIL},
        {"notes": [EVIL]},
        {"quarantine": [{"image": EVIL, "status": EVIL, "code": EVIL, "message": EVIL}]},
        {"figures": [{"title": EVIL, "svg": "<svg></svg>"}]},
        {"comparison": [{"column": EVIL, "n_images": 1, "expected": 1.0, "measured": 1.0, "difference": 0.0}]},
        *({"summary": [{**ROW, key: EVIL}]} for key in ("group", "object", "region", "class", "quantity", "interval")),
        *({"regions": [{**REGION, key: EVIL}]} for key in ("image", "object", "region_of", "region", "class")),
        {"region_figures": [{"title": EVIL, "svg": "<svg></svg>"}], "regions": [REGION]},
        *({"seams": [{**SEAM, key: EVIL}]} for key in ("image", "task")),
        {"gallery": [{"image": EVIL, "group": EVIL, "data": ""}]},
        {"gallery": [{"image": '" onload="alert(1)', "group": "g", "data": ""}]},
        {"more": [(EVIL, EVIL)]},
        {"timing": [{"task": EVIL, "ok": 1, "other": 0, "seconds": 1.0, "per_image": 1.0, "slowest": 1.0}]},
    ],
)  # fmt: skip
def test_nothing_from_a_file_can_run(values):
    page = stage.render(**(VALUES | values))
    assert "<script>alert" not in page and '" onload="' not in page
    assert "alert(1)" in page  # it is shown, as text
    assert page.count("<script>") == 1


@pytest.mark.parametrize(("value", "text"), [(123456.0, "123456"), (3, "3"), (np.nan, "-")])
def test_counts_have_all_their_digits(value, text):
    assert stage.format_count(value) == text


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
ALL = stage.Tables(
    OBJECTS, IMAGES, SUMMARY, pd.DataFrame(), FITS, COMPARISON, *[pd.DataFrame()] * 2
)


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
    empty = stage.Tables(OBJECTS[:0], IMAGES, SUMMARY[:0], *[pd.DataFrame()] * 5)  # fmt: skip
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


def test_a_large_gallery_shows_the_most_suspicious_and_every_nth_of_the_others(tmp_path):
    (tmp_path / "qc").mkdir()
    images = pd.DataFrame({"image": [f"i{n}" for n in range(10)], "status": "ok", "group": "g"})
    images["suspicion"] = [0, 0, 0, 0.9, 0, 0.7, 0, 0.8, 0, 0]
    for image in images["image"]:
        Image.new("RGB", (8, 8)).save(tmp_path / "qc" / f"{image}.png")
    (tmp_path / "qc" / "i3.png").unlink()
    shown, more = gallery.make_gallery(tmp_path, images, stage.Settings(max_thumbnails=4))
    assert [one["image"] for one in shown] == ["i7", "i5", "i0", "i6"]  # i3 has no picture
    assert more == [("i1", "g"), ("i2", "g"), ("i4", "g"), ("i8", "g"), ("i9", "g")]


def test_what_the_page_does_not_hold_is_listed_in_it():
    values = {"more": [("a", "</script>")], "summary": [ROW] * 401, "quarantine": [{"image": "b", "status": "", "code": "", "message": ""}] * 402}  # fmt: skip
    page = stage.render(**(VALUES | values))
    assert page.count("</script>") == 2
    (listed,) = re.findall(r'id="more">(.*)</script>', page)
    assert json.loads(listed) == [["a", "</script>"]]
    assert "0 of them are in this page" in page and "the other 1 are" in page
    assert "The first 400 of 401 rows" in page and page.count("<td>q</td>") == 400
    assert "The first 400 of 402 rows" in page and page.count("<td>b</td>") == 400


def test_a_page_that_holds_all_says_nothing_of_more():
    page = stage.render(**(VALUES | {"summary": [ROW] * 400}))
    assert "The first" not in page and "in this page" not in page


def many_images(n):
    """Images of one group each in 30, with an object each."""
    names = [f"i{k}" for k in range(n)]
    groups = [f"g{k % 30:02d}" for k in range(n)]
    images = pd.DataFrame({"image": names, "status": "ok", "group": groups, "n_cells": 1.0, "n_cells_low": 0.5, "n_cells_high": 2.0})  # fmt: skip
    return images, pd.DataFrame({"image": names, "object": "cells", "group": groups, "area_um2": np.arange(n)})  # fmt: skip


@pytest.mark.parametrize(("n", "pixels"), [(2000, 0), (2001, 1)])
def test_many_points_are_pixels(n, pixels):
    images, objects = many_images(n)
    counts = plots.draw("", plots.draw_counts, images, "cells", "group")["svg"]
    means = plots.draw("", plots.draw_distribution, objects, "area_um2", "group")["svg"]
    assert counts.count("<image") >= pixels and means.count("<image") >= pixels
    assert ("<image" in counts + means) == bool(pixels)
    assert "group (the first 24 of 30)" in counts and "group (the first 24 of 30)" in means


def test_groups_are_not_counted_where_all_are_shown():
    assert plots.label_groups(IMAGES, "group") == "group"
    assert plots.label_groups(IMAGES, None) == "" and plots.label_groups(IMAGES, "dose") == "dose"


def test_only_columns_that_may_be_plotted_are_read(study):
    root, _ = study
    table = pd.DataFrame({"image": ["a"], "object": "cells", "area_um2": 1.0, "solidity": 2.0, "extent": 3.0})  # fmt: skip
    tables.write_table(root / "objects.parquet", table)
    read = stage.read_tables(root, stage.Settings(plots=("extent",)))
    assert list(read.objects) == ["image", "object", "area_um2", "extent"]


def test_a_small_gallery_shows_all_by_suspicion():
    assert gallery.choose_images(["a", "b", "c"], 3) == ["a", "b", "c"]
    assert gallery.choose_images(list("abcdefg"), 3) == ["a", "b", "c"]
    assert gallery.choose_images(["a", "b"], 0) == []


def test_images_are_ranked_by_suspicion():
    images = pd.DataFrame({"image": list("abcd"), "status": ["ok", "ok", "quarantined", "ok"], "suspicion": [0.1, 0.9, np.nan, 0.1], "suspicion_reason": [np.nan, EVIL, np.nan, np.nan]})  # fmt: skip
    rows = gallery.rank_images(images)
    assert [(row["image"], row["reason"]) for row in rows] == [("b", EVIL), ("a", ""), ("d", "")]
    assert gallery.rank_images(images.drop(columns="suspicion")) == []
    page = stage.render(**(VALUES | {"suspects": rows}))
    assert '<a href="qc/b.png">b</a></td><td>0.90</td><td>&lt;script&gt;' in page
    assert page.count("nothing in particular") == 2 and 'href="#suspects"' in page


def test_without_regions_or_seams_there_is_no_such_section():
    page = stage.render(**VALUES)
    assert 'id="regions"' not in page and 'id="seams"' not in page
    page = stage.render(**(VALUES | {"regions": [REGION], "n_regions": 1, "seams": [SEAM]}))
    assert 'href="#regions"' in page and 'href="#seams"' in page


def test_a_region_is_a_line_of_the_page():
    page = stage.render(**(VALUES | {"regions": [REGION], "n_regions": 500}))
    assert "<td>r: A</td><td>c</td><td>4 px</td><td>0.5</td><td>0.4 to 0.6</td><td>3</td>" in page
    assert "The first 1 of 500 rows" in page
    whole = {**REGION, "region_of": "", "region": "", "class": "", "area_mm2": 0.25}
    page = stage.render(**(VALUES | {"regions": [whole], "n_regions": 1}))
    assert "<td>whole image</td><td>all</td><td>0.25</td>" in page and "All rows" in page


def seam_records(**facts):
    return [("segment.cells", Record(image, "ok", "f", facts={"seams": {"passed": True, **one}})) for image, one in facts.items()]  # fmt: skip


def test_the_worst_seams_come_first_and_flagged_ones_before_all():
    others = [
        ("segment.x", Record("e", "ok", "f", facts={"n_objects": 3})),
        ("segment.x", Record("f", "skipped", "f")),
    ]
    found = seam_records(
        a={"foreground_disagreement": 0.01, "object_f1": 0.999},
        b={"foreground_disagreement": 0.001, "object_f1": 0.97},
        c={"foreground_disagreement": 0.0, "passed": False},
        d={},
    )
    rows = seams.list_seams([*found, *others])
    assert [row["image"] for row in rows] == ["c", "b", "a", "d"]
    assert np.isnan(rows[0]["object_f1"]) and np.isnan(rows[3]["density_ratio"])


def test_flagged_images_are_marked():
    page = stage.render(**(VALUES | {"seams": [{**SEAM, "passed": False}, SEAM]}))
    assert page.count('<tr class="flagged"><td>i</td>') == 1
    assert "1 of 2 are beyond the limit: look at them" in page
    assert "0 of 1 are beyond the limit." in stage.render(**(VALUES | {"seams": [SEAM]}))


def regions_of(images="ab"):
    """Half air and half tissue, of the whole image and of a region, and cells of a region."""
    rows = []
    for image in images:
        for region_of, region in (("", ""), ("drawn", EVIL)):
            rows += [
                {
                    **REGION,
                    "image": image,
                    "object": "lung",
                    "region_of": region_of,
                    "region": region,
                    "class": name,
                }
                for name in ("air", "tissue")
            ]
        rows.append({**REGION, "image": image, "object": "cells", "fraction": np.nan})
    return pd.DataFrame(rows)  # fmt: skip


def test_regions_are_drawn_as_shares_and_densities():
    summary = pd.DataFrame(
        [{**ROW, "object": "lung", "quantity": f"fraction_{name}", "region_of": np.nan, "region": np.nan, "class": name} for name in ("air", "tissue")]
        + [{**ROW, "object": "cells", "quantity": "density_per_mm2", "region": name, "class": np.nan} for name in (EVIL, AWKWARD)]
    )  # fmt: skip
    found = list(region_plots.make_figures(regions_of(), summary))
    assert [figure["title"] for figure in found] == [
        "lung: share of each class in each image",
        "lung: share of each class, with 95 % intervals",
        "lung: share of each class in each region of drawn, all images together",
        "cells: number per mm2 in each region of r, with 95 % intervals",
    ]
    assert not any("<script" in figure["svg"] for figure in found)


def test_shares_of_many_images_are_drawn_by_group_only():
    summary = pd.DataFrame([{**ROW, "object": "lung", "quantity": "fraction_air", "region_of": "", "class": "air"}])  # fmt: skip
    many = regions_of([f"i{n}" for n in range(99)])
    titles = [figure["title"] for figure in region_plots.make_figures(many, summary)]
    assert titles[0] == "lung: share of each class, with 95 % intervals"


def test_shares_fill_the_bar():
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    table = regions_of("a").query("region_of == ''").assign(area_px=[30, 10])
    region_plots.draw_shares(axes, table, "image")
    assert [(bar.get_y(), bar.get_height()) for bar in axes.patches] == [(0, 0.75), (0.75, 0.25)]


def test_a_page_of_a_study_with_seams_says_so(study):
    root, sheet = study
    (_, record), = seam_records(a={"foreground_disagreement": 0.4, "passed": False, "limit": 0.05})  # fmt: skip
    manifests.write_manifest(root / "manifests" / "segment.cells" / "b0000.jsonl", [record])
    tables.write_csv(root / "regions.csv", regions_of("a"))
    stage.run(stage.Settings(tasks=("segment.cells",)), root / "report.html", sheet, 50)
    page = (root / "report.html").read_text()
    assert "beyond the limit</td><td>-</td>" in page and "<td>0.4</td>" in page
    assert "drawn: &lt;script&gt;" in page and 'href="regions.csv"' in page


def wells(**more):
    rows = {"plate": [EVIL, EVIL, "q"], "well": ["A01", "B12", "P24"], "row": [1, 2, 16], "column": [1, 12, 24], "object": "cells", "class": np.nan, "quantity": "count", "value": [5.0, 1234.0, 7.0]}  # fmt: skip
    return pd.DataFrame(rows | more)


def test_each_plate_has_a_map_of_its_size():
    found = plates.make_section(wells())
    first, second = found["figures"]
    assert first["title"] == f"{EVIL}: cells, count" and "<script" not in first["svg"]
    assert ">5<" in first["svg"] and ">1.23k<" in first["svg"]
    assert ">H<" in first["svg"] and ">I<" not in first["svg"]
    assert ">P<" in second["svg"] and ">24<" in second["svg"] and ">Q<" not in second["svg"]
    page = stage.render(**(VALUES | {"plates": found}))
    assert 'href="#plates"' in page and "more maps" not in page
    assert "3 more maps" in stage.render(**(VALUES | {"plates": found | {"left_out": 3}}))


def test_a_well_is_drawn_in_its_row_and_column_with_its_colour_and_others_are_hatched():
    import xml.etree.ElementTree as ElementTree

    nodes = list(ElementTree.fromstring(plates.draw_map(wells()[:2], (8, 12))).iter())
    texts = {node.text: (float(node.get("x")), float(node.get("y"))) for node in nodes if node.tag.endswith("text")}  # fmt: skip
    of_wells = [node.attrib for node in nodes if node.get("width") == str(plates.WIDTH - 1)]
    assert [(one["x"], one["y"], one["fill"]) for one in of_wells] == [
        (str(plates.LEFT), str(plates.TOP), "#440154"),  # the lowest
        (str(plates.LEFT + 11 * plates.WIDTH), str(plates.TOP + plates.HEIGHT), "#fde725"),
    ]
    assert texts["1.23k"] != texts["12"] and texts["12"][0] == plates.right_of(11)
    assert texts["A"][1] == plates.below(0) and texts["620"][1] < texts["5"][1]  # half, on the bar
    hatched = [node.get("d") for node in nodes if node.get("fill") == "url(#hatch)"]
    assert hatched == [f"M{plates.LEFT} {plates.TOP}H{plates.LEFT + 12 * plates.WIDTH}V{plates.TOP + 8 * plates.HEIGHT}H{plates.LEFT}z"]  # fmt: skip


def test_a_plate_of_one_value_has_a_colour():
    drawn = plates.draw_map(wells(value=3.0), (16, 24))
    assert drawn.count(">3<") == 3 + 1 + 1 and ">nan<" not in drawn  # wells, column 3, the bar


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.123456, "0.123"), (12.345, "12.3"), (999.4, "999"), (999.9, "1k"), (12345, "12.3k"), (2.5e6, "2.5M"), (0.00123, "1e-03")],
)  # fmt: skip
def test_values_fit_into_a_well(value, text):
    assert plates.shorten(value) == text


@pytest.mark.parametrize(
    ("rows", "columns", "layout"), [(8, 12, (8, 12)), (9, 1, (16, 24)), (1, 25, (32, 48))]
)
def test_the_smallest_plate_that_fits_is_drawn(rows, columns, layout):
    assert plates.choose_layout(rows, columns) == layout
    assert plates.row_name(25) == "Z" and plates.row_name(26) == "AA"


def test_counts_shares_and_means_are_mapped():
    quantities = ["count", "mean solidity", "mean area_um2", "mean n_spots", "count", "fraction"]
    table = pd.DataFrame({"quantity": quantities, "class": ["", "", "", "", "T", "T"]})
    assert plates.choose_quantities(table) == [("count", ""), ("fraction", "T"), ("mean n_spots", ""), ("mean area_um2", "")]  # fmt: skip


def test_images_whose_well_cannot_be_read_are_named():
    images = pd.DataFrame({"image": ["a", "b"], "status": "ok", "well": ["A01", "left"]})
    read = stage.Tables(OBJECTS, images, *[pd.DataFrame()] * 5, wells())
    (note,) = stage.find_unplaced(read)
    assert "The well of 1 images, such as b," in note
    assert not list(stage.find_unplaced(stage.Tables(OBJECTS, images, *[pd.DataFrame()] * 6)))
