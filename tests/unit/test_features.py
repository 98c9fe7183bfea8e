"""Features: areas, lengths and intensities of shapes that can be counted by hand."""

import numpy as np
import pytest
from skimage.measure import regionprops

from scopemill import features


def picture(text):
    """Digits typed by hand -> labels."""
    return np.array([[int(one) for one in line] for line in text.split()], np.uint32)


LABELS = picture("""
    000000000
    011100000
    011100020
    011100020
    000000000
""")
IMAGE = np.arange(45, dtype=np.uint16).reshape(5, 9)


@pytest.fixture
def table():
    return features.measure(LABELS, {"DNA": IMAGE}, (0.5, 0.5)).set_index("label")


def test_every_object_has_its_row(table):
    assert table.index.tolist() == [1, 2]


def test_a_square_has_the_area_that_is_drawn(table):
    assert table["area"].tolist() == [9, 2]
    assert table["area_um2"].tolist() == [2.25, 0.5]


def test_a_squares_outline_passes_the_middles_of_its_pixels(table):
    assert table.loc[1, "perimeter"] == pytest.approx(8)
    assert table.loc[1, "perimeter_um"] == pytest.approx(4)


def test_a_rectangles_axes_are_known():
    labels = np.zeros((30, 60), np.uint32)
    labels[5:15, 10:50] = 1
    row = features.measure(labels, {}, (0.25, 0.25)).iloc[0]
    assert (row["area"], row["perimeter"], row["extent"], row["solidity"]) == (400, 96, 1, 1)
    # an ellipse of equal moments: 4 sqrt(n^2 / 12), with a pixel's own moment in skimage
    assert row["axis_major_length"] == pytest.approx(4 * np.sqrt(40**2 / 12), rel=1e-3)
    assert row["axis_minor_length_um"] == pytest.approx(np.sqrt(10**2 / 12), rel=1e-2)
    assert row["equivalent_diameter_area_um"] == pytest.approx(np.sqrt(400 * 4 / np.pi) / 4)
    assert row["feret_diameter_max_um"] == pytest.approx(np.hypot(40, 10) / 4, rel=0.03)
    assert abs(row["orientation"]) == pytest.approx(np.pi / 2)


def test_intensities_are_those_of_the_objects_pixels(table):
    inside = IMAGE[1:4, 1:4].astype(float)
    row = table.loc[1]
    assert row["intensity_mean_DNA"] == inside.mean() == 20
    assert row["intensity_std_DNA"] == pytest.approx(inside.std())
    assert (row["intensity_min_DNA"], row["intensity_max_DNA"]) == (10, 30)
    assert row["intensity_median_DNA"] == 20
    assert row["intensity_sum_DNA"] == 180
    assert table.loc[2, "intensity_sum_DNA"] == 25 + 34


def test_channels_are_not_mixed_up():
    table = features.measure(LABELS, {"a": IMAGE, "b": IMAGE * 2, "c": IMAGE * 0}, (1.0, 1.0))
    assert table["intensity_mean_a"].tolist() == [20, 29.5]
    assert table["intensity_max_b"].tolist() == [60, 68]
    assert table["intensity_sum_c"].tolist() == [0, 0]


def test_without_a_pixel_size_there_are_no_micrometres():
    table = features.measure(LABELS, {"DNA": IMAGE}, (1.0, 1.0), with_um=False)
    assert "area" in table and not [name for name in table if "_um" in name]
    volume = features.measure(np.ones((2, 3, 3), np.uint32), {}, (1.0, 1.0, 1.0), with_um=False)
    assert volume["volume"].tolist() == [18]
    assert not [name for name in volume if "_um" in name]


