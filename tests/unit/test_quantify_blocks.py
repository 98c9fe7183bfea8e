"""Quantify block by block: whatever the blocks, the same table as of the whole image, to the last digit."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from scipy import ndimage

from scopemill import frames
from scopemill.detect import stage as detect
from scopemill.frames import Frame
from scopemill.quantify.blocks import block_side, plan_blocks, plan_points
from scopemill.quantify.objects import measure_objects
from scopemill.quantify.stage import Settings
from scopemill.settings import load_method

WHOLE = 10**6
NAMES = ("background", "air", "tissue")


def make_frame(seed, shape=(40, 56), planes=0, um_per_px=0.5):
    """Ragged objects that touch, nuclei, two channels, spots and a class image, all random."""
    rng = np.random.default_rng(seed)
    shape = (planes, *shape) if planes else shape
    seeds = rng.random(shape) < 0.015
    # ids with gaps, in no order of place
    ids = np.cumsum(seeds).reshape(shape) * seeds
    ids = np.concatenate([[0], 1 + rng.permutation(2 * ids.max() + 1)])[ids]
    away, nearest = ndimage.distance_transform_edt(~seeds, return_indices=True)
    ragged = (away < 4) & (rng.random(shape) < 0.9)
    labels = np.where(ragged, ids[tuple(nearest)], 0).astype(np.uint32)
    channels = {name: rng.integers(0, 4000, shape).astype(np.uint16) for name in ("DNA", "CD3")}
    classes = (ndimage.gaussian_filter(rng.normal(size=shape), 4) * 40).clip(0, 2).astype(np.uint8)
    frame = Frame.of(
        channels, {"cells": labels, "nuclei": (labels > 0) & (channels["DNA"] > 2000)}, um_per_px, 1.5,
        classes={"tissue": (classes, NAMES)},
    )  # fmt: skip
    found = detect.detect(frame, load_method("detect", {"name": "from-labels", "labels": "cells"}, "m"))  # fmt: skip
    points = pd.DataFrame(rng.uniform(-1, 60, (50, 3)), columns=list("zyx"))
    tables = {"detect.cells": found, "detect.spots": points}
    return Frame(**{**vars(frame), "tables": tables.__getitem__})


def measure(frame, side, **more):
    settings = Settings(objects="cells", **more)
    return measure_objects(frame, frame.tables("detect.cells"), "cells", settings, side)


EVERYTHING = {
    "nucleus": "nuclei", "ring_um": 1.3, "ring_gap_um": 0.4, "background_percentile": 5.0, "spots": ("spots",),
    "regions": ("tissue",),
}  # fmt: skip


@hypothesis_settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([3, 8, 17, 64]), st.sampled_from([0, 3]))
def test_the_blocks_do_not_matter(seed, side, planes):
    frame = make_frame(seed, planes=planes)
    whole = measure(frame, WHOLE, **EVERYTHING)
    assert_frame_equal(measure(frame, side, **EVERYTHING), whole, check_exact=True)


def test_the_blocks_do_not_matter_for_the_objects_within_a_class():
    frame = make_frame(3)
    within = {"tissue": ("air", "tissue")}
    whole = measure(frame, WHOLE, within=within, regions=("tissue",))
    assert 5 < len(whole) < len(frame.tables("detect.cells"))
    assert set(whole["tissue"]) == {"air", "tissue"}
    assert_frame_equal(measure(frame, 7, within=within, regions=("tissue",)), whole)


def test_nothing_within_a_class_is_an_empty_table_with_all_columns():
    frame = make_frame(3)
    nowhere = Frame(**{**vars(frame), "source": with_classes(frame, np.uint8(1))})
    more = {**EVERYTHING, "within": {"tissue": ("tissue",)}}
    empty = measure(nowhere, 7, **more)
    assert len(empty) == 0
    assert list(empty) == list(measure(frame, 7, **EVERYTHING))


def with_classes(frame, value):
    """The arrays of a frame, its class image of one value."""
    source = frame.source
    image, names = source.classes["tissue"]
    return type(source)(source.channels, source.label_images, {"tissue": (np.full_like(image, value), names)})  # fmt: skip


def test_windows_hold_their_objects_whole_and_no_more():
    boxes = np.array([[0, 0, 5, 5], [3, 3, 12, 9], [11, 0, 13, 2], [2, 2, 3, 30]])
    found = {tuple(rows): window for window, rows in plan_blocks(boxes, (40, 40), 10, 1)}
    assert found == {
        (0, 1): (slice(0, 13), slice(0, 10)),
        (2,): (slice(10, 14), slice(0, 3)),
        (3,): (slice(1, 4), slice(1, 31)),  # wider than a block
    }


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=30), st.integers(1, 60))
def test_every_point_is_in_one_block(points, side):
    points = np.array(points, np.int64).reshape(-1, 2)
    seen = np.zeros(len(points), int)
    for (y, x), rows in plan_points(points, side) if len(points) else ():
        seen[rows] += 1
        inside = (points[rows] >= [y.start, x.start]) & (points[rows] < [y.stop, x.stop])
        assert inside.all() and max(y.stop - y.start, x.stop - x.start) <= side
    assert (seen == 1).all()


def test_blocks_of_stacks_are_smaller():
    assert block_side(1) == 2048 and block_side(4) == 1024


def test_no_window_is_larger_than_a_block_and_its_objects(monkeypatch):
    """Memory does not grow with the image: nothing asks for more of it than a block."""
    monkeypatch.setattr(frames, "SMALL_PX", 0)
    monkeypatch.setattr(frames, "SAMPLE_PX", 8)
    frame = make_frame(5, (200, 200))
    asked = []
    source = frame.source

    class Watched(type(source)):
        def channel(self, name, y, x):
            asked.append((y.stop - y.start, x.stop - x.start))
            return super().channel(name, y, x)

        def labels(self, task, y, x):
            asked.append((y.stop - y.start, x.stop - x.start))
            return super().labels(task, y, x)

    watched = Frame(**{**vars(frame), "source": Watched(source.channels, source.label_images, source.classes)})  # fmt: skip
    boxes = frame.tables("detect.cells")
    widest = int((boxes[["y1", "x1"]].to_numpy() - boxes[["y0", "x0"]].to_numpy()).max())
    measure(watched, 32, **EVERYTHING)
    margin = 2 * (int(np.ceil(2 * 1.7 / 0.5)) + 2)
    assert np.max(asked) <= 32 + widest + margin < 150


@pytest.mark.parametrize("percentile", [0.0, 50.0])
def test_the_background_is_that_of_the_sample(percentile, monkeypatch):
    monkeypatch.setattr(frames, "SMALL_PX", 100)
    monkeypatch.setattr(frames, "SAMPLE_PX", 1)
    image = np.arange(400, dtype=np.uint16).reshape(20, 20)
    labels = np.zeros((20, 20), np.uint32)
    labels[0, 1] = 1
    frame = Frame.of({"DNA": image}, {"cells": labels})
    found = detect.detect(frame, load_method("detect", {"name": "from-labels", "labels": "cells"}, "m"))  # fmt: skip
    frame = Frame(**{**vars(frame), "tables": {"detect.cells": found}.__getitem__})
    table = measure(frame, 8, ring_um=1.0, background_percentile=percentile)
    corners = [image[y, x].item() for y, x in [(one[0].start, one[1].start) for one in frame.sample()]]  # fmt: skip
    ring = np.mean([image[0, 0], image[0, 2], image[1, 1]])
    assert table["ring_mean_DNA"].tolist() == [ring - np.percentile(corners, percentile)]
