"""Bombs: small files that claim or unpack to far more -> refused, in a child with 2 GiB of address space."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

GIB = 1 << 30


def refused(reading, path):
    """The code that a file is refused with."""
    answer = reading.ask(path)
    assert answer["outcome"] == "refused" and str(path) in answer["message"], answer
    return answer["code"]


def replace_segment(path, packed: bytes) -> None:
    """Put other bytes in the place of the first tile or strip."""
    with tifffile.TiffFile(path, mode="r+") as tif:
        page, end = tif.pages[0], path.stat().st_size
        tif.filehandle.seek(end)
        tif.filehandle.write(packed)
        for name, first in (("dataoffsets", end), ("databytecounts", len(packed))):
            tags = page.tags
            prefix = "Tile" if page.is_tiled else "Strip"
            tag = tags[prefix + {"dataoffsets": "Offsets", "databytecounts": "ByteCounts"}[name]]
            tag.overwrite([first, *getattr(page, name)[1:]], dtype="I")


@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_a_segment_that_unpacks_to_more_than_its_place_takes_no_memory(reading, tmp_path, tile):
    path = tmp_path / "a.tif"
    data = np.random.default_rng(1).integers(0, 255, (32, 32), np.uint8)
    options = {"tile": tile, "rowsperstrip": None if tile else 16}
    tifffile.imwrite(path, data, compression="zlib", metadata=None, **options)
    packer = zlib.compressobj()
    begin = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    replace_segment(path, begin + again * (3 * GIB >> 24))
    assert reading.ask(path)["outcome"] in ("read", "refused")


def test_a_small_file_that_unpacks_to_an_allowed_size_is_refused_by_the_studys_own_limit(
    reading, tmp_path
):
    path = tmp_path / "black.tif"
    tifffile.imwrite(path, np.zeros((8000, 8000), np.uint8), compression="zlib", rowsperstrip=8000)
    assert path.stat().st_size < 100_000 and refused(reading, path) == "TOO_LARGE"


def test_a_png_that_claims_a_million_by_a_million_pixels(reading, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.ones((4, 4), np.uint8)).save(path)
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 10**6, 10**6)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    assert refused(reading, path) == "TOO_LARGE"


def test_a_png_whose_text_unpacks_without_end(reading, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.ones((4, 4), np.uint8)).save(path)
    content = path.read_bytes()
    text = b"zTXt" + b"note\0\0" + zlib.compress(bytes(GIB // 4), 9)
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    path.write_bytes(content[:33] + chunk + content[33:])
    assert reading.ask(path)["outcome"] in ("read", "refused")


def test_a_lif_whose_entities_expand(reading, tmp_path):
    from samples import LIF_XML, write_lif

    path = tmp_path / "a.lif"
    write_lif(path)
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "xxxxxxxxxx">{entities}]>' + LIF_XML.replace(
        "<Data>", "<Data>&e9;", 1
    )
    content, text = path.read_bytes(), bomb.encode("utf-16-le")
    head = struct.pack("<IIBI", 0x70, len(text) + 5, 0x2A, len(bomb))
    path.write_bytes(head + text + content[13 + 2 * len(LIF_XML) :])
    assert refused(reading, path) == "STRUCTURE"


def test_a_million_samples_of_a_pixel(reading, tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((16, 16, 3), np.uint8), photometric="rgb", metadata=None)
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages[0].tags["SamplesPerPixel"].overwrite(65535)
    assert refused(reading, path) in ("DECODE", "STRUCTURE", "TRUNCATED", "TOO_LARGE")
