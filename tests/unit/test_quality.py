"""Quality: a blurred, a clipped and a dead channel differ from a good one in the number that is theirs."""

import numpy as np
import pytest
from scipy import ndimage

from scopemill import images
from scopemill.quality import SMALL_PX, choose_windows, measure_channel, measure_quality


@pytest.fixture(scope="module")
def good():
    rng = np.random.default_rng(0)
    spots = ndimage.gaussian_filter((rng.random((200, 200)) < 0.01) * 4000.0, 1.5)
    cells = ndimage.gaussian_filter((rng.random((200, 200)) < 0.002) * 90000.0, 8)
    return spots + cells + 100


def camera(light, seed=1):
    return np.random.default_rng(seed).poisson(light).clip(0, 65535).astype(np.uint16)


def test_what_is_out_of_focus_has_lost_its_fine_detail(good):
    sharp, blurred = (measure_channel([camera(ndimage.gaussian_filter(good, s))]) for s in (0, 3))
    assert sharp["focus"] - blurred["focus"] > 0.5


def test_focus_does_not_depend_on_brightness(good):
    once = measure_channel([good])["focus"]
    assert measure_channel([7 * good + 1000])["focus"] == pytest.approx(once, abs=1e-4)


def test_shares_at_the_highest_value_are_counted():
    image = np.arange(100).reshape(10, 10)
    assert measure_channel([image])["saturated"] == 0.01
    assert measure_channel([np.minimum(image, 89)])["saturated"] == 0.11
    assert measure_channel([image, np.minimum(image, 89)])["saturated"] == 0.005


def test_contrast_is_the_brightest_less_the_median():
    image = np.full((100, 100), 10)
    image[0, :50] = 110
    assert measure_channel([image])["contrast"] == 100


def test_a_channel_of_one_value_has_no_focus():
    facts = measure_channel([np.full((30, 30), 7, np.uint16)])
    assert facts == {"focus": None, "saturated": None, "contrast": 0.0}


def write(path, array):
    meta = images.Meta(array.shape, ("A", "B"), 0.5, None)
    images.write_image(path, meta, array.dtype, images.reader_of(array))
    return path


def test_the_worst_time_point_counts(tmp_path, good):
    sharp = camera(good)
    blurred = camera(ndimage.gaussian_filter(good, 3))
    series = np.stack([sharp, sharp, blurred])[:, None, None]  # t, c, z, y, x
    facts = measure_quality(write(tmp_path / "i.ome.tif", np.concatenate([series, 0 * series], 1)))
    assert facts["focus"]["A"] == pytest.approx(measure_channel([blurred])["focus"])
    assert facts["focus"]["B"] is None and facts["contrast"]["B"] == 0


def test_of_a_stack_the_sharpest_planes_count(tmp_path, good):
    sharp = camera(good)
    stack = np.stack([sharp // 4, sharp, sharp // 4])[None, None].repeat(2, axis=1)
    facts = measure_quality(write(tmp_path / "i.ome.tif", stack))
    assert facts["focus"]["A"] == pytest.approx(measure_channel([sharp])["focus"])


def test_of_a_large_image_windows_are_read():
    assert choose_windows((1024, 1024)) == [(slice(0, 1024), slice(0, 1024))]
    windows = choose_windows((3000, 100_000))
    assert len(windows) == 16
    assert sum((y.stop - y.start) * (x.stop - x.start) for y, x in windows) == SMALL_PX
    assert windows[0] == (slice(0, 256), slice(0, 256))
    assert windows[-1] == (slice(2744, 3000), slice(99744, 100_000))
    assert len(choose_windows((100, 20_000))) == 4
