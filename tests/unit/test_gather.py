"""Gather: what was not measured is not zero, nothing is lost without a word, intervals are between images."""

import json

import numpy as np
import pandas as pd
import pytest

from scopemill import manifests, statistics, tables
from scopemill.account import stage as account
from scopemill.gather import dictionary, output, stage, summary
from scopemill.manifests import Record
from scopemill.sheet import Row

IMAGES = pd.DataFrame(
    {
        "image": ["a", "b", "c", "d"],
        "group": ["treated", "control", "control", "treated"],
        "status": ["ok", "ok", "ok", "quarantined"],
    }
)
OBJECTS = pd.DataFrame(
    {
        "image": ["a"] * 3 + ["b"] * 1,
        "object": "cells",
        "t": 0,
        "label": [1, 2, 3, 1],
        "class": ["T", "B", "T", "T"],
        "area_um2": [10.0, 20.0, 60.0, 5.0],
        "orientation": 0.1,
    }
)
NO_SPOTS = pd.DataFrame()


def by_image(objects=OBJECTS, spots=NO_SPOTS, measured=None, means=None):
    known = measured if measured is not None else {"cells": {"a", "b", "c"}}
    return summary.summarise_images(IMAGES, objects, spots, known, means).set_index("image")


def test_objects_are_counted_in_each_image():
    table = by_image()
    assert table["n_cells"].tolist()[:3] == [3, 1, 0]
    assert table.loc["c", ["n_cells_low", "n_cells_high"]].tolist() == [0, pytest.approx(3.689, 1e-3)]  # fmt: skip
    assert table.loc["a", "n_cells_high"] == pytest.approx(8.767, rel=1e-3)


def test_an_image_that_was_not_measured_is_empty_and_not_zero():
    made = [name for name in by_image() if name not in IMAGES]
    assert by_image().loc["d", made].isna().all()
    assert by_image(measured={"cells": {"a", "b"}}).loc["c", made].isna().all()


def test_fractions_are_of_the_images_objects():
    table = by_image()
    assert table["fraction_cells_T"].tolist()[:2] == [pytest.approx(2 / 3), 1]
    assert table["n_cells_B"].tolist()[:3] == [1, 0, 0]
    assert np.isnan(table.loc["c", "fraction_cells_T"])  # of no objects
    assert (table["fraction_cells_T_low"] <= table["fraction_cells_T"].fillna(0)).iloc[:3].all()


def test_means_are_of_the_images_objects():
    table = by_image()
    assert table["cells_area_um2_mean"].tolist()[:2] == [30, 5]
    assert "cells_orientation_mean" not in table
    assert "cells_orientation_mean" in by_image(means=["orientation"])


def test_spots_are_counted_and_no_spots_are_zero_only_where_they_were_sought():
    spots = pd.DataFrame({"image": ["a", "a", "b"], "object": "fast-spots", "x": 1.0})
    table = by_image(spots=spots, measured={"cells": set("abc"), "fast-spots": set("abc")})
    assert table["n_fast_spots"].tolist()[:3] == [2, 1, 0]
    assert np.isnan(table.loc["d", "n_fast_spots"])


def test_names_of_classes_become_names_of_columns():
    assert "n_cells_CD4_T_cell" in by_image(OBJECTS.assign(**{"class": "CD4+ T cell"}))


def by_group(objects=OBJECTS, images=IMAGES, group="group", means=None):
    return summary.summarise_groups(images, objects, group, means, seed=0)


def test_groups_are_summarised_apart():
    table = by_group().query("quantity == 'count' and `class` == ''").set_index("group")
    assert table["value"].to_dict() == {"control": 1, "treated": 3}
    assert table["n_images"].to_dict() == {"control": 2, "treated": 1}  # d is quarantined
    assert table["interval"].unique().tolist() == ["exact Poisson"]


def test_without_the_column_all_images_are_one_group():
    assert by_group(group="dose")["group"].unique().tolist() == ["all"]


