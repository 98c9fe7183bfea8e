"""CZI directory -> number of its blocks, or DataError: what must hold before libCZI, which trusts it, is asked.

The layout is that of Zeiss' "ZISRAW (CZI) File Format" 1.2.2: segments of 32 bytes of header and a body, a directory
of blocks, and in front of each block the same entry again. A wrong number of dimensions there crashes libCZI 6.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from ..errors import DataError
from ._base import BoundedFile, blame

SEGMENT = struct.Struct("<16sqq")  # name, bytes that are set aside, bytes that are used
PLACES = struct.Struct("<iqq")  # of the file's header: part, directory, metadata
PLACES_AT = 48
COUNT = struct.Struct("<i")
ENTRIES_AT = 128
# schema, pixels, position, part, codec, pyramid, nothing, number of dimensions
ENTRY = struct.Struct("<2siqiiB5si")
DIMENSION_BYTES = 20
MAX_DIMENSIONS = 40
SIZES = struct.Struct("<iiq")  # of a block: metadata, attachment, pixels
LEAST_BYTES = 256  # from a block's sizes to its metadata
AGAIN = "copy it again"


def count_blocks(path: Path) -> int:
    """Number of blocks of pixels that lie whole in the file. Raises DataError STRUCTURE or TRUNCATED."""
    with blame(path, "STRUCTURE", "the CZI directory cannot be read"), BoundedFile(path) as file:
        entries = list(_entries(path, file))
        for entry, dimensions in entries:
            _check_block(path, file, entry, dimensions)
        return len(entries)


def _segment(path: Path, file: BoundedFile, place: int, name: bytes) -> tuple[int, int]:
    """First byte and length of a segment's body; of what is set aside, the end may not be there."""
    end = file.seek(0, 2)
    if not 0 <= place <= end - SEGMENT.size:
        cause = f"{name.decode()} is said to be at byte {place}, the file has {end}"
        raise DataError("TRUNCATED", f"{path}: {cause}; {AGAIN}")
    file.seek(place)
    found, room, used = SEGMENT.unpack(file.read(SEGMENT.size))
    body = place + SEGMENT.size
    if found.rstrip(b"\0") != name or not 0 <= used <= room:
        cause = f"at byte {place} there is no sound {name.decode()}"
        raise DataError("STRUCTURE", f"{path}: {cause}; {AGAIN}")
    if body + used > end:
        cause = f"{name.decode()} ends at byte {body + used}, the file has {end}"
        raise DataError("TRUNCATED", f"{path}: {cause}; {AGAIN}")
    return body, min(room, end - body)


def _entries(path: Path, file: BoundedFile) -> Iterator[tuple[tuple, bytes]]:
    """Entry and dimensions of each block that the directory names."""
    body, _ = _segment(path, file, 0, b"ZISRAWFILE")
    file.seek(body + PLACES_AT)
    _, directory, metadata = PLACES.unpack(file.read(PLACES.size))
    if metadata:
        _segment(path, file, metadata, b"ZISRAWMETADATA")
    body, length = _segment(path, file, directory, b"ZISRAWDIRECTORY")
    file.seek(body)
    content = file.read(length)
    place = ENTRIES_AT
    for _ in range(COUNT.unpack_from(content)[0]):
        yield (found := _entry(path, content, place))
        place += ENTRY.size + len(found[1])


def _entry(path: Path, content: bytes, place: int) -> tuple[tuple, bytes]:
    entry = ENTRY.unpack_from(content, place)
    place, count = place + ENTRY.size, entry[-1]
    dimensions = content[place : place + DIMENSION_BYTES * max(count, 0)]
    sound = 0 < count <= MAX_DIMENSIONS and len(dimensions) == DIMENSION_BYTES * count
    if entry[0] != b"DV" or not sound:
        cause = f"an entry of its directory claims {count} dimensions of schema {entry[0]!r}"
        raise DataError("STRUCTURE", f"{path}: {cause}; {AGAIN}")
    return entry, dimensions


def _check_block(path: Path, file: BoundedFile, entry: tuple, dimensions: bytes) -> None:
    """A block must say of itself what the directory says, and hold what it claims to."""
    body, length = _segment(path, file, entry[2], b"ZISRAWSUBBLOCK")
    file.seek(body)
    own = file.read(min(length, SIZES.size + ENTRY.size + DIMENSION_BYTES * MAX_DIMENSIONS))
    sizes = SIZES.unpack_from(own)
    begin = max(LEAST_BYTES, SIZES.size + ENTRY.size + len(dimensions))
    if min(sizes) < 0 or begin + sum(sizes) > length:
        cause = f"a block claims {sizes} bytes in a segment of {length}"
        raise DataError("STRUCTURE", f"{path}: {cause}; {AGAIN}")
    if _entry(path, own, SIZES.size)[0][-1] != entry[-1]:
        cause = f"the block at byte {entry[2]} is not the one that its directory means"
        raise DataError("STRUCTURE", f"{path}: {cause}; {AGAIN}")
