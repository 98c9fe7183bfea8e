"""Image artifacts: what is written is read back, here and by other programs."""

import numpy as np
import pytest
import tifffile

from scopemill import ometiff
from scopemill.errors import DataError, Skip
from scopemill.images import Image, Meta, project, read_labels, write_image, write_labels

CHANNELS = ("DNA", "CD3", "CD19")


def draw(shape, dtype="uint16", seed=0):
    """Random pixels TCZYX."""
    rng = np.random.default_rng(seed)
    if dtype == "float32":
        return rng.normal(0, 1e3, shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


def save(path, array, **more):
    """TCZYX -> artifact."""
    names = CHANNELS[: array.shape[1]]
    meta = Meta(**{"shape": array.shape, "channel_names": names, "pixel_size_um": 0.5, "z_step_um": 2.0, "fingerprint": "mark"} | more)  # fmt: skip
    colour = lambda t, c, z: np.moveaxis(array[t, :, z], 0, -1)  # noqa: E731
    write_image(path, meta, array.dtype, colour if meta.rgb else lambda t, c, z: array[t, c, z])
    return meta


@pytest.fixture
def path(tmp_path):
    return tmp_path / "i.ome.tif"


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32"])
@pytest.mark.parametrize("shape", [(2, 3, 4, 19, 31), (1, 1, 1, 1, 2), (3, 1, 1, 5, 300), (1, 2, 1, 257, 256), (1, 1, 5, 7, 7)])  # fmt: skip
def test_every_plane_comes_back_as_it_was(path, shape, dtype):
    array = draw(shape, dtype)
    meta = save(path, array)
    with Image(path) as image:
        assert image.meta == meta and image.dtype == np.dtype(dtype)
        for t in range(shape[0]):
            for c, name in enumerate(meta.channel_names):
                stack = image.stack(name, t)
                assert stack.dtype == array.dtype
                np.testing.assert_array_equal(stack, array[t, c])
        np.testing.assert_array_equal(image.plane(shape[0] - 1, 0, shape[2] - 1), array[-1, 0, -1])


@pytest.mark.parametrize("shape", [(1, 3, 1, 20, 30), (2, 3, 3, 13, 270)])
def test_colour_pictures_come_back_channel_by_channel(path, shape):
    array = draw(shape, "uint8")
    save(path, array, rgb=True)
    with Image(path) as image:
        assert image.meta.rgb
        for c, name in enumerate(CHANNELS):
            np.testing.assert_array_equal(image.stack(name, shape[0] - 1), array[-1, c])
    series = tifffile.TiffFile(path).series[0]
    assert series.axes.endswith("YXS") and series.keyframe.photometric.name == "RGB"


def test_other_programs_read_axes_names_and_sizes(path):
    array = draw((2, 3, 4, 20, 30))
    save(path, array)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_ome
        assert tiff.series[0].axes == "TCZYX"
        np.testing.assert_array_equal(tiff.series[0].asarray(), array)
        pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
    assert [channel["Name"] for channel in pixels["Channel"]] == list(CHANNELS)
    assert (pixels["PhysicalSizeX"], pixels["PhysicalSizeY"], pixels["PhysicalSizeZ"]) == (0.5, 0.5, 2)  # fmt: skip
    assert pixels["PhysicalSizeXUnit"] == pixels["PhysicalSizeZUnit"] == "µm"


def test_an_unknown_pixel_size_is_not_made_up(path):
    save(path, draw((1, 1, 1, 5, 5)), pixel_size_um=None, z_step_um=None)
    with Image(path) as image:
        assert image.meta.pixel_size_um is None
        assert image.spacing_um == (1, 1, 1)
    assert "PhysicalSize" not in tifffile.TiffFile(path).ome_metadata


def test_the_spacing_is_that_of_the_file(path):
    save(path, draw((1, 1, 2, 5, 5)))
    with Image(path) as image:
        assert image.spacing_um == (2.0, 0.5, 0.5) and image.um_per_px == 0.5


def test_names_may_hold_any_letter(path):
    names = ("β-DNÄ <&> \"x'", "]]>", "細胞 \U0001d6fc")
    save(path, draw((1, 3, 1, 6, 6)), channel_names=names)
    with Image(path) as image:
        assert image.meta.channel_names == names
        assert image.index("]]>") == 1
    pixels = tifffile.xml2dict(tifffile.TiffFile(path).ome_metadata)["OME"]["Image"]["Pixels"]
    assert tuple(channel["Name"] for channel in pixels["Channel"]) == names


def test_equal_images_are_equal_bytes(tmp_path):
    array = draw((1, 2, 2, 40, 50))
    for name in ("a", "b"):
        save(tmp_path / f"{name}.ome.tif", array)
    save(tmp_path / "c.ome.tif", array, fingerprint="other")
    a, b, c = ((tmp_path / f"{name}.ome.tif").read_bytes() for name in "abc")
    assert a == b != c


def test_a_foreign_file_is_no_artifact(path):
    tifffile.imwrite(path, np.zeros((5, 5), np.uint8), ome=True)
    with pytest.raises(ValueError, match="no image of Scopemill"):
        Image(path)


def test_an_absent_channel_is_passed_over(path):
    save(path, draw((1, 2, 1, 5, 5)))
    with Image(path) as image, pytest.raises(Skip, match=r"no channel 'CD19'.*'DNA', 'CD3'") as caught:  # fmt: skip
        image.read("CD19")
    assert caught.value.code == "NO_CHANNEL"


STACK = np.array([[[1, 8]], [[5, 2]], [[3, 3]]], np.uint8)


@pytest.mark.parametrize(
    ("z", "expected"),
    [("max", [[5, 8]]), ("mean", [[3, 13 / 3]]), ("middle", [[5, 2]]), ("stack", STACK)],
)
def test_planes_are_put_together_as_asked(z, expected):
    np.testing.assert_allclose(project(STACK, z), expected, rtol=1e-6)


@pytest.mark.parametrize("z", ["max", "mean", "middle", "stack"])
def test_one_plane_is_two_dimensional_whatever_is_asked(z):
    np.testing.assert_array_equal(project(STACK[:1], z), [[1, 8]])


def test_the_mean_of_bright_planes_does_not_overflow():
    np.testing.assert_array_equal(project(np.full((300, 1, 1), 255, np.uint8), "mean"), [[255]])


def test_labels_come_back_above_65535(path):
    labels = np.array([[[[0, 1], [70_000, 4_294_967_295]]]], np.int64)
    write_labels(path, labels, Meta((1, 3, 1, 2, 2), CHANNELS, 0.5, 2.0), "mark")
    found = read_labels(path)
    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found, labels)
    with Image(path) as image:
        assert (image.meta.pixel_size_um, image.meta.fingerprint) == (0.5, "mark")


