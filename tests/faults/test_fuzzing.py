"""Fuzzing: lies in headers and tags of every format -> read or refused by name; `make soak` does it for longer."""

import os
import struct

import pytest
from fuzzing import check, fuzz
from samples import WRITERS

SECONDS = float(os.environ.get("FUZZ_SECONDS", 20))
LIES = (("<I", 0x7FFFFFFF), ("<I", 0xFFFFFFFF), ("<Q", 1 << 36), ("<Q", 1 << 62))
EVERY_BYTES = 22  # places that are tried, of what a quick test can try

# file, what stands before the number, bytes from there on, number: these ended the process, hung or took all memory
KNOWN = {
    "dimensions of a block": ("mosaic.czi", b"ZISRAWSUBBLOCK", 76, "<i", 0x7FFF0007, "STRUCTURE"),
    "bytes of a block": ("mosaic.czi", b"ZISRAWSUBBLOCK", 40, "<q", 1 << 46, "STRUCTURE"),
    "a million planes": ("mosaic.czi", b"ZISRAWDIRECTORY", 276, "<i", 1 << 20, "HOLE"),
    "length of the text": ("stack.lif", b"p\0\0\0", 9, "<I", 0x7FFFFFFF, "STRUCTURE"),
    "width of a tile": ("slide.ndpi", b"\x42\x01\x04\0", 8, "<I", 0x7FFFFFFF, "TOO_LARGE"),
}  # fmt: skip


@pytest.mark.parametrize("case", KNOWN)
def test_lies_that_brought_libraries_down_are_refused(samples, reading, tmp_path, case):
    name, before, offset, form, number, code = KNOWN[case]
    (path,) = (path for path in samples if path.name == name)
    data, lie = bytearray(path.read_bytes()), tmp_path / name
    struct.pack_into(form, data, data.index(before) + offset, number)
    lie.write_bytes(data)
    answer = reading.ask(lie)
    assert (answer["outcome"], answer.get("code")) == ("refused", code), answer


def test_files_that_lie_are_read_or_refused(samples, tmp_path):
    counts = fuzz(samples, tmp_path, SECONDS)
    assert counts["read"] and counts["STRUCTURE"], counts


@pytest.mark.parametrize("name", ["mosaic.czi", "stack.lif", "plain.tif", "plain-big.tif"])
def test_a_length_that_is_too_large_takes_no_memory(samples, reading, tmp_path, name):
    assert name in WRITERS
    (path,) = (path for path in samples if path.name == name)
    content, lie = path.read_bytes(), tmp_path / name
    ends = (range(0, 700, EVERY_BYTES), range(len(content) - 700, len(content) - 8, EVERY_BYTES))
    for place in (at for end in ends for at in end):
        for width, number in LIES:
            data = bytearray(content)
            data[place : place + struct.calcsize(width)] = struct.pack(width, number)
            lie.write_bytes(data)
            check(reading.ask(lie), lie, bytes(data))
