"""Methods that give classes of tissue: block by block as in one piece, and limits in micrometres."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from scopemill import images
from scopemill.frames import Frame, open_frames
from scopemill.jobs import Job
from scopemill.segment.methods import threshold, tissue
from scopemill.settings import ConfigError, find_method, load_method
from scopemill.stains import PRESETS, Stains
from scopemill.thresholds import find_threshold
from scopemill.tiling import list_cores, widen, within

SIZE = 240
Y, X = np.ogrid[:SIZE, :SIZE]
HALF = (Y - 120) ** 2 + (X - 90) ** 2 <= 70**2
STROKE = (abs(X - 205) < 12) & (abs(Y - 120) < 90)
WHITE = (243.0, 240.0, 244.0)
rng = np.random.default_rng


def section(um_per_px=1.0, stains=None, **more):
    """A colour picture of a piece of tissue and a stroke of green ink, as a frame."""
    texture = ndimage.gaussian_filter(rng(0).normal(size=(2, SIZE, SIZE)), (0, 2, 2))
    amounts = 0.3 * np.exp(0.5 * texture / texture.std()) * HALF
    density = np.tensordot(np.array(list(PRESETS["he"].values())).T, amounts, 1)
    light = np.array(WHITE)[:, None, None] * 10**-density
    light = np.where(STROKE, np.array((25, 130, 80))[:, None, None], light)
    pixels = (light + rng(1).normal(0, 1, light.shape)).clip(0, 255).round().astype(np.uint8)
    frame = Frame.of(
        dict(zip(("red", "green", "blue"), pixels, strict=True)), um_per_px=um_per_px, **more
    )
    return replace(frame, meta=replace(frame.meta, rgb=True, stains=stains))


def by_blocks(method, frame, settings, block=64):
    """What the stage does with a large image."""
    frame = replace(frame, known=method.survey(frame, settings))
    out = np.full(frame.size, 255, np.uint8)
    for core in list_cores(frame.size, block):
        window = widen(core, method.margin_px(frame, settings), frame.size)
        found = method.segment(frame.cut(*window), settings)
        assert found.dtype == np.uint8
        out[core] = found[within(core, window)]
    return out


def iou(found, true):
    return (found & true).sum() / (found | true).sum()


def test_tissue_of_a_stained_section_is_found_and_ink_is_noted():
    notes = []
    frame = section(note=notes.append)
    classes = tissue.segment(frame, tissue.Settings())
    assert tissue.class_names(tissue.Settings()) == ("background", "tissue")
    assert iou(classes == 1, HALF) > 0.93 and classes.max() == 1
    assert not (classes[STROKE] == 1).any()
    (note,) = notes
    assert note.startswith("8.") and "pen marks" in note and "name it under `stains`" in note


def test_what_is_rejected_can_be_shown():
    own = tissue.Settings(show_rejected=True)
    assert tissue.class_names(own) == ("background", "tissue", "pen", "debris")
    classes = tissue.segment(section(), own)
    assert (classes[STROKE] == 2).mean() > 0.98
    np.testing.assert_array_equal(classes == 1, tissue.segment(section(), tissue.Settings()) == 1)


def test_the_white_of_the_image_goes_before_an_estimate():
    names, vectors = tuple(PRESETS["he"]), tuple(PRESETS["he"].values())
    darker = Stains(names, vectors, tuple(0.2 * one for one in WHITE))
    assert (tissue.segment(section(stains=darker), tissue.Settings()) == 1).mean() < HALF.mean() / 2


def test_limits_are_in_micrometres_but_never_more_than_a_part_of_the_image():
    image = np.zeros((200, 200))
    image[20:90, 20:90] = 100
    image[120:132, 120:132] = 100  # 144 px
    image[50:58, 50:58] = 0  # 64 px
    image = rng(0).normal(image, 1)
    own = tissue.Settings(min_area_um2=600, min_hole_um2=80)

    def find(um_per_px):
        classes = tissue.segment(Frame.of({"DNA": image}, um_per_px=um_per_px), own)
        return classes[126, 126], classes[54, 54]

    assert find(0.5) == (0, 1)  # 36 and 16 um2 (limit of area: 1 % of the image, 400 px)
    assert find(1.0) == (0, 1)
    assert find(2.5) == (1, 0)


def test_tissue_is_the_same_block_by_block():
    frame = section()
    whole = tissue.segment(frame, tissue.Settings(show_rejected=True))
    blocks = by_blocks(tissue, frame, tissue.Settings(show_rejected=True), 77)
    np.testing.assert_array_equal(blocks, whole)


def test_an_image_larger_than_its_overview_has_smooth_borders():
    height, width = 2600, 2100
    rows, columns = np.ogrid[:height, :width]
    disc = (rows - 1300) ** 2 + (columns - 1000) ** 2 <= 800**2
    image = (100 + 400 * disc + rng(0).integers(0, 20, disc.shape)).astype(np.uint16)
    frame = Frame.of({"DNA": image})
    found = tissue.survey(frame, tissue.Settings())
    assert found.scale == 2 and found.classes.shape == (1300, 1050)
    window = frame.cut(slice(480, 620), slice(900, 1100))
    classes = tissue.segment(replace(window, known=found), tissue.Settings())
    assert (classes == disc[480:620, 900:1100]).mean() > 0.98
    # the upper border of the disc is level there: it moves by a pixel or two, not by blocks
    heights = 480 + classes.argmax(0)
    assert abs(heights - (1300 - 800)).max() <= 9 and abs(np.diff(heights)).max() <= 2


def test_an_empty_slide_is_a_result(tmp_path):
    empty = np.full((1, 3, 1, 64, 80), 241, np.uint8)
    meta = images.Meta(empty.shape, ("red", "green", "blue"), 0.5, None, True)
    read = lambda t, c, z, y, x: np.moveaxis(empty[t, :, z, y, x], 0, -1)  # noqa: E731
    images.write_image(tmp_path / "i.ome.tif", meta, empty.dtype, read)
    with open_frames(Job("i", tmp_path / "o", "", {"convert": tmp_path / "i.ome.tif"})) as frames:
        classes = tissue.segment(next(frames), tissue.Settings())
    assert classes.shape == (64, 80) and not classes.any()


def test_planes_of_a_stack_share_what_is_found():
    stack = np.stack([rng(z).normal(100 + 300 * HALF, 5) for z in range(3)])
    classes = tissue.segment(Frame.of({"DNA": stack}), tissue.Settings())
    assert classes.shape == stack.shape
    assert iou(classes[0] == 1, HALF) > 0.95 and (classes[0] == classes[2]).all()


def test_chosen_channels_are_those_that_are_looked_at():
    other = (Y > 200) & (X > 150)
    channels = {
        "DNA": rng(0).normal(100 + 300 * HALF, 5),
        "CD3": rng(1).normal(100 + 300 * other, 5),
    }
    find = lambda own: tissue.segment(Frame.of(channels), own) == 1  # noqa: E731
    assert iou(find(tissue.Settings()), HALF | other) > 0.95
    assert iou(find(tissue.Settings(channels=["CD3"])), other) > 0.9


RAMP = np.tile(np.arange(10.0), (6, 1))
REGION = np.array([[0] * 4 + [1] * 3 + [2] * 3] * 6, np.uint8)
NAMES = ("glass", "tissue", "vessel")


def classify(frame=None, **more):
    own = threshold.Settings(channel="red", smooth_um=0, **more)
    frame = frame or Frame.of({"red": RAMP, "blue": 9 - RAMP}, classes={"tissue": (REGION, NAMES)})
    return threshold.segment(frame, own)[0].tolist()


def test_what_is_above_a_given_threshold_is_a_class():
    assert classify(threshold=5.5) == [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]
    assert threshold.class_names(threshold.Settings(channel="red")) == ("background", "positive")


def test_within_a_region_there_is_a_class_above_and_one_below():
    assert classify(threshold=5.5, within="tissue") == [0, 0, 0, 0, 1, 1, 2, 2, 2, 2]
    only = {"within": "tissue", "within_classes": ["tissue"]}
    assert classify(threshold=5.5, **only) == [0, 0, 0, 0, 1, 1, 2, 0, 0, 0]
    own = threshold.Settings(channel="red", above="collagen", below="other", **only)
    assert threshold.class_names(own) == ("background", "other", "collagen")


def test_the_share_of_two_channels_is_compared():
    # red / (red + blue) is 0/9, 1/9, ... 9/9
    assert classify(threshold=0.5, against="blue") == [0] * 5 + [1] * 5
    nothing = Frame.of({"red": np.array([[-1.0, 0, 2]]), "blue": np.array([[0.0, -3, -1]])})
    assert classify(nothing, threshold=0.5, against="blue") == [0, 0, 1]


def test_the_threshold_is_found_within_the_region():
    image = np.concatenate([np.full((20, 30), 1000.0), np.tile([10.0, 30.0], (20, 15))], axis=1)
    region = np.repeat(np.array([[0, 1]], np.uint8), 30, axis=1).repeat(20, axis=0)
    frame = Frame.of({"red": image}, classes={"tissue": (region, NAMES[:2])})
    assert threshold.survey(frame, threshold.Settings(channel="red", smooth_um=0)) > 30
    inside = threshold.Settings(channel="red", smooth_um=0, within="tissue")
    assert 10 <= threshold.survey(frame, inside) < 30


@pytest.mark.parametrize("how", ["otsu", "li", "triangle"])
def test_nothing_is_above_where_there_is_nothing_to_tell_apart(how):
    notes = []
    frame = Frame.of({"red": np.full((5, 5), 7.0)}, note=notes.append)
    assert classify(frame, threshold=how) == [0] * 5
    assert notes == ["no threshold of red: the sample shows nothing to tell apart"]
    empty = Frame.of({"red": RAMP}, classes={"tissue": (0 * REGION, NAMES)})
    assert classify(empty, threshold=how, within="tissue") == [0] * 10


def test_classes_are_the_same_block_by_block():
    image = ndimage.gaussian_filter(rng(0).normal(size=(SIZE, SIZE)), 3)
    regions = {"tissue": (HALF.astype(np.uint8), NAMES[:2])}
    frame = Frame.of({"red": image, "blue": image.T.copy()}, um_per_px=0.7, classes=regions)
    for more in ({}, {"within": "tissue"}, {"against": "blue", "threshold": "li"}):
        own = threshold.Settings(channel="red", smooth_um=2.0, **more)
        whole = threshold.segment(frame, own)
        assert 0.05 < (whole == whole.max()).mean() < 0.95
        np.testing.assert_array_equal(by_blocks(threshold, frame, own), whole)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"within_classes": ["tissue"]}, "within_classes: say within which task"),
        ({"above": "background"}, "above: the classes are background, background"),
        ({"within": "t", "below": "a", "above": "a"}, "above: the classes are background, a, a"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(settings, complaint):
    with pytest.raises(ConfigError, match=complaint):
        threshold.check(threshold.Settings(channel="red", **settings), {})


def test_an_unknown_class_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="has no class 'tisue'; did you mean 'tissue'"):
        classify(threshold=1.0, within="tissue", within_classes=["tisue"])


def test_a_class_has_a_name_that_can_be_a_column():
    mapping = {"name": "threshold", "channel": "red", "above": "a b"}
    with pytest.raises(ConfigError, match="above: 'a b' is not of the form"):
        load_method("segment", mapping, "segment.x.method")
    assert find_method("segment", "tissue") is tissue


def test_li_ends_where_float32_circles():
    values = np.concatenate([rng(0).normal(100, 5, 9000), rng(1).normal(180, 30, 3000)])
    found = [find_threshold(values.astype(dtype), "li") for dtype in (np.float32, np.float64)]
    assert 110 < found[0] < 150 and found[0] == pytest.approx(found[1], abs=0.05)
    assert find_threshold(np.array([]), "li") == float("inf")
