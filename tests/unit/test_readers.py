"""Readers: small files written here -> planes, or the DataError code that they deserve."""

import hashlib
import logging
import os
import struct
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest
import tifffile
from PIL import Image

import scopemill.readers
from scopemill.errors import DataError
from scopemill.readers import _base, open_raw, open_series

STACK = np.arange(4 * 40 * 50, dtype=np.uint16).reshape(4, 40, 50)
RGB = np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)


def code(path, *args, **kwargs):
    """Refusal code of a file, having read every plane of it."""
    with pytest.raises(DataError) as refused:
        planes(path, *args, **kwargs)
    assert str(path) in str(refused.value), "the message must name the file"
    return refused.value.code


def planes(path, *args, **kwargs):
    """Whole scene as a TCZYX array."""
    with open_raw(path, *args, **kwargs) as raw:
        sizes = [range(n) for n in raw.shape[:3]]
        found = [[[raw.read(t, c, z) for z in sizes[2]] for c in sizes[1]] for t in sizes[0]]
        found = np.array(found)
        assert (found.shape, found.dtype) == (raw.shape, raw.dtype)
        assert len(raw.channel_names) == raw.shape[1] == len(set(raw.channel_names))
        return found


def write(path, data, **options):
    if not {"photometric", "tifffile_default"} & set(options):
        options["photometric"] = "minisblack"  # tifffile stores 3 and 4 planes as colours otherwise
    options.pop("tifffile_default", None)
    tifffile.imwrite(path, data, **options)
    return path


def cut(path, share):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


def patch_tag(path, tag, value, page=0):
    """Overwrite a tag's value in place."""
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages[page].tags[tag].overwrite(value)
    return path


# ---- what a path is, before it is opened


