"""Augmentation: pixels and truth move alike, nothing moves when nothing is asked for, and the seed decides all."""

from dataclasses import replace

import numpy as np
import pytest

from scopemill.train.augment import blur, crowd, relight, warp
from scopemill.train.crops import PLAIN, place, weigh
from scopemill.train.settings import Augmentation


def checkerboard(size=48, square=8):
    """Pixels (1, 1, Y, X) that are 1 in labels 1, 0 elsewhere, and the labels (1, Y, X)."""
    y, x = np.indices((size, size)) // square
    labels = ((y + x) % 2).astype(np.int32)
    return labels[None, None].astype(np.float32), labels[None]


def rng(seed=0):
    return np.random.default_rng(seed)


def test_nothing_is_moved_when_nothing_is_asked_for():
    pixels = rng().normal(size=(2, 3, 32, 32)).astype(np.float32)
    truth = rng(1).integers(0, 5, (3, 32, 32))
    warped, ids = warp(pixels, truth, 32, 1.0, PLAIN, rng())
    np.testing.assert_allclose(warped, pixels, atol=1e-5)  # half a pixel would be a mean of two
    assert (ids == truth).all()


def test_a_smaller_crop_is_the_middle_of_the_window():
    pixels, truth = checkerboard(48, 5)
    warped, ids = warp(pixels, truth, 32, 1.0, PLAIN, rng())
    np.testing.assert_allclose(warped, pixels[..., 8:40, 8:40], atol=1e-5)
    assert (ids == truth[..., 8:40, 8:40]).all()


def test_twice_as_large_is_twice_as_large_about_the_middle():
    pixels, truth = checkerboard(32, 8)
    _, ids = warp(pixels, truth, 32, 2.0, PLAIN, rng())
    expected = truth[0, 8:24, 8:24].repeat(2, axis=0).repeat(2, axis=1)
    assert (ids[0] == expected).all()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("zoom", [0.7, 1.0, 1.6])
def test_pixels_and_truth_move_alike(seed, zoom):
    pixels, truth = checkerboard(96, 12)
    own = replace(PLAIN, rotate=True, flip=True, stretch=0.2)
    warped, ids = warp(pixels, truth, 48, zoom, own, rng(seed))
    # interpolated pixels round to the truth but at outlines, where both sides are as near
    differ = np.mean((warped[0] > 0.5) != (ids > 0))
    assert differ < 0.02
    inner = np.abs(warped[0] - 0.5) > 0.35
    assert inner.mean() > 0.5 and ((warped[0] > 0.5) == (ids > 0))[inner].all()


def test_beyond_the_window_it_is_mirrored():
    truth = np.array([[[1, 1, 2, 3]]] * 1).repeat(4, axis=1)
    pixels = truth[None].astype(np.float32)
    warped, ids = warp(pixels, truth, 8, 1.0, PLAIN, rng())
    assert ids[0, 4].tolist() == [1, 1, 1, 1, 2, 3, 3, 2]
    np.testing.assert_allclose(warped[0, 0, 4], ids[0, 4], atol=1e-5)


def test_the_light_of_a_crop_changes_only_where_it_is_asked_for():
    pixels, truth = checkerboard()
    assert (relight(pixels, truth, PLAIN, rng()) == pixels).all()


@pytest.mark.parametrize("name", ["intensity", "blur_px", "noise", "haze", "uneven"])
def test_each_change_of_light_changes_something_and_stays_finite(name):
    pixels, truth = checkerboard()
    own = replace(PLAIN, **{name: 1.0})
    changed = [relight(pixels, truth, own, rng(seed)) for seed in range(8)]
    assert all(np.isfinite(one).all() and one.shape == pixels.shape for one in changed)
    assert sum(np.abs(one - pixels).max() > 0.01 for one in changed) >= 2


def test_augmentation_is_a_function_of_the_seed():
    pixels, truth = checkerboard()

    def draw(seed):
        one, own = rng(seed), Augmentation()
        warped, ids = warp(pixels, truth, 32, 1.1, own, one)
        return relight(warped, ids, own, one)

    assert draw(3).tobytes() == draw(3).tobytes() != draw(4).tobytes()


def test_blur_keeps_the_light():
    import torch

    image = torch.zeros(1, 21, 21)
    image[0, 10, 10] = 1
    blurred = blur(image, 2.0)
    assert float(blurred.sum()) == pytest.approx(1, abs=1e-3)
    assert np.unravel_index(int(blurred.argmax()), (1, 21, 21)) == (0, 10, 10)


def test_objects_that_are_laid_over_others_hide_them_and_have_ids_of_their_own():
    pixels, truth = np.zeros((1, 1, 20, 20), np.float32), np.zeros((1, 20, 20), np.int32)
    truth[0, 4:16, 4:16] = 1
    other, ids = np.full((1, 1, 20, 20), 9, np.float32), np.zeros((1, 20, 20), np.int32)
    ids[0, 10:20, 10:20] = 1
    seen = set()
    for seed in range(8):  # not each object is taken each time
        laid, labels = crowd(pixels, truth, (other, ids), rng(seed))
        seen.add(int(labels.max()))
        if labels.max() == 2:
            assert (labels[ids > 0] == 2).all() and (labels[(truth > 0) & (ids == 0)] == 1).all()
            assert laid[0, 0, 17, 17] > 8 and laid[0, 0, 2, 2] == 0
        else:
            assert (labels == truth).all() and laid.max() == 0
    assert seen == {1, 2}


def test_a_place_is_of_the_size_that_is_wanted_and_inside():
    for seed in range(20):
        one = place(10, 4, rng(seed))
        assert one.stop - one.start == 4 and 0 <= one.start and one.stop <= 10
    assert place(3, 4, rng()) == slice(0, 3)


def test_images_are_drawn_by_their_objects_or_all_alike():
    class Stub:
        def __init__(self, n):
            self.n_objects = n

    images = [Stub(1), Stub(9), Stub(0)]
    assert weigh(images, 1.0).tolist() == pytest.approx([1 / 3] * 3)
    assert weigh(images, 0.0).tolist() == pytest.approx([1 / 11, 9 / 11, 1 / 11])
    assert weigh(images, 0.5).tolist() == pytest.approx([1 / 5, 3 / 5, 1 / 5])


@pytest.mark.parametrize(
    "size", [32, 33, 64]
)  # windows that are larger by an odd and an even number of pixels
def test_a_crop_that_nothing_changes_is_cut_out_not_resampled(size):
    from scopemill.examples import Example
    from scopemill.models.description import Normalisation
    from scopemill.patches import LEVELS
    from scopemill.train.crops import Crops, View
    from scopemill.train.settings import Crop

    pixels = np.arange(100 * 90, dtype=np.float32).reshape(1, 1, 100, 90)
    truth = pixels[0].astype(np.int32)

    class Set:
        all = (
            Example("i", "train", "g", ((0.0,) * len(LEVELS),), pixels.shape),
        )  # keeps grey values

        def of(self, part):
            return [0]

        def read(self, i, window):
            return pixels[(..., *window)], truth[(..., *window)]

    class Goal:
        loss = None

    view = View(Crop(patch_size_px=size), PLAIN, Normalisation(), None, 1, 0)
    cut, ids = Crops(Set(), view, Goal()).cut(0, PLAIN, rng())
    y, x = divmod(int(ids[0, 0, 0]), 90)
    assert (ids[0] == truth[0, y : y + size, x : x + size]).all()
    np.testing.assert_allclose(
        cut[0, 0], pixels[0, 0, y : y + size, x : x + size], rtol=1e-5, atol=0.02
    )
