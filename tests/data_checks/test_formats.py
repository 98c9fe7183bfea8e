"""Every real vendor, odd and corrupt file: read right, or refused with the code in this table.

Corrupt files that decode without an error and are therefore read: crash-0da0... (a fax page whose
code words are damaged; Pillow reads the same pixels). All others in corrupt/ are refused.
"""

import hashlib
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from scopemill.errors import DataError
from scopemill.readers import open_raw

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(
    not (DATA / "formats").is_dir(), reason="the shared data folder is not beside the checkout"
)

PICTURE = (1, 3, 1, 512, 512)
BOXES = (1, 3, 1, 374, 278)
PRINT_UM = 352.8581490630419  # 72 dots an inch, written in centimetres: claimed, not plausible
# file, scene -> (TCZYX, dtype, pixel size (y, x), z step), as the file claims them
READ = {
    ("formats/corrupt/crash-0da013a13571cc8eb457a39fee8db18f8a3c7127.tif", None): (
        (1, 1, 1, 84, 218),
        "uint8",
        None,
        None,
    ),
    ("formats/czi/RGB-8bit.czi", None): ((1, 3, 1, 624, 924), "uint8", (13 / 12, 13 / 12), None),
    ("formats/czi/s_1_t_1_c_1_z_1.czi", None): (
        (1, 1, 1, 325, 475),
        "uint16",
        (13 / 12, 13 / 12),
        None,
    ),
    ("formats/czi/tiles_z.czi", None): ((1, 2, 2, 512, 510), "uint8", (0.830266, 0.830266), 4.0),
    ("formats/lif/expected_xz_c0_t0.tif", None): ((1, 1, 1, 128, 128), "uint8", None, None),
    ("formats/lif/expected_xz_c1_t8.tif", None): ((1, 1, 1, 128, 128), "uint8", None, None),
    ("formats/lif/testdata_2channel_xz.lif", "xzt"): (
        (20, 2, 1, 128, 128),
        "uint8",
        (0.140279, 0.140280),
        None,
    ),
    ("formats/lif/testdata_2channel_xz.lif", "xzy"): (
        (1, 2, 23, 128, 128),
        "uint8",
        (0.140279, 0.140280),
        0.229062,
    ),
    ("formats/lif/testdata_2channel_xz.lif", "xz"): (
        (1, 2, 1, 512, 512),
        "uint8",
        (0.102697, 0.102697),
        None,
    ),
    ("formats/nd2/cluster.nd2", None): ((3, 2, 10, 31, 38), "uint16", (0.167809, 0.167809), 0.5),
    ("formats/ome_tiff/cells-2c.ome.tif", None): ((1, 2, 1, 131, 93), "uint8", (0.25, 0.25), 1.0),
    ("formats/ome_tiff/cells-2t.ome.tif", None): ((2, 1, 1, 131, 93), "uint8", (0.25, 0.25), 1.0),
    ("formats/ome_tiff/cells-2z.ome.tif", None): ((1, 1, 2, 131, 93), "uint8", (0.25, 0.25), 1.0),
    ("formats/ome_tiff/cells.ome.tif", None): ((1, 3, 1, 131, 93), "uint8", (0.25, 0.25), 1.0),
    ("formats/ome_tiff/cells.png", None): ((1, 3, 1, 131, 93), "uint8", None, None),
    ("formats/ome_tiff/cells.tif", None): ((1, 3, 1, 131, 93), "uint8", (0.25, 0.25), None),
    ("formats/ome_tiff/cells-gray16.tif", None): ((1, 1, 1, 131, 93), "uint16", (0.25, 0.25), None),
    ("formats/ome_tiff/cells-gray32.tif", None): (
        (1, 1, 1, 131, 93),
        "float32",
        (0.25, 0.25),
        None,
    ),
    ("formats/tiff_variants/12bit.cropped.tif", None): ((1, 1, 1, 100, 100), "uint16", None, None),
    ("formats/tiff_variants/12in16bit.tif", None): ((1, 1, 1, 100, 100), "uint16", None, None),
    ("formats/tiff_variants/16bit.MM.cropped.tif", None): ((1, 1, 1, 64, 64), "uint16", None, None),
    ("formats/tiff_variants/16bit.deflate.tif", None): ((1, 1, 1, 64, 64), "uint16", None, None),
    ("formats/tiff_variants/hopper_bigtiff.tif", None): ((1, 3, 1, 128, 128), "uint8", None, None),
    ("formats/tiff_variants/multipage.tiff", "0"): ((1, 3, 2, 10, 10), "uint8", None, None),
    ("formats/tiff_variants/multipage.tiff", "1"): ((1, 3, 1, 20, 20), "uint8", None, None),
    ("formats/tiff_variants/multipage_out_of_order.tiff", "0"): (
        (1, 3, 2, 10, 10),
        "uint8",
        None,
        None,
    ),
    ("formats/tiff_variants/multipage_out_of_order.tiff", "1"): (
        (1, 3, 1, 20, 20),
        "uint8",
        None,
        None,
    ),
    ("formats/tiff_variants/tiff_strip_planar_16bit_RGB.tiff", None): (
        (1, 3, 1, 40, 100),
        "uint16",
        None,
        None,
    ),
    ("formats/tiff_variants/tiff_tiled_planar_lzw.tiff", None): (
        BOXES,
        "uint8",
        (PRINT_UM, PRINT_UM),
        None,
    ),
    ("formats/tiff_variants/tiff_tiled_raw.tif", None): (
        BOXES,
        "uint8",
        (PRINT_UM, PRINT_UM),
        None,
    ),
    ("formats/vendor_tiff/5channel.tif", None): ((1, 5, 1, 64, 64), "uint8", None, None),
    ("formats/vendor_tiff/MetamorphImage.tif", None): (
        (1, 1, 1, 520, 696),
        "uint16",
        (0.645, 0.645),
        None,
    ),
    ("wsi/CMU-1-Small-Region.svs", None): ((1, 3, 1, 2967, 2220), "uint8", (0.499, 0.499), None),
    ("wsi/small.svs", None): ((1, 3, 1, 16, 16), "uint8", (0.499, 0.499), None),
    ("wsi/boxes.tiff", None): ((1, 3, 1, 250, 300), "uint8", (352.777780, 352.777780), None),
    ("wsi/instanseg_HE_example.ome.tif", None): (
        (1, 3, 1, 1484, 1380),
        "uint8",
        (0.500080, 0.500080),
        None,
    ),
    ("wsi/dicom_boxes/boxes_0.dcm", None): ((1, 3, 1, 16, 16), "uint8", (0.499, 0.499), None),
    ("wsi/dicom_boxes/boxes_1.dcm", None): ((1, 3, 1, 16, 16), "uint8", (0.499, 0.499), None),
    ("wsi/thumbnails/tcga-lung-rgb.png", None): (PICTURE, "uint8", None, None),
    ("wsi/tiles/almost-white-1.png", None): (PICTURE, "uint8", None, None),
    ("wsi/tiles/low-nuclei-score-level0.png", None): (PICTURE, "uint8", None, None),
    ("wsi/tiles/medium-nuclei-score-green-pen-level1.png", None): (PICTURE, "uint8", None, None),
    ("wsi/tiles/no-tissue-red-pen.png", None): (PICTURE, "uint8", None, None),
    ("wsi/tiles/no-tissue.png", None): (PICTURE, "uint8", None, None),
    ("wsi/tiles/tissue-level0-4302-10273-4814-10785.png", None): (PICTURE, "uint8", None, None),
}
REFUSED = {
    "formats/README.md": "FORMAT",
    "formats/corrupt/broken.svs": "FORMAT",
    "formats/corrupt/crash-0c7e0e8e11ce787078f00b5b0ca409a167f070e0.tif": "TRUNCATED",
    "formats/corrupt/crash-0e16d3bfb83be87356d026d66919deaefca44dac.tif": "TRUNCATED",
    "formats/corrupt/crash-1152ec2d1a1a71395b6f2ce6721c38924d025bf3.tif": "TRUNCATED",
    "formats/corrupt/crash-1185209cf7655b5aed8ae5e77784dfdd18ab59e9.tif": "TRUNCATED",
    "formats/corrupt/crash-2020-10-test.tif": "STRUCTURE",
    "formats/corrupt/tiff_overflow_rows_per_strip.tif": "STRUCTURE",
    "formats/corrupt/tiff_wrong_bits_per_sample.tiff": "TRUNCATED",
    "formats/corrupt/truncated_metamorph_half.tif": "TRUNCATED",
    "formats/corrupt/unopenable.tiff": "DECODE",
    "formats/czi/RGB-8bit_Gplane.expected.npy": "FORMAT",
    "formats/lif/testdata_2channel_xz.lif": "SCENE",
    "formats/tiff_variants/multipage.tiff": "SCENE",
    "formats/tiff_variants/multipage_out_of_order.tiff": "SCENE",
    "formats/vendor_tiff/iamac01file.c01": "FORMAT",
    "wsi/README.md": "FORMAT",
}
# Read by Pillow alone: an independent reader
BY_PILLOW = [
    "formats/corrupt/crash-0da013a13571cc8eb457a39fee8db18f8a3c7127.tif",
    "formats/lif/expected_xz_c0_t0.tif",
    "formats/ome_tiff/cells.tif",
    "formats/ome_tiff/cells-gray32.tif",
    "formats/tiff_variants/12bit.cropped.tif",
    "formats/tiff_variants/12in16bit.tif",
    "formats/tiff_variants/16bit.MM.cropped.tif",
    "formats/tiff_variants/16bit.deflate.tif",
    "formats/tiff_variants/hopper_bigtiff.tif",
    "formats/tiff_variants/tiff_tiled_planar_lzw.tiff",
    "formats/tiff_variants/tiff_tiled_raw.tif",
    "formats/vendor_tiff/MetamorphImage.tif",
    "wsi/boxes.tiff",
    "wsi/instanseg_HE_example.ome.tif",
    "wsi/tiles/no-tissue.png",
]
NEEDS = {".czi": "pylibCZIrw", ".nd2": "nd2", ".lif": "liffile", ".dcm": "openslide"}