def test_a_file_that_cannot_be_an_image(tmp_path):
    (tmp_path / "empty.tif").touch()
    (tmp_path / "page.tif").write_text("<!DOCTYPE html><html>404</html>")
    (tmp_path / "lfs.tif").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1")
    (tmp_path / "zeros.tif").write_bytes(bytes(1000))
    os.mkfifo(tmp_path / "pipe.tif")
    assert code(tmp_path / "empty.tif") == "EMPTY"
    assert code(tmp_path / "absent.tif") == "MISSING"
    assert code(tmp_path / "page.tif" / "x.tif") == "MISSING"
    assert code(tmp_path) == "NOT_A_FILE"
    assert code(tmp_path / "pipe.tif") == "NOT_A_FILE"
    assert code("/dev/zero") == "NOT_A_FILE"
    for name, hint in {"page": "web page", "lfs": "git lfs pull", "zeros": "zeros"}.items():
        with pytest.raises(DataError, match=hint) as refused:
            open_raw(tmp_path / f"{name}.tif")
        assert refused.value.code == "FORMAT"


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = write(tmp_path / "a.tif", STACK)
    monkeypatch.setattr(os, "open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "no")))
    assert code(path) == "UNREADABLE"


def test_content_decides_not_the_name(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.tif", "PNG")
    write(tmp_path / "a.png", STACK)
    assert open_raw(tmp_path / "a.tif").format == "png"
    assert open_raw(tmp_path / "a.png").format == "tiff"


def test_the_import_is_light():
    heavy = "zarr pandas skimage tifffile nd2 liffile openslide pylibCZIrw torch".split()
    program = f"import sys, scopemill.readers; print([m for m in {heavy} if m in sys.modules])"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_vendor_package_is_named(tmp_path, monkeypatch):
    for name, magic, module in (
        ("a.czi", b"ZISRAWFILE", "pylibCZIrw.czi"),
        ("a.nd2", b"\xda\xce\xbe\x0a", "nd2"),
        ("a.lif", b"\x70\0\0\0\0\0\0\0\x2a", "liffile"),
        ("a.mrxs", b"\xff\xd8\xff", "openslide"),
    ):
        (tmp_path / name).write_bytes(magic + bytes(100))
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(DataError, match=r"pip install 'scopemill\[formats\]'") as refused:
            open_raw(tmp_path / name)
        assert refused.value.code == "NEEDS_EXTRA"


def test_broken_vendor_files_are_refused(tmp_path):
    for name, magic in {
        "a.czi": b"ZISRAWFILE",
        "a.nd2": b"\xda\xce\xbe\x0a",
        "a.lif": b"\x70\0\0\0\0\0\0\0\x2a",
    }.items():
        (tmp_path / name).write_bytes(magic + bytes(500))
        assert code(tmp_path / name) in ("STRUCTURE", "TRUNCATED")
    (tmp_path / "a.dcm").write_bytes(bytes(128) + b"DICM" + bytes(500))
    assert code(tmp_path / "a.dcm") == "FORMAT"


def test_a_third_party_reader_is_asked_last(tmp_path, monkeypatch):
    class Entry:
        @staticmethod
        def load():
            return Entry

        @staticmethod
        def recognise(head, path):
            return head.startswith(b"MYFORMAT")

        @staticmethod
        def open_file(path, scene, max_pixels):
            return _base.Raw(path=path, format="mine", shape=(1, 1, 1, 2, 2), dtype=np.uint8)

    monkeypatch.setattr(scopemill.readers, "entry_points", lambda group: [Entry])
    (tmp_path / "a.mine").write_bytes(b"MYFORMAT")
    assert open_raw(tmp_path / "a.mine").format == "mine"
    (tmp_path / "b.mine").write_bytes(b"OTHER")
    assert code(tmp_path / "b.mine") == "FORMAT"


def test_infrastructure_is_not_blamed_on_the_file(tmp_path, monkeypatch):
    path = write(tmp_path / "a.tif", STACK)
    faults = [
        (MemoryError(), MemoryError),
        (OSError(5, "EIO"), OSError),
        (OSError(116, ""), OSError),
    ]
    for fault, kind in faults:
        with open_raw(path) as raw:
            monkeypatch.setattr(
                raw, "_decode", lambda *_, fault=fault: (_ for _ in ()).throw(fault)
            )
            with pytest.raises(kind):
                raw.read()
    with open_raw(path) as raw:
        fault = OSError("image file is truncated (3 bytes not processed)")
        monkeypatch.setattr(raw, "_decode", lambda *_: (_ for _ in ()).throw(fault))
        with pytest.raises(DataError) as refused:
            raw.read()
        assert refused.value.code == "TRUNCATED"


# ---- TIFF structure


@pytest.mark.parametrize("share", [0.0005, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 0.999])
@pytest.mark.parametrize(
    "options",
    [
        {"metadata": None},
        {},
        {"imagej": True},
        {"ome": True},
        {"ome": True, "tile": (16, 16)},
        {"compression": "zlib"},
        {"bigtiff": True, "metadata": None},
    ],
    ids=str,
)
def test_a_truncated_stack_is_refused(tmp_path, options, share):
    path = tmp_path / ("a.ome.tif" if "ome" in options else "a.tif")
    write(path, STACK, **options)
    assert code(cut(path, share)) in ("TRUNCATED", "STRUCTURE", "FORMAT", "HOLE")


def test_no_page(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 10**6) + bytes(100))
    assert code(path) == "TRUNCATED"
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 0) + bytes(100))
    assert code(path) == "STRUCTURE"


def test_a_segment_without_data_is_a_hole(tmp_path):
    data = np.ones((64, 64), np.uint8)
    for tag, codec in ((324, None), (325, None), (325, "zlib")):
        path = write(tmp_path / "a.tif", data, tile=(16, 16), compression=codec, metadata=None)
        with tifffile.TiffFile(path) as tif:
            values = list(tif.pages[0].tags[tag].value)
        assert code(patch_tag(path, tag, [*values[:5], 0, *values[6:]])) == "HOLE"


def test_a_segment_outside_the_file(tmp_path):
    path = write(tmp_path / "a.tif", np.ones((64, 64), np.uint8), metadata=None)
    assert code(patch_tag(path, 273, 10**6)) == "TRUNCATED"


def test_sizes_are_refused_before_they_are_allocated(tmp_path):
    path = write(tmp_path / "a.tif", np.ones((64, 64), np.uint8), metadata=None, rowsperstrip=64)
    patch_tag(patch_tag(path, 256, 10**6), 257, 10**6)
    tracemalloc.start()
    assert code(path) == "TOO_LARGE"
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    assert code(write(path, STACK), max_pixels=7999) == "TOO_LARGE"
    assert planes(path, max_pixels=8000).size == 8000
    Image.fromarray(RGB).save(tmp_path / "a.png")
    assert code(tmp_path / "a.png", max_pixels=5999) == "TOO_LARGE"


