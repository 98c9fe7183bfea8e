"""Pictures: colours add up, and an outline lies on the object that it outlines."""

import numpy as np
import pytest
from PIL import Image

from scopemill import pictures


def test_a_colour_is_three_numbers():
    np.testing.assert_allclose(pictures.to_rgb("#ff8000"), [1, 128 / 255, 0])


def test_channels_add_up_in_their_colours():
    red, green = np.array([[0, 50, 100, 200]]), np.array([[0, 0, 10, 5]])
    picture = pictures.composite([red, green], ["#ff0000", "#00ff00"], [(0, 100), (0, 10)])
    np.testing.assert_allclose(picture[0], [[0, 0, 0], [0.5, 0, 0], [1, 1, 0], [1, 0.5, 0]])


def test_equal_colours_do_not_pass_white():
    picture = pictures.composite([np.ones((1, 1))] * 2, ["#ffffff"] * 2, [(0, 1)] * 2)
    assert picture.tolist() == [[[1, 1, 1]]]


def test_what_is_below_the_limits_is_black():
    picture = pictures.composite([np.array([[5, 10]], np.uint8)], ["#ffffff"], [(10, 20)])
    assert not picture.any()


def test_limits_are_percentiles_and_never_equal():
    assert pictures.contrast_limits(np.arange(101), (10, 90)) == (10, 90)
    assert pictures.contrast_limits(np.full((3, 3), 7), (10, 90)) == (7, 8)


def test_an_enlarged_object_is_outlined_where_it_lies():
    labels = np.zeros((6, 7), np.uint32)
    labels[2:4, 3:5] = 1  # 2 x 2
    enlarged = pictures.fit(labels, 3)
    picture = np.zeros((18, 21, 3), np.float32)
    pictures.draw_outlines(picture, enlarged, {1: "#ff0000"}, "#ffffff")
    expected = np.zeros((18, 21), bool)
    expected[6:12, 9:15] = True  # 6 x 6 ...
    expected[7:11, 10:14] = False  # ... without the inside
    np.testing.assert_array_equal(picture[..., 0] == 1, expected)
    assert not picture[..., 1:].any()