def test_fractions_of_a_group_are_of_its_objects():
    table = by_group().query("group == 'treated' and quantity == 'fraction'").set_index("class")
    assert table["value"].to_dict() == {"B": pytest.approx(1 / 3), "T": pytest.approx(2 / 3)}
    assert (table["low"] < table["value"]).all() and (table["value"] < table["high"]).all()


def test_few_images_give_no_interval_of_a_mean():
    row = by_group().query("group == 'treated' and quantity == 'mean area_um2' and `class` == ''").iloc[0]  # fmt: skip
    assert row["value"] == 30 and np.isnan(row["low"]) and row["interval"] == "needs 5 images"


def many(n_images=8, per_image=5, **columns):
    """Images whose objects resemble each other: object k of image i has area i."""
    names = [f"i{n}" for n in range(n_images)]
    images = pd.DataFrame({"image": names, "status": "ok", **columns})
    objects = pd.DataFrame({"image": np.repeat(names, per_image), "object": "cells"})
    objects["area_um2"] = np.repeat(np.arange(n_images), per_image).astype(float)
    objects["class"] = np.where(objects["area_um2"] > 3, "T", "B")
    return images, objects


def test_intervals_are_between_images_however_many_objects_they_have():
    widths = []
    for per_image in (2, 200):
        images, objects = many(per_image=per_image)
        row = by_group(objects, images).query("quantity == 'mean area_um2' and `class` == ''").iloc[0]  # fmt: skip
        assert (row["value"], row["interval"]) == (3.5, "bootstrap (images)")
        widths.append(row["high"] - row["low"])
    assert widths[0] == pytest.approx(widths[1]) and widths[0] > 2


def test_intervals_are_between_subjects_where_there_are_any():
    images, objects = many(12, subject=np.repeat(list("uvwxyz"), 2))
    table = by_group(objects, images)
    found = table.query("quantity != 'count' and `class` == ''")
    assert found["interval"].unique().tolist() == ["bootstrap (subjects)"]
    few = by_group(*reversed(many(12, subject=np.repeat(list("uv"), 6))))
    assert "needs 5 images" in few["interval"].tolist()


def test_a_seed_gives_the_same_intervals():
    images, objects = many()
    pd.testing.assert_frame_equal(by_group(objects, images), by_group(objects, images))


def test_curves_are_fitted_to_the_images_medians():
    doses = np.repeat([0.0, 0.1, 0.3, 1, 3, 10, 30], 3)
    response = 1 + 4 / (1 + (2 / np.maximum(doses, 1e-9)) ** 1.5)
    objects = pd.DataFrame(
        {
            "image": np.repeat([f"i{n}" for n in range(21)], 3),
            "object": "cells",
            "dose": np.repeat(doses, 3),
            "ratio": (response[:, None] + [-0.5, 0, 50]).ravel(),  # the median is exact
        }
    )
    objects = pd.concat([objects, objects.assign(object="other", ratio=7)])
    table = summary.fit_curves(objects, [summary.Fit(object="cells", y="ratio", x="dose")])
    assert table["ec50"][0] == pytest.approx(2, rel=1e-3) and table["n_images"][0] == 21
    assert summary.fit_curves(objects, [summary.Fit(object="other", y="ratio", x="dose")]).empty


def test_what_is_known_is_compared_with_what_was_measured():
    images = pd.DataFrame({"image": ["a", "b"], "n_cells": [3, np.nan], "expected_n_cells": [4, 5], "expected_dose": 1})  # fmt: skip
    assert summary.compare_expected(images).to_dict("records") == [
        {"column": "n_cells", "image": "a", "expected": 4, "measured": 3}
    ]
    assert summary.compare_expected(images[["image", "n_cells"]]).empty