def test_a_promise_of_a_million_planes_costs_nothing(tmp_path):
    path = write(tmp_path / "a.ome.tif", np.ones((64, 64), np.uint8), ome=True)
    xml = tifffile.tiffcomment(path)
    for old, new, expected in (
        ('SizeC="1"', 'SizeC="1000000"', "TRUNCATED"),
        ('SizeC="1"', 'SizeC="100000000"', "TOO_LARGE"),
        ('PlaneCount="1"', 'PlaneCount="1000000000"', "TRUNCATED"),
    ):
        assert old in xml
        tifffile.tiffcomment(path, xml.replace(old, new))
        start = time.monotonic()
        tracemalloc.start()
        assert code(path) == expected
        assert tracemalloc.get_traced_memory()[1] < 50e6
        tracemalloc.stop()
        assert time.monotonic() - start < 1
    for text in ("ImageJ=1.5\nimages=9999999\nslices=9999999\n", '{"shape": [9999999, 64, 64]}'):
        write(path, np.ones((64, 64), np.uint8), description=text, metadata=None)
        assert code(path) in ("TRUNCATED", "TOO_LARGE")


def test_an_entity_bomb_is_refused(tmp_path):
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "x">{entities}]><OME>&e9;</OME>'
    path = write(tmp_path / "a.ome.tif", STACK[0], description=bomb, metadata=None)
    assert code(path) == "STRUCTURE"


def test_ome_xml_cannot_pull_in_another_file(tmp_path):
    other = write(tmp_path / "secret.ome.tif", np.full((2, 64, 64), 777, np.uint16), ome=True)
    (tmp_path / "sub").mkdir()
    path = write(tmp_path / "sub/a.ome.tif", np.ones((2, 64, 64), np.uint16), ome=True)
    xml = tifffile.tiffcomment(path)
    for name in ("../secret.ome.tif", str(other)):
        block = (
            f'<TiffData IFD="0" PlaneCount="2"><UUID FileName="{name}">urn:uuid:1</UUID></TiffData>'
        )
        start, end = xml.index("<TiffData"), xml.index("</Pixels>")
        tifffile.tiffcomment(path, xml[:start] + block + xml[end:])
        assert code(path) == "AXES"
    companion = '<OME><BinaryOnly MetadataFile="x.companion.ome" UUID="urn:uuid:2"/></OME>'
    tifffile.tiffcomment(path, companion)
    assert code(path) == "AXES"


def test_a_renamed_ome_file_is_read(tmp_path):
    path = write(tmp_path / "a.ome.tif", STACK, ome=True, metadata={"axes": "ZYX"})
    xml = tifffile.tiffcomment(path)
    own = '<UUID FileName="before.ome.tif">urn:uuid:7</UUID>'
    xml = xml.replace("<OME ", '<OME UUID="urn:uuid:7" ', 1) if "UUID=" not in xml else xml
    uuid = xml.split('UUID="')[1].split('"')[0]
    block = f'<TiffData IFD="0" PlaneCount="4">{own.replace("urn:uuid:7", uuid)}</TiffData>'
    start, end = xml.index("<TiffData"), xml.index("</Pixels>")
    tifffile.tiffcomment(path, xml[:start] + block + xml[end:])
    np.testing.assert_array_equal(planes(path)[0, 0], STACK)


def test_log_records_are_failures_and_do_not_flood(tmp_path, capfd, caplog):
    path = write(tmp_path / "a.tif", STACK, metadata=None)
    with tifffile.TiffFile(path) as tif:
        first, last = tif.pages[0].offset, tif.pages[3]
        link = last.offset + 2 + 12 * len(last.tags)
    data = bytearray(path.read_bytes())
    data[link : link + 4] = struct.pack("<I", first)  # the last page points back at the first
    path.write_bytes(data)
    for level in (logging.DEBUG, logging.CRITICAL, logging.NOTSET):
        logging.getLogger("tifffile").setLevel(level)
        assert code(path) == "STRUCTURE"
        assert logging.getLogger("tifffile").level == level
    assert capfd.readouterr().err == "" and not caplog.records


def test_damaged_pixels_are_a_decoding_error(tmp_path):
    data = np.random.default_rng(1).integers(0, 255, (64, 64), np.uint8)
    for codec in ("zlib", "lzw", "jpeg"):
        path = write(tmp_path / "a.tif", data, compression=codec, metadata=None)
        with tifffile.TiffFile(path) as tif:
            offset = tif.pages[0].dataoffsets[0]
        content = bytearray(path.read_bytes())
        content[offset : offset + 40] = b"\xff" * 40
        path.write_bytes(content)
        assert code(path) == "DECODE"