def test_features_agree_with_regionprops_in_the_plane():
    rng = np.random.default_rng(0)
    labels = np.kron(rng.integers(0, 4, (6, 6)), np.ones((5, 5), int)).astype(np.uint32)
    image = rng.normal(100, 20, labels.shape).astype(np.float32)
    table = features.measure(labels, {"c": image}, (0.5, 0.5))
    for row, region in zip(table.to_dict("records"), regionprops(labels.astype(int), image), strict=True):  # fmt: skip
        assert row["label"] == region.label
        for name in features.SHAPE_2D:
            assert row[name] == pytest.approx(region[name]), name
        assert row["area_um2"] == pytest.approx(region.area / 4)
        for name in features.LENGTHS:
            assert row[f"{name}_um"] == pytest.approx(region[name] / 2), name
        assert row["intensity_mean_c"] == pytest.approx(region.intensity_mean, rel=1e-5)
        assert row["intensity_std_c"] == pytest.approx(region.intensity_std, rel=1e-4)


def test_features_agree_with_regionprops_in_a_stack_of_thick_planes():
    labels = np.zeros((6, 12, 14), np.uint32)
    labels[1:4, 2:8, 3:9] = 5
    labels[3:6, 9:11, 2:12] = 9
    image = np.random.default_rng(0).integers(0, 1000, labels.shape).astype(np.uint16)
    spacing = (2.0, 0.5, 0.5)
    table = features.measure(labels, {"c": image}, spacing)
    assert table["volume_um3"].tolist() == [3 * 6 * 6 * 0.5, 3 * 2 * 10 * 0.5]
    regions = regionprops(labels.astype(int), image, spacing=spacing)
    for row, region in zip(table.to_dict("records"), regions, strict=True):
        for name in ("axis_major_length", "axis_minor_length", "equivalent_diameter_area"):
            assert row[f"{name}_um"] == pytest.approx(region[name]), name
        assert row["intensity_sum_c"] == pytest.approx(image[labels == row["label"]].sum())


@pytest.mark.parametrize("shape", [(5, 5), (3, 5, 5)])
@pytest.mark.parametrize("n_channels", [0, 1, 2])
def test_an_empty_image_has_the_same_columns(shape, n_channels):
    spacing = (1.0,) * len(shape)
    channels = {f"c{i}": np.ones(shape) for i in range(n_channels)}
    empty = features.measure(np.zeros(shape, np.uint32), channels, spacing)
    full = features.measure(np.ones(shape, np.uint32), channels, spacing)
    assert len(empty) == 0 and list(empty) == list(full)


def test_means_within_parts_are_less_background():
    parts = picture("1122 0022")
    image = np.array([[1, 3, 5, 5], [9, 9, 7, 7]])
    found = features.mean_within(parts, image, np.array([2, 1]), background=1)
    assert found.tolist() == [5, 1]


def test_the_mean_within_an_absent_part_is_missing():
    found = features.mean_within(picture("1100"), np.ones((1, 4)), np.array([1, 2, 7]))
    np.testing.assert_array_equal(found, [1, np.nan, np.nan])


def test_a_ring_lies_around_its_object_behind_a_gap():
    labels = np.zeros((9, 9), np.uint32)
    labels[4, 4] = 3
    ring = features.ring_around(labels, 1.0, 1.0, (1.0, 1.0))
    assert ring[4].tolist() == [0, 0, 3, 0, 0, 0, 3, 0, 0]  # object, gap of 1, ring of 1
    assert ring[:, 4].tolist() == [0, 0, 3, 0, 0, 0, 3, 0, 0]


def test_a_rings_width_is_in_micrometres():
    labels = np.zeros((1, 11), np.uint32)
    labels[0, 5] = 1
    ring = features.ring_around(labels, 0.0, 1.0, (0.5, 0.5))
    assert ring[0].tolist() == [0, 0, 0, 1, 1, 0, 1, 1, 0, 0, 0]


def test_a_ring_does_not_reach_into_a_neighbour():
    labels = picture("000100200000")
    ring = features.ring_around(labels, 0.0, 5.0, (1.0, 1.0))
    assert not ring[labels > 0].any()
    assert ring[0].tolist() == [1, 1, 1, 0, 1, 2, 0, 2, 2, 2, 2, 2]


def test_a_ratio_needs_something_below():
    found = features.ratio(np.array([4.0, 1, 1, np.nan]), np.array([2.0, 0, -1, 1]))
    np.testing.assert_array_equal(found, [2, np.nan, np.nan, np.nan])