def test_the_dictionary_has_every_column_of_every_table():
    spots = pd.DataFrame({"image": ["a"], "object": "spots", "x": [1.0], "snr": [9.0]})
    images = by_image(spots=spots, measured={"cells": set("abc"), "spots": set("abc")}).reset_index()  # fmt: skip
    described = {"objects": OBJECTS, "spots": spots, "images": images, "summary": by_group()}
    table = dictionary.make_dictionary(described, ["group"]).set_index(["table", "column"])
    assert len(table) == sum(len(list(one)) for one in described.values())
    assert not [key for key, meaning in table["meaning"].items() if not meaning]
    assert table.loc[("objects", "area_um2"), "unit"] == "um2"
    assert table.loc[("images", "group"), "meaning"] == "from the image sheet"
    assert table.loc[("images", "n_cells_low"), "meaning"] == "number of cells: lower end of the 95 % interval"  # fmt: skip
    assert table.loc[("images", "cells_area_um2_mean")].tolist() == ["um2", "cells: mean over the image's objects of: area"]  # fmt: skip
    assert table.loc[("summary", "low"), "unit"] == "as value"


def test_a_mean_of_a_channel_is_not_taken_for_another_channel():
    images = pd.DataFrame({"image": ["a"], "cells_intensity_mean_DNA_mean": [1.0]})
    table = dictionary.make_dictionary({"objects": OBJECTS, "images": images}, [])
    meaning = table.set_index(["table", "column"])["meaning"]
    assert meaning["images", "cells_intensity_mean_DNA_mean"] == (
        "cells: mean over the image's objects of: mean of channel DNA within the object"
    )


ROW = Row("a", "a.tif", 2)


def test_an_image_without_a_record_stops_the_study():
    records = {"convert": {"a": Record("a", "ok", "f")}, "segment.n": {}}
    with pytest.raises(RuntimeError, match=r"image a is not accounted for by \['segment.n'\]"):
        stage.account(ROW, records)


@pytest.mark.parametrize(
    ("convert", "segment", "expected"),
    [
        ("ok", "ok", "ok"),
        ("ok", "skipped", "ok"),
        ("ok", "quarantined", "quarantined"),
        ("quarantined", "skipped", "quarantined"),
        ("skipped", "skipped", "skipped"),
    ],
)
def test_an_image_stands_as_its_worst_task_says(convert, segment, expected):
    records = {
        "convert": {"a": Record("a", convert, "f")},
        "segment.n": {"a": Record("a", segment, "f")},
    }
    assert stage.account(ROW, records).status == expected


def test_metadata_are_numbers_only_where_all_cells_are():
    rows = [
        Row(one, "x", 2, metadata={"dose": dose, "plate": "1", "code": code})
        for one, dose, code in (("001", "0.5", "01"), ("2", "", "02"))
    ]
    table = stage.make_metadata(rows)
    assert table.index.tolist() == ["001", "2"]
    assert table["dose"].iloc[0] == 0.5 and np.isnan(table["dose"].iloc[1])
    assert table["plate"].tolist() == ["1", "1"] and table["code"].tolist() == ["01", "02"]


def test_the_quarantine_is_a_line_an_image(tmp_path):
    rows = [ROW, Row("b", "b.tif", 3)]
    standing = {
        "a": Record("a", "ok", "f"),
        "b": Record("b", "quarantined", "f", "EMPTY", "two\nlines\tand a tab"),
    }
    output.write_quarantine(tmp_path / "q.tsv", rows, standing)
    assert (tmp_path / "q.tsv").read_text() == (
        "image\tstatus\tcode\tmessage\tpath\nb\tquarantined\tEMPTY\ttwo lines and a tab\tb.tif\n"
    )