def planes(name, scene=None):
    """Whole scene as a TCZYX array."""
    if package := NEEDS.get(Path(name).suffix):
        pytest.importorskip(package)
    with open_raw(DATA / name, scene) as raw:
        ts, cs, zs = (range(n) for n in raw.shape[:3])
        return np.array([[[raw.read(t, c, z) for z in zs] for c in cs] for t in ts])


def colour_last(array):
    return np.moveaxis(array[0, :, 0], 0, 2).squeeze()


@pytest.fixture(scope="module", autouse=True)
def _inputs_stay_as_they_are():
    before = {path: _state(path) for path in _files()}
    yield
    assert {path: _state(path) for path in _files()} == before


def _files():
    return sorted(
        p for folder in ("formats", "wsi") for p in (DATA / folder).rglob("*") if p.is_file()
    )


def _state(path):
    return hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns


def test_the_tables_cover_every_file():
    named = {name for name, _ in READ} | set(REFUSED)
    assert {str(path.relative_to(DATA)) for path in _files()} == named


@pytest.mark.parametrize(("name", "scene"), READ)
def test_it_is_read(name, scene, capfd):
    shape, dtype, pixel_size_um, z_step_um = READ[name, scene]
    start = time.monotonic()
    found = planes(name, scene)
    assert time.monotonic() - start < 10
    with open_raw(DATA / name, scene) as raw:
        assert (raw.shape, raw.dtype, raw.z_step_um) == (
            shape,
            dtype,
            z_step_um and pytest.approx(z_step_um, rel=1e-5),
        )
        assert raw.pixel_size_um == (pixel_size_um and pytest.approx(pixel_size_um, rel=1e-5))
        part = raw.read(y=slice(1, 9), x=slice(2, 13))
    assert found.shape == shape and found.dtype == dtype
    np.testing.assert_array_equal(part, found[0, 0, 0, 1:9, 2:13])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(name, capfd):
    start = time.monotonic()
    with pytest.raises(DataError) as refused:
        planes(name)
    assert time.monotonic() - start < 2
    assert refused.value.code == REFUSED[name], refused.value
    assert str(DATA / name) in str(refused.value)
    assert capfd.readouterr().err == ""


