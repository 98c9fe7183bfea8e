"""Gather, regions: areas and densities that can be reckoned by hand; intervals that know what is independent."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from scopemill import manifests, tables
from scopemill.columns import describe
from scopemill.gather import region_groups, regions, stage, tiles
from scopemill.gather.collect import region_columns
from scopemill.gather.regions import Measured
from scopemill.manifests import Record
from scopemill.settings import ConfigError

NAMES = ["background", "air", "tissue"]
STATEMENT = {
    "classes": "lung", "names": NAMES, "whole": ["air", "tissue"], "regions": {}, "n_times": 1, "pixel_size_um": 2.0,
}  # fmt: skip
COLUMNS = ["t", "region_of", "region", "class", "tile_y", "tile_x", "area"]


def areas_of(*rows, image="a"):
    """Rows (region, class, tile, area) of the whole image (region "") or of task `drawn`."""
    cells = [(0, "drawn" if region else "", region, name, 0, tile, area) for region, name, tile, area in rows]  # fmt: skip
    return pd.DataFrame(cells, columns=COLUMNS).assign(image=image)


def measured(table, *images, **statement):
    images = images or ("a",)
    return Measured("lung-area", table, {image: {**STATEMENT, **statement} for image in images})


def row_of(table, /, **keys):
    """The one row with these values."""
    for name, value in keys.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table.iloc[0]


HALF = [("", "tissue", tile, 30) for tile in range(6)] + [
    ("", "air", tile, 70) for tile in range(6)
]


def test_areas_are_in_square_millimetres_and_fractions_of_the_whole():
    table = regions.make_regions([measured(areas_of(*HALF, ("", "background", 9, 1000)))], [])
    tissue = row_of(table, **{"class": "tissue"})
    assert tissue["area_px"] == 180 and tissue["area_mm2"] == pytest.approx(180 * 4e-6)
    assert tissue["fraction"] == 0.3 and tissue["n_tiles"] == 6
    assert (tissue["fraction_low"], tissue["fraction_high"]) == (0.3, 0.3)  # all tiles are alike
    background = row_of(table, **{"class": "background"})
    assert background["area_px"] == 1000 and np.isnan(background["fraction"])


def test_where_the_pixel_size_is_unknown_there_are_pixels_only():
    table = regions.make_regions([measured(areas_of(*HALF), pixel_size_um=None)], [])
    assert table["area_mm2"].isna().all() and table["area_px"].tolist() == [0, 420, 180]


def test_an_empty_slide_has_no_tissue_and_no_fractions():
    one = measured(areas_of(("", "background", 0, 100)))
    table = regions.make_regions([one], [])
    assert table["area_px"].tolist() == [100, 0, 0] and table["fraction"].isna().all()
    images = regions.summarise_images(pd.DataFrame({"image": ["a", "b"]}), [one], [])
    assert images["area_lung_area_tissue_mm2"].tolist() == [0, pytest.approx(np.nan, nan_ok=True)]
    assert images["fraction_lung_area_tissue"].isna().all()
    nothing = regions.make_regions([measured(areas_of())], [])
    assert nothing["area_px"].tolist() == [0, 0, 0]


def test_each_region_has_its_own_fractions():
    rows = [("A", "tissue", 0, 10), ("A", "air", 0, 30), ("B", "air", 0, 50)]
    table = regions.make_regions([measured(areas_of(*HALF, *rows), regions={"drawn": ["rest", "A", "B"]})], [])  # fmt: skip
    assert len(table) == 4 * 3
    found = row_of(table, region="A", **{"class": "tissue"})
    assert (found["fraction"], found["area_px"], found["region_of"]) == (0.25, 10, "drawn")
    assert np.isnan(found["fraction_low"])  # one tile carries no spread
    assert row_of(table, region="B", **{"class": "tissue"})["fraction"] == 0
    assert np.isnan(row_of(table, region="rest", **{"class": "tissue"})["fraction"])


def test_time_points_are_apart_in_regions_and_together_in_images():
    table = pd.concat([areas_of(("", "tissue", 0, 10), ("", "air", 0, 10)), areas_of(("", "air", 0, 20)).assign(t=1)])  # fmt: skip
    one = measured(table, n_times=2)
    found = regions.make_regions([one], [])
    assert found[found["class"] == "tissue"]["fraction"].tolist() == [0.5, 0]
    images = regions.summarise_images(pd.DataFrame({"image": ["a"]}), [one], [])
    assert images["fraction_lung_area_tissue"].tolist() == [0.25]
    assert images["area_lung_area_air_mm2"].tolist() == [pytest.approx(15 * 4e-6)]


def test_the_interval_knows_how_much_tiles_differ():
    wide, narrow = [], []
    for n in range(200):
        wide += [("", "tissue", n, 100 * (n % 2)), ("", "air", n, 100 * ((n + 1) % 2))]
        narrow += [("", "tissue", n, 45 + 10 * (n % 2)), ("", "air", n, 55 - 10 * (n % 2))]
    found = [tiles.measure(areas_of(*rows), STATEMENT, 0) for rows in (wide, narrow)]
    assert [one.fraction[0, 2] for one in found] == [0.5, 0.5]
    widths = [one.high[0, 2] - one.low[0, 2] for one in found]
    # of a mean of 200 coins: 2 * 1.96 * 0.5 / sqrt(200)
    assert widths[0] == pytest.approx(0.139, abs=0.015)
    assert widths[1] == pytest.approx(widths[0] / 10, rel=0.2)


def test_the_interval_covers_the_truth_of_clustered_pixels():
    """Of fields drawn with known probability, 95 % of the intervals hold it; few misses are luck."""
    rng, hits = np.random.default_rng(1), 0
    for _ in range(100):
        share = rng.beta(2, 2, 40)  # all pixels of a tile go together
        rows = [("", "tissue", n, 1000 * p) for n, p in enumerate(share)]
        rows += [("", "air", n, 1000 * (1 - p)) for n, p in enumerate(share)]
        found = tiles.measure(areas_of(*rows), STATEMENT, 0)
        hits += found.low[0, 2] <= 0.5 <= found.high[0, 2]
    assert 88 <= hits <= 99


@hypothesis_settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(1, 200), st.integers(0, 99))
def test_resamples_draw_as_many_tiles_as_there_are(n_tiles, at_once, seed):
    rng = np.random.default_rng(seed)
    tiles_of = np.stack([np.ones(n_tiles), np.arange(n_tiles)], axis=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "DRAWS_AT_ONCE", at_once)
        sums = tiles.resample_sums(tiles_of, rng, 50)
    assert (sums[:, 0] == n_tiles).all()
    assert (sums[:, 1] <= n_tiles * (n_tiles - 1)).all() and sums.shape == (50, 2)


def test_a_seed_gives_the_same_interval():
    rows = areas_of(*[("", name, n, 10 + n) for n in range(9) for name in ("air", "tissue")], ("", "air", 9, 50))  # fmt: skip
    one, other, another = (tiles.measure(rows, STATEMENT, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.low, other.low)
    assert (one.low[0, 1:] != another.low[0, 1:]).any()


CELLS = pd.DataFrame(
    {
        "image": ["a"] * 4 + ["b"],
        "object": "cells",
        "t": 0,
        "class": ["T", "B", "T", "T", "T"],
        "tissue": ["air", "tissue", "tissue", "tissue", "air"],
        "tissue_distance_um": [1.0, 2.0, 4.0, 6.0, 9.0],
    }
)


def placed(*images, air=10**6, tissue=2 * 10**6, size=0.5, table=CELLS):
    region_areas = [
        {"t": 0, "region_of": "tissue", "region": name, "area": area}
        for name, area in (("air", air), ("tissue", tissue))
    ]
    one = {"regions": {"tissue": ["air", "tissue"]}, "region_areas": region_areas, "pixel_size_um": size}  # fmt: skip
    return Measured("cells", table, dict.fromkeys(images, one))


def test_objects_are_counted_in_each_region_with_their_density():
    table = regions.make_regions([], [placed("a", "b")])
    found = row_of(table, image="a", region="tissue", **{"class": ""})
    assert found["n"] == 3 and found["area_mm2"] == 0.5 and found["density_per_mm2"] == 6
    # exact Poisson of 3: 0.619 to 8.767
    assert found["density_per_mm2_low"] == pytest.approx(0.619 / 0.5, rel=1e-3)
    assert found["density_per_mm2_high"] == pytest.approx(8.767 / 0.5, rel=1e-3)
    assert found["mean_distance_um"] == 4
    assert row_of(table, image="a", region="tissue", **{"class": "T"})["n"] == 2


def test_a_region_without_objects_counts_as_nought():
    table = regions.make_regions([], [placed("a", "b")])
    found = row_of(table, image="b", region="tissue", **{"class": ""})
    assert (found["n"], found["density_per_mm2"]) == (0, 0) and np.isnan(found["mean_distance_um"])


def test_images_have_the_number_of_objects_in_each_region():
    sheet = pd.DataFrame({"image": ["a", "b", "c"]})
    table = regions.summarise_images(sheet, [], [placed("a", "b")])
    assert table["n_cells_tissue"].tolist()[:2] == [3, 0] and np.isnan(table["n_cells_tissue"][2])
    assert table["n_cells_tissue_high"][0] == pytest.approx(8.767, rel=1e-3)
    # "air" is a class of cells here, and has a column of that name
    table = regions.summarise_images(sheet, [], [placed("a", table=CELLS.assign(**{"class": "air"}))])  # fmt: skip
    assert table["n_cells_tissue_air"][0] == 1 and "n_cells_air" not in table


def test_without_an_area_there_is_no_density():
    table = regions.make_regions([], [placed("a", tissue=0)])
    assert np.isnan(row_of(table, region="tissue", **{"class": ""})["density_per_mm2"])
    assert regions.make_regions([], [placed("a", size=None)])["density_per_mm2"].isna().all()


def group(areas=(), objects=(), images=("a",), **columns):
    sheet = pd.DataFrame({"image": list(images), "status": "ok", "group": "g", **columns})
    return region_groups.summarise_groups(sheet, list(areas), list(objects), "group", 0)


def test_of_one_image_the_interval_is_between_its_tiles():
    rows = [("", "tissue", n, n) for n in range(10)] + [("", "air", n, 9 - n) for n in range(10)]
    found = row_of(group([measured(areas_of(*rows))]), quantity="fraction_tissue")
    assert (found["value"], found["interval"], found["n_images"]) == (0.5, "bootstrap (tiles)", 1)
    own = tiles.measure(areas_of(*rows), STATEMENT, 0)
    assert (found["low"], found["high"]) == (own.low[0, 2], own.high[0, 2])


def many(n_images, **statement):
    """Images i0, i1, ... of 100 px whose share of tissue is 0.1 i, three tiles each."""
    names = [f"i{n}" for n in range(n_images)]
    parts = [areas_of(*[("", name, tile, area) for tile in range(3) for name, area in (("tissue", 10 * n), ("air", 100 - 10 * n))], image=image) for n, image in enumerate(names)]  # fmt: skip
    return names, measured(pd.concat(parts), *names, **statement)


def test_of_many_images_the_interval_is_between_them():
    names, one = many(8)
    found = row_of(group([one], images=names), quantity="fraction_tissue")
    assert found["value"] == pytest.approx(0.35) and found["interval"] == "bootstrap (images)"
    assert 0.1 < found["low"] < 0.3 and 0.4 < found["high"] < 0.6
    few, one = many(3)
    found = row_of(group([one], images=few), quantity="fraction_tissue")
    assert found["interval"] == "needs 5 images" and np.isnan(found["low"])


def test_of_many_subjects_the_interval_is_between_them():
    names, one = many(12)
    found = group([one], images=names, subject=np.repeat(list("uvwxyz"), 2))
    assert set(found["interval"]) == {"bootstrap (subjects)"}


def test_images_of_unknown_pixel_size_are_not_put_together_with_others():
    names, one = many(3)
    one.statements["i2"] = {**STATEMENT, "pixel_size_um": None}
    found = row_of(group([one], images=names), quantity="fraction_tissue")
    assert found["n_images"] == 2 and found["value"] == pytest.approx(0.05)


def test_pixels_of_different_size_weigh_as_much_as_they_cover():
    names, one = many(2)
    one.statements["i0"] = {**STATEMENT, "pixel_size_um": 6.0}
    found = row_of(group([one], images=names), quantity="fraction_tissue")
    assert found["value"] == pytest.approx(0.1 * 4 / (36 + 4))


def test_densities_of_a_group_are_of_all_its_area():
    found = group([], [placed("a", "b")], images="ab")
    all_ = row_of(found[found["class"] == ""], region="air")
    assert (all_["value"], all_["interval"], all_["n_objects"]) == (2 / 0.5, "exact Poisson", 2)
    assert all_["quantity"] == "density_per_mm2"
    names = list("abcdef")
    table = pd.concat([CELLS[CELLS["image"] == "b"].assign(image=name) for name in names])
    found = group([], [placed(*names, table=table)], images=names)
    all_ = row_of(found[found["class"] == ""], region="air")
    assert all_["interval"] == "bootstrap (images)" and (all_["low"], all_["high"]) == (4, 4)


def test_a_column_of_the_sheet_is_not_overwritten():
    assert region_columns([placed("a")], ["group"]) == {"tissue": "tissue"}
    with pytest.raises(ConfigError, match="the sheet has a column 'tissue' too"):
        region_columns([placed("a")], ["tissue"])


@pytest.fixture
def study(tmp_path):
    """A study of three images, one without anything, with areas of a class task and cells in its regions."""
    sheet = tmp_path / "images.tsv"
    sheet.write_text("id\tpath\tgroup\na\ta.tif\tx\nb\tb.tif\tx\nc\tc.tif\tx\n")
    root = tmp_path / "results" / "s"
    cells = CELLS.drop(columns=["object", "class"]).assign(label=[1, 2, 3, 4, 1])
    areas = areas_of(*HALF)
    empty = placed("a").statements["a"] | {"objects": "cells"}
    contents = {
        "convert": {}, "quantify.cells": {image: (cells[cells["image"] == image], empty) for image in "ab"},
        "quantify.lung-area": {image: (areas.assign(image=image), STATEMENT) for image in "ab"},
    }  # fmt: skip
    for key, made in contents.items():
        records = []
        for image in "abc":
            artifact = f"{key}/{image}.parquet"
            if image in made:
                (root / artifact).parent.mkdir(parents=True, exist_ok=True)
                tables.write_table(root / artifact, made[image][0], **made[image][1])
            status = "ok" if image in made or key == "convert" else "skipped"
            records.append(Record(image, status, "f", artifact=artifact, facts={"pixel_size_um": 2.0}))  # fmt: skip
        manifests.write_manifest(root / "manifests" / key / "b0000.jsonl", records)
    stage.run(stage.Settings(tasks=tuple(contents)), root / "objects.parquet", sheet, 50)
    return root


def test_the_tables_of_a_study_have_its_regions(study):
    table = tables.read_csv(study / "regions.csv")
    assert set(table["image"]) == {"a", "b"} and (table["group"] == "x").all()
    assert row_of(table, image="a", object="cells", region="tissue")["n"] == 3
    assert row_of(table, image="b", **{"class": "tissue"})["fraction"] == 0.3
    objects = tables.read_table(study / "objects.parquet")
    assert set(objects["object"]) == {"cells"} and objects["tissue"].tolist()[:2] == ["air", "tissue"]  # fmt: skip
    images = tables.read_csv(study / "images.csv")
    assert images["fraction_lung_area_tissue"].tolist()[:2] == [0.3, 0.3]
    measured = images.loc[2, "fraction_lung_area_tissue":].drop(["suspicion", "suspicion_reason"])
    assert measured.isna().all()
    summary = tables.read_csv(study / "summary.csv")
    assert row_of(summary, quantity="fraction_tissue")["value"] == 0.3


def test_every_column_of_a_study_has_a_meaning(study):
    table = tables.read_csv(study / "data_dictionary.csv")
    assert set(table["table"]) == {"objects", "images", "summary", "regions"}
    assert table["meaning"].notna().all(), table[table["meaning"].isna()]
    found = row_of(table, table="objects", column="tissue")
    assert found["meaning"] == "class of tissue in which the object's centroid lies"
    assert row_of(table, table="objects", column="tissue_distance_um")["unit"] == "um"
    assert row_of(table, table="images", column="area_lung_area_tissue_mm2")["unit"] == "mm2"
    assert row_of(table, table="regions", column="density_per_mm2_low")["unit"] == "1/mm2"


def test_a_dead_task_of_regions_is_no_harm():
    assert regions.make_regions([], []).empty
    assert group().empty
    assert describe("tissue") is None and describe("tissue_distance")[0] == "px"
