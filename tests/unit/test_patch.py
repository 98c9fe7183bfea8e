"""Patches: where they are, what is in them, what is left out, and that nothing is lost."""

import hashlib

import numpy as np
import pytest

from scopemill import images
from scopemill.errors import DataError, Skip
from scopemill.patch.stage import Settings, carry
from scopemill.patches import LEVELS, Patches
from scopemill.runner import Job
from scopemill.scaling import choose_scale, rescale
from scopemill.settings import ConfigError, load
from scopemill.stains import Stains

rng = np.random.default_rng


def write(path, array, pixel_size_um=0.5, rgb=False, names=None):
    """(T, C, Z, Y, X) -> image artifact."""
    names = names or tuple(f"c{i}" for i in range(array.shape[1]))
    meta = images.Meta(array.shape, names, pixel_size_um, 1.0, rgb, "upstream")
    images.write_image(path, meta, array.dtype, images.reader_of(array, rgb))


@pytest.fixture
def make(tmp_path):
    """Array and settings -> (facts, open store)."""

    def run(array, name="p.h5", settings=None, **more):
        write(tmp_path / "i.ome.tif", array, **more)
        job = Job("i", tmp_path / name, "mark", {"convert": tmp_path / "i.ome.tif"})
        chosen = Settings(**{"patch_size_px": 64, "overlap_px": 16, **(settings or {})})
        return carry(job, chosen), Patches(tmp_path / name)

    return run


def field(size=512, noise=3.0, seed=0):
    """Camera noise around 100."""
    return rng(seed).normal(100, noise, (size, size))


def cell(image, y, x, radius, level):
    """Draw a disc."""
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    image[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] += level


def as_image(*planes):
    """Planes, one a channel -> TCZYX."""
    return np.stack(planes).clip(0, 65535).astype(np.uint16)[None, :, None]


def is_kept(store, y, x, t=0):
    """Whether a pixel lies in a patch."""
    inside = store.origins - (t, y, x)
    reach = store.meta.patch_size_px
    return bool(
        ((inside[:, 0] == 0) & (inside[:, 1:] <= 0).all(1) & (inside[:, 1:] > -reach).all(1)).any()
    )


def test_pixels_say_where_they_come_from(make):
    n_times, n_planes, height, width = 2, 3, 150, 201
    t, c, z, y, x = np.indices((n_times, 2, n_planes, height, width))
    image = (((t * 2 + c) * n_planes + z) * height + y) * width + x
    facts, store = make(image.astype(np.float32), settings={"foreground": "all"})
    assert facts == {
        "n_patches": len(store), "foreground_fraction": 1.0, "pixel_size_um": 0.5,
        "shape": (n_times, 2, n_planes, height, width),
    }  # fmt: skip
    assert len(store) == 2 * 3 * 4
    patches = store.read(slice(None))
    assert patches.shape == (24, 2, n_planes, 64, 64)
    for (t0, y0, x0), patch in zip(store.origins, patches, strict=True):
        whole = image[t0, :, :, y0 : y0 + 64, x0 : x0 + 64]
        assert (patch[..., : whole.shape[-2], : whole.shape[-1]] == whole).all()
    assert store.origins[:, 0].tolist() == [0] * 12 + [1] * 12


def test_a_small_image_is_one_mirrored_patch_of_the_raw_type(make):
    image = rng(0).integers(0, 255, (1, 1, 1, 20, 30), np.uint8)
    facts, store = make(image)
    patch = store.read(slice(None))
    assert facts["n_patches"] == 1
    assert patch.dtype == np.uint8
    assert (patch[0, 0, 0, :20, :30] == image[0, 0, 0]).all()
    assert (patch[0, 0, 0, 20:39, :30] == image[0, 0, 0, -2::-1]).all()


def test_empty_parts_are_left_out_and_cells_are_not(make):
    plane = field()
    cell(plane, 60, 60, 8, 900)
    cell(plane, 400, 300, 8, 900)
    facts, store = make(as_image(plane))
    assert 0 < facts["n_patches"] < 30  # of 121
    assert is_kept(store, 60, 60)
    assert is_kept(store, 400, 300)
    assert not is_kept(store, 60, 450)


def test_dim_cells_are_kept_beside_bright_ones_and_debris(make):
    plane = field()
    for y in (80, 160, 240):
        cell(plane, y, 60, 9, 3000)
    cell(plane, 300, 420, 9, 15)  # 1 in 200 of the others
    cell(plane, 480, 60, 12, 60000)  # dust
    facts, store = make(as_image(plane))
    assert is_kept(store, 300, 420)
    assert not is_kept(store, 60, 300)
    assert facts["n_patches"] < 60


def test_a_single_cell_in_the_corner_is_kept(make):
    plane = field()
    cell(plane, 2, 509, 6, 900)
    facts, store = make(as_image(plane), settings={"patch_size_px": 256, "overlap_px": 32})
    assert is_kept(store, 2, 509)
    assert facts["n_patches"] == 1


