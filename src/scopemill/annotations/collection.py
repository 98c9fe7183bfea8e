"""Collection: parts of GeoJSON, each one or more features as text -> a file of them, written as they come."""

import gzip
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from ..manifests import replacing

HEAD, BETWEEN, TAIL = b'{"type":"FeatureCollection","features":[', b",\n", b"\n]}\n"
LARGE_BYTES = 8 << 20
PACKING = 3  # more of it takes twice the time for a tenth fewer bytes


def write_collection(path: Path, parts: Iterable[Any], pack_large: bool = False) -> Path:
    """Write bytes of features; packed where the path ends in .gz.

    With `pack_large` what is long is packed too, and .gz added to the name; gives the path of the file.
    """
    pieces = separate(parts)
    held, size = [], 0
    for piece in pieces if pack_large else ():
        held.append(piece)
        size += len(piece)
        if size > LARGE_BYTES:
            break
    packed = path.with_name(f"{path.name}.gz")
    target, other = (packed, path) if size > LARGE_BYTES else (path, packed)
    with replacing(target) as temporary, open_binary(temporary, target.suffix == ".gz") as file:
        for piece in chain(held, pieces):
            file.write(piece)
    if pack_large:
        other.unlink(missing_ok=True)  # of an export before, when it was larger or smaller
    return target


def separate(parts: Iterable[Any]) -> Iterator[Any]:
    """What goes before, between and behind the features."""
    before = b"\n"
    yield HEAD
    for part in parts:
        yield before
        yield part
        before = BETWEEN
    yield TAIL


@contextmanager
def open_binary(path: Path, packed: bool) -> Iterator[Any]:
    """A file to write, packed without name and time, which would make equal content differ."""
    with path.open("wb") as plain:
        if not packed:
            yield plain
            return
        with gzip.GzipFile("", "wb", PACKING, plain, mtime=0) as file:
            yield file