def test_a_refusal_says_what_to_do():
    with pytest.raises(DataError, match="bioformats2raw or bfconvert"):
        open_raw(DATA / "formats/vendor_tiff/iamac01file.c01")
    with pytest.raises(DataError, match="'xzt', 'xzy', 'xz'"):
        open_raw(DATA / "formats/lif/testdata_2channel_xz.lif")


@pytest.mark.parametrize("name", BY_PILLOW)
def test_pillow_sees_the_same_pixels(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shown = np.asarray(Image.open(DATA / name))
    shown = shown * np.uint8(255) if shown.dtype == bool else shown
    shown = shown[..., :3] if shown.ndim == 3 else shown
    np.testing.assert_array_equal(colour_last(planes(name)), shown)


def test_planar_16_bit_colours():
    name = "formats/tiff_variants/tiff_strip_planar_16bit_RGB.tiff"
    expected = tifffile.imread(DATA / name)  # (3, Y, X); Pillow keeps 8 of the 16 bits
    np.testing.assert_array_equal(planes(name)[0, :, 0], expected)


def test_pillow_sees_the_same_palette_colours():
    name = "formats/tiff_variants/multipage.tiff"
    found = {"0": planes(name, "0"), "1": planes(name, "1")}
    with Image.open(DATA / name) as image:
        for page, (scene, z) in enumerate((("0", 0), ("0", 1), ("1", 0))):
            image.seek(page)
            shown = np.moveaxis(np.asarray(image.convert("RGB")), 2, 0)
            np.testing.assert_array_equal(found[scene][0, :, z], shown)


def test_reference_planes():
    lif = planes("formats/lif/testdata_2channel_xz.lif", "xzt")
    for c, t in ((0, 0), (1, 8)):
        expected = tifffile.imread(DATA / f"formats/lif/expected_xz_c{c}_t{t}.tif")
        np.testing.assert_array_equal(lif[t, c, 0], expected)
    green = np.load(DATA / "formats/czi/RGB-8bit_Gplane.expected.npy")
    np.testing.assert_array_equal(planes("formats/czi/RGB-8bit.czi")[0, 1, 0], green)


def test_the_same_cells_in_every_wrapping():
    colour = planes("formats/ome_tiff/cells.png")
    for name in ("cells.tif", "cells.ome.tif"):
        np.testing.assert_array_equal(planes(f"formats/ome_tiff/{name}"), colour)
    stacks = [planes(f"formats/ome_tiff/cells-2{axis}.ome.tif").squeeze() for axis in "ctz"]
    np.testing.assert_array_equal(stacks[0], stacks[1])
    np.testing.assert_array_equal(stacks[0], stacks[2])
    tiled, planar = "tiff_tiled_raw.tif", "tiff_tiled_planar_lzw.tiff"
    same = [planes(f"formats/tiff_variants/{name}") for name in (tiled, planar)]
    np.testing.assert_array_equal(*same)


def test_openslide_sees_the_same_slides():
    openslide = pytest.importorskip("openslide")
    for name in ("CMU-1-Small-Region.svs", "small.svs", "boxes.tiff"):
        with openslide.OpenSlide(DATA / "wsi" / name) as slide:
            shown = np.asarray(slide.read_region((0, 0), 0, slide.dimensions))[..., :3]
        np.testing.assert_array_equal(colour_last(planes(f"wsi/{name}")), shown)


def test_vendor_planes_are_in_their_place():
    nd2 = pytest.importorskip("nd2")
    with nd2.ND2File(DATA / "formats/nd2/cluster.nd2") as file:
        expected = file.asarray()  # TZCYX
    np.testing.assert_array_equal(planes("formats/nd2/cluster.nd2"), expected.swapaxes(1, 2))
    pylib = pytest.importorskip("pylibCZIrw.czi")
    found = planes("formats/czi/tiles_z.czi")
    with pylib.open_czi(str(DATA / "formats/czi/tiles_z.czi")) as document:
        for c, z in np.ndindex(2, 2):
            whole = document.read(plane={"C": c, "Z": z})[..., 0]
            np.testing.assert_array_equal(found[0, c, z], whole)
    assert (found[0, 0] != found[0, 1]).any()  # the two channels; one of the planes is blank


def test_facts_that_the_files_state():
    for name, fact, value in (
        ("wsi/CMU-1-Small-Region.svs", "objective", "20"),
        ("formats/nd2/cluster.nd2", "objective", "Plan Apo λ 60x"),
        ("formats/czi/s_1_t_1_c_1_z_1.czi", "objective", "Plan-Apochromat 20x/0.8 M27"),
        ("formats/vendor_tiff/MetamorphImage.tif", "objective", "20x Plan Fluor ELWD"),
    ):
        with open_raw(DATA / name) as raw:
            assert raw.metadata[fact] == value
    for name, channels in (
        ("formats/nd2/cluster.nd2", ("5-FAM/pH 9.0", "FM 4-64/2% CHAPS")),
        ("formats/czi/tiles_z.czi", ("Ch1", "T PMT")),
        ("formats/vendor_tiff/MetamorphImage.tif", ("Cy5",)),
    ):
        with open_raw(DATA / name) as raw:
            assert raw.channel_names == channels


def test_a_set_of_files_is_one_image():
    pattern = DATA / "sbs_translocation" / "Channel{channel}-03-A-03.tif"
    if not list(pattern.parent.glob("Channel*-03-A-03.tif")):
        pytest.skip("no such set in the shared data")
    with open_raw(pattern) as raw:
        assert raw.shape == (1, 2, 1, 640, 640) and raw.channel_names == ("1", "2")
        second = tifffile.imread(pattern.parent / "Channel2-03-A-03.tif")
        np.testing.assert_array_equal(raw.read(c=1), second)


@pytest.mark.parametrize("suffix", [".czi", ".nd2", ".lif", ".svs"])
def test_half_a_vendor_file_is_refused(tmp_path, suffix):
    """In a process of its own: a crash of a vendor library must show as a failure here."""
    if package := NEEDS.get(suffix):
        pytest.importorskip(package)
    source = next(p for p in _files() if p.suffix == suffix and "corrupt" not in p.parts)
    scene = "xz" if suffix == ".lif" else None
    half = tmp_path / f"half{suffix}"
    half.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    program = (
        "from scopemill.errors import DataError; from scopemill.readers import open_raw\n"
        f"try: open_raw({str(half)!r}, {scene!r}).read()\n"
        "except DataError as error: print(error.code)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("TRUNCATED", "STRUCTURE", "DECODE")
