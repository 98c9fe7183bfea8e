"""Frames: stages see arrays by name, time point by time point."""

import numpy as np
import pandas as pd
import pytest

from scopemill import images, tables
from scopemill.errors import Skip
from scopemill.frames import Frame, open_frames, sample_windows
from scopemill.jobs import Job
from scopemill.stains import Stains

NAMES = ("glass", "tissue", "air")


@pytest.fixture
def job(tmp_path):
    """2 times, 2 channels, 3 planes, with labels and a table."""
    pixels = np.arange(2 * 2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 2, 3, 4, 5)
    meta = images.Meta(pixels.shape, ("DNA", "CD3"), 0.5, 2.0)
    inputs = {
        "convert": tmp_path / "i.ome.tif", "segment.flat": tmp_path / "f.ome.tif",
        "segment.deep": tmp_path / "d.ome.tif", "detect.spots": tmp_path / "s.parquet",
        "segment.tissue": tmp_path / "t.ome.tif",
    }  # fmt: skip
    images.write_image(inputs["convert"], meta, pixels.dtype, images.reader_of(pixels))
    for name, labels in (("flat", pixels[:, 0, :1] + 1), ("deep", pixels[:, 0])):
        read = images.reader_of(labels)
        images.write_labels(inputs[f"segment.{name}"], read, labels.shape, meta, "")
    read = images.reader_of(pixels[:, 0, :1] % 3)
    images.write_classes(inputs["segment.tissue"], read, (2, 1, 4, 5), meta, NAMES, "")
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


def test_classes_have_names(job):
    pixels, one = job
    with open_frames(one) as frames:
        frame = list(frames)[1]
        np.testing.assert_array_equal(frame.classes("tissue"), pixels[1, 0, 0] % 3)
        assert frame.classes("tissue").dtype == np.uint8 and frame.class_names("tissue") == NAMES


def both(job):
    """The second time point from disk and the same from memory."""
    pixels, one = job
    with open_frames(one) as frames:
        yield list(frames)[1]
    deep = {"DNA": pixels[1, 0], "CD3": pixels[1, 1]}
    labels = {"flat": pixels[1, 0, 0] + 1, "deep": pixels[1, 0]}
    yield Frame.of(deep, labels, 0.5, 2.0, {"tissue": (pixels[1, 0, 0] % 3, NAMES)}, t=1)


def test_a_cut_frame_shows_its_window_only(job):
    pixels = job[0]
    for frame in both(job):
        cut = frame.cut(slice(1, 3), slice(2, 99))
        assert cut.window == (slice(1, 3), slice(2, 5)) and cut.size == frame.size == (4, 5)
        np.testing.assert_array_equal(cut.channel("CD3"), pixels[1, 1, :, 1:3, 2:])
        np.testing.assert_array_equal(cut.labels("deep"), pixels[1, 0, :, 1:3, 2:])
        np.testing.assert_array_equal(cut.labels("flat"), pixels[1, 0, 0, 1:3, 2:] + 1)
        np.testing.assert_array_equal(cut.classes("tissue"), pixels[1, 0, 0, 1:3, 2:] % 3)
        assert cut.class_names("tissue") == NAMES and cut.t == 1
        assert frame.window == (slice(0, 4), slice(0, 5))


def test_cuts_of_cuts_count_pixels_of_the_image(job):
    for frame in both(job):
        again = frame.cut(slice(0, 2), slice(0, 2)).cut(slice(2, None), slice(3, 5))
        assert again.window == (slice(2, 4), slice(3, 5))
        np.testing.assert_array_equal(again.channel("DNA"), frame.channel("DNA")[:, 2:, 3:])


def test_a_cut_beside_the_image_is_empty(job):
    for frame in both(job):
        assert frame.cut(slice(9, 12), slice(0, 2)).channel("DNA").shape == (3, 0, 2)


