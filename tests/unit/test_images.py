"""Image artifacts: what is written is read back, here and by other programs."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scopemill import ometiff, pyramid, tiff_tiles
from scopemill.errors import DataError, Skip
from scopemill.images import (
    Image,
    Meta,
    project,
    read_labels,
    reader_of,
    write_classes,
    write_image,
    write_labels,
)
from scopemill.stains import Stains, separate
from scopemill.tiff_tiles import TiledPages

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
    write_image(path, meta, array.dtype, reader_of(array, meta.rgb))
    return meta


@pytest.fixture
def path(tmp_path):
    return tmp_path / "i.ome.tif"


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32"])
@pytest.mark.parametrize("shape", [(2, 3, 4, 19, 31), (1, 1, 1, 1, 2), (3, 1, 1, 5, 300), (1, 2, 1, 257, 256), (1, 1, 5, 7, 7), (1, 2, 1, 17, 1)])  # fmt: skip
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
    write_labels(
        path, reader_of(labels), labels.shape, Meta((1, 3, 1, 2, 2), CHANNELS, 0.5, 2.0), "mark"
    )
    found = read_labels(path)
    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found, labels)
    with Image(path) as image:
        assert (image.meta.pixel_size_um, image.meta.fingerprint) == (0.5, "mark")


@pytest.mark.parametrize("size", [(70, 300), (3000, 530)], ids=["small", "with levels"])
@pytest.mark.parametrize("has_zlib_ng", [True, False])
def test_labels_are_deflated_differences_that_every_program_reads(
    path, monkeypatch, has_zlib_ng, size
):
    monkeypatch.setattr("imagecodecs.ZLIBNG.available", has_zlib_ng)
    labels = np.random.default_rng(0).integers(0, 2**32, (1, 1, *size), np.uint32)
    write_labels(
        path, reader_of(labels), labels.shape, Meta((1, 1, 1, *size), ("a",), None, None), ""
    )
    with tifffile.TiffFile(path) as file:
        for level, pages in enumerate(file.series[0].levels):
            assert pages.keyframe.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
            assert pages.keyframe.predictor == tifffile.PREDICTOR.HORIZONTAL
            step = 2**level
            np.testing.assert_array_equal(pages.asarray(), labels[0, 0, ::step, ::step])


def test_labels_of_times_and_planes_come_back(path):
    labels = draw((2, 3, 9, 11), "uint32")
    write_labels(
        path, reader_of(labels), labels.shape, Meta((2, 1, 3, 9, 11), ("a",), None, None), "mark"
    )
    np.testing.assert_array_equal(read_labels(path), labels)


def test_more_objects_than_labels_can_number_are_the_images_fault(path):
    labels = np.array([[[[0, 2**32]]]], np.int64)
    with pytest.raises(DataError, match="4294967296 objects") as caught:
        write_labels(
            path, reader_of(labels), labels.shape, Meta((1, 1, 1, 1, 2), ("a",), None, None), "mark"
        )
    assert caught.value.code == "TOO_MANY_OBJECTS"


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
    write_labels(
        path, reader_of(labels), labels.shape, Meta((1, 1, 1, 40, 2060), ("a",), None, None), "mark"
    )
    levels = tifffile.TiffFile(path).series[0].levels
    assert len(levels) == 3 and levels[1].shape[-2:] == (20, 1030)
    assert all(set(np.unique(level.asarray())) <= {0, 10, 1000} for level in levels)
    np.testing.assert_array_equal(read_labels(path), labels)


@pytest.fixture
def small_levels(monkeypatch):
    """Levels from 40 px on, in tiles of 32 and 16 px, so that small arrays have both."""
    monkeypatch.setattr(pyramid, "LARGE_PX", 40)
    monkeypatch.setattr(pyramid, "SMALLEST_LEVEL_PX", 20)
    monkeypatch.setattr(ometiff, "GRID_PX", 32)
    monkeypatch.setattr(ometiff, "TILE_PX", 16)


sizes = st.tuples(st.integers(1, 150), st.integers(1, 150))
ends = st.none() | st.integers(-160, 160)
windows = st.tuples(st.builds(slice, ends, ends), st.builds(slice, ends, ends))


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(size=sizes, data=st.data())
def test_windows_and_levels_are_those_of_the_array(small_levels, tmp_path, size, data):
    dtype = data.draw(st.sampled_from(["uint8", "uint16", "int16", "float32"]))
    rgb = data.draw(st.booleans())
    array = draw((2, 3 if rgb else 2, 2, *size), dtype)
    path = tmp_path / "w.ome.tif"
    save(path, array, rgb=rgb)
    t, c, z = (data.draw(st.integers(0, 1)) for _ in range(3))
    plane = array[t, c, z]
    with Image(path) as image:
        for level in range(image.n_levels):
            plane = pyramid.halve(plane, nearest=False) if level else plane
            assert image.level_size(level) == plane.shape
            y, x = data.draw(windows)
            window = image.window(c, t, z, y, x, level)
            assert window.dtype == array.dtype
            np.testing.assert_array_equal(window, plane[y, x])
        top = image.n_levels - 1
        assert (max(image.level_size(top)) <= 20) if max(size) > 40 else (top == 0)


@pytest.mark.parametrize("size", [(33, 40), (41, 97), (130, 7)])
def test_the_levels_of_labels_are_every_other_pixel(small_levels, path, size):
    labels = draw((1, 2, *size), "uint32")
    write_labels(
        path, reader_of(labels), labels.shape, Meta((1, 1, 2, *size), ("a",), None, None), ""
    )
    with Image(path) as image:
        for level in range(image.n_levels):
            expected = labels[0, 1, :: 2**level, :: 2**level]
            np.testing.assert_array_equal(image.window(0, z=1, level=level), expected)


@pytest.mark.parametrize("rgb", [False, True])
def test_each_tile_is_asked_for_once_plane_by_plane_row_by_row(small_levels, path, rgb):
    array, asked = draw((1, 3, 2, 50, 70), "uint8"), []

    def read(t, c, z, y, x):
        asked.append((c, z, y.start, y.stop, x.start, x.stop))
        return reader_of(array, rgb)(t, c, z, y, x)

    write_image(path, Meta(array.shape, CHANNELS, None, None, rgb), "uint8", read)
    rows, columns = ((0, 32), (32, 50)), ((0, 32), (32, 64), (64, 70))
    assert asked == [(c, z, *y, *x) for c in range(1 if rgb else 3) for z in range(2) for y in rows for x in columns]  # fmt: skip


def test_a_tile_of_another_size_is_a_mistake(path):
    with pytest.raises(ValueError, match=r"\(3, 3\) pixels came"):
        write_image(path, Meta((1, 1, 1, 3, 4), ("a",), None, None), "uint8", lambda *_: np.zeros((3, 3)))  # fmt: skip


def test_nothing_stays_beside_an_image_with_levels(small_levels, path):
    save(path, draw((1, 1, 1, 99, 99)))
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def measure_peak(function):
    """Largest memory in use by Python and NumPy, in MiB."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_image(tmp_path):
    tile = draw((1, 1, 1, 512, 512), "uint8")[0, 0, 0]
    peaks = []
    for n in (5, 40):
        meta = Meta((1, 1, 1, 2560, n * 512), ("a",), None, None)
        path = tmp_path / f"{n}.ome.tif"
        peaks.append(measure_peak(lambda: write_image(path, meta, "uint8", lambda *_: tile)))  # noqa: B023

        def look():
            with Image(path) as image:  # noqa: B023
                for x in range(0, n * 512, 1024):  # noqa: B023
                    image.window("a", x=slice(x, x + 1024))
                image.overview("a", max_px=256)

        peaks.append(measure_peak(look))
    # 50 MiB of pixels; the first image of 6 MiB does not even fill the buffers
    assert peaks[2] < 35 and peaks[3] < 45, peaks


