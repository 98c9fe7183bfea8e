"""Quantify, regions and areas: pixels that can be counted by hand, and distances to a border that is seen."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from scipy.ndimage import distance_transform_edt

from scopemill.detect import stage as detect
from scopemill.frames import Frame
from scopemill.quantify import regions
from scopemill.quantify.areas import measure_areas, measure_regions
from scopemill.quantify.stage import Settings, choose_whole, quantify, quantify_classes
from scopemill.settings import ConfigError, load, load_method, references
from scopemill.tiling import list_cores

NAMES = ("background", "air", "tissue")


def picture(text):
    """Digits typed by hand -> array."""
    return np.array([[int(one) for one in line] for line in text.split()])


CLASSES = picture("""
    0000000000
    0111112222
    0111112222
    0111112222
    0111110022
    0000000000
""").astype(np.uint8)
CELLS = picture("""
    0000000000
    0111000000
    0111003330
    0000003330
    0222244000
    0222000000
""").astype(np.uint32)


def frame_of(classes=CLASSES, cells=CELLS, um_per_px=0.5, **more):
    """Cells that were detected, and a class image."""
    drawn = {"tissue": (classes, NAMES), **more}
    known = um_per_px or 1.0
    frame = Frame.of({"DNA": np.zeros(cells.shape)}, {"cells": cells}, known, classes=drawn)
    if um_per_px is None:
        meta = replace(frame.meta, pixel_size_um=None)
        frame = Frame(**{**vars(frame), "meta": meta})
    found = detect.detect(frame, load_method("detect", {"name": "from-labels", "labels": "cells"}, "m"))  # fmt: skip
    return Frame(**{**vars(frame), "tables": {"detect.cells": found}.__getitem__})


def run(frame, **more):
    return quantify(frame, "cells", Settings(objects="cells", **more)).set_index("label")


def test_an_object_is_in_the_class_under_its_centre():
    assert run(frame_of(), regions=("tissue",))["tissue"].to_dict() == {
        1: "air", 2: "air", 3: "tissue", 4: "air",
    }  # fmt: skip


def test_where_the_centre_is_background_most_pixels_decide():
    cells = picture("000000 011110 010010 011110 000000").astype(np.uint32)
    classes = picture("000000 022210 020010 022110 000000").astype(np.uint8)
    assert run(frame_of(classes, cells), regions=("tissue",))["tissue"].tolist() == ["tissue"]
    nowhere = np.zeros_like(classes)
    assert run(frame_of(nowhere, cells), regions=("tissue",))["tissue"].tolist() == ["background"]


def test_a_cell_is_where_most_of_its_nucleus_is():
    cells = picture("00000000 01111110 01111110 00000000 02220000").astype(np.uint32)
    classes = picture("00000000 01111220 01111220 00000000 01122000").astype(np.uint8)
    nuclei = picture("00000000 00001110 00000000 00000000 00000000").astype(np.uint32)
    frame = frame_of(classes, cells)
    assert run(frame, regions=("tissue",))["tissue"].tolist() == ["air", "air"]
    source = Frame.of({"DNA": np.zeros(cells.shape)}, {"cells": cells, "nuclei": nuclei}, 0.5, classes={"tissue": (classes, NAMES)})  # fmt: skip
    frame = replace(source, tables=frame.tables)
    found = run(frame, regions=("tissue",), nucleus="nuclei")
    # the second has no nucleus, so its centre decides
    assert found["tissue"].tolist() == ["tissue", "air"]


def test_only_objects_within_the_classes_are_measured():
    table = run(frame_of(), within={"tissue": ("tissue",)})
    assert table.index.tolist() == [3] and "tissue" not in table
    assert run(frame_of(), within={"tissue": ("air", "tissue")}).index.tolist() == [1, 2, 3, 4]
    with pytest.raises(ConfigError, match="no class 'tisue'; did you mean 'tissue'"):
        run(frame_of(), within={"tissue": ("tisue",)})


def test_several_tasks_restrict_together():
    drawn = np.zeros_like(CLASSES)
    drawn[:, :4] = 1
    frame = frame_of(drawn=(drawn, ("rest", "left")))
    within = {"tissue": ("air",), "drawn": ("left",)}
    assert run(frame, within=within).index.tolist() == [1, 2]


def test_a_name_with_a_dash_is_a_column_with_an_underscore():
    frame = frame_of(**{"lung-tissue": (CLASSES, NAMES)})
    assert "lung_tissue_distance_um" in run(frame, regions=("lung-tissue",))


def halves(size, column):
    """Class 1 left of a column, class 2 right of it."""
    return np.where(np.arange(size) < column, 1, 2)[None].repeat(5, axis=0).astype(np.uint8)


def test_distances_are_to_the_border_between_pixels():
    # the border runs at 4.5, between the centres of pixels 4 and 5
    points = np.array([[2, 0], [2, 4], [2, 5], [2, 9]])
    found = regions.measure_distances(halves(10, 5), points, np.array([1, 1, 2, 2]))
    assert found.tolist() == [4.5, 0.5, 0.5, 4.5]


def test_outside_of_its_region_a_distance_is_negative():
    points, numbers = np.array([[2, 7]]), np.array([1])
    assert regions.measure_distances(halves(10, 5), points, numbers).tolist() == [-2.5]


@hypothesis_settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(2, 12))
def test_distances_are_those_of_a_distance_transform(seed, height, width):
    classes = np.random.default_rng(seed).choice([0, 1, 1, 1, 2], (height, width)).astype(np.uint8)
    points = np.argwhere(np.ones(classes.shape, bool))
    found = regions.measure_distances(classes, points, np.ones(len(points))).reshape(classes.shape)
    inside = classes == 1
    if inside.all() or not inside.any():
        assert np.isnan(found).all()
        return
    expected = np.where(inside, distance_transform_edt(inside) - 0.5, 0.5 - distance_transform_edt(~inside))  # fmt: skip
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_without_a_border_there_is_no_distance():
    everywhere = np.ones((4, 4), np.uint8)
    points = np.array([[1, 1], [2, 2]])
    assert np.isnan(regions.measure_distances(everywhere, points, np.array([1, 2]))).all()


@pytest.mark.parametrize(("um_per_px", "column"), [(0.5, "tissue_distance_um"), (None, "tissue_distance")])  # fmt: skip
def test_distances_are_in_micrometres_where_the_size_of_a_pixel_is_known(um_per_px, column):
    cells = np.zeros((5, 10), np.uint32)
    cells[2, 1], cells[2, 8] = 1, 2
    table = run(frame_of(halves(10, 5), cells, um_per_px), regions=("tissue",))
    assert table[column].tolist() == ([1.75, 1.75] if um_per_px else [3.5, 3.5])
    assert table["tissue"].tolist() == ["air", "tissue"]


def test_distances_of_a_slide_are_measured_on_a_level_of_the_pyramid(monkeypatch):
    cells = np.zeros((64, 640), np.uint32)
    cells[30:33, 98:103] = 1
    classes = np.where(np.arange(640) < 320, 1, 2)[None].repeat(64, axis=0).astype(np.uint8)
    exact = run(frame_of(classes, cells), regions=("tissue",))["tissue_distance_um"]
    assert exact.tolist() == [(319.5 - 100) / 2]
    monkeypatch.setattr(regions, "MAX_PX", 64)
    shrunk = run(frame_of(classes, cells), regions=("tissue",))["tissue_distance_um"]
    assert shrunk.to_numpy() == pytest.approx(exact.to_numpy(), abs=10 / 2)


def test_a_plane_of_classes_serves_all_planes_of_objects():
    cells = np.stack([CELLS, CELLS])
    table = run(frame_of(CLASSES, cells), regions=("tissue",))
    assert table["tissue"].tolist() == ["air", "air", "tissue", "air"]


def test_planes_of_classes_do_not_fit_flat_objects():
    frame = frame_of(np.stack([CLASSES, CLASSES]))
    with pytest.raises(ConfigError, match="set the same z in both tasks"):
        run(frame, regions=("tissue",))


def areas(frame, tile_px=1000, **more):
    more = {"regions": (), "within": {}, **more}
    return measure_areas(frame, "tissue", tile_px=tile_px, **more)


def sums(table, *by):
    return table.groupby([*by])["area"].sum().to_dict()


def test_the_pixels_of_each_class_are_counted():
    table = areas(frame_of())
    assert sums(table, "class") == {"background": 26, "air": 20, "tissue": 14}
    assert table["area_um2"].tolist() == (table["area"] / 4).tolist()
    assert "area_um2" not in areas(frame_of(um_per_px=None))


def test_pixels_are_counted_by_tile():
    tissue = areas(frame_of(), 5).query("`class` == 'tissue'").set_index(["tile_y", "tile_x"])
    assert tissue["area"].to_dict() == {(0, 1): 14}
    air = areas(frame_of(), 4).query("`class` == 'air'").set_index(["tile_y", "tile_x"])
    assert air["area"].to_dict() == {(0, 0): 9, (0, 1): 6, (1, 0): 3, (1, 1): 2}


def test_areas_are_told_apart_by_region():
    drawn = np.zeros_like(CLASSES)
    drawn[:3, :8] = 1
    table = areas(frame_of(drawn=(drawn, ("rest", "A"))), regions=("drawn",))
    assert sums(table[table["region_of"] == ""], "class") == {
        "background": 26,
        "air": 20,
        "tissue": 14,
    }
    assert sums(table[table["region_of"] == "drawn"], "region", "class") == {
        ("A", "background"): 10, ("A", "air"): 10, ("A", "tissue"): 4,
        ("rest", "background"): 16, ("rest", "air"): 10, ("rest", "tissue"): 10,
    }  # fmt: skip


def test_areas_are_restricted_to_classes_of_another_task():
    mask = np.zeros_like(CLASSES)
    mask[1:4, 4:8] = 1
    frame = frame_of(mask=(mask, ("glass", "section")))
    assert sums(areas(frame, within={"mask": ("section",)}), "class") == {"air": 6, "tissue": 6}
    assert areas(frame, within={"mask": ()}).empty


@hypothesis_settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 12))
def test_the_blocks_do_not_matter(seed, tile_px, side):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 20, 2))
    frame = frame_of(
        rng.integers(0, 3, shape).astype(np.uint8), np.ones(shape, np.uint32),
        drawn=(rng.integers(0, 2, shape).astype(np.uint8), ("rest", "A")),
    )  # fmt: skip
    more = {"regions": ("drawn",), "within": {"drawn": ("A",)}}
    whole = areas(frame, tile_px, **more)
    parts = areas(frame, tile_px, **more, blocks=list_cores(shape, side))
    assert_frame_equal(parts, whole)
    assert (whole["area"] <= tile_px**2).all()
    inside = frame.classes("drawn") == 1
    assert whole.loc[whole["region_of"] == "", "area"].sum() == inside.sum()


def test_the_size_of_each_region_is_known_even_of_those_without_a_pixel():
    frame = frame_of(np.where(CLASSES == 2, 1, CLASSES).astype(np.uint8))
    assert measure_regions(frame, ("tissue",), {}) == [
        {"t": 0, "region_of": "tissue", "region": "background", "area": 26},
        {"t": 0, "region_of": "tissue", "region": "air", "area": 34},
        {"t": 0, "region_of": "tissue", "region": "tissue", "area": 0},
    ]
    assert measure_regions(frame, (), {}) == []


def test_areas_of_a_stack_are_refused():
    with pytest.raises(ConfigError, match="set z to max, mean or middle"):
        areas(frame_of(np.stack([CLASSES, CLASSES]), np.stack([CELLS, CELLS])))


def test_tiles_are_in_micrometres():
    table = quantify_classes(frame_of(), Settings(classes="tissue", tile_um=2.0))  # 4 px
    assert_frame_equal(table, areas(frame_of(), 4))
    table = quantify_classes(frame_of(um_per_px=None), Settings(classes="tissue", tile_um=5.0))
    assert_frame_equal(table, areas(frame_of(um_per_px=None), 5))


def test_fractions_are_of_all_classes_but_the_background():
    frame = frame_of(mask=(CLASSES, ("glass", "tissue")))
    assert choose_whole(frame, Settings(classes="tissue")) == ["air", "tissue"]
    assert choose_whole(frame, Settings(classes="mask")) == ["glass", "tissue"]
    assert choose_whole(frame, Settings(classes="tissue", whole=("tissue",))) == ["tissue"]
    with pytest.raises(ConfigError, match="no class 'bone'"):
        choose_whole(frame, Settings(classes="tissue", whole=("bone",)))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "either objects or classes"),
        ({"objects": "cells", "classes": "tissue"}, "either objects or classes"),
        ({"classes": "tissue", "ring_um": 2.0}, "ring_um: measures objects"),
        ({"classes": "tissue", "spots": ["a"]}, "spots: measures objects"),
        ({"objects": "cells", "whole": ["air"]}, "whole: goes with classes"),
        ({"objects": "cells", "regions": ["area"]}, "'area' is a column's name already"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(config, words):
    with pytest.raises(ConfigError, match=words):
        load(Settings, config, "quantify.x")


def test_all_class_tasks_are_known_as_references():
    loaded = load(Settings, {"objects": "o", "regions": ["r"], "within": {"w": ["a", "b"]}}, "q")
    found = {(kind, name) for kind, name, _ in references(loaded)}
    assert found == {("detect", "o"), ("classes", "r"), ("classes", "w")}
    assert loaded.within == {"w": ("a", "b")}


def test_a_table_without_objects_has_the_columns_of_regions():
    empty = run(frame_of(cells=np.zeros_like(CELLS)), regions=("tissue",))
    assert list(empty) == list(run(frame_of(), regions=("tissue",)))
    assert isinstance(empty, pd.DataFrame) and len(empty) == 0