def test_overviews_are_of_the_whole_image_however_it_is_cut(job):
    pixels = job[0]
    for frame in both(job):
        for one in (frame, frame.cut(slice(0, 1), slice(0, 1))):
            found, scale = one.overview("DNA", max_px=3)
            top = pixels[1, 0].max(axis=0).astype(float)
            blocks = [[top[:2, :2], top[:2, 2:4], top[:2, 4:]], [top[2:, :2], top[2:, 2:4], top[2:, 4:]]]  # fmt: skip
            assert scale == 2.0
            np.testing.assert_array_equal(found, [[np.round(b.mean()) for b in row] for row in blocks])  # fmt: skip
            np.testing.assert_array_equal(one.overview("DNA")[0], top)
            found, scale = one.label_overview("deep", 3)
            np.testing.assert_array_equal(found, pixels[1, 0].max(axis=0)[::2, ::2])
            found, scale = one.class_overview("tissue", 3)
            np.testing.assert_array_equal(found, pixels[1, 0, 0, ::2, ::2] % 3)
            assert scale == 2.0


def test_a_large_image_looks_the_same_from_disk_and_from_memory(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 4096, (2, 501, 2300)).astype(np.uint16)
    meta = images.Meta((1, 2, 1, 501, 2300), ("DNA", "CD3"), 0.5, None)
    images.write_image(tmp_path / "i.ome.tif", meta, "uint16", images.reader_of(pixels[None, :, None]))  # fmt: skip
    inputs = {"convert": tmp_path / "i.ome.tif"}
    memory = Frame.of({"DNA": pixels[0], "CD3": pixels[1]}, {"cells": pixels[1]})
    inputs["segment.cells"] = tmp_path / "l.ome.tif"
    images.write_labels(inputs["segment.cells"], images.reader_of(pixels[None, 1:]), (1, 1, 501, 2300), meta, "")  # fmt: skip
    with open_frames(Job("i", tmp_path / "o", "", inputs)) as frames:
        disk = next(frames)
        for max_px in (3000, 2048, 600, 400):
            for look in (lambda f: f.overview("CD3", max_px), lambda f: f.label_overview("cells", max_px)):  # fmt: skip # noqa: B023
                (one, scale), (other, same) = look(disk), look(memory)
                assert scale == same
                np.testing.assert_array_equal(one, other)


def test_a_small_image_is_its_own_sample():
    frame = Frame.of({"DNA": np.zeros((2000, 2000), np.uint8)})
    assert frame.sample() == frame.cut(slice(0, 9), slice(0, 9)).sample()
    assert frame.sample() == [(slice(0, 2000), slice(0, 2000))]


def test_a_large_image_is_sampled_evenly_from_end_to_end():
    windows = sample_windows((2048, 7 * 512 + 256))
    assert len(windows) == len({str(one) for one in windows}) == 64
    assert windows[:2] == [(slice(0, 256), slice(0, 256)), (slice(0, 256), slice(512, 768))]
    assert windows[-1] == (slice(1792, 2048), slice(3584, 3840))


def test_a_narrow_image_is_not_sampled_twice():
    windows = sample_windows((100, 100_000))
    assert len(windows) == 8 and all(y == slice(0, 100) for y, _ in windows)


def test_stains_are_channels(tmp_path):
    stains = Stains(("red", "blue"), ((0.2, 0.8, 0.5), (0.65, 0.7, 0.29)), (255.0, 255.0, 255.0))
    meta = images.Meta((1, 3, 1, 4, 5), ("r", "g", "b"), 0.5, None, True, stains=stains)
    pixels = np.full((1, 3, 1, 4, 5), 255, np.uint8)
    path = tmp_path / "i.ome.tif"
    images.write_image(path, meta, "uint8", images.reader_of(pixels, rgb=True))
    with open_frames(Job("i", tmp_path / "o", "", {"convert": path})) as frames:
        frame = next(frames)
        assert frame.channel_names == ("r", "g", "b", "red", "blue")
        np.testing.assert_allclose(frame.cut(slice(0, 2), slice(0, 2)).channel("blue"), np.zeros((2, 2)), atol=1e-6)  # fmt: skip