def test_a_cell_in_one_channel_and_one_plane_is_enough(make):
    image = rng(0).normal(100, 3, (2, 2, 3, 256, 256))
    places = {
        (0, 0, 0): (50, 50),
        (0, 1, 1): (50, 200),
        (1, 0, 1): (200, 50),
        (1, 1, 2): (200, 200),
    }
    for place, (y, x) in places.items():
        cell(image[place], y, x, 8, 900)
    _, store = make(image.astype(np.uint16))
    for (t, _, _), (y, x) in places.items():
        assert is_kept(store, y, x, t)
        assert not is_kept(store, y, x, 1 - t)


def test_a_channel_without_contrast_may_be_full_of_cells(make):
    plane = field()
    cell(plane, 60, 60, 8, 900)
    assert make(as_image(plane))[0]["foreground_fraction"] < 0.1
    assert make(as_image(plane, field(seed=1)))[0]["foreground_fraction"] == 1


@pytest.mark.parametrize("scene", ["noise", "constant", "tissue", "bright field"])
def test_without_contrast_everything_is_kept(make, scene):
    plane = field()
    if scene == "constant":
        plane[:] = 100
    if scene == "tissue":  # fills the image, brighter to one side
        plane += np.linspace(500, 900, 512)
    if scene == "bright field":
        plane += 1000
        cell(plane, 250, 250, 70, -800)
    facts, store = make(as_image(plane))
    assert facts["foreground_fraction"] == 1
    assert len(store) == 121


def test_a_stained_section_is_found_on_white(make):
    slide = np.full((3, 512, 512), 243.0) + rng(0).normal(0, 2, (3, 512, 512))
    slide[1, 300:420, 60:200] -= 50  # pale eosin
    facts, store = make(slide.astype(np.uint8)[None, :, None], rgb=True, names=("R", "G", "B"))
    assert is_kept(store, 360, 120)
    assert not is_kept(store, 60, 450)
    assert 0.05 < facts["foreground_fraction"] < 0.2


def test_an_empty_slide_gives_no_patches(make):
    slide = np.full((1, 3, 1, 200, 200), 240, np.uint8)
    facts, store = make(slide, rgb=True)
    assert facts["n_patches"] == len(store) == 0
    assert store.read(slice(0, 0)).shape == (0, 3, 1, 64, 64)


def test_a_dark_colour_image_is_kept_whole(make):
    picture = np.full((1, 3, 1, 200, 200), 10, np.uint8)  # fluorescence saved as RGB
    assert make(picture, rgb=True)[0]["foreground_fraction"] == 1


def test_the_wanted_pixel_size_is_what_comes_out(make):
    plane = field(400)
    cell(plane, 200, 100, 40, 1000)
    facts, store = make(as_image(plane), settings={"pixel_size_um": 1.0, "foreground": "all"})
    assert facts["shape"] == (1, 1, 1, 200, 200)
    assert store.meta.pixel_size_um == 1.0
    assert store.meta.source_size == (400, 400)
    patch = store.read(slice(0, 1))[0, 0, 0]
    assert patch.dtype == np.uint16
    assert float(patch[60, 50]) == pytest.approx(100, abs=8)
    second = store.read(slice(0, None))[[(o[1:] <= (100, 50)).all() for o in store.origins]]
    assert second.max() > 1050


def test_shrinking_averages_and_keeps_the_type():
    checkers = np.indices((64, 64)).sum(0) % 2 * np.uint8(200)
    assert np.abs(rescale(checkers, (16, 16))[2:-2, 2:-2].astype(int) - 100).max() < 12
    assert rescale(checkers, (64, 64)) is checkers


def test_scales_that_cannot_be_reached_are_the_images_fault():
    assert choose_scale((100, 50), 0.5, None) == ((100, 50), 0.5)
    assert choose_scale((100, 50), 0.5, 0.505) == ((100, 50), 0.5)
    assert choose_scale((100, 50), 0.5, 0.25) == ((200, 100), 0.25)
    for own in (None, 5.0):
        with pytest.raises(DataError, match="pixel") as caught:
            choose_scale((100, 50), own, 0.25)
        assert caught.value.code == "PIXEL_SIZE"


def test_percentiles_are_those_of_the_image_and_the_channels_those_asked_for(make):
    ramp = np.tile(np.arange(300, dtype=np.uint16), (300, 1))
    _, store = make(as_image(ramp, ramp * 2, ramp * 3), settings={"channels": ["c2", "c0"]})
    assert store.meta.channel_names == ("c2", "c0")
    expected = np.percentile(ramp, LEVELS)
    assert np.allclose(store.meta.percentiles, [expected * 3, expected])
    with pytest.raises(Skip):
        make(as_image(ramp), settings={"channels": ["DNA"]})


def test_the_same_image_gives_the_same_bytes(make, tmp_path):
    image = as_image(field(256), field(256, seed=1))
    for name in ("a.h5", "another-name.h5"):
        with make(image, name)[1]:
            pass
    digests = {hashlib.sha256(path.read_bytes()).digest() for path in tmp_path.glob("*.h5")}
    assert len(digests) == 1


