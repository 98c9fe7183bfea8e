"""Segment: pictures of which anyone can say how many objects there are."""

import numpy as np
import pytest
from scipy import ndimage

from scopemill import instances
from scopemill.frames import Frame
from scopemill.segment import stage
from scopemill.segment.methods import grow, otsu
from scopemill.settings import ConfigError


def scene(*boxes, shape=(40, 60), background=100, level=1000):
    """Boxes (y0, x0, y1, x1) of one level."""
    image = np.full(shape, background, np.uint16)
    for y0, x0, y1, x1 in boxes:
        image[y0:y1, x0:x1] = level
    return image


def discs(*centres, radius, shape=(50, 80)):
    """Bright discs."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    inside = [(rows - y) ** 2 + (columns - x) ** 2 <= radius**2 for y, x in centres]
    return np.where(np.any(inside, axis=0), 1000, 100).astype(np.uint16)


def find(image, um_per_px=1.0, z_step_um=1.0, **more):
    frame = Frame.of({"DNA": image}, um_per_px=um_per_px, z_step_um=z_step_um)
    labels = otsu.segment(frame, otsu.Settings(channel="DNA", **{"smooth_um": 0.0, **more}))
    assert labels.dtype == np.uint32 and labels.shape == image.shape
    return labels


def sizes(labels):
    """Pixels of each object, in order of size."""
    return sorted(np.unique(labels[labels > 0], return_counts=True)[1].tolist())


TWO = scene((5, 5, 15, 15), (20, 30, 35, 50))


@pytest.mark.parametrize("threshold", ["otsu", "li", "triangle"])
def test_two_squares_are_two_objects_pixel_by_pixel(threshold):
    labels = find(TWO, threshold=threshold)
    assert sizes(labels) == [100, 300]
    np.testing.assert_array_equal(labels > 0, TWO == 1000)


def test_noise_does_not_matter_after_smoothing():
    noisy = TWO + np.random.default_rng(0).normal(0, 60, TWO.shape)
    assert len(sizes(find(noisy, smooth_um=1.0))) == 2


def test_touching_discs_are_split_in_equal_halves():
    image = discs((25, 25), (25, 45), radius=12)
    labels = find(image, split_um=10)
    halves = sizes(labels)
    assert len(halves) == 2 and halves[0] > 0.9 * halves[1]
    assert labels[25, 25] != labels[25, 45]


def test_touching_discs_are_one_object_when_nothing_is_split():
    assert len(sizes(find(discs((25, 25), (25, 45), radius=12), split_um=0))) == 1


def test_discs_nearer_than_the_split_distance_stay_together():
    image = discs((25, 30), (25, 42), radius=12)
    assert len(sizes(find(image, split_um=30))) == 1


def test_the_split_distance_is_in_micrometres():
    image = discs((25, 25), (25, 45), radius=12)
    assert len(sizes(find(image, um_per_px=0.1, split_um=1.0))) == 2
    assert len(sizes(find(image, um_per_px=0.1, split_um=5.0))) == 1


def test_a_dark_object_is_found_when_asked_for():
    dark = scene((5, 5, 15, 15), background=1000, level=100)
    labels = find(dark, dark_objects=True)
    np.testing.assert_array_equal(labels > 0, dark == 100)


def test_a_dark_object_is_background_when_not_asked_for():
    dark = scene((5, 5, 15, 15), background=1000, level=100)
    dark[0, 0] = 100
    assert not find(dark)[0, 0] and find(dark, split_um=0)[30, 50]


@pytest.mark.parametrize("level", [0, 7, 65535])
def test_a_constant_image_has_no_objects(level):
    assert not find(np.full((20, 20), level, np.uint16)).any()


def test_holes_are_filled():
    image = scene((5, 5, 25, 25))
    image[12:15, 12:15] = 100
    assert sizes(find(image, split_um=0)) == [400]


def test_a_slope_of_the_background_can_be_taken_away():
    slope = np.linspace(0, 3000, 60)[None] + scene((10, 5, 20, 15), (10, 45, 20, 55), level=900)
    with_slope = find(slope, background_um=15.0)
    assert with_slope[15, 10] and with_slope[15, 50]
    assert not find(slope)[15, 10]


def test_a_lower_factor_takes_dimmer_objects():
    image = scene((5, 5, 15, 15))
    image[25:30, 40:50] = 350
    assert not find(image)[27, 45]
    assert find(image, threshold_factor=0.3)[27, 45]


def balls(*centres, radii, shape):
    grid = np.indices(shape).T
    inside = [(((grid - centre) / radii) ** 2).sum(-1).T <= 1 for centre in centres]
    return np.where(np.any(inside, axis=0), 1000, 100).astype(np.uint16)


def test_touching_balls_of_a_stack_of_thick_planes_are_split():
    # planes 3 um apart, pixels 1 um: balls of radius 9 um are 3 planes high
    image = balls((6, 20, 16), (6, 20, 32), radii=(3, 9, 9), shape=(13, 40, 48))
    labels = find(image, z_step_um=3.0, split_um=8)
    assert len(sizes(labels)) == 2
    assert labels[6, 20, 16] != labels[6, 20, 32]


def test_thick_planes_do_not_hide_a_neck():
    # two blocks of 20 x 20 pixels, joined by a bar 8 pixels wide, all 3 planes of 15 um high
    image = np.full((5, 30, 70), 100, np.uint16)
    image[1:4, 5:25, 5:25] = image[1:4, 5:25, 45:65] = image[1:4, 11:19, 25:45] = 1000
    labels = find(image, z_step_um=15.0, split_um=25)
    assert len(sizes(labels)) == 2
    assert labels[2, 15, 15] != labels[2, 15, 55]


def test_balls_above_each_other_are_two_objects():
    image = balls((3, 10, 10), (10, 10, 10), radii=(2, 5, 5), shape=(14, 20, 20))
    assert len(sizes(find(image, z_step_um=3.0))) == 2


@pytest.mark.parametrize(("z_step_um", "n"), [(3.0, 2), (1.0, 1)])
def test_distances_along_z_are_micrometres_not_planes(z_step_um, n):
    # centres 6 planes apart: 18 um where planes are 3 um apart, 6 um where they are 1 um
    image = balls((4, 12, 12), (10, 12, 12), radii=(3.2, 9, 9), shape=(15, 25, 25))
    assert len(sizes(find(image, z_step_um=z_step_um, split_um=16))) == n


def test_peaks_are_apart_by_a_distance_of_each_axis():
    height = np.zeros((1, 9))
    height[0, [1, 4, 7]] = [3.0, 2.0, 3.0]
    inside = np.ones((1, 9), int)
    assert np.flatnonzero(instances.find_peaks(height, inside, (9, 2))).tolist() == [1, 4, 7]
    assert np.flatnonzero(instances.find_peaks(height, inside, (1, 3))).tolist() == [1, 7]


def test_of_equal_peaks_within_the_distance_one_is_taken():
    height = np.zeros((1, 9))
    height[0, [2, 5]] = 1.0
    seeds = instances.find_peaks(height, np.ones((1, 9), int), (1, 4))
    assert seeds.max() == 1 and np.count_nonzero(seeds) == 1


def cells(seeds, channel=None, um_per_px=1.0, **more):
    frame = Frame.of({"membrane": channel if channel is not None else seeds}, {"nuclei": seeds}, um_per_px)  # fmt: skip
    name = None if channel is None else "membrane"
    return grow.segment(
        frame, grow.Settings(seeds="nuclei", channel=name, **{"smooth_um": 0.0, **more})
    )


def line(**pixels):
    """A picture of one row, 30 pixels wide, with seeds `s<number>=(first, last)`."""
    seeds = np.zeros((1, 30), np.uint32)
    for name, (first, last) in pixels.items():
        seeds[0, first : last + 1] = int(name[1:])
    return seeds


def test_cells_have_the_numbers_of_their_seeds():
    found = cells(line(s7=(4, 6), s70000=(20, 21)), max_distance_um=2)
    assert set(np.unique(found)) == {0, 7, 70000} and found.dtype == np.uint32


@pytest.mark.parametrize(("um_per_px", "reach"), [(1.0, 3), (0.5, 6)])
def test_cells_end_at_the_distance_that_is_set(um_per_px, reach):
    found = cells(line(s3=(14, 15)), um_per_px=um_per_px, max_distance_um=3)
    assert np.flatnonzero(found[0]).tolist() == list(range(14 - reach, 15 + reach + 1))


def test_cells_that_compete_meet_half_way():
    found = cells(line(s1=(5, 5), s2=(15, 15)), max_distance_um=20)[0]
    assert found[:10].tolist() == [1] * 10 and found[11:].tolist() == [2] * 19


def test_cells_end_where_their_channel_does():
    seeds = line(s1=(10, 11))
    channel = np.full((1, 30), 10, np.uint16)
    channel[0, 8:16] = 500
    assert np.flatnonzero(cells(seeds, channel)[0]).tolist() == list(range(8, 16))


def test_a_seed_outside_the_cells_channel_is_a_cell_itself():
    seeds = line(s1=(10, 11), s2=(25, 26))
    channel = np.full((1, 30), 10, np.uint16)
    channel[0, 8:16] = 500
    found = cells(seeds, channel)[0]
    assert np.flatnonzero(found == 2).tolist() == [25, 26]


def test_no_seeds_no_cells():
    assert not cells(line(), np.arange(30, dtype=np.uint16)[None]).any()


MEMBRANES = np.full((1, 30), 5, np.uint16)
MEMBRANES[0, [6, 11, 17]] = 90, 60, 90


def test_cells_end_on_their_membranes():
    seeds = line(s3=(8, 8), s7=(14, 14))
    found = cells(seeds, MEMBRANES, membrane=True, max_distance_um=5)[0]
    # the ridges (pixels 6, 11 and 17) part what is within; beyond the outer ones nothing is a cell
    assert set(found[7:11]) == {3} and set(found[12:17]) == {7}
    assert not found[:6].any() and not found[18:].any()


def test_without_a_membrane_cells_end_at_the_distance():
    seeds = line(s3=(4, 4))
    found = cells(seeds, np.full((1, 30), 7, np.uint16), membrane=True, max_distance_um=3)[0]
    assert found[4] == 3 and not found[[0, 8, 20]].any()


def test_membranes_in_space_are_found_in_planes_that_are_far_apart():
    # a box whose lid lies 2 planes (6 um) above its seed; in the plane its walls are 4 pixels (4 um) away
    membrane = np.full((7, 11, 11), 5, np.uint16)
    membrane[1:6, 1:10, 1:10] = 90
    membrane[2:5, 2:9, 2:9] = 5
    seeds = np.zeros_like(membrane, np.uint32)
    seeds[3, 5, 5] = 4
    frame = Frame.of({"m": membrane}, {"nuclei": seeds}, 1.0, z_step_um=3.0)
    own = grow.Settings(
        seeds="nuclei", channel="m", membrane=True, smooth_um=0.0, max_distance_um=7
    )
    found = grow.segment(frame, own)
    assert (found[2:5, 2:9, 2:9] == 4).all()
    assert not found[[0, 6]].any() and not found[:, 0].any()


def test_membranes_need_a_channel():
    with pytest.raises(ConfigError, match="membrane: say which channel"):
        grow.check(grow.Settings(seeds="nuclei", membrane=True), ["m"])


def test_cells_grow_in_space():
    seeds = np.zeros((5, 9, 9), np.uint32)
    seeds[2, 4, 4] = 6
    frame = Frame.of({"a": seeds}, {"nuclei": seeds}, 1.0, z_step_um=2.0)
    found = grow.segment(frame, grow.Settings(seeds="nuclei", max_distance_um=2))
    expected = ndimage.distance_transform_edt(seeds == 0, sampling=(2, 1, 1)) <= 2
    np.testing.assert_array_equal(found, expected * 6)


def keep(labels, spacing, **more):
    found = stage.drop_by_size(labels, spacing, stage.Settings(method={"name": "otsu"}, **more))
    return set(np.unique(found).tolist()) - {0}


@pytest.fixture
def three():
    """Discs of diameter 4, 10 and 20, numbered 2, 5 and 9."""
    labels = np.zeros((40, 80), np.uint32)
    for number, x, diameter in ((2, 10, 4), (5, 30, 10), (9, 60, 20)):
        rows, columns = np.ogrid[:40, :80]
        labels[(rows - 20) ** 2 + (columns - x) ** 2 <= (diameter / 2) ** 2] = number
    return labels


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        ({}, {2, 5, 9}),
        ({"min_size_um": 7}, {5, 9}),
        ({"max_size_um": 14}, {2, 5}),
        ({"min_size_um": 7, "max_size_um": 14}, {5}),
        ({"min_size_um": 30}, set()),
    ],
)
def test_objects_outside_the_limits_are_dropped_and_the_others_keep_their_numbers(three, limits, left):  # fmt: skip
    assert keep(three, (1.0, 1.0), **limits) == left
    halved = {name: value / 2 for name, value in limits.items()}
    assert keep(three, (0.5, 0.5), **halved) == left


def test_the_size_of_a_body_is_that_of_its_ball():
    labels = np.zeros((10, 20, 40), np.uint32)  # voxels of 2 um x 1 um x 1 um
    for number, x, radius_um in ((1, 10, 5), (2, 30, 2)):
        offsets_um = (np.indices(labels.shape).T - (5, 10, x)) * (2, 1, 1)
        labels[(offsets_um**2).sum(-1).T <= radius_um**2] = number
    assert keep(labels, (2.0, 1.0, 1.0), min_size_um=9) == {1}
    assert keep(labels, (2.0, 1.0, 1.0), min_size_um=11) == set()
    assert keep(labels, (2.0, 1.0, 1.0), max_size_um=7) == {2}


def test_nothing_dropped_from_nothing():
    assert keep(np.zeros((3, 3), np.uint32), (1.0, 1.0), min_size_um=1) == set()


def test_a_segmented_frame_is_cleaned_by_the_stage():
    from scopemill.settings import load_stage

    mapping = {"method": {"name": "otsu", "channel": "DNA", "smooth_um": 0.0, "split_um": 0.0}, "min_size_um": 15}  # fmt: skip
    own, method = load_stage("segment", mapping, "segment.nuclei")
    assert sizes(stage.segment(Frame.of({"DNA": TWO}), own, method)) == [300]


@pytest.mark.parametrize("shape", [(20, 20), (4, 20, 20)])
def test_otsu_finds_nothing_in_an_empty_plane_or_stack(shape):
    frame = Frame.of({"a": np.full(shape, 7, np.uint16)})
    labels = otsu.segment(frame, otsu.Settings(channel="a"))
    assert labels.shape == shape and labels.dtype == np.uint32 and not labels.any()