@pytest.fixture
def study(tmp_path):
    """A study of two images: statuses by task -> its folder after gather."""
    sheet = tmp_path / "images.tsv"
    sheet.write_text("id\tpath\tgroup\tdose\n001\ta.tif\tNA\t1\n002\tb.tif\tx\t10\n")
    root = tmp_path / "results" / "s"

    def record(key, image, status):
        if status != "ok":
            return Record(image, status, "f", "EMPTY", "zero bytes")
        artifact = f"{key.split('.')[0]}/{image}.parquet"
        table = pd.DataFrame({"image": image, "t": 0, "label": [1, 2]})
        if key.startswith("quantify"):
            table["area_um2"] = [4.0, 6.0]
        if key.startswith("classify"):
            table["class"] = ["T", "B"]
        if key != "convert":
            (root / artifact).parent.mkdir(parents=True, exist_ok=True)
            tables.write_table(root / artifact, table, fingerprint="f", objects="cells")
        return Record(image, "ok", "f", artifact=artifact, facts={"pixel_size_um": 0.5})

    def run(classify_task="types", **statuses):
        keys = {
            "convert": "convert",
            "quantify": "quantify.cells",
            "classify": f"classify.{classify_task}",
        }
        for name, key in keys.items():
            path = root / "manifests" / key / "b0000.jsonl"
            found = statuses.get(name, ("ok", "ok"))
            records = [record(key, *one) for one in zip(("001", "002"), found, strict=True)]
            manifests.write_manifest(path, records)
        settings = stage.Settings(tasks=tuple(keys.values()))
        stage.run(settings, root / "objects.parquet", sheet, 50)
        return root

    return run


def test_gathered_tables_join_objects_classes_and_metadata(study):
    table = tables.read_table(study() / "objects.parquet")
    assert table["image"].tolist() == ["001", "001", "002", "002"]
    assert table["class"].tolist() == ["T", "B", "T", "B"]
    assert table["group"].tolist() == ["NA", "NA", "x", "x"] and table["dose"].tolist() == [1, 1, 10, 10]  # fmt: skip
    assert (table["object"] == "cells").all()


def test_gathered_images_are_those_of_the_sheet(study):
    root = study(convert=("ok", "quarantined"), quantify=("ok", "skipped"), classify=("ok", "skipped"))  # fmt: skip
    images = tables.read_csv(root / "images.csv")
    assert images["image"].tolist() == ["001", "002"]
    assert images["status"].tolist() == ["ok", "quarantined"]
    assert images["n_cells"][0] == 2 and np.isnan(images["n_cells"][1])
    assert "002\tquarantined\tEMPTY" in (root / "quarantine.tsv").read_text()


@pytest.mark.parametrize(
    "statuses",
    [
        {"convert": ("quarantined",) * 2, "quantify": ("skipped",) * 2, "classify": ("skipped",) * 2},
        {"classify": ("skipped", "skipped")},
        {"quantify": ("quarantined", "ok"), "classify": ("skipped", "skipped")},
        {"quantify": ("quarantined", "ok"), "classify": ("ok", "skipped")},
    ],
    ids=["nothing usable", "no classes", "half", "classes of unusable images only"],
)  # fmt: skip
def test_what_little_there_is_is_gathered(study, statuses):
    root = study(**statuses)
    assert len(tables.read_csv(root / "images.csv")) == 2
    n_ok = statuses.get("quantify", statuses.get("convert", ("ok", "ok"))).count("ok")
    assert len(tables.read_table(root / "objects.parquet")) == 2 * n_ok


@pytest.mark.parametrize("name", ["types", "cells"])
def test_an_image_that_was_measured_and_not_classified_is_counted(study, name):
    images = tables.read_csv(study(name, classify=("ok", "skipped")) / "images.csv")
    assert images["n_cells"].tolist() == [2, 2]


def close(root, limit):
    sheet = root.parent.parent / "images.tsv"
    account.run(account.Settings(max_quarantined=limit), root / "accounting.json", sheet, 50)


def test_the_study_fails_when_too_many_images_are_quarantined(study, capsys):
    root = study(convert=("ok", "quarantined"), quantify=("ok", "skipped"), classify=("ok", "skipped"))  # fmt: skip
    with pytest.raises(SystemExit) as caught:
        close(root, 0.49)
    assert caught.value.code == 1 and not (root / "accounting.json").exists()
    assert "1 of 2 images are quarantined (50%; the limit is 49%): {'EMPTY': 1}" in capsys.readouterr().out  # fmt: skip