def test_settings_that_make_no_grid_are_refused():
    with pytest.raises(ConfigError, match="at most half"):
        load(Settings, {"patch_size_px": 64}, "patch.cells")
    with pytest.raises(ConfigError, match="patch_size_px"):
        load(Settings, {"patch_size_px": 16, "overlap_px": 0}, "patch.cells")


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    """A slide of 2300 x 2600 px with three groups of cells, and what of it was read at full size."""
    plane = rng(0).normal(100, 3, (2300, 2600))
    for y, x in ((200, 300), (1500, 1700), (2290, 2590)):
        for dy in (0, -40, 40):
            cell(plane[max(0, y - 60) : y + 60, max(0, x - 60) : x + 60], min(y, 60) + dy, min(x, 60), 8, 900)  # fmt: skip
    path = tmp_path_factory.mktemp("slide") / "s.ome.tif"
    write(path, as_image(plane), pixel_size_um=0.5)
    return path, as_image(plane)[0, 0, 0]


def cut_slide(slide, tmp_path, **settings):
    """Facts and open store."""
    job = Job("s", tmp_path / "s.h5", "mark", {"convert": slide[0]})
    facts = carry(job, Settings(**{"patch_size_px": 128, "overlap_px": 16, **settings}))
    return facts, Patches(tmp_path / "s.h5")


def test_cells_of_a_slide_are_found_in_its_overview(slide, tmp_path):
    facts, store = cut_slide(slide, tmp_path)
    assert all(is_kept(store, y, x) for y, x in ((200, 300), (1500, 1700), (2290, 2590)))
    assert not any(is_kept(store, y, x) for y, x in ((1000, 300), (200, 1800), (2200, 60)))
    assert facts["n_patches"] < 60  # of 504
    for (_, y, x), patch in zip(store.origins, store.read(slice(None)), strict=True):
        whole = slide[1][y : y + 128, x : x + 128]
        assert (patch[0, 0, : whole.shape[0], : whole.shape[1]] == whole).all()


@pytest.mark.parametrize("pixel_size_um", [0.83, 0.35])
def test_patches_of_a_rescaled_slide_are_parts_of_the_whole_rescaled(slide, tmp_path, pixel_size_um):  # fmt: skip
    facts, store = cut_slide(slide, tmp_path, pixel_size_um=pixel_size_um)
    whole = rescale(slide[1], facts["shape"][-2:]).astype(int)
    assert all(is_kept(store, *(np.array((y, x)) * 0.5 / pixel_size_um)) for y, x in ((200, 300), (1500, 1700)))  # fmt: skip
    for (_, y, x), patch in zip(store.origins, store.read(slice(None)), strict=True):
        there = whole[y : y + 128, x : x + 128]
        assert np.abs(patch[0, 0, : there.shape[0], : there.shape[1]] - there).max() <= 1


def test_percentiles_of_a_slide_are_those_of_a_sample(slide, tmp_path):
    _, store = cut_slide(slide, tmp_path)
    found, whole = store.meta.percentiles[0], np.percentile(slide[1], LEVELS)
    np.testing.assert_allclose(found[:4], whole[:4], atol=1)


def test_of_a_slide_only_windows_are_read(slide, tmp_path, monkeypatch):
    largest = [0]

    def window(image, c, t=0, z=0, y=slice(None), x=slice(None), level=0):
        found = unwatched(image, c, t, z, y, x, level)
        largest[0] = max(largest[0], found.size)
        return found

    unwatched = images.Image.window
    monkeypatch.setattr(images.Image, "window", window)
    cut_slide(slide, tmp_path, pixel_size_um=0.7)
    assert 0 < largest[0] < 2100**2 < slide[1].size


def test_a_stain_is_cut_out_where_the_tissue_is(tmp_path):
    vectors = ((0.65, 0.70, 0.29), (0.07, 0.99, 0.11))
    stains = Stains(("hematoxylin", "eosin"), vectors, (243.0, 243.0, 243.0))
    slide = np.full((3, 300, 400), 243, np.uint8)
    slide[:, 100:160, 60:120] = np.array((110, 100, 170))[:, None, None]
    meta = images.Meta((1, 3, 1, 300, 400), ("R", "G", "B"), 0.5, None, True, "up", stains=stains)
    image = slide[None, :, None]
    images.write_image(tmp_path / "i.ome.tif", meta, np.uint8, images.reader_of(image, rgb=True))
    settings = Settings(channels=["hematoxylin"], patch_size_px=64, overlap_px=0)
    facts = carry(
        Job("i", tmp_path / "p.h5", "mark", {"convert": tmp_path / "i.ome.tif"}), settings
    )
    store = Patches(tmp_path / "p.h5")
    assert store.meta.channel_names == ("hematoxylin",) and is_kept(store, 130, 90)
    assert 0 < facts["n_patches"] < 12
    patches = store.read(slice(None))
    assert patches.dtype == np.float32 and patches.max() > 0.3 and abs(np.median(patches)) < 0.05