def test_the_cache_of_tiles_is_bounded_and_spares_decoding(path, monkeypatch):
    array = draw((1, 1, 1, 256, 1024), "uint8")  # four tiles of 64 KiB
    save(path, array)
    monkeypatch.setattr(tiff_tiles, "CACHE_BYTES", 3 * 2**16)
    with Image(path) as image:
        page, pages = image._tiff.pages[0], image._pages
        decoded, decode = [], page.decode
        image._pages._page = lambda number, level: page
        page.decode = lambda data, index: decoded.append(index) or decode(data, index)
        for start in (0, 200, 300, 600, 900, 300, 0):
            window = image.window(0, x=slice(start, start + 100))
            np.testing.assert_array_equal(window, array[0, 0, 0, :, start : start + 100])
        assert decoded == [0, 1, 2, 3, 0] and pages._held <= 3 * 2**16


def test_several_threads_may_read_one_image(path):
    array = draw((1, 2, 1, 700, 900), "uint16")
    save(path, array)

    def look(seed):
        rng = np.random.default_rng(seed)
        for _ in range(30):
            c, y, x = rng.integers(0, (2, 600, 800)).tolist()
            found = image.window(c, y=slice(y, y + 90), x=slice(x, x + 90))
            np.testing.assert_array_equal(found, array[0, c, 0, y : y + 90, x : x + 90])

    with Image(path) as image, ThreadPoolExecutor(4) as pool:
        list(pool.map(look, range(8)))


