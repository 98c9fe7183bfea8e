"""Spots: what a network sees of grey values, heat maps and their maxima, and the training that needs them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scopemill.examples import Example
from scopemill.models.description import Normalisation
from scopemill.points import pack_points
from scopemill.settings import ConfigError
from scopemill.simulate.spots import Spots, draw_settings, join_near, simulate_spots
from scopemill.spots import (
    Peaks,
    draw_heat,
    find_peaks,
    keep_highest,
    locate,
    margin_px,
    standardise,
    to_probability,
)
from scopemill.train.crops import View
from scopemill.train.methods.spots import Settings, make_goal
from scopemill.train.settings import Augmentation, Crop
from scopemill.train.spot_crops import SpotCrops
from scopemill.train.tuning_spots import Found, calibrate, tune


def noisy(shape, level=100.0, width=5.0, seed=0):
    return np.random.default_rng(seed).normal(level, width, shape)


def test_noise_is_seen_alike_whatever_its_level_and_width():
    first = standardise(noisy((1, 80, 80)), 10)
    second = standardise(1000 + 20 * noisy((1, 80, 80)), 10)
    np.testing.assert_allclose(second, first, atol=1e-3)
    assert abs(first.mean()) < 0.05
    assert 0.35 < first.std() < 0.6  # about half a unit a noise


def test_a_spot_stands_out_alike_before_a_dim_and_a_bright_background():
    heights = []
    for level in (50.0, 500.0):
        image = noisy((1, 90, 90), level)
        image[0, 45, 45] = level + 100  # 20 noises
        heights.append(standardise(image, 10)[0, 45, 45])
    assert heights[0] == pytest.approx(np.arcsinh(20 / 2), rel=0.1)
    assert heights[1] == pytest.approx(heights[0], abs=0.02)


def test_a_constant_image_is_background():
    for image in (np.full((2, 30, 30), 7, np.uint16), np.full((2, 30, 30), 7.0)):
        assert np.abs(standardise(image, 10)).max() < 1e-3


def test_a_part_is_seen_as_in_the_whole_where_the_margin_is_known():
    image = noisy((2, 150, 150))
    margin = margin_px(10)
    assert margin == 22
    whole = standardise(image, 10)[:, 50:80, 60:90]
    part = standardise(image[:, 50 - 22 : 80 + 22, 60 - 22 : 90 + 22], 10)[:, 22:-22, 22:-22]
    np.testing.assert_allclose(part, whole, atol=1e-4)


def test_a_heat_map_has_its_height_at_the_point():
    heat = draw_heat(np.array([[1, 3, 4]]), (3, 7, 9), (0.8, 1.0, 1.0))
    assert heat[1, 3, 4] == 1 and heat[1, 3, 5] == pytest.approx(np.exp(-0.5))
    assert heat[0, 3, 4] == pytest.approx(np.exp(-0.5 / 0.64))


def test_a_point_beyond_the_border_is_seen_from_inside():
    heat = draw_heat(np.array([[0, -1, 4]]), (1, 7, 9), (0.8, 1.0, 1.0))
    assert heat[0, 0, 4] == pytest.approx(np.exp(-0.5)) and len(find_peaks(heat, 0.3)[0]) == 1


def test_no_points_no_heat():
    assert not draw_heat(np.empty((0, 3)), (1, 4, 4), (1, 1, 1)).any()


@given(st.tuples(*(st.floats(-0.49, 0.49) for _ in range(3))))
def test_a_point_is_found_to_a_part_of_a_voxel(shift):
    point = np.array([[3, 8, 9]]) + shift
    heat = draw_heat(point, (7, 17, 19), (0.8, 1.0, 1.0))
    peaks, heights = find_peaks(heat, 0.1)
    assert len(peaks) == 1 and 0.5 < heights[0] <= 1
    np.testing.assert_allclose(locate(heat, peaks), point, atol=0.01)


def test_of_near_maxima_the_highest_stays():
    points = np.array([[0, 0, 0], [0, 0, 1], [0, 0, 2], [3, 0, 0]], float)
    kept = keep_highest(points, np.array([0.5, 0.9, 0.5, 0.4]), (1.2, 1.5, 1.5))
    assert kept.tolist() == [False, True, False, True]


def test_a_maximum_that_went_takes_none_with_it():
    points = np.array([[0, 0, 0], [0, 0, 1.2], [0, 0, 2.4]], float)
    kept = keep_highest(points, np.array([0.9, 0.8, 0.7]), (1.5, 1.5, 1.5))
    assert kept.tolist() == [True, False, True]


def test_equal_maxima_side_by_side_are_one():
    points = np.array([[0, 0, 0], [0, 0, 1]], float)
    assert keep_highest(points, np.array([0.9, 0.9]), (1.5, 1.5, 1.5)).tolist() == [True, False]


def test_simulated_spots_lie_where_the_light_is():
    settings = Spots(
        shape_zyx=(9, 64, 64), n_cells=0, free=6, pairs=0.0, snr=30, snr_spread=0.0, gradient=0.0
    )
    found = simulate_spots(settings, np.random.default_rng(3))
    assert found.image.shape == (9, 64, 64) and found.image.dtype == np.uint16
    assert len(found.points) >= 3
    at = np.rint(found.points).astype(int)
    assert (found.image[tuple(at.T)] > np.median(found.image) + 50).all()


@pytest.mark.parametrize("seed", range(8))
def test_all_ways_to_see_spots_can_be_drawn(seed):
    settings = draw_settings(np.random.default_rng(seed))
    found = simulate_spots(settings, np.random.default_rng(seed))
    again = simulate_spots(settings, np.random.default_rng(seed))
    assert np.array_equal(found.image, again.image) and found.image.max() > found.image.min()
    shape = np.array(found.image.shape)
    assert ((found.points >= -0.5) & (found.points <= shape - 0.5)).all()
    assert len(found.snr) == len(found.points)


def test_of_spots_over_each_other_the_brightest_is_seen():
    points = np.array([[0, 1, 1], [0, 1, 1.5], [0, 9, 9]], float)
    kept, snr = join_near(points, np.array([3.0, 5.0, 4.0]), 1.0)
    assert snr.tolist() == [5, 4] and kept[0].tolist() == [0, 1, 1.5]


def test_heights_become_probabilities_along_a_line_of_logits():
    heights = np.array([0.5, 0.9, 0.0])
    np.testing.assert_allclose(to_probability(heights, (1.0, 0.0)), [0.5, 0.9, 1e-4], rtol=1e-6)
    assert to_probability(heights, (2.0, 1.0))[0] == pytest.approx(1 / (1 + np.exp(-1)))


def found(points, heights, truth):
    one = Example("i", "validation", "i", (), (1, 1, 10, 90))
    return Found(one, np.array(truth, float), np.array(points, float), np.array(heights))


def test_the_threshold_with_the_highest_f1_is_kept():
    truth = [[0, 5, x] for x in (10, 30, 50)]
    points = [*truth, [0, 5, 70], [0, 5, 80]]
    assert tune([found(points, [0.9, 0.8, 0.62, 0.58, 0.5], truth)]) == 0.58


def test_of_heights_of_which_half_are_hits_the_probability_is_a_half():
    truth = [[0, 5, x] for x in (10, 30)]
    points = [*truth, [0, 5, 50], [0, 5, 70]]
    line = calibrate([found(points, [0.9, 0.3, 0.9, 0.3], truth)])
    np.testing.assert_allclose(to_probability(np.array([0.3, 0.9]), line), 0.5, atol=0.02)


def test_without_images_the_defaults_stay():
    assert tune([]) == Peaks().threshold and calibrate([]) == (1.0, 0.0)


class Shown:
    """A training set of one stack in memory."""

    def __init__(self, part="train", shape=(1, 3, 40, 50)):
        rng = np.random.default_rng(0)
        self.pixels = rng.normal(100, 5, shape)
        self.points = np.array([[1, 20.25, 25.5], [0, 3, 47]])
        for z, y, x in np.rint(self.points).astype(int):
            self.pixels[0, z, y, x] += 300
        self.truth = pack_points(self.points, shape[1:])
        self.all = [Example("i", part, "i", (), shape, 2)]
        self.meta = {"channels": ["a"], "planes": 8}
        self.scored_part = "validation"

    def of(self, part):
        return [i for i, one in enumerate(self.all) if one.part == part]

    def read(self, i, window=(slice(None), slice(None))):
        return self.pixels[(..., *window)], self.truth[(..., *window)]


def make_crops(planes=8, size=32, **augmentation):
    goal = make_goal(Settings(), {"channels": ["a"], "planes": planes})
    view = View(
        Crop(patch_size_px=size, planes=planes), Augmentation(**augmentation), Normalisation(), None, 3, 0
    )  # fmt: skip
    return SpotCrops(Shown(), view, goal)


def test_crops_are_filled_up_to_their_planes_and_the_same_each_time():
    crops = make_crops()
    x, y = crops.batch(5)
    assert x.shape == y.shape == (3, 1, 8, 32, 32)
    again, _ = crops.batch(5)
    assert np.array_equal(x, again)
    assert not x[:, :, 0].any() and not y[:, :, 7].any()  # of 8 planes 3 are of the stack


def test_heat_lies_where_a_crop_is_bright_however_it_is_turned():
    crops = make_crops(noise=0.0)
    seen = 0
    for step in range(6):
        for x, y in zip(*crops.batch(step), strict=True):
            if y.max() > 0.6:
                at = np.unravel_index(np.argmax(y), y.shape)
                near = x[(0, *(slice(max(0, v - 1), v + 2) for v in at[1:]))]
                assert near.max() > 2.5
                seen += 1
    assert seen > 5


def test_a_crop_larger_than_the_stack_is_filled_with_background():
    x, _ = make_crops(size=64).batch(0)
    assert x.shape == (3, 1, 8, 64, 64) and x.max() > 2.5


def test_spots_are_learnt_in_one_channel():
    with pytest.raises(ConfigError, match="one channel"):
        make_goal(Settings(), {"channels": ["a", "b"], "planes": 8})


def test_the_loss_is_0_where_the_map_is_right_and_spots_count_more():
    goal = make_goal(Settings(), {"channels": ["a"], "planes": 8})
    target = torch.zeros(1, 1, 2, 4, 4)
    target[0, 0, 0, 1, 1] = 1
    sure = 40 * (2 * target - 1)
    assert float(goal.loss(sure, target)) == pytest.approx(0, abs=1e-6)
    missed, false = sure.clone(), sure.clone()
    missed[0, 0, 0, 1, 1], false[0, 0, 1, 3, 3] = -3, 3
    assert float(goal.loss(missed, target)) == pytest.approx(21 * float(goal.loss(false, target)), rel=0.01)  # fmt: skip
    with pytest.raises(ConfigError, match="3-D"):
        goal.loss(sure[0], target[0])
