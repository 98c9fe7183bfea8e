"""Quantify: means that can be reckoned by hand; and every column that is made has a unit and a meaning."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from scopemill.columns import describe
from scopemill.detect import stage as detect
from scopemill.frames import Frame
from scopemill.quantify.stage import Settings, quantify
from scopemill.settings import load_method

CELLS = np.array(
    [
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0, 2, 2, 0],
        [0, 1, 1, 1, 0, 2, 2, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
    ],
    np.uint32,
)
NUCLEI = np.array(
    [
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 5, 0, 0, 0, 0, 0, 0],
        [0, 5, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
    ],
    np.uint32,
)
DNA = np.array(
    [
        [10, 10, 10, 10, 10, 10, 10, 10],
        [10, 90, 30, 50, 10, 20, 20, 10],
        [10, 70, 30, 10, 10, 20, 20, 10],
        [10, 10, 10, 10, 10, 10, 10, 10],
    ],
    np.uint16,
)


def frame_of(channels, labels, tables=None, um_per_px=0.5, **more):
    """A frame whose cells were detected; without `um_per_px` the pixel size is unknown."""
    frame = Frame.of(channels, labels, um_per_px or 1.0, **more)
    frame = replace(frame, meta=replace(frame.meta, pixel_size_um=um_per_px))
    method = load_method("detect", {"name": "from-labels", "labels": "cells"}, "m")
    found = detect.detect(frame, method)
    found.insert(0, "image", "i")
    return replace(frame, tables={"detect.cells": found, **(tables or {})}.__getitem__)


def run(frame, **more):
    return quantify(frame, "cells", Settings(objects="cells", **more)).set_index("label")


@pytest.fixture
def frame():
    return frame_of({"DNA": DNA, "CD3": DNA * 2}, {"cells": CELLS, "nuclei": NUCLEI})


def test_nucleus_and_cytoplasm_are_measured_apart(frame):
    table = run(frame, nucleus="nuclei")
    assert table.loc[1, "nucleus_mean_DNA"] == 80  # 90, 70
    assert table.loc[1, "cytoplasm_mean_DNA"] == 30  # 30, 50, 30, 10
    assert table.loc[1, "nucleus_cytoplasm_ratio_DNA"] == pytest.approx(80 / 30)
    assert table.loc[1, "nucleus_mean_CD3"] == 160
    assert table["nucleus_area_fraction"].tolist() == [pytest.approx(1 / 3), 0]


def test_a_cell_without_a_nucleus_has_no_ratio(frame):
    row = run(frame, nucleus="nuclei").loc[2]
    assert np.isnan(row["nucleus_mean_DNA"]) and np.isnan(row["nucleus_cytoplasm_ratio_DNA"])
    assert row["cytoplasm_mean_DNA"] == 20


def test_background_is_subtracted_before_parts_are_compared(frame):
    table = run(frame, nucleus="nuclei", background_percentile=10)  # 10 counts
    assert table.loc[1, "nucleus_mean_DNA"] == 70 and table.loc[1, "cytoplasm_mean_DNA"] == 20
    assert table.loc[1, "nucleus_cytoplasm_ratio_DNA"] == 3.5
    assert table.loc[2, "intensity_mean_DNA"] == 20  # as it is in the image


def test_a_percentile_of_zero_is_a_background_too(frame):
    assert run(frame, nucleus="nuclei", background_percentile=0).loc[1, "nucleus_mean_DNA"] == 70


def test_the_ring_is_compared_with_the_whole_object(frame):
    table = run(frame, ring_um=0.5)  # one pixel
    assert table.loc[2, "ring_mean_DNA"] == 10 and table.loc[2, "ring_ratio_DNA"] == 2


def test_rows_are_those_of_the_detect_task(frame):
    table = run(frame)
    assert table.index.tolist() == [1, 2]
    assert table["area"].tolist() == [6, 4] and table["area_um2"].tolist() == [1.5, 1]
    assert table["x0"].tolist() == [1, 5]


def test_an_optional_channel_that_is_absent_is_left_out():
    frame = frame_of({"DNA": DNA}, {"cells": CELLS, "nuclei": NUCLEI})
    table = run(frame, channels=("DNA", "CD3"), nucleus="nuclei")
    assert "intensity_mean_DNA" in table and not [name for name in table if "CD3" in name]


def test_only_the_channels_asked_for_are_measured(frame):
    assert not [name for name in run(frame, channels=("CD3",)) if "DNA" in name]


SPOTS = pd.DataFrame({"y": [1.2, 1.4, 2.0, 0.0, 1.0], "x": [1.0, 2.6, 5.0, 0.0, 3.4]})


@pytest.mark.parametrize("owned", [True, False])
def test_spots_are_counted_in_their_objects(owned):
    spots = SPOTS.assign(cells_label=[1, 1, 2, 0, 1]) if owned else SPOTS
    frame = frame_of({"DNA": DNA}, {"cells": CELLS}, {"detect.fast-spots": spots})
    assert run(frame, spots=("fast-spots",))["n_fast_spots"].tolist() == [3, 1]


def test_spots_of_several_channels_are_counted_in_each():
    spots = SPOTS.assign(cells_label=[1, 1, 2, 0, 1], channel=["red", "green", "red", "red", "red"])
    spots.attrs = {"channels": ["red", "green", "blue"]}
    table = run(frame_of({"DNA": DNA}, {"cells": CELLS}, {"detect.beads": spots}), spots=("beads",))
    found = table[["n_beads", "n_beads_red", "n_beads_green", "n_beads_blue"]]
    assert found.to_numpy().tolist() == [[3, 2, 1, 0], [1, 1, 0, 0]]


def test_no_spots_are_zero_spots():
    frame = frame_of({"DNA": DNA}, {"cells": CELLS}, {"detect.spots": SPOTS[:0]})
    assert run(frame, spots=("spots",))["n_spots"].tolist() == [0, 0]


@pytest.mark.parametrize(("z", "mean"), [("max", 30), ("mean", 20), ("middle", 10)])
def test_planes_are_put_together_for_flat_labels(z, mean):
    stack = np.stack([np.full_like(DNA, level) for level in (30, 10, 20)])
    table = run(frame_of({"DNA": stack}, {"cells": CELLS}), z=z)
    assert table["intensity_mean_DNA"].tolist() == [mean, mean]


def test_bodies_are_measured_in_space():
    stack, cells = np.stack([DNA, DNA * 3]), np.stack([CELLS, CELLS])
    table = run(frame_of({"DNA": stack}, {"cells": cells}, z_step_um=2.0))
    assert table["volume_um3"].tolist() == [6, 4]  # 12 voxels of 0.5 um3, 8 of them
    assert table.loc[2, "intensity_mean_DNA"] == 40


def test_an_image_without_objects_has_the_same_columns(frame):
    nothing = np.zeros_like(CELLS)
    empty = run(frame_of({"DNA": DNA, "CD3": DNA}, {"cells": nothing, "nuclei": NUCLEI}), nucleus="nuclei", ring_um=1.0)  # fmt: skip
    assert len(empty) == 0
    assert list(empty) == list(run(frame, nucleus="nuclei", ring_um=1.0))


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("um_per_px", [0.5, None])
def test_every_column_that_is_made_has_a_unit_and_a_meaning(deep, um_per_px):
    def grow(array):
        return np.stack([array, array]) if deep else array

    points = SPOTS.assign(z=0.0, intensity=1.0, background=1.0, snr=1.0, cells_label=1)
    frame = frame_of(
        {"DNA": grow(DNA)},
        {"cells": grow(CELLS), "nuclei": grow(NUCLEI)},
        {"detect.spots": points},
        um_per_px,
    )
    table = run(frame, nucleus="nuclei", ring_um=2.0, spots=("spots",)).reset_index()
    table = table.merge(points.assign(label=1), on="label")
    for column in table:
        found = describe(column, ["DNA"])
        assert found, column
        unit = found[0]
        assert (unit in ("um", "um2", "um3")) == ("_um" in column), column
        if column.startswith(("intensity", "nucleus_mean", "cytoplasm_mean", "ring_mean")):
            assert unit == "counts", column