@pytest.mark.parametrize("z", ["max", "mean", "middle", "stack"])
def test_windows_of_stacks_are_put_together_as_whole_planes_are(path, z):
    array = draw((1, 1, 4, 20, 30))
    save(path, array)
    with Image(path) as image:
        found = image.read("DNA", z=z, y=slice(3, 9), x=slice(25, 99))
        whole = image.read("DNA", z=z)
    np.testing.assert_array_equal(whole, project(array[0, 0], z))
    np.testing.assert_array_equal(found, whole[..., 3:9, 25:30])


def test_planes_beyond_the_image_are_refused(path):
    save(path, draw((1, 2, 3, 5, 5)))
    with Image(path) as image:
        for place in ({"c": 2}, {"c": 0, "z": 3}, {"c": 0, "t": -1}):
            with pytest.raises(IndexError):
                image.window(**place)


@pytest.mark.parametrize(
    ("size", "max_px", "shape", "scale"),
    [((30, 40), 40, (30, 40), 1), ((30, 40), 39, (15, 20), 2), ((90, 161), 45, (23, 41), 4), ((90, 161), 5, (2, 4), 48)],
)  # fmt: skip
def test_an_overview_is_of_the_finest_level_that_fits(
    small_levels, path, size, max_px, shape, scale
):
    array = draw((1, 1, 3, *size), "uint8")
    save(path, array)
    with Image(path) as image:
        found, pixels = image.overview("DNA", max_px=max_px)
        levels = []
        image._pages = SimpleNamespace(
            window=lambda *place: levels.append(place[1]) or TiledPages(image._tiff).window(*place)
        )
        image.overview("DNA", max_px=max_px)
    assert found.shape == shape and pixels == scale and isinstance(pixels, float)
    assert len(set(levels)) == 1
    planes = array[0, 0]
    for _ in range(levels[0]):
        planes = np.stack([pyramid.halve(one, nearest=False) for one in planes])
    expected = pyramid.shrink_mean(planes.max(axis=0), scale // 2 ** levels[0])
    np.testing.assert_array_equal(found, expected)


def test_classes_come_back_with_their_names(path):
    classes = np.array([[[[0, 1, 2], [2, 2, 0]]]])
    like = Meta((1, 3, 1, 2, 3), CHANNELS, 0.5, 2.0, True, stains=STAINS)
    write_classes(path, reader_of(classes), classes.shape, like, ["glass", "tissue", "air"], "mark")
    with Image(path) as image:
        assert image.meta.class_names == ("glass", "tissue", "air") and image.dtype == np.uint8
        assert (image.meta.pixel_size_um, image.meta.kind, image.channel_names) == (0.5, "classes", ("classes",))  # fmt: skip
    np.testing.assert_array_equal(read_labels(path), classes)


def test_a_class_without_a_name_is_a_mistake(path):
    classes = np.array([[[[0, 2]]]])
    with pytest.raises(ValueError, match="class 2 of 2"):
        write_classes(path, reader_of(classes), classes.shape, Meta((1, 1, 1, 1, 2), ("a",), None, None), ["no", "yes"], "")  # fmt: skip


STAINS = Stains(("hematoxylin", "eosin"), ((0.65, 0.7, 0.29), (0.2, 0.8, 0.55)), (240.0, 241.0, 250.0))  # fmt: skip


def test_stains_are_channels_of_a_colour_image(path):
    array = draw((1, 3, 2, 30, 40), "uint8")
    meta = save(path, array, rgb=True, stains=STAINS)
    with Image(path) as image:
        assert image.meta == meta and image.meta.stains == STAINS
        assert image.channel_names == (*CHANNELS, "hematoxylin", "eosin")
        found = image.window("eosin", z=1, y=slice(5, 9), x=slice(7, 20))
        with pytest.raises(Skip, match="'eosin'"):
            image.index("eosin")
        assert image.read("eosin", z="max").shape == (30, 40)
    expected = separate(np.moveaxis(array[0, :, 1, 5:9, 7:20], 0, -1), STAINS)[1]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected)


def test_stains_of_an_image_that_is_not_colour_mean_nothing(path):
    save(path, draw((1, 2, 1, 5, 5)), stains=STAINS)
    with Image(path) as image:
        assert image.channel_names == CHANNELS[:2]