def test_objects_without_a_colour_have_the_plain_one():
    labels = np.array([[1, 0, 2, 0, 3]])
    picture = np.zeros((1, 5, 3), np.float32)
    pictures.draw_outlines(picture, labels, {2: "#00ff00"}, "#0000ff")
    assert picture[0].tolist() == [[0, 0, 1], [0, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_an_object_that_the_reduction_lost_is_not_outlined():
    labels = np.zeros((8, 8), np.uint32)
    labels[0:4, 0:4] = 1
    labels[7, 7] = 2
    reduced = pictures.fit(labels, 0.25)
    assert reduced.max() == 1
    picture = np.zeros((2, 2, 3), np.float32)
    pictures.draw_outlines(picture, reduced, {1: "#ff0000", 2: "#00ff00"}, "#ffffff")
    assert picture[0, 0].tolist() == [1, 0, 0] and not picture[..., 1].any()


def test_a_number_of_millions_needs_no_table_of_millions():
    labels = np.array([[0, 4294967295]], np.uint32)
    picture = np.zeros((1, 2, 3), np.float32)
    pictures.draw_outlines(picture, labels, {4294967295: "#ff0000"}, "#ffffff")
    assert picture[0].tolist() == [[0, 0, 0], [1, 0, 0]]


def test_reducing_keeps_every_object_that_is_alone_in_its_pixel():
    labels = np.zeros((9, 8), np.uint32)
    labels[0, 3], labels[8, 7], labels[5, 1], labels[4, 0] = 5, 2, 1, 9
    assert pictures.fit_objects(labels, 0.5).tolist() == [[0, 5, 0, 0], [0, 0, 0, 0], [9, 0, 0, 0], [0, 0, 0, 2]]  # fmt: skip


def test_a_tint_lets_the_picture_through():
    picture = np.full((1, 3, 3), 0.5, np.float32)
    pictures.tint(picture, np.array([[0, 1, 2]]), {1: "#ff0000"}, opacity=0.5)
    assert picture[0].tolist() == [[0.5, 0.5, 0.5], [0.75, 0.25, 0.25], [0.5, 0.5, 0.5]]


def test_dots_are_single_pixels_and_stay_in_the_picture():
    picture = Image.new("RGB", (4, 3))
    pictures.draw_dots(picture, np.array([[1.2, 2.4], [9.0, -3.0]]), "#ff0000")
    assert np.argwhere(np.asarray(picture)[..., 0] == 255).tolist() == [[1, 2], [2, 0]]


def test_a_box_has_its_border_on_its_corners_and_a_tag():
    picture = Image.new("RGB", (60, 50))
    pictures.draw_box(picture, (5, 10, 44, 55), "1", "#ff0000")
    red = np.argwhere((np.asarray(picture) == [255, 0, 0]).all(-1))
    assert red.min(0).tolist() == [5, 10] and red.max(0).tolist() == [44, 55]
    assert (np.asarray(picture) == 255).all(-1).any()


def test_an_image_without_objects_has_no_outlines():
    picture = np.zeros((2, 2, 3), np.float32)
    pictures.draw_outlines(picture, np.zeros((2, 2), np.uint32), {}, "#ffffff")
    assert not picture.any()


@pytest.mark.parametrize(
    ("shape", "zoom"),
    [((100, 50), 4), ((399, 10), 1), ((150, 100), 2), ((400, 400), 1), ((900, 900), 1), ((1800, 90), 0.5)],
)  # fmt: skip
def test_small_images_are_enlarged_by_whole_numbers_and_large_ones_reduced(shape, zoom):
    assert pictures.choose_zoom(shape, 400, 900) == zoom


@pytest.mark.parametrize("zoom", [1, 2, 3, 5])
def test_enlarging_repeats_pixels(zoom):
    array = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(pictures.fit(array, zoom), np.kron(array, np.ones((zoom, zoom), int)))  # fmt: skip
    np.testing.assert_array_equal(pictures.shrink(array, zoom), pictures.fit(array, zoom))


def test_reducing_takes_pixels_of_labels_and_means_of_images():
    array = np.zeros((8, 8))
    array[:4] = 100
    assert set(np.unique(pictures.fit(array, 0.25))) == {0, 100}
    means = pictures.shrink(np.tile([0.0, 100.0], (8, 4)), 0.25)
    assert means.shape == (2, 2) and np.abs(means - 50).max() < 15


def test_a_fingerprint_is_read_from_a_picture(tmp_path):
    picture = Image.new("RGB", (4, 3), "#102030")
    pictures.write_png(tmp_path / "a.png", picture, "mark")
    assert pictures.read_fingerprint(tmp_path / "a.png") == "mark"
    picture.save(tmp_path / "b.png")
    assert pictures.read_fingerprint(tmp_path / "b.png") is None


def test_a_picture_that_was_cut_short_has_no_fingerprint(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    pictures.write_png(tmp_path / "a.png", Image.fromarray(noise), "mark")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:-2000])
    with pytest.raises(OSError, match="truncated"):
        pictures.read_fingerprint(tmp_path / "a.png")


def test_a_caption_goes_below_the_picture_in_its_colours():
    lines = [[("image-1", "#ffffff")], [("cells 12", "#ff0000"), ("T 3", "#00ff00")]]
    whole = np.asarray(pictures.write_caption(Image.new("RGB", (300, 20), "#0000ff"), lines))
    assert whole.shape == (20 + 2 * 21 + 8, 300, 3)
    assert (whole[:20] == [0, 0, 255]).all()
    red = np.argwhere((whole[41:] == [255, 0, 0]).all(-1))[:, 1]
    green = np.argwhere((whole[41:] == [0, 255, 0]).all(-1))[:, 1]
    assert len(red) and len(green) and red.max() < green.min()


def test_a_circle_lies_around_its_point():
    picture = Image.new("RGB", (21, 21))
    pictures.draw_circles(picture, np.array([[10.0, 6.0]]), ["#ff0000"], 3)
    drawn = np.argwhere(np.asarray(picture)[..., 0] == 255)
    assert drawn.mean(0).tolist() == [10, 6]
    assert np.abs(np.hypot(*(drawn - [10, 6]).T) - 3).max() < 0.7
