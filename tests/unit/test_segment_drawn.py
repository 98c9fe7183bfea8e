"""Drawn: outlines of people become regions, by class or by name, window by window."""

import numpy as np
import pytest

from scopemill.annotations.table import box_row, make_table
from scopemill.frames import Frame
from scopemill.images import Image, Meta, reader_of, write_image
from scopemill.jobs import Job
from scopemill.segment import stage
from scopemill.segment.methods import drawn
from scopemill.segment.methods.drawn import Settings
from scopemill.settings import ConfigError, load, load_method
from scopemill.tables import write_table

ROWS = (
    box_row(0, 0, 4, 6, **{"class": "Tumor", "name": "core"}),
    box_row(1, 1, 3, 3, **{"class": "Stroma", "name": "rim"}),
    box_row(3, 5, 5, 8, **{"class": "Tumor", "name": ""}),
)


def frame_of(*rows, planes=0, notes=None):
    image = np.zeros((planes, 5, 8) if planes else (5, 8))
    table = make_table(rows)
    more = {"note": notes.append} if notes is not None else {}
    return Frame.of({"DNA": image}, tables={"annotate.regions": table}.__getitem__, **more)


def draw(frame, *names, **more):
    return drawn.segment(frame, Settings(annotations="regions", names=names, **more))


def test_regions_are_drawn_by_class_small_ones_on_top():
    assert draw(frame_of(*ROWS), "Stroma", "Tumor").tolist() == [
        [2, 2, 2, 2, 2, 2, 0, 0],
        [2, 1, 1, 2, 2, 2, 0, 0],
        [2, 1, 1, 2, 2, 2, 0, 0],
        [2, 2, 2, 2, 2, 2, 2, 2],
        [0, 0, 0, 0, 0, 2, 2, 2],
    ]


def test_regions_are_drawn_by_name():
    assert draw(frame_of(*ROWS), "rim", by="name").tolist() == [
        [0] * 8, [0, 1, 1, 0, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0, 0, 0], [0] * 8, [0] * 8,
    ]  # fmt: skip
    settings = Settings(annotations="regions", names=("rim",), by="name")
    assert drawn.class_names(settings) == ("outside", "rim")


def test_a_window_is_part_of_the_whole():
    frame = frame_of(*ROWS)
    whole = draw(frame, "Tumor", "Stroma")
    part = draw(frame.cut(slice(2, 5), slice(1, 7)), "Tumor", "Stroma")
    assert part.dtype == np.uint8 and part.tolist() == whole[2:5, 1:7].tolist()


def test_what_is_not_there_is_said_once():
    notes = []
    frame = frame_of(*ROWS, notes=notes)
    settings = Settings(annotations="regions", names=("Tumor", "Bone"))
    known = drawn.survey(frame, settings)
    assert notes == [
        "no annotation has the class 'Bone'",
        "annotations of class 'Stroma' are no regions",
    ]
    drawn.segment(Frame(**{**vars(frame), "known": known}), settings)
    assert len(notes) == 2


def test_outlines_of_any_plane_are_drawn_where_planes_are_put_together():
    rows = [box_row(0, 0, 1, 2, z=2, **{"class": "a"})]
    assert draw(frame_of(*rows), "a")[0].tolist() == [1, 1, 0, 0, 0, 0, 0, 0]
    stack = draw(frame_of(*rows, planes=3), "a")
    assert stack.shape == (3, 5, 8) and stack[:, 0, 0].tolist() == [0, 0, 1]


def test_an_image_without_outlines_is_all_outside():
    assert not draw(frame_of(), "a").any()


@pytest.mark.parametrize("names", [["a", "a"], ["a", "outside"]])
def test_names_are_those_of_one_region(names):
    method = load_method("segment", {"name": "drawn", "annotations": "regions", "names": names}, "segment.x")  # fmt: skip
    with pytest.raises(ConfigError, match="stands for two things"):
        drawn.check(method.settings, {})


def test_there_must_be_a_region():
    with pytest.raises(ConfigError, match="names"):
        load(Settings, {"annotations": "regions", "names": []}, "m")


def test_an_artifact_has_the_regions_of_its_time_points(tmp_path):
    rows = [
        box_row(0, 0, 1, 8, **{"class": "always"}),
        box_row(2, 0, 3, 2, t=0, **{"class": "first"}),
        box_row(3, 0, 5, 1, t=1, **{"class": "later"}),
    ]
    write_table(tmp_path / "a.parquet", make_table(rows), fingerprint="f")
    meta = Meta((2, 1, 1, 5, 8), ("DNA",), 0.5, None)
    write_image(tmp_path / "i.tif", meta, np.uint16, reader_of(np.zeros(meta.shape, np.uint16)))
    inputs = {"convert": tmp_path / "i.tif", "annotate.regions": tmp_path / "a.parquet"}
    names = ["always", "first", "later"]
    method = load_method("segment", {"name": "drawn", "annotations": "regions", "names": names}, "segment.x")  # fmt: skip
    job = Job("i", tmp_path / "c.tif", "f", inputs)
    stage.carry(job, stage.Settings(method=method.as_dict()), method)
    with Image(tmp_path / "c.tif") as image:
        assert image.meta.class_names == ("outside", *names)
        drawn_at = [np.unique(image.read(0, t)).tolist() for t in (0, 1)]
    assert drawn_at == [[0, 1, 2], [0, 1, 3]]