def test_reading_changes_nothing(tmp_path):
    path = write(tmp_path / "a.tif", STACK)
    before = hashlib.sha256(path.read_bytes()).digest(), path.stat().st_mtime_ns
    planes(path)
    path.chmod(0o444)
    planes(path)
    assert (hashlib.sha256(path.read_bytes()).digest(), path.stat().st_mtime_ns) == before


# ---- TIFF axes


@pytest.mark.parametrize("options", [{"ome": True}, {"imagej": True}, {}], ids=str)
@pytest.mark.parametrize("axes", ["TZCYX", "ZCYX", "TCYX", "ZYX", "CYX", "TYX", "YX"])
def test_axes_become_tczyx(tmp_path, axes, options):
    sizes = {"T": 2, "Z": 3, "C": 4, "Y": 8, "X": 9}
    data = np.arange(np.prod([sizes[a] for a in axes]), dtype=np.uint16)
    data = data.reshape([sizes[a] for a in axes])
    path = write(tmp_path / "a.tif", data, metadata={"axes": axes}, **options)
    found = planes(path)
    assert found.shape == tuple(sizes[a] if a in axes else 1 for a in "TCZYX")
    order = [axes.index(a) for a in "TCZYX" if a in axes]
    np.testing.assert_array_equal(found.squeeze(), data.transpose(order))


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("codec", [None, "zlib", "jpeg"])
def test_colours_become_channels(tmp_path, planar, tile, codec):
    data = RGB if planar == "contig" else np.moveaxis(RGB, 2, 0)
    path = tmp_path / "a.tif"
    write(path, data, photometric="rgb", planarconfig=planar, tile=tile, compression=codec)
    expected = tifffile.imread(path)
    expected = np.moveaxis(expected, 2, 0) if planar == "contig" else expected
    with open_raw(path) as raw:
        assert raw.rgb and raw.channel_names == ("red", "green", "blue")
        np.testing.assert_array_equal(raw.read_rgb(), expected)
        part = raw.read(c=1, y=slice(13, 35), x=slice(7, 50))
        np.testing.assert_array_equal(part, expected[1, 13:35, 7:50])


def test_alpha_is_dropped(tmp_path):
    data = np.dstack([RGB, np.full((40, 50), 9, np.uint8)])
    write(tmp_path / "a.tif", data, photometric="rgb", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(planes(tmp_path / "a.tif")[0, :, 0], np.moveaxis(RGB, 2, 0))
    for mode, count in (("RGBA", 3), ("LA", 1), ("P", 3), ("1", 1), ("L", 1)):
        image = Image.fromarray(RGB).convert(mode)
        image.save(tmp_path / "a.png")
        found = planes(tmp_path / "a.png")
        shown = np.asarray(image.convert("RGB" if count == 3 else "L")).reshape(40, 50, count)
        np.testing.assert_array_equal(found[0, :, 0], np.moveaxis(shown, 2, 0))


@pytest.mark.filterwarnings("ignore:.*stored as RGB:DeprecationWarning")
@pytest.mark.parametrize("axes", ["ZYX", "TYX", "CYX", None])
def test_planes_that_tifffile_calls_colours(tmp_path, axes):
    options = {"metadata": {"axes": axes}} if axes else {}
    path = write(tmp_path / "a.tif", STACK, tifffile_default=True, **options)
    found = planes(path)
    assert found.shape["TCZYX".index((axes or "C")[0])] == 4
    np.testing.assert_array_equal(found.reshape(STACK.shape), STACK)
    assert not open_raw(path).rgb
    path = write(tmp_path / "b.tif", np.moveaxis(STACK, 0, 2), tifffile_default=True)
    np.testing.assert_array_equal(planes(path)[0, :, 0], STACK)


@pytest.mark.parametrize("channels", [2, 5])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"metadata": {"axes": "YXC"}}])
def test_channels_that_lie_last(tmp_path, channels, options):
    data = np.random.default_rng(0).integers(0, 999, (40, 50, channels), np.uint16)
    path = write(tmp_path / "a.tif", data, **options)
    with open_raw(path) as raw:
        assert raw.shape == (1, channels, 1, 40, 50) and "axes_note" in raw.metadata
        part = raw.read(c=1, y=slice(3, 9), x=slice(4, 44))
        np.testing.assert_array_equal(part, data[3:9, 4:44, 1])
    np.testing.assert_array_equal(planes(path)[0, :, 0], np.moveaxis(data, 2, 0))
    options = options | {"planarconfig": "contig", "photometric": "minisblack"}
    path = write(tmp_path / "b.tif", data, **{k: v for k, v in options.items() if k != "metadata"})
    np.testing.assert_array_equal(planes(path)[0, :, 0], np.moveaxis(data, 2, 0))


