"""Frames: stages see arrays by name, time point by time point."""

import numpy as np
import pandas as pd
import pytest

from scopemill import images, tables
from scopemill.errors import Skip
from scopemill.frames import Frame, open_frames
from scopemill.jobs import Job


@pytest.fixture
def job(tmp_path):
    """2 times, 2 channels, 3 planes, with labels and a table."""
    pixels = np.arange(2 * 2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 2, 3, 4, 5)
    meta = images.Meta(pixels.shape, ("DNA", "CD3"), 0.5, 2.0)
    inputs = {
        "convert": tmp_path / "i.ome.tif", "segment.flat": tmp_path / "f.ome.tif",
        "segment.deep": tmp_path / "d.ome.tif", "detect.spots": tmp_path / "s.parquet",
    }  # fmt: skip
    images.write_image(inputs["convert"], meta, pixels.dtype, lambda t, c, z: pixels[t, c, z])
    images.write_labels(inputs["segment.flat"], pixels[:, 0, :1] + 1, meta, "")
    images.write_labels(inputs["segment.deep"], pixels[:, 0], meta, "")
    tables.write_table(inputs["detect.spots"], pd.DataFrame({"t": [0, 1, 1], "y": [5, 6, 7]}))
    return pixels, Job("i", tmp_path / "out", "mark", inputs)


def test_each_time_point_is_a_frame(job):
    pixels, one = job
    with open_frames(one) as frames:
        for t, frame in enumerate(frames):
            assert frame.t == t
            np.testing.assert_array_equal(frame.channel("CD3"), pixels[t, 1])
            np.testing.assert_array_equal(frame.labels("deep"), pixels[t, 0])
            np.testing.assert_array_equal(frame.labels("flat"), pixels[t, 0, 0] + 1)
    assert t == 1


def test_planes_are_put_together_as_the_stage_asks(job):
    pixels, one = job
    with open_frames(one, "max") as frames:
        np.testing.assert_array_equal(next(frames).channel("DNA"), pixels[0, 0].max(0))


def test_tables_are_cut_to_the_time_point(job):
    with open_frames(job[1]) as frames:
        assert [frame.tables("detect.spots")["y"].tolist() for frame in frames] == [[5], [6, 7]]


def test_spacing_fits_the_array(job):
    with open_frames(job[1]) as frames:
        frame = next(frames)
        assert frame.spacing(np.zeros((4, 5))) == (0.5, 0.5)
        assert frame.spacing(np.zeros((3, 4, 5))) == (2.0, 0.5, 0.5)
        assert frame.um_per_px == 0.5


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (lambda frame: frame.labels("cells"), "UPSTREAM"),
        (lambda frame: frame.tables("detect.cells"), "UPSTREAM"),
        (lambda frame: frame.channel("CD19"), "NO_CHANNEL"),
    ],
)
def test_what_is_not_there_is_passed_over(job, ask, code):
    with open_frames(job[1]) as frames, pytest.raises(Skip) as caught:
        ask(next(frames))
    assert caught.value.code == code


def test_a_frame_is_made_of_arrays_typed_by_hand():
    frame = Frame.of({"DNA": np.ones((2, 3))}, {"cells": np.zeros((2, 3), np.uint32)}, 0.5)
    assert frame.channel("DNA").sum() == 6 and frame.labels("cells").shape == (2, 3)
    assert frame.meta.shape == (1, 1, 1, 2, 3) and frame.spacing_um == (1, 0.5, 0.5)
