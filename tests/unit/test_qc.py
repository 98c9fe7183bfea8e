"""QC: what a picture shows lies where it lies in the image, small or a slide."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from scopemill import images, manifests, pictures, tables
from scopemill.frames import Frame
from scopemill.jobs import Job
from scopemill.qc import stage
from scopemill.qc.cells import Sample, choose_labels, choose_samples
from scopemill.qc.details import choose_windows
from scopemill.qc.drawing import Content, draw
from scopemill.qc.marks import COLORS, count_lines, describe, reach
from scopemill.qc.orthogonal import SIDES, Side, draw_side, enlarge
from scopemill.settings import load

PLAIN = pictures.to_rgb(pictures.PLAIN[0])
SPOT = pictures.to_rgb("#ffe14d")


def settings(*channels, **more):
    return load(stage.Settings, {"channels": {name: {"source": 0} for name in channels}, **more}, "qc")  # fmt: skip


def content(outlines=(), regions=(), classes=None, points=(), seam=None):
    return Content(outlines, regions, dict.fromkeys(outlines, 0), classes or {}, spots_at(points), seam)  # fmt: skip


def spots_at(points, within="", owner=0, kind="spots"):
    """Spots at (y, x) or (z, y, x)."""
    places = [(0, *point)[-3:] for point in points]
    table = pd.DataFrame(places, columns=["z", "y", "x"], dtype=float)
    return table.assign(kind=kind, within=within, owner=owner)


def paint(frame, found, **more):
    """Picture (Y, X, 3), 0 to 1, and the lines of the caption as text."""
    picture, lines = draw(frame, found, settings(*frame.channel_names, **more))
    texts = [" ".join(text for text, _ in line) for line in lines]
    return np.asarray(picture) / 255, texts


def is_color(picture, color):
    return np.abs(picture - color).max(axis=-1) < 0.01


def two_objects(shape=(100, 80)):
    labels = np.zeros(shape, np.uint32)
    labels[10:20, 30:50] = 1
    labels[60:90, 10:20] = 7
    return np.where(labels, 900, 100).astype(np.uint16), labels


def test_a_small_image_is_enlarged_and_its_objects_are_outlined_beside_it():
    image, labels = two_objects()
    picture, texts = paint(Frame.of({"DNA": image}, {"cells": labels}), content(["cells"]))
    assert picture.shape == (400, 2 * 320 + 6, 3)  # four times as large
    left, right = picture[:, :320], picture[:, 326:]
    assert (left[..., 0] == np.kron(labels > 0, np.ones((4, 4)))).all()
    outlines = is_color(right, PLAIN)
    expected = np.zeros((400, 320), bool)
    for y0, x0, y1, x1 in ((40, 120, 80, 200), (240, 40, 360, 80)):
        expected[y0:y1, x0:x1] = True
        expected[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1] = False
    assert (outlines == expected).all()
    assert texts == ["DNA 100 to 900", "cells: 0"]


def test_objects_have_the_colours_of_their_classes():
    image, labels = two_objects()
    classes = pd.Series({1: "T", 7: "B", 9: "T"})  # 9 is not in the picture
    frame = Frame.of({"DNA": image}, {"cells": labels})
    picture, texts = paint(frame, content(["cells"], classes={"cells": classes}))
    right = picture[:, 326:]
    assert is_color(right[40, 121], pictures.to_rgb(pictures.CLASSES[1]))
    assert is_color(right[240, 41], pictures.to_rgb(pictures.CLASSES[0]))
    assert texts[1] == "cells: 0 B 1 T 2"


def test_spots_are_circled_where_they_are():
    image, _ = two_objects()
    picture, _ = paint(Frame.of({"DNA": image}), content(points=[(50, 30)]))
    drawn = np.argwhere(is_color(picture[:, 326:], SPOT))
    # the middle of pixel 50 of an image that is four times as large
    assert np.abs(drawn.mean(axis=0) - (201.5, 121.5)).max() < 0.6 and len(drawn) > 20


def classes_of(shape, names=("background", "air space", "tissue")):
    """The upper half is air, the left half of the lower is tissue."""
    array = np.zeros(shape, np.uint8)
    array[: shape[0] // 2] = 1
    array[shape[0] // 2 :, : shape[1] // 2] = 2
    return array, names


def test_classes_are_laid_over_the_image_with_a_legend_of_their_shares():
    image = np.full((400, 400), 7, np.uint16)
    frame = Frame.of({"DNA": image}, classes={"regions": classes_of((400, 400))})
    picture, texts = paint(frame, content(regions=["regions"]))
    assert picture.shape == (400, 806, 3)
    right = picture[:, 406:]
    air, tissue = (pictures.to_rgb(one) for one in pictures.AREAS[:2])
    assert is_color(right[100, 200], 0.45 * air) and is_color(right[300, 100], 0.45 * tissue)
    assert not right[300, 300].any()
    assert is_color(right[199, 50], air) and is_color(right[200, 50], tissue)  # the border
    assert texts[1] == "regions, shares of the image: background 25.0% air space 50.0% tissue 25.0%"


def test_objects_and_regions_have_a_panel_each():
    image, labels = two_objects((400, 400))
    frame = Frame.of({"DNA": image}, {"cells": labels}, classes={"regions": classes_of((400, 400))})
    picture, _ = paint(frame, content(["cells"], ["regions"]))
    assert picture.shape == (400, 3 * 400 + 2 * 6, 3)
    assert is_color(picture[10, 406 + 35], PLAIN)
    assert not is_color(picture[10, 812 + 35], PLAIN)


@pytest.fixture(scope="module")
def slide():
    """2400 x 3000 px: objects 12 px wide everywhere, and close to each other at one place."""
    labels = np.zeros((2400, 3000), np.uint32)
    places = [(y, x) for y in range(40, 2400, 100) for x in range(40, 3000, 100)]
    places += [(y, x) for y in range(1500, 1900, 20) for x in range(2100, 2500, 20) if (y - 40) % 100 or (x - 40) % 100]  # fmt: skip
    for number, (y, x) in enumerate(places, 1):
        labels[y : y + 12, x : x + 12] = number
    noise = np.random.default_rng(0).integers(90, 110, labels.shape)
    return np.where(labels > 0, 900, noise).astype(np.uint16), labels


def test_a_slide_has_three_windows_at_full_resolution_below(slide):
    image, labels = slide
    frame = Frame.of({"DNA": image}, {"cells": labels})
    picture, texts = paint(frame, content(["cells"], points=[(1504, 2104)]), percentiles=[0, 100])
    side = (2 * 900 + 6 - 2 * 6) // 3
    assert picture.shape == (720 + 6 + side, 1806, 3)
    assert "full resolution: 1 (densest) from row" in texts[3]
    ((_, window), *_) = choose_windows(frame, ["cells"], side, None)
    rows, columns = window
    assert rows.start <= 1600 <= rows.stop and columns.start <= 2200 <= columns.stop
    detail = picture[726:, :side][30:-3, 30:-3]  # less its frame and number
    inside = ndimage.binary_erosion(labels > 0)
    border = ((labels > 0) & ~inside)[rows, columns][30:-3, 30:-3]
    spots = is_color(detail, SPOT)
    assert spots.any() and np.abs(np.argwhere(spots).mean(0) + 30 + (rows.start, columns.start) - (1504, 2104)).max() < 1  # fmt: skip
    outlines = is_color(detail, PLAIN)
    assert (outlines[~spots] == border[~spots]).all()


def test_no_object_is_lost_where_the_picture_is_much_smaller_than_the_slide(slide):
    image, labels = slide
    picture, _ = paint(Frame.of({"DNA": image}, {"cells": labels}), content(["cells"]))
    outlines = is_color(picture[:720, 906:], PLAIN)
    for y in range(40, 2400, 100):
        for x in range(40, 3000, 100):
            # 12 px of 3000 are 3.6 of 900
            near = outlines[int(y * 0.3) : int((y + 12) * 0.3) + 1, int(x * 0.3) : int((x + 12) * 0.3) + 1]  # fmt: skip
            assert near.any()
    assert outlines.mean() < 0.05


def test_an_object_smaller_than_a_pixel_of_the_picture_is_shown():
    labels = np.zeros((100, 3000), np.uint32)
    labels[50:52, 100:2900:200] = np.arange(1, 15)[:, None].repeat(2, 1).T
    frame = Frame.of({"DNA": labels}, {"cells": labels})
    picture, _ = paint(frame, content(["cells"]))
    columns = np.flatnonzero(is_color(picture[:30, 906:], PLAIN).any(axis=0))
    assert np.abs(columns - np.arange(100, 2900, 200) * 0.3).max() <= 1


def test_windows_do_not_share_pixels_and_seams_have_one(slide):
    _, labels = slide
    frame = Frame.of({}, {"cells": labels})
    for seam in (None, (1000, 1400, 1700, 2100)):
        found = choose_windows(frame, ["cells"], 300, seam)
        assert found == choose_windows(frame, ["cells"], 300, seam)
        shown = np.zeros(labels.shape, int)
        for _, window in found:
            shown[window] += 1
        assert shown.max() == 1 and shown.sum() == 3 * 300 * 300
    assert dict(found)["where blocks meet"] == (slice(1200, 1500), slice(1600, 1900))
    assert list(dict(found)) == ["densest", "where blocks meet", "typical"]


@pytest.mark.parametrize("shape", [(2100, 30), (950, 1000), (3000, 500)])
def test_an_empty_image_of_any_shape_has_a_picture(shape):
    frame = Frame.of({"DNA": np.zeros(shape, np.uint16)}, {"cells": np.zeros(shape, np.uint32)}, classes={"r": (np.zeros(shape, np.uint8), ("background", "tissue"))})  # fmt: skip
    picture, texts = paint(frame, content(["cells"], ["r"]))
    assert picture.shape[0] > 100 and texts[2].endswith("background 100.0% tissue 0.0%")


class Watched:
    """A source that remembers the largest array that it gave."""

    def __init__(self, source):
        self.source, self.largest = source, 0

    def __getattr__(self, name):
        def call(*arguments):
            found = getattr(self.source, name)(*arguments)
            array = found[0] if name.endswith("overview") else found
            self.largest = max(self.largest, np.size(array))
            return found

        return call


def test_of_a_slide_only_overviews_and_windows_are_read(slide):
    image, labels = slide
    frame = Frame.of({"DNA": image}, {"cells": labels}, classes={"r": classes_of(labels.shape)})
    frame = replace(frame, source=Watched(frame.source))
    paint(frame, content(["cells"], ["r"]))
    assert 0 < frame.source.largest <= 1200 * 1500 < image.size


def test_many_spots_are_dots():
    rng = np.random.default_rng(0)
    points = rng.integers(0, (100, 80), (6000, 2))
    picture, _ = paint(Frame.of({"DNA": two_objects()[0]}), content(points=points))
    there = np.zeros((100, 80), bool)
    there[tuple(points.T)] = True
    drawn = is_color(picture[:, 326:], SPOT)
    assert drawn.sum() == there.sum()
    assert (drawn.reshape(100, 4, 80, 4).any(axis=(1, 3)) == there).all()


@pytest.fixture
def job(tmp_path):
    """One image with labels, classes, objects, their classes and spots."""
    image, labels = two_objects((300, 300))
    meta = images.Meta((1, 1, 1, 300, 300), ("DNA",), 0.5, None)
    inputs = {
        "convert": tmp_path / "i.ome.tif", "segment.cells": tmp_path / "l.ome.tif",
        "segment.regions": tmp_path / "c.ome.tif", "detect.cells": tmp_path / "o.parquet",
        "quantify.cells": tmp_path / "q.parquet", "classify.types": tmp_path / "t.parquet",
        "detect.spots": tmp_path / "s.parquet",
    }  # fmt: skip
    shape, (classes, names) = (1, 1, 300, 300), classes_of((300, 300))
    images.write_image(
        inputs["convert"], meta, np.uint16, images.reader_of(image[None, None, None])
    )
    images.write_labels(inputs["segment.cells"], images.reader_of(labels[None, None]), shape, meta, "")  # fmt: skip
    images.write_classes(inputs["segment.regions"], images.reader_of(classes[None, None]), shape, meta, names, "")  # fmt: skip
    objects = pd.DataFrame({"image": "i", "t": 0, "label": [1, 7]})
    tables.write_table(inputs["detect.cells"], objects, labels="cells")
    tables.write_table(inputs["quantify.cells"], objects, objects="cells")
    tables.write_table(inputs["classify.types"], objects.assign(**{"class": ["T", "B"]}), objects="cells")  # fmt: skip
    spots = pd.DataFrame({"image": "i", "t": [0, 0, 1], "y": [15.0, 70, 1], "x": [40.0, 200, 1], "cells_label": [1, 0, 0]})  # fmt: skip
    tables.write_table(inputs["detect.spots"], spots)
    return Job("i", tmp_path / "i.png", "mark", inputs)


def test_the_stage_finds_what_the_tasks_before_made(job):
    with stage.open_frames(job, "max") as frames:
        found = stage.find_content(next(iter(frames)), job, settings("DNA"))
    assert (found.outlines, found.regions) == (["cells"], ["regions"])
    assert found.counts == {"cells": 2} and found.seam is None
    assert found.classes["cells"].to_dict() == {1: "T", 7: "B"}
    assert found.spots[["y", "x"]].to_numpy().tolist() == [[15, 40], [70, 200]]
    assert found.spots[["within", "owner"]].to_numpy().tolist() == [["cells", 1], ["cells", 0]]
    assert [" ".join(text for text, _ in line) for line in count_lines(found.spots)] == [
        "spots: 2 spots circles: 1 in cells crosses: 1 in none"
    ]
    assert found.cells == []  # this is no stack
    stage.carry(job, settings("DNA"), None)
    assert pictures.read_fingerprint(job.output) == "mark"


def test_what_segment_counted_is_not_counted_again_and_its_seams_are_shown(job):
    facts = {"n_objects": [41, 3], "seams": {"window": [1, 2, 3, 4]}}
    record = manifests.Record("i", "ok", "", facts=facts)
    job = replace(job, records={"segment.cells": record})
    with stage.open_frames(job, "max") as frames:
        found = stage.find_content(next(iter(frames)), job, settings("DNA"))
    assert found.counts == {"cells": 41} and found.seam == [1, 2, 3, 4]


def test_only_what_is_asked_for_is_drawn(job):
    with stage.open_frames(job, "max") as frames:
        found = stage.find_content(
            next(iter(frames)), job, settings("DNA", outlines=[], classes=[])
        )
    assert found.outlines == [] and found.regions == []


def test_spots_in_no_object_are_crosses():
    spots = spots_at([(20, 30), (50, 30)], "cells", [3, 0])
    found = replace(content(), spots=spots)
    picture, texts = paint(Frame.of({"DNA": two_objects()[0]}), found)
    drawn = is_color(picture[:, 326:], SPOT)
    circle, cross = drawn[60:105], drawn[180:225]
    # the middle of pixel 20 is 81.5 of the picture, that of pixel 30 is 121.5; a cross goes through it
    assert not circle[20:23, 120:123].any() and circle.sum() > 20
    assert cross[21:23, 121:123].any() and cross.sum() > 20
    assert texts[1] == "spots: 2 spots circles: 1 in cells crosses: 1 in none"


def test_kinds_of_spots_have_colours_of_their_own():
    table = pd.DataFrame({"y": [1.0, 2, 3], "x": 1.0, "channel": ["red", "blue", "red"]})
    found = describe(table, "particles")
    assert found["kind"].tolist() == ["particles red", "particles blue", "particles red"]
    assert [line[0] for line in count_lines(found)] == [
        ("particles red: 2 spots", COLORS[0]),
        ("particles blue: 1 spots", COLORS[1]),
    ]
    assert describe(table.assign(channel="red"), "p")["kind"].unique().tolist() == ["p"]
    assert describe(table.assign(**{"class": list("aab")}), "p")["kind"].tolist() == ["p a", "p a", "p b"]  # fmt: skip


@pytest.mark.parametrize("middle", [10.0, 10.5, 7.0, 0.5])
@pytest.mark.parametrize("radius", [2.0, 2.5, 7.3])
def test_marks_reach_as_far_to_both_sides(middle, radius):
    first, last = reach(middle, radius)
    assert (first + last) / 2 == middle and abs((last - first) / 2 - radius) <= 0.5


VOXEL = (2, 5, 7)


def one_voxel(zooms=(9.0, 3.0, 3.0)):
    """A stack of 4 x 12 x 10 with one bright voxel, cut to rows 3 to 12 and columns 2 to 10."""
    stack = np.zeros((4, 12, 10), np.uint16)
    stack[VOXEL] = 900
    labels = np.zeros((12, 10), np.uint32)
    labels[4:8, 5:9] = 3
    frame = Frame.of({"p": stack}, {"cells": labels}, um_per_px=0.2, z_step_um=0.6)
    frame = frame.cut(slice(3, 12), slice(2, 10))
    return [Side(frame, *axes, zooms) for axes in SIDES]


@pytest.mark.parametrize("zooms", [(9.0, 3.0, 3.0), (7.5, 3.0, 3.0), (12.0, 4.0, 4.0), (1, 1, 1)])
def test_a_spot_lies_on_its_voxel_in_all_three_views(zooms):
    shapes = [(9, 8), (4, 8), (9, 4)]  # from above, the front (z down), the side (z across)
    scales = [(zooms[a], zooms[b]) for a, b in SIDES]
    for side, shape, scale in zip(one_voxel(zooms), shapes, scales, strict=True):
        seen = side.channel("p")
        assert seen.shape == tuple(round(n * zoom) for n, zoom in zip(shape, scale, strict=True))
        middle = np.argwhere(seen == 900).mean(axis=0)
        (placed,) = side.place(np.array([VOXEL], float))
        assert np.abs(placed - middle).max() <= (0.5 if zooms[0] == 7.5 else 0)


def test_its_mark_is_drawn_there_too():
    sample = Sample("most spots", "cells", 3, (slice(3, 12), slice(2, 10)), [])
    for owner, inner in ((0, True), (3, False)):
        spots = spots_at([VOXEL], "cells", owner)
        for side in one_voxel():
            seen = np.zeros((*side.channel("p").shape, 3))
            drawn = np.asarray(draw_side(side, sample, seen, spots)) / 255
            marked = np.argwhere(is_color(drawn, SPOT))
            (y, x), = np.unique(np.argwhere(side.channel("p") == 900).mean(axis=0)[None], axis=0)  # fmt: skip
            assert ((marked.min(axis=0) + marked.max(axis=0)) / 2).tolist() == [y, x]
            assert is_color(drawn, SPOT)[int(y), int(x)] == inner  # a cross goes through it


def test_a_mark_of_another_cell_is_darker_and_spots_outside_the_window_have_none():
    sample = Sample("most spots", "cells", 3, (slice(3, 12), slice(2, 10)), [])
    side = one_voxel()[0]
    seen = np.zeros((*side.channel("p").shape, 3))
    drawn = np.asarray(draw_side(side, sample, seen, spots_at([VOXEL], "cells", 4))) / 255
    assert is_color(drawn, pictures.to_rgb(pictures.darken("#ffe14d", 0.5))).any()
    assert not is_color(drawn, SPOT).any()
    empty = draw_side(side, sample, seen, spots_at([]))
    assert (np.asarray(draw_side(side, sample, seen, spots_at([(2, 5, 1)]))) == np.asarray(empty)).all()  # fmt: skip


def test_the_cells_outline_is_that_of_its_pixels_and_without_planes_it_reaches_through_all():
    sample = Sample("most spots", "cells", 3, (slice(3, 12), slice(2, 10)), [])
    above, front, _ = one_voxel((3.0, 3.0, 3.0))
    for side, box in ((above, (3, 9, 15, 21)), (front, (0, 9, 12, 21))):
        seen = np.zeros((*side.channel("p").shape, 3))
        outline = is_color(np.asarray(draw_side(side, sample, seen, spots_at([]))) / 255, 1)
        ys, xs = np.nonzero(outline)
        assert (ys.min(), xs.min(), ys.max() + 1, xs.max() + 1) == box


def test_when_z_gets_smaller_the_highest_value_stays():
    assert enlarge(np.array([1, 9, 2, 3]), 0.5, 0).tolist() == [9, 3]
    assert enlarge(np.array([[1, 9]]), 2, 1).tolist() == [[1, 1, 9, 9]]


def test_samples_are_the_most_the_median_and_the_fewest():
    names = ("most", "usual", "fewest")
    counts = pd.Series({1: 5, 2: 0, 3: 9, 4: 0, 5: 7})
    assert choose_labels(counts, names) == {"most": 3, "usual": 1, "fewest": 4}
    assert choose_labels(counts[:2], names) == {"most": 1, "fewest": 2}
    assert choose_labels(counts[:1], names) == {"most": 1}
    assert choose_labels(counts[:0], names) == {}


def cells_of_a_stack():
    """Five cells 10 pixels wide in a row; the last is cut by the border."""
    labels = np.zeros((3, 30, 100), np.uint32)
    for number in range(5):
        labels[:, 10:20, 15 + 20 * number : 25 + 20 * number] = number + 1
    frame = Frame.of({"p": labels.astype(np.uint16)}, {"cells": labels[:, :, :100]}, um_per_px=0.5, z_step_um=1.0)  # fmt: skip
    owners = [1] * 4 + [2] * 2 + [3] * 7 + [5] * 9
    return frame, spots_at([(1, 12, 17)] * len(owners), "cells", owners)


def test_cells_that_the_border_cuts_are_passed_over_and_numbers_are_written():
    frame, spots = cells_of_a_stack()
    found = choose_samples(frame, "cells", spots, pd.Series({3: "T"}), None)
    assert [(one.name, one.label) for one in found] == [("most spots", 3), ("usual", 1), ("fewest spots", 4)]  # fmt: skip
    assert found[0].window == (slice(8, 22), slice(53, 67))  # a micrometre around it
    assert found[0].lines[1] == [("cells 3, T", "#ffffff"), ("spots: 7", COLORS[0])]
    assert found[2].lines[1] == [("cells 4", "#ffffff"), ("spots: 0", COLORS[0])]


def test_the_most_suspicious_cell_is_shown_and_says_why():
    frame, spots = cells_of_a_stack()
    features = pd.DataFrame({"label": [1, 2, 3, 4], "touches_border": [False, True, False, False]})
    found = choose_samples(frame, "cells", spots, None, features)
    assert (found[-1].name, found[-1].label) == ("most suspicious, cut by the image's border", 2)


def test_a_stack_has_a_row_of_cells_below():
    frame, spots = cells_of_a_stack()
    samples = choose_samples(frame, "cells", spots, None, None)
    flat = Frame.of({"p": frame.channel("p").max(0)}, {"cells": frame.labels("cells").max(0)})
    found = replace(content(["cells"]), spots=spots, cells=samples)
    picture, lines = draw(flat, found, settings("p"), frame)
    without, _ = draw(flat, found, settings("p"))
    assert picture.height > without.height + 200
    assert lines[-1][0][0].startswith("cells from above")
    # the boxes of the samples: A from row 8, column 53, four times as large
    pixels = np.asarray(picture) / 255
    assert is_color(pixels[8 * 4, 53 * 4 : 67 * 4], 1).all()


def test_without_spots_the_sizes_decide():
    frame, _ = cells_of_a_stack()
    found = choose_samples(frame, "cells", spots_at([]), None, None)
    assert [one.name for one in found] == ["largest", "usual", "smallest"]
    assert found[0].lines[1] == [("cells 1", "#ffffff")]