def test_unnamed_pages_become_z_and_say_so(tmp_path):
    for options in ({"metadata": None}, {}):
        with open_raw(write(tmp_path / "a.tif", STACK, **options)) as raw:
            assert raw.shape == (1, 1, 4, 40, 50)
            assert "taken as Z" in raw.metadata["axes_note"]
    stack = np.zeros((2, 3, 40, 50), np.uint8)
    assert planes(write(tmp_path / "a.tif", stack)).shape == (2, 1, 3, 40, 50)
    assert code(write(tmp_path / "a.tif", stack[None].repeat(2, 0))) == "AXES"


def test_unequal_images_are_scenes(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tif:
        tif.write(STACK[0], metadata=None)
        tif.write(STACK[0, :20, :20], metadata=None)
    assert code(path) == "SCENE"
    assert code(path, "nope") == "SCENE"
    assert planes(path, "1").shape == (1, 1, 1, 20, 20)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as tif:
        tif.write(STACK, metadata={"axes": "ZYX", "Name": "left"})
        tif.write(STACK[:2], metadata={"axes": "CYX", "Name": "right", "PhysicalSizeX": 0.5})
    with open_raw(tmp_path / "a.ome.tif", "right") as raw:
        assert raw.scenes == ("left", "right") and raw.scene == "right"
        assert raw.shape == (1, 2, 1, 40, 50)


def test_pyramids_and_labels_are_no_scenes(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        tif.write(RGB, subifds=1, tile=(16, 16), photometric="rgb")
        tif.write(RGB[::2, ::2], subfiletype=1, tile=(16, 16), photometric="rgb")
    assert planes(tmp_path / "a.tif").shape == (1, 3, 1, 40, 50)
    with tifffile.TiffWriter(tmp_path / "a.svs") as tif:
        text = "Aperio Image Library v1\n50x40 [0,0 50x40] (16x16) JPEG|AppMag = 20|MPP = 0.4990"
        tif.write(RGB, tile=(16, 16), description=text, metadata=None, photometric="rgb")
        tif.write(RGB[::3, ::3], metadata=None, photometric="rgb", description="Aperio")
    with open_raw(tmp_path / "a.svs") as raw:
        assert (raw.format, raw.scenes, raw.pixel_size_um) == ("svs", ("0",), (0.499, 0.499))
        assert raw.metadata["objective"] == "20"


def test_a_region_decodes_only_its_tiles(tmp_path, monkeypatch):
    data = np.random.default_rng(0).integers(0, 255, (512, 512, 3), np.uint8)
    path = write(tmp_path / "a.tif", data, tile=(64, 64), compression="zlib", photometric="rgb")
    with open_raw(path) as raw:
        decoded = []
        real = raw._pixels._decoded
        monkeypatch.setattr(raw._pixels, "_decoded", lambda p, i: decoded.append(i) or real(p, i))
        found = raw.read_rgb(y=slice(100, 140), x=slice(60, 70))
        assert sorted(decoded) == [8, 9, 16, 17]  # 2 x 2 of 64 tiles, once for three colours
        np.testing.assert_array_equal(found, np.moveaxis(data[100:140, 60:70], 2, 0))
        assert raw.read(y=slice(5, 5)).shape == (0, 512)


@pytest.mark.parametrize("rows", [1, 7, 40])
def test_strips_of_any_height(tmp_path, rows):
    path = write(tmp_path / "a.tif", STACK, rowsperstrip=rows, compression="zlib", metadata=None)
    with open_raw(path) as raw:
        np.testing.assert_array_equal(raw.read(z=2, y=slice(6, 22)), STACK[2, 6:22])
        np.testing.assert_array_equal(raw.read(z=3), STACK[3])


def test_rows_of_plain_strips_are_read_without_the_rest(tmp_path, monkeypatch):
    data = np.arange(2 * 4 * 400 * 50, dtype=">u2").reshape(2, 4, 400, 50)
    for axes, planar in (("TZYX", None), ("TCYX", "separate")):
        photometric = "rgb" if planar else "minisblack"
        path = write(tmp_path / "a.tif", data[:, : 3 if planar else 4], metadata={"axes": axes}, photometric=photometric, planarconfig=planar, byteorder=">")  # fmt: skip
        with open_raw(path) as raw:
            monkeypatch.setattr(raw._pixels, "_decoded", None)  # would read a strip whole
            for t, k in ((1, 2), (0, 1)):
                found = raw.read(t, **{"c" if planar else "z": k}, y=slice(390, 400), x=slice(3, 9))
                np.testing.assert_array_equal(found, data[t, k, 390:400, 3:9])


def test_strips_that_do_not_follow_each_other_are_put_together(tmp_path):
    path = write(tmp_path / "a.tif", STACK[0], rowsperstrip=10, metadata=None)
    with tifffile.TiffFile(path) as tif:
        offsets = list(tif.pages[0].dataoffsets)
    patch_tag(path, 273, [offsets[1], offsets[0], *offsets[2:]])
    swapped = np.concatenate([STACK[0, 10:20], STACK[0, :10], STACK[0, 20:]])
    np.testing.assert_array_equal(planes(path)[0, 0, 0], swapped)


# ---- TIFF pixels


def test_pixel_types(tmp_path):
    kept = ["u1", "u2", "i2", "u4", "f4", ">u2", ">f4"]
    for dtype in kept:
        path = write(
            tmp_path / "a.tif",
            STACK[0].astype(dtype),
            byteorder=dtype[0] if dtype[0] == ">" else "<",
        )
        found = planes(path)
        np.testing.assert_array_equal(found[0, 0, 0], STACK[0].astype(dtype))
        assert found.dtype.isnative
    for dtype in ("c8", "u8", "f2", "i1"):
        assert code(write(tmp_path / "a.tif", STACK[0].astype(dtype))) == "DTYPE"


def test_white_is_zero_and_bilevel_as_pillow_shows_them(tmp_path):
    path = write(tmp_path / "a.tif", RGB[..., 0], photometric="miniswhite")
    np.testing.assert_array_equal(planes(path)[0, 0, 0], np.asarray(Image.open(path).convert("L")))
    for kind in ("minisblack", "miniswhite"):
        path = write(tmp_path / "b.tif", RGB[..., 0] > 99, photometric=kind)
        shown = np.asarray(Image.open(path).convert("L"))
        np.testing.assert_array_equal(planes(path)[0, 0, 0], shown)


def test_a_palette_is_colour_unless_it_only_displays(tmp_path):
    index = RGB[..., 0]
    green = np.zeros((3, 256), np.uint16)
    green[1] = np.arange(256) * 257
    path = write(tmp_path / "a.tif", index, photometric="palette", colormap=green, metadata=None)
    np.testing.assert_array_equal(planes(path)[0, :, 0], index[None])
    random = np.random.default_rng(0).integers(0, 65535, (3, 256), np.uint16)
    path = write(tmp_path / "b.tif", index, photometric="palette", colormap=random, metadata=None)
    shown = np.asarray(Image.open(path).convert("RGB"))
    np.testing.assert_array_equal(planes(path)[0, :, 0], np.moveaxis(shown, 2, 0))


def test_print_colours_are_refused(tmp_path):
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "a.tif")
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "a.jpg")
    assert code(tmp_path / "a.tif") == code(tmp_path / "a.jpg") == "DTYPE"