def test_labels_of_times_and_planes_come_back(path):
    labels = draw((2, 3, 9, 11), "uint32")
    write_labels(path, labels, Meta((2, 1, 3, 9, 11), ("a",), None, None), "mark")
    np.testing.assert_array_equal(read_labels(path), labels)


def test_more_objects_than_labels_can_number_are_the_images_fault(path):
    labels = np.array([[[[0, 2**32]]]], np.int64)
    with pytest.raises(DataError, match="4294967296 objects") as caught:
        write_labels(path, labels, Meta((1, 1, 1, 1, 2), ("a",), None, None), "mark")
    assert caught.value.code == "TOO_MANY_OBJECTS"


@pytest.mark.parametrize(
    ("size", "levels"),
    [((2048, 2048), 0), ((2049, 10), 2), ((10, 4096), 2), ((5000, 3000), 3), ((1, 1), 0)],
)
def test_only_large_images_have_a_pyramid(size, levels):
    assert ometiff.count_levels(*size) == levels


def test_a_large_image_has_smaller_levels_that_are_block_means(path):
    array = draw((1, 2, 1, 301, 2051), "uint8")
    save(path, array)
    levels = tifffile.TiffFile(path).series[0].levels
    assert [level.shape[-2:] for level in levels] == [(301, 2051), (151, 1026), (76, 513)]
    second = levels[1].asarray().reshape(2, 151, 1026)
    block = array[0, 1, 0, 10:12, 20:22].astype(float)
    assert second[1, 5, 10] == round(block.mean())
    with Image(path) as image:
        np.testing.assert_array_equal(image.stack("CD3"), array[0, 1])


def test_labels_are_never_averaged(path):
    labels = np.zeros((1, 1, 40, 2060), np.uint32)
    labels[..., ::2] = 10  # means would be 5
    labels[..., 1::4] = 1000
    write_labels(path, labels, Meta((1, 1, 1, 40, 2060), ("a",), None, None), "mark")
    levels = tifffile.TiffFile(path).series[0].levels
    assert len(levels) == 3 and levels[1].shape[-2:] == (20, 1030)
    assert all(set(np.unique(level.asarray())) <= {0, 10, 1000} for level in levels)
    np.testing.assert_array_equal(read_labels(path), labels)


def test_block_means_are_exact_on_odd_sizes():
    plane = np.array([[1, 3, 10], [5, 7, 20], [2, 4, 9]], np.uint8)
    np.testing.assert_array_equal(ometiff.shrink_mean(plane, 2), [[4, 15], [3, 9]])


def test_block_means_of_floats_are_not_rounded():
    np.testing.assert_allclose(
        ometiff.shrink_mean(np.array([[0, 1, 2]], np.float32), 2), [[0.5, 2]]
    )


def test_block_means_of_colours_stay_apart():
    plane = np.zeros((2, 2, 3), np.uint8)
    plane[..., 0] = [[0, 2], [4, 6]]
    plane[..., 2] = 8
    np.testing.assert_array_equal(ometiff.shrink_mean(plane, 2), [[[3, 0, 8]]])


def test_block_means_do_not_overflow():
    assert ometiff.shrink_mean(np.full((4, 4), 65535, np.uint16), 4).tolist() == [[65535]]