def test_the_study_ends_well_at_its_limit(study):
    root = study(convert=("ok", "quarantined"), quantify=("ok", "skipped"), classify=("ok", "skipped"))  # fmt: skip
    close(root, 0.5)
    assert json.loads((root / "accounting.json").read_text()) == {
        "images": 2, "ok": 1, "quarantined": 1, "skipped": 0, "causes": {"EMPTY": 1},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        ("001,ok\n", "002: not in images.csv"),
        ("001,ok\n002,ok\n002,ok\n", "002: there more than once"),
        ("001,ok\n002,ok\n003,ok\n", "003: not in the sheet"),
        ("001,ok\n002,lifted\n", "002: neither ok, quarantined nor skipped"),
    ],
)
def test_the_study_does_not_end_while_an_image_is_not_accounted_for_once(study, lines, cause):
    root = study()
    (root / "images.csv").write_text("image,status\n" + lines)
    with pytest.raises(RuntimeError, match=cause):
        close(root, 1.0)
    assert not (root / "accounting.json").exists()


def test_nothing_is_gathered_while_an_image_waits_to_be_tried_again(study):
    with pytest.raises(RuntimeError, match=r"image 002 waits to be tried again by \['convert'\]"):
        study(convert=("ok", "lifted"))


def draw_study(rng, subjects):
    """Images of three groups, some with nothing, and objects of two kinds with missing classes and values."""
    names = [f"i{n:02d}" for n in rng.permutation(40)]
    images = pd.DataFrame({"image": names, "group": rng.choice(list("xyz"), 40), "status": "ok"})
    images.loc[:2, "status"] = "quarantined"
    if subjects:
        images["subject"] = rng.choice(list("fedcbahg"), 40)
    good = images["image"][images["status"] == "ok"]
    objects = pd.DataFrame({"image": rng.choice(good[:30], 600)})
    objects["object"] = np.repeat(["cells", "nuclei"], 300)
    objects["class"] = pd.Series(rng.choice(["T", "B", None], 600, p=(0.6, 0.3, 0.1)))
    objects["area_um2"] = np.where(rng.random(600) < 0.2, np.nan, rng.normal(100, 10, 600))
    objects["n_foci"] = rng.poisson(3, 600)
    return images, objects


def expect(chosen, table, members, quantity, rng):
    """One row of the summary, found object by object with data frames."""
    by = "subject" if "subject" in members else "image"
    cluster = table["image"].map(members.set_index("image", drop=False)[by])
    values = chosen[quantity.removeprefix("mean ")].dropna() if quantity != "fraction" else None
    if values is None:
        values = pd.Series(table.index.isin(chosen.index).astype(float), index=table.index)
    of = values.groupby(cluster[values.index])
    if of.ngroups < 5:
        few = statistics.binomial_interval(len(chosen), len(table))
        return values.mean(), *(few if quantity == "fraction" else (np.nan, np.nan))
    order = sorted(cluster.unique())
    sums, counts = (one.reindex(order, fill_value=0).to_numpy(float) for one in (of.sum(), of.size()))  # fmt: skip
    return values.mean(), *statistics.bootstrap_ratio(sums, counts, rng)


@pytest.mark.parametrize("subjects", [False, True])
def test_groups_have_the_numbers_that_data_frames_give(subjects):
    images, objects = draw_study(np.random.default_rng(0), subjects)
    found, rng = by_group(objects, images), np.random.default_rng(0)
    for row in found.itertuples():
        members = images[(images["group"] == row.group) & (images["status"] == "ok")]
        table = objects[objects["image"].isin(members["image"]) & (objects["object"] == row.object)]
        name = found.loc[row.Index, "class"]
        chosen = table[table["class"] == name] if name else table
        assert (row.n_objects, row.n_images) == (len(chosen), len(members))
        if row.quantity != "count":
            expected = expect(chosen, table, members, row.quantity, rng)
            assert (row.value, row.low, row.high) == pytest.approx(expected, nan_ok=True)
    assert len(found) == 3 * 2 * (3 + 2 * 3 + 2) and found["interval"].str.startswith("boot").any()