# ---- pixel sizes


def size_of(path):
    with open_raw(path) as raw:
        found = raw.pixel_size_um, raw.z_step_um
    return tuple(v and pytest.approx(v) for v in found)


@pytest.mark.parametrize(
    ("unit", "um"),
    [
        *(("um", 1), ("µm", 1), ("micron", 1), ("\\u00B5m", 1), ("nm", 1e-3), ("mm", 1e3)),
        *(("cm", 1e4), ("pixel", None), ("inch", None), ("", None)),
    ],
)
def test_imagej_units(tmp_path, unit, um):
    path = tmp_path / "a.tif"
    text = f"ImageJ=1.5\nimages=4\nslices=4\nunit={unit}\nspacing=2.0\n"
    text = text.encode("utf-8" if "\\" in unit or unit.isascii() else "latin-1")
    options = {"resolution": (4, 2), "resolutionunit": "none", "metadata": None}
    write(path, STACK, description=text, contiguous=True, **options)
    expected = (um and (0.5 * um, 0.25 * um), um and 2.0 * um)
    assert size_of(path) == expected


def test_ome_units(tmp_path):
    path = tmp_path / "a.ome.tif"
    for size, unit, um in (
        (0.25, "µm", 0.25),
        (250, "nm", 0.25),
        (0.001, "mm", 1),
        (1, "pixel", None),
        (0, "µm", None),
        (-1, "µm", None),
        (float("nan"), "µm", None),
    ):
        sizes = {f"PhysicalSize{a}": size for a in "XYZ"}
        units = {f"PhysicalSize{a}Unit": unit for a in "XYZ"}
        names = {"Channel": {"Name": ["DAPI"]}}
        write(path, STACK, ome=True, metadata={"axes": "ZYX", **sizes, **units, **names})
        assert size_of(path) == (um and (um, um), um)
        assert open_raw(path).channel_names == ("DAPI",)


