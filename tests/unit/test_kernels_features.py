"""Compiled features: every column as scikit-image has it, for objects of any shape, and for images that are out of the ordinary."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.segmentation import expand_labels

from scopemill import features, shapes
from scopemill.kernels import intensities, runs

WHOLE = ("label", "area_convex", "intensity_min", "intensity_max", "intensity_median")


def picture(text):
    """Digits typed by hand -> labels."""
    return np.array([[int(one) for one in line] for line in text.split()], np.uint32)


def assert_alike(labels, channels, spacing):
    """Both ways give the same columns of the same types, whole numbers equal and the others to 1e-9."""
    plain = features.measure_plainly(labels, channels, spacing)
    found = features.measure_compiled(labels, channels, spacing)
    assert list(found) == list(plain)
    for name, expected in plain.items():
        values = found[name]
        assert values.dtype == expected.dtype, name
        if name.startswith(WHOLE):
            np.testing.assert_array_equal(values, expected, name)
        elif name == "axis_minor_length":
            # the root of a difference: of a line, noise around zero
            major = plain["axis_major_length"]
            assert (np.abs(values**2 - expected**2) <= 1e-9 * major**2).all(), name
        elif name == "orientation":
            assert_same_directions(values, expected, plain["eccentricity"])
        else:
            np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-12, err_msg=name)


def assert_same_directions(values, expected, eccentricity):
    """Angles are equal up to half a turn; a round object has none."""
    away = np.abs(values - expected)
    away = np.minimum(away, np.pi - away)
    assert (away[eccentricity > 1e-3] <= 1e-6).all()
    assert (np.abs(values) <= np.pi / 2).all()


labels_2d = hnp.arrays(np.uint32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 3))  # fmt: skip
labels_3d = hnp.arrays(np.uint32, hnp.array_shapes(min_dims=3, max_dims=3, max_side=5), elements=st.integers(0, 3))  # fmt: skip


def make_channels(shape, seed):
    """Two channels, of whole numbers and of others."""
    rng = np.random.default_rng(seed)
    return {
        "DNA": rng.integers(0, 2**16, shape).astype(np.uint16),
        "RNA": rng.normal(0, 1e3, shape),
    }


@settings(max_examples=150, deadline=None)
@given(labels_2d, st.integers(0, 99))
def test_scattered_pixels_of_any_kind_have_the_same_features(labels, seed):
    assert_alike(labels, make_channels(labels.shape, seed), (1.0, 1.0))


@settings(max_examples=60, deadline=None)
@given(labels_2d, st.integers(1, 7), st.integers(1, 5), st.integers(0, 99))
def test_large_touching_objects_with_holes_have_the_same_features(labels, tall, wide, seed):
    labels = np.kron(labels, np.ones((tall, wide), np.uint32))
    hole = np.random.default_rng(seed).random(labels.shape) < 0.05
    labels[hole] = 0
    assert_alike(labels, make_channels(labels.shape, seed), (1.0, 1.0))


@settings(max_examples=60, deadline=None)
@given(labels_3d, st.integers(1, 4), st.integers(0, 99))
def test_objects_in_stacks_of_thick_planes_have_the_same_features(labels, times, seed):
    labels = np.kron(labels, np.ones((1, times, times), np.uint32))
    assert_alike(labels, make_channels(labels.shape, seed), (2.0, 0.5, 0.25))


@pytest.mark.parametrize("angle", np.linspace(0, np.pi, 9))
def test_ellipses_at_every_angle_have_the_same_features(angle):
    y, x = np.mgrid[:90, :120] - np.array([41.3, 58.1])[:, None, None]
    along, across = y * np.sin(angle) + x * np.cos(angle), y * np.cos(angle) - x * np.sin(angle)
    labels = ((along / 39) ** 2 + (across / 17) ** 2 < 1).astype(np.uint32) * 7
    assert_alike(labels, make_channels(labels.shape, 0), (1.0, 1.0))


def test_one_pixel_and_lines_have_the_features_of_scikit_image():
    labels = picture("""
        1000022220
        0300000000
        0030000040
        0003000400
        0000304000
    """)
    assert_alike(labels, {}, (1.0, 1.0))
    found = features.measure_compiled(labels, {}, (1.0, 1.0))
    assert found["area_convex"].tolist() == [1, 4, 4, 3]
    assert found["feret_diameter_max"][0] == 1
    assert found["axis_major_length"][0] == found["eccentricity"][0] == 0
    assert found["orientation"].tolist() == pytest.approx([-np.pi / 4, np.pi / 2, np.pi / 4, -np.pi / 4])  # fmt: skip


def test_a_hull_is_that_of_the_middles_of_the_pixels_sides():
    labels = picture("""
        1110
        1000
        1000
        0000
    """)
    found = features.measure_compiled(labels, {}, (1.0, 1.0))
    assert found["area_convex"].tolist() == [6]  # the corner at (2, 2) stays outside
    # from the lower side of the lowest pixel to the upper side of the rightmost
    assert found["feret_diameter_max"][0] == pytest.approx(np.hypot(3, 2))


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "uint16", "int16", "uint32", "int64", "float64", ">u2"]
)
def test_images_of_every_type_have_the_same_intensities(dtype):
    labels = picture("1122 1130 0333")
    image = np.array([[0, 1, 5, 90], [70, 3, 2, 8], [9, 9, 1, 100]]).astype(dtype)
    assert_alike(labels, {"c": image}, (1.0, 1.0))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_low_precision_is_summed_in_double(dtype):
    labels = np.ones((100, 100), np.uint32)
    image = np.full((100, 100), 0.1, dtype)
    found = features.measure_compiled(labels, {"c": image}, (1.0, 1.0))
    assert found["intensity_sum_c"][0] == pytest.approx(1e4 * float(dtype(0.1)), rel=1e-12)
    assert found["intensity_std_c"][0] == pytest.approx(0, abs=1e-9)
    noise = np.random.default_rng(0).random(labels.shape).astype(dtype)
    assert_alike(labels, {"c": noise.astype(float)}, (1.0, 1.0))
    low = features.measure_compiled(labels, {"c": noise}, (1.0, 1.0))
    high = features.measure_compiled(labels, {"c": noise.astype(float)}, (1.0, 1.0))
    assert [low[name][0] for name in low] == [high[name][0] for name in high]


def test_missing_and_infinite_values_stay_so_and_only_where_they_are():
    labels = picture("1112223334")
    image = np.array([[1, np.nan, 3, 1, 2, np.inf, -np.inf, 5, 6, 7]])
    with np.errstate(invalid="ignore"):
        assert_alike(labels, {"c": image}, (1.0, 1.0))
    found = features.measure_compiled(labels, {"c": image}, (1.0, 1.0))
    np.testing.assert_array_equal(found["intensity_median_c"], [np.nan, 2, 5, 7])
    np.testing.assert_array_equal(found["intensity_max_c"], [np.nan, np.inf, 6, 7])


def test_labels_far_apart_are_measured_without_a_table_of_all():
    labels = picture("1102 1100").astype(np.int64)
    labels[labels == 2] = 2**32 - 1
    found = features.measure(labels, {"c": labels / 2}, (1.0, 1.0))
    assert found["label"].tolist() == [1, 2**32 - 1]
    assert found["area"].tolist() == [4, 1]
    assert found["intensity_mean_c"].tolist() == [0.5, (2**32 - 1) / 2]


def test_views_and_read_only_arrays_are_measured_and_left_as_they_are():
    labels = np.asfortranarray(picture("0110 0110 2222"))
    image = np.broadcast_to(np.arange(4, dtype=np.uint16), (3, 4))
    assert_alike(labels, {"c": image}, (1.0, 1.0))
    assert_alike(labels[::-1, ::2], {"c": image[:, ::2]}, (1.0, 1.0))
    assert image.tolist() == [[0, 1, 2, 3]] * 3


@pytest.mark.parametrize(
    ("labels", "image"),
    [
        (np.zeros((3, 3, 3, 3), np.uint32), None),
        (np.zeros((0, 4), np.int64), None),
        (np.ones((3, 3)), None),
        (np.array([[1, -1]]), None),
        (np.array([[1, 2**32]]), None),
        (np.ones((3, 3), np.uint32), np.ones((3, 4))),
        (np.ones((3, 3), np.uint32), np.ones((3, 3), complex)),
    ],
)
def test_what_the_kernels_do_not_take_is_left_to_scikit_image(labels, image):
    assert not shapes.can_measure(labels, [image] if image is not None else [])


def test_a_channel_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="shapes must match"):
        features.measure(np.ones((3, 3), np.uint32), {"c": np.ones((3, 4))}, (1.0, 1.0))


def test_noise_has_more_runs_than_the_first_room(monkeypatch):
    monkeypatch.setattr(shapes, "ROOM", 7)
    labels = np.random.default_rng(0).integers(0, 5, (20, 33)).astype(np.uint32)
    assert_alike(labels, make_channels(labels.shape, 0), (1.0, 1.0))


def test_runs_end_with_the_row():
    found, owners, n = runs.find_runs(picture("0112 2200"), 9)
    assert n == 3
    assert found.tolist() == [[0, 1, 3], [0, 3, 4], [1, 0, 2]]
    assert owners.tolist() == [1, 2, 2]


@given(
    hnp.arrays(
        st.sampled_from([np.uint16, np.float64]),
        st.integers(1, 700),
        elements=st.integers(0, 40) | st.integers(0, 60000),
    )
)
@settings(max_examples=80, deadline=None)
def test_the_median_is_that_of_numpy(values):
    expected = np.median(values)
    room = np.empty_like(values), np.empty(len(values), np.uint8)
    assert intensities.find_median(values, values.min(), values.max(), *room) == expected


@pytest.mark.parametrize("n", [256, 257, 1000, 1001])
def test_the_median_of_many_values_is_found_in_one_bin(n):
    values = np.random.default_rng(n).normal(0, 1, n)
    part, bins = np.empty(n), np.empty(n, np.uint8)
    length, before, lower = intensities.narrow(values, n // 2, values.min(), values.max(), part, bins)  # fmt: skip
    ordered = np.sort(values)
    assert length < n / 10
    assert sorted(part[:length]) == ordered[before : before + length].tolist()
    assert before <= n // 2 < before + length
    assert before < n // 2 or lower == ordered[before - 1]


@given(labels_2d | labels_3d, st.sampled_from([bool, np.uint8, np.uint16, np.float32, np.float64]))
@settings(max_examples=60, deadline=None)
def test_means_within_parts_are_those_of_their_pixels(labels, dtype):
    image = np.random.default_rng(labels.size).normal(20, 9, labels.shape).clip(0).astype(dtype)
    found = features.mean_within(labels, image, np.array([3, 1, 2, 8]), background=2.0)
    for label, value in zip((3, 1, 2, 8), found, strict=True):
        own = image[labels == label].astype(float)
        assert value == pytest.approx(own.mean() - 2 if len(own) else np.nan, nan_ok=True)


def test_means_within_parts_of_a_line_are_found_without_the_kernels():
    parts, image = np.array([1, 1, 0, 2]), np.array([1.0, 2.0, 9.0, 7.0])
    assert features.mean_within(parts, image, np.array([2, 1]), 1.0).tolist() == [6, 0.5]


@given(labels_2d, st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.7, 1.5]))
@settings(max_examples=60, deadline=None)
def test_a_ring_is_what_one_expansion_has_more_than_the_other(labels, gap, width):
    spacing = (0.5, 0.7)
    inner = expand_labels(labels, gap, spacing=spacing)
    outer = expand_labels(labels, gap + width, spacing=spacing)
    ring = features.ring_around(labels, gap, width, spacing)
    np.testing.assert_array_equal(ring, np.where(inner == 0, outer, 0))
    assert ring.dtype == labels.dtype
