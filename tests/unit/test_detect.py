"""Detect: boxes that hold their objects, and spots where the light was."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import measure

from scopemill import blocks
from scopemill.detect import stage
from scopemill.detect.methods import from_labels, log_spots
from scopemill.frames import Frame
from scopemill.settings import load_method
from scopemill.tiling import list_cores


def boxes(labels, **more):
    frame = Frame.of({"a": labels}, {"cells": labels})
    return from_labels.detect(frame, from_labels.Settings(labels="cells", **more))


@pytest.fixture
def labels():
    """Object 3 inside, 8 and 20 at the border."""
    labels = np.zeros((10, 12), np.uint32)
    labels[2:5, 3:7] = 3
    labels[6:10, 5:6] = 8
    labels[0:1, 10:12] = 20
    return labels


def test_numbers_that_leave_gaps_are_kept(labels):
    assert boxes(labels)["label"].tolist() == [3, 8, 20]


def test_a_box_is_half_open_and_holds_its_object(labels):
    for row in boxes(labels).to_dict("records"):
        inside = labels[row["y0"] : row["y1"], row["x0"] : row["x1"]]
        assert (inside == row["label"]).all() and inside.size == (labels == row["label"]).sum()
    first = boxes(labels).iloc[0]
    assert (first["y0"], first["x0"], first["y1"], first["x1"]) == (2, 3, 5, 7)
    assert (first["centroid_y"], first["centroid_x"]) == (3, 4.5)


def test_objects_at_the_border_are_marked(labels):
    assert boxes(labels)["touches_border"].tolist() == [False, True, True]


def test_objects_at_the_border_are_left_out_when_asked(labels):
    found = boxes(labels, exclude_border=True)
    assert found["label"].tolist() == [3] and found.index.tolist() == [0]


@pytest.mark.parametrize(
    ("box", "touches"),
    [
        ((0, 2, 3, 4), True),
        ((1, 2, 3, 4), False),
        ((2, 0, 3, 4), True),
        ((2, 4, 5, 6), True),
        ((2, 3, 4, 6), True),
        ((2, 3, 4, 5), False),
    ],
)
def test_each_side_is_a_border(box, touches):
    labels = np.zeros((5, 6), np.uint32)
    y0, x0, y1, x1 = box
    labels[y0:y1, x0:x1] = 1
    assert boxes(labels)["touches_border"].tolist() == [touches]


def test_bodies_have_boxes_too_and_the_first_plane_is_no_border():
    labels = np.zeros((4, 8, 8), np.uint32)
    labels[0:3, 2:5, 3:6] = 2
    row = boxes(labels).iloc[0]
    assert [row[name] for name in ("z0", "y0", "x0", "z1", "y1", "x1")] == [0, 2, 3, 3, 5, 6]
    assert (row["centroid_z"], row["centroid_y"], row["centroid_x"]) == (1, 3, 4)
    assert not row["touches_border"]


@pytest.mark.parametrize("shape", [(5, 5), (2, 5, 5)])
def test_an_image_without_objects_has_the_same_columns(shape):
    empty, full = boxes(np.zeros(shape, np.uint32)), boxes(np.ones(shape, np.uint32))
    assert len(empty) == 0 and list(empty) == list(full)
    assert len(boxes(np.zeros(shape, np.uint32), exclude_border=True)) == 0


SHAPES = st.sampled_from([(1, 1), (5, 1), (1, 9), (13, 17), (40, 30), (3, 8, 11), (2, 20, 20)])


@settings(deadline=None, max_examples=40)
@given(SHAPES, st.integers(5, 20), st.integers(1, 9), st.integers(0, 10**6))
def test_an_object_that_lies_in_several_blocks_is_one(shape, side, n_ids, seed):
    rng = np.random.default_rng(seed)
    labels = (rng.integers(0, n_ids + 1, shape) * rng.integers(0, 2, shape)).astype(np.uint32) * 7
    frame = Frame.of({}, {"cells": labels})
    found = from_labels.measure(frame, "cells", list_cores(shape[-2:], side))
    whole = measure.regionprops_table(
        labels.astype(np.int64), properties=("label", "centroid", "bbox")
    )
    axes = "zyx"[-len(shape) :]
    names = ["label", *(f"centroid_{axis}" for axis in axes), *(f"{axis}0" for axis in axes), *(f"{axis}1" for axis in axes)]  # fmt: skip
    expected = pd.DataFrame(whole).set_axis(names, axis=1)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_an_object_of_millions_of_pixels_has_an_exact_middle():
    frame = Frame.of({}, {"cells": np.ones((3000, 5000), np.uint32)})
    table = from_labels.measure(frame, "cells", list_cores((3000, 5000), 2048))
    assert (table["centroid_y"][0], table["centroid_x"][0]) == (1499.5, 2499.5)


def test_blocks_are_smaller_where_planes_lie_over_each_other():
    assert blocks.list_blocks((4096, 3000))[1] == (slice(0, 2048), slice(2048, 3000))
    assert blocks.list_blocks((2048, 2048), 4)[-1] == (slice(1024, 2048), slice(1024, 2048))
    assert blocks.list_blocks((600, 600), 1000)[0] == (slice(0, 512), slice(0, 512))


def spot(shape, centre, sigmas, height=400.0, background=100.0):
    """A Gaussian spot."""
    grid = np.indices(shape).reshape(len(shape), -1).T
    distance = (((grid - centre) / sigmas) ** 2).sum(1)
    return background + height * np.exp(-distance / 2).reshape(shape)


def noise(shape, width=3.0, seed=0):
    return np.random.default_rng(seed).normal(0, width, shape)


def spots(image, labels=None, um_per_px=0.1, z_step_um=0.3, **more):
    frame = Frame.of({"FITC": image.astype(np.float32)}, {"cells": labels}, um_per_px, z_step_um)
    return log_spots.detect(frame, log_spots.Settings(channel="FITC", **more))


@pytest.mark.parametrize("centre", [(20.0, 30.0), (20.3, 29.6), (19.5, 30.5), (12.25, 40.75)])
def test_a_spot_is_found_where_it_is(centre):
    table = spots(spot((40, 60), centre, (2, 2)) + noise((40, 60)))
    assert len(table) == 1
    assert np.hypot(table["y"][0] - centre[0], table["x"][0] - centre[1]) < 0.2
    assert list(table) == ["y", "x", "channel", "intensity", "background", "snr", "response"]


@pytest.mark.parametrize("centre", [(6.0, 20.0, 30.0), (6.4, 20.3, 29.7)])
def test_a_spot_of_a_stack_of_thick_planes_is_found_where_it_is(centre):
    # 0.6 um at planes 0.3 um apart, 0.2 um at pixels of 0.1 um
    table = spots(spot((13, 40, 60), centre, (2, 2, 2)) + noise((13, 40, 60)))
    assert len(table) == 1
    assert np.abs(table[["z", "y", "x"]].to_numpy()[0] - centre).max() < 0.2


def test_intensity_is_above_the_background():
    table = spots(spot((40, 60), (20, 30), (2, 2), height=400, background=250) + noise((40, 60)))
    assert table["background"][0] == pytest.approx(250, abs=8)
    # mean of a Gaussian within one sigma: 2 (1 - exp(-1/2)) of its height
    assert table["intensity"][0] == pytest.approx(400 * 0.787, rel=0.08)


def test_two_spots_apart_are_two():
    image = spot((40, 60), (20, 20), (2, 2)) + spot((40, 60), (20, 32), (2, 2))
    assert len(spots(image + noise((40, 60)))) == 2


@pytest.mark.parametrize("seed", range(3))
def test_noise_alone_has_hardly_any_spots(seed):
    assert len(spots(100 + noise((500, 600), seed=seed))) < 3 * 3  # 300,000 pixels


def test_a_lower_limit_finds_more():
    image = 100 + noise((200, 200))
    assert len(spots(image, min_snr=3.0)) > len(spots(image, min_snr=6.0))


@pytest.mark.parametrize("shape", [(20, 30), (5, 20, 30)])
@pytest.mark.parametrize("level", [0, 1000])
def test_an_empty_image_has_no_spots_but_columns(shape, level):
    labels = np.zeros(shape, np.uint32)
    table = spots(np.full(shape, level), labels, within="cells")
    assert len(table) == 0
    measured = ["intensity", "background", "snr", "response", "cells_label", "cells_distance_um"]
    assert list(table) == [*"zyx"[-len(shape) :], "channel", *measured]


@pytest.mark.parametrize("shape", [(60, 83), (5, 40, 50)])
@pytest.mark.parametrize("side", [7, 16, 64])
def test_spots_do_not_depend_on_the_blocks_in_which_they_are_found(monkeypatch, shape, side):
    image = noise(shape, 10) + 100
    for centre in ((0, 0), (15, 15.5), (16, 31.6), (39, 49)):
        image += spot(shape, (2,) * (len(shape) - 2) + centre, (2,) * len(shape), 200, 0)
    labels = half_and_half(shape)
    whole = spots(image, labels, min_snr=3.0, within="cells")
    assert len(whole) >= 4
    monkeypatch.setattr(log_spots, "list_blocks", lambda size, _: list_cores(size, side))
    cut = spots(image, labels, min_snr=3.0, within="cells")
    pd.testing.assert_frame_equal(cut, whole, check_exact=True)


def test_a_plateau_of_equal_maxima_is_found_alike_in_blocks(monkeypatch):
    image = np.full((40, 40), 100.0)
    image[18:22, 15:17] = 900
    whole = spots(image)
    monkeypatch.setattr(log_spots, "list_blocks", lambda size, _: list_cores(size, 5))
    pd.testing.assert_frame_equal(spots(image), whole, check_exact=True)


@pytest.fixture(scope="module")
def slide():
    """A slide of 6 Mpx: spots 200 px apart, noise; labels in every second row of spots."""
    image = (100 + noise((2000, 3000), 5)).astype(np.float32)
    one = spot((21, 21), (10, 10), (2, 2), 300, 0).astype(np.float32)
    labels = np.zeros(image.shape, np.uint32)
    for y in range(50, 2000, 200):
        for x in range(50, 3000, 200):
            image[y - 10 : y + 11, x - 10 : x + 11] += one
            labels[y - 5 : y + 5, x - 5 : x + 5] = y * 3000 + x
    return image, labels


class Watched:
    """A source that remembers the largest window that was asked for."""

    def __init__(self, source):
        self.source, self.largest = source, 0

    def __getattr__(self, name):
        return getattr(self.source, name)

    def channel(self, name, y, x):
        return self.watch(self.source.channel(name, y, x))

    def labels(self, task, y, x):
        return self.watch(self.source.labels(task, y, x))

    def watch(self, array):
        self.largest = max(self.largest, array.size)
        return array


@pytest.mark.parametrize(
    ("name", "options"),
    [("from-labels", {"labels": "cells"}), ("log-spots", {"channel": "FITC", "within": "cells"})],
)
def test_nothing_looks_at_a_whole_slide(slide, name, options):
    image, labels = slide
    frame = Frame.of({"FITC": image}, {"cells": labels}, 0.1)
    frame = replace(frame, source=Watched(frame.source))
    table = stage.detect(frame, load_method("detect", {"name": name, **options}, "m"))
    assert len(table) == 150
    assert 0 < frame.source.largest <= (2048 + 40) ** 2 < image.size


def test_spots_of_a_slide_lie_where_they_are_and_stand_out_as_in_the_whole(slide):
    image, labels = slide
    table = spots(image, labels, within="cells")
    places = [(y, x) for y in range(50, 2000, 200) for x in range(50, 3000, 200)]
    assert sorted(map(tuple, table[["y", "x"]].round().to_numpy())) == places
    assert (table["cells_label"] == table["y"].round() * 3000 + table["x"].round()).all()
    response = log_spots.filter_log(image, [2, 2])
    middle = np.median(response)
    width = 1.4826 * np.median(np.abs(response - middle))
    expected = (response[50::200, 50::200].ravel() - middle) / width
    # the noise is that of a sample of 4 of 6 million pixels
    np.testing.assert_allclose(np.sort(table["response"]), np.sort(expected), rtol=0.02)


def half_and_half(shape):
    labels = np.zeros(shape, np.uint32)
    labels[..., : shape[-1] // 2] = 7
    return labels


def test_a_spot_belongs_to_the_object_in_which_it_lies():
    image = spot((40, 60), (20, 15), (2, 2)) + spot((40, 60), (20, 45), (2, 2)) + noise((40, 60))
    table = spots(image, half_and_half((40, 60)), within="cells")
    assert dict(zip(table["x"].round(), table["cells_label"], strict=True)) == {15: 7, 45: 0}


@pytest.mark.parametrize("of_labels", [(40, 60), (9, 40, 60)])
@pytest.mark.parametrize(("x", "owner"), [(15, 7), (45, 0)])
def test_flat_labels_serve_all_planes(of_labels, x, owner):
    image = spot((9, 40, 60), (4, 20, x), (2, 2, 2)) + noise((9, 40, 60))
    assert spots(image, half_and_half(of_labels), within="cells")["cells_label"].tolist() == [owner]


def test_a_spot_at_the_border_is_no_error():
    table = spots(spot((40, 60), (0, 0), (2, 2)) + noise((40, 60)))
    assert len(table) == 1 and abs(table["y"][0]) < 1 and abs(table["x"][0]) < 1


def test_the_stage_adds_time_and_micrometres(labels):
    method = load_method("detect", {"name": "from-labels", "labels": "cells"}, "m")
    frame = Frame.of({"a": labels}, {"cells": labels}, 0.5, t=4)
    table = stage.detect(frame, method)
    assert table["t"].tolist() == [4, 4, 4]
    assert table["centroid_y_um"][0] == 1.5 and "y0_um" not in table