def test_plain_resolution_counts_only_in_centimetres(tmp_path):
    path = tmp_path / "a.tif"
    for unit, um in (("centimeter", 2.0), ("inch", None), ("none", None)):
        write(path, STACK[0], resolution=(5000, 5000), resolutionunit=unit)
        assert size_of(path) == (um and (um, um), None)
    assert size_of(write(path, STACK[0], resolution=(0, 0), resolutionunit=3)) == (None, None)


# ---- PNG and JPEG


def test_png_and_jpeg(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    Image.fromarray(RGB).save(tmp_path / "a.jpg")
    Image.fromarray(STACK[0]).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(planes(tmp_path / "a.png")[0, :, 0], np.moveaxis(RGB, 2, 0))
    shown = np.moveaxis(np.asarray(Image.open(tmp_path / "a.jpg")), 2, 0)
    np.testing.assert_array_equal(planes(tmp_path / "a.jpg")[0, :, 0], shown)
    np.testing.assert_array_equal(planes(tmp_path / "deep.png")[0, 0, 0], STACK[0])
    assert code(tmp_path / "a.png", "7") == "SCENE"


def test_sixteen_bit_colours_keep_their_low_byte(tmp_path):
    imagecodecs = pytest.importorskip("imagecodecs")
    data = np.random.default_rng(0).integers(0, 65535, (40, 50, 3), np.uint16)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(data))
    np.testing.assert_array_equal(planes(tmp_path / "a.png")[0, :, 0], np.moveaxis(data, 2, 0))


