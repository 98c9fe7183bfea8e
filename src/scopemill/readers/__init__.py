"""Read: raw microscopy file (or a pattern of files) -> one scene as TCZYX planes, read-only.

Adding a format is adding a file here with `recognise(head, path) -> bool` (the first bytes decide,
the extension breaks ties) and `open_file(path, scene, max_pixels) -> Raw`. Files are asked in
alphabetical order; third parties offer the same two functions through the entry-point group
`scopemill.readers`, asked after these.
"""

import errno
import os
import stat
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from ..errors import DataError
from ._base import Raw, blame
from .series import is_pattern, open_series

__all__ = ["Raw", "open_raw", "open_series"]

HEAD_BYTES = 4096
UNREACHABLE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL)
LOOKS_LIKE = {
    b"<!doctype": "this is a web page: download the file itself",
    b"<html": "this is a web page: download the file itself",
    b"version https://git-lfs": "this is a Git LFS pointer: run 'git lfs pull'",
    b"/annex/objects": "this is a git-annex pointer: run 'git annex get'",
    b"PK\x03\x04": "this is a zip archive: unpack it first",
    b"\x1f\x8b": "this is a gzip archive: unpack it first",
    b"\x89HDF": "this is HDF5: export the image as OME-TIFF",
    b"\0\0\0\0\0\0\0\0": "it begins with zeros, as an interrupted copy does: copy it again",
}
CURE = "convert it to OME-TIFF, for instance with bioformats2raw or bfconvert"


def open_raw(path: Path | str, scene: str | None = None, max_pixels: int = 2**36) -> Raw:
    """Open an image by its content, header only: no pixel is decoded.

    `scene` names one of several images in the file; it may be left out when there is one.
    A path with {channel}, {z} or {t} in it is one image made of many files.
    Raises DataError(code, message naming the file, the cause and the cure).
    """
    path = Path(path)
    if is_pattern(path) and not _exists(path):
        return open_series(path.name, path.parent, scene, max_pixels)
    head = _head(path)
    for reader in _readers():
        if reader.recognise(head, path):
            with blame(path, "STRUCTURE", "the header cannot be read"):
                return reader.open_file(path, scene, max_pixels)
    raise DataError("FORMAT", f"{path}: no known image format, {_guess(head)}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _head(path: Path) -> bytes:
    """First bytes; asks what the path is before opening it, because opening a pipe would hang."""
    try:
        _check_status(path, path.stat())
        with open(path, "rb", opener=_open_at_once) as file:
            _check_status(path, os.fstat(file.fileno()))  # it may be another by now
            return file.read(HEAD_BYTES)
    except PermissionError as error:
        raise DataError("UNREADABLE", f"{path}: permission denied; allow reading it") from error
    except OSError as error:
        if error.errno not in UNREACHABLE:
            raise
        cause = os.strerror(error.errno).lower()
        raise DataError("MISSING", f"{path}: {cause}; check the path in the sheet") from error


def _check_status(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise DataError("NOT_A_FILE", f"{path}: is not a regular file; name one image file")
    if not status.st_size:
        raise DataError("EMPTY", f"{path}: has zero bytes; copy it again from its source")


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _readers() -> Iterator[Any]:
    for module in iter_modules(__path__):
        if not module.name.startswith("_") and module.name != "series":
            yield import_module(f".{module.name}", __name__)
    for entry in entry_points(group="scopemill.readers"):
        yield entry.load()


def _guess(head: bytes) -> str:
    start = head.lstrip().lower()
    for magic, meaning in LOOKS_LIKE.items():
        if start.startswith(magic.lower()):
            return meaning
    return f"it begins with {head[:8]!r}; {CURE}"