@pytest.mark.parametrize("kind", ["png", "jpg", "bmp"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
def test_truncated_pictures_are_refused(tmp_path, kind, share):
    path = tmp_path / f"a.{kind}"
    Image.fromarray(RGB).save(path)
    assert code(cut(path, share)) in ("TRUNCATED", "DECODE", "STRUCTURE")


def test_a_flipped_byte_in_a_png(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    data = bytearray((tmp_path / "a.png").read_bytes())
    data[len(data) // 2] ^= 255
    (tmp_path / "a.png").write_bytes(data)
    assert code(tmp_path / "a.png") == "DECODE"


@pytest.mark.filterwarnings("error")
def test_pillow_s_own_size_limit_plays_no_part(tmp_path, monkeypatch):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert planes(tmp_path / "a.png").shape == (1, 3, 1, 40, 50)
    assert Image.MAX_IMAGE_PIXELS == 100


# ---- one image of many files


def write_set(folder, channels=("DAPI", "GFP"), depths=(1, 2, 10)):
    for number, channel in enumerate(channels):
        for z in depths:
            write(folder / f"w1_ch{channel}_p{z}.tif", STACK[0] + 100 * number + z)


def test_a_series_of_files_is_one_image(tmp_path):
    write_set(tmp_path)
    (tmp_path / "notes.txt").touch()
    with open_raw(tmp_path / "w1_ch{channel}_p{z}.tif") as raw:
        assert raw.shape == (1, 2, 3, 40, 50) and raw.format == "series"
        assert raw.channel_names == ("DAPI", "GFP")
        for c, z, added in ((0, 0, 1), (0, 2, 10), (1, 1, 102)):
            np.testing.assert_array_equal(raw.read(c=c, z=z, y=slice(2, 9)), STACK[0, 2:9] + added)


def test_a_series_with_gaps_or_unequal_files_is_refused(tmp_path):
    write_set(tmp_path)
    pattern = tmp_path / "w1_ch{channel}_p{z}.tif"
    lost = tmp_path / "w1_chGFP_p2.tif"
    write(lost, STACK[0, :20])
    with pytest.raises(DataError, match="w1_chGFP_p2") as refused:
        open_raw(pattern)
    assert refused.value.code == "AXES"
    lost.unlink()
    with pytest.raises(DataError, match="w1_chGFP_p2") as refused:
        open_raw(pattern)
    assert refused.value.code == "MISSING"
    assert code(tmp_path / "nothing_{t}.tif") == "MISSING"
    write(tmp_path / "s_1.tif", STACK)
    with pytest.raises(DataError, match=r"s_1\.tif: holds 4 planes") as refused:
        open_raw(tmp_path / "s_{z}.tif")
    assert refused.value.code == "AXES"
    assert planes(tmp_path / "s_{channel}.tif").shape == (1, 1, 4, 40, 50)


def test_a_placeholder_twice_must_match_the_same(tmp_path):
    for a, b in ((1, 1), (2, 2), (1, 2)):
        (tmp_path / f"t{a}").mkdir(exist_ok=True)
        write(tmp_path / f"t{a}" / f"img_t{b}.tif", STACK[0] + a)
    with open_series("t{t}/img_t{t}.tif", tmp_path) as raw:
        assert raw.shape == (2, 1, 1, 40, 50)
        np.testing.assert_array_equal(raw.read(t=1), STACK[0] + 2)


def test_a_file_that_is_named_like_a_pattern(tmp_path):
    write(tmp_path / "a{z}.tif", STACK[0])
    assert open_raw(tmp_path / "a{z}.tif").format == "tiff"


def imagej_virtual(path):
    """Write what ImageJ does above 4 GB: one page, the other planes right behind it."""
    write(path, STACK[0], description="ImageJ=1.5\nimages=4\nslices=4\n", metadata=None)
    with path.open("ab") as file:
        file.write(STACK[1:].tobytes())
    return path


@pytest.mark.parametrize("writer", ["imagej", "tifffile"])
def test_planes_without_pages_of_their_own(tmp_path, writer):
    options = {"metadata": {"axes": "ZYX"}, "truncate": True, "byteorder": ">"}
    virtual = writer == "imagej"
    path = tmp_path / "a.tif"
    path = imagej_virtual(path) if virtual else write(path, STACK, **options)
    with tifffile.TiffFile(path) as tif:
        assert len(tif.pages) == 1
    with open_raw(path) as raw:
        region = raw.read(z=3, y=slice(11, 30), x=slice(5, 9))
        np.testing.assert_array_equal(region, STACK[3, 11:30, 5:9])
    assert code(cut(path, 0.9)) == "TRUNCATED"


def stk(path, planes, calibrated):
    """Write a MetaMorph stack: one page, the planes in a row, and the UIC tags."""
    pixels = STACK[:planes].tobytes()
    ifd_at, tags = 8 + len(pixels), 12
    uic2_at = ifd_at + 2 + tags * 12 + 4  # z step 5/2 um, no dates
    uic2 = struct.pack("<6I", 5, 2, 0, 0, 0, 0) * planes
    uic1_at = uic2_at + len(uic2)
    value_at = uic1_at + 4 * 8
    uic1 = [(3, int(calibrated)), (4, value_at), (5, value_at), (6, value_at + 8)]
    values = struct.pack("<3I", 645, 1000, 3) + b"um\0"  # 0.645 um
    fields = [
        (256, 4, 1, 50),
        (257, 4, 1, 40),
        (258, 3, 1, 16),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 1),
        (278, 4, 1, 40),
        (279, 4, 1, 4000),
        (339, 3, 1, 1),
        (33628, 4, len(uic1), uic1_at),
        (33629, 5, planes, uic2_at),
    ]
    ifd = struct.pack("<H", tags) + b"".join(struct.pack("<HHII", *f) for f in fields) + bytes(4)
    pairs = b"".join(struct.pack("<2I", *pair) for pair in uic1)
    start = struct.pack("<2sHI", b"II", 42, ifd_at)
    path.write_bytes(start + pixels + ifd + uic2 + pairs + values)
    return path


def test_metamorph_stacks(tmp_path):
    path = stk(tmp_path / "a.stk", 4, calibrated=True)
    with open_raw(path) as raw:
        assert raw.format == "stk" and raw.shape == (1, 1, 4, 40, 50)
        assert raw.pixel_size_um == pytest.approx((0.645, 0.645)) and raw.z_step_um == 2.5
        np.testing.assert_array_equal([raw.read(z=z) for z in range(4)], STACK)
    assert size_of(stk(tmp_path / "b.stk", 4, calibrated=False)) == (None, None)
