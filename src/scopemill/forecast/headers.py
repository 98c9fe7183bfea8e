"""Headers: raw file -> its shape, type and pixel size, kept beside the results so that a file is opened once.

Opening 10,000 files takes a minute and more, so rules never do: they take what `scopemill plan` kept
(results/<study>/provenance/headers.jsonl), and guess from the size of a file that it never saw or that changed since.
"""

import dataclasses
import functools
import json
import os
from collections.abc import Mapping
from math import isqrt
from pathlib import Path

from .. import manifests
from ..readers import open_raw
from ..sheet import Row, files_of, raw_state

HEADERS = "provenance/headers.jsonl"
# pixel values that a byte may stand for, in files as microscopes write them: many rather than few
VALUES_PER_BYTE = {".jpg": 12.0, ".jpeg": 12.0, ".png": 4.0, ".czi": 2.0, ".tif": 2.0, ".tiff": 2.0}
SLIDES = (".svs", ".ndpi", ".scn", ".bif", ".mrxs", ".vms", ".svslide")
SLIDE_VALUES_PER_BYTE = 20.0  # JPEG, mostly of empty glass


@dataclasses.dataclass(frozen=True)
class Header:
    """What a raw file says of itself, or what its size lets one guess."""

    shape: tuple[int, int, int, int, int]  # TCZYX
    itemsize: int  # bytes a pixel value
    rgb: bool = False
    names: tuple[str, ...] = ()  # of its channels; none where it was guessed
    pixel_size_um: float | None = None
    tissue: float | None = None  # share of its area, from a small copy that it holds
    pieces: str = "rows"  # in which it is decoded: tiles, rows, plane (see readers)
    guessed: bool = False


def read_header(row: Row, max_pixels: int) -> Header:
    """Open a raw file; of its pixels only a small copy is read, where it holds one.

    Raises
    ------
    DataError
        As `open_raw` does.
    """
    from .tissue_share import measure_tissue

    with open_raw(Path(row.path), row.scene or None, max_pixels) as raw:
        size = raw.pixel_size_um[0] if raw.pixel_size_um else None
        share = measure_tissue(raw)
        itemsize = raw.dtype.itemsize
        return Header(raw.shape, itemsize, raw.rgb, raw.channel_names, size, share, raw.pieces)


def guess_header(row: Row, n_channels: int) -> Header:
    """One plane a channel that is as large as files of such a size may be: too large, mostly, and never for nothing."""
    suffix = os.path.splitext(row.path)[1].lower()  # noqa: PTH122
    return header_of(suffix, count_bytes(row.path), n_channels)


@functools.lru_cache
def header_of(suffix: str, n_bytes: int, n_channels: int) -> Header:
    """The same of what it is guessed from; files of one microscope are often equally large."""
    per_byte = SLIDE_VALUES_PER_BYTE if suffix in SLIDES else VALUES_PER_BYTE.get(suffix, 2.0)
    colour = suffix in SLIDES or suffix in (".jpg", ".jpeg")
    n_channels = 3 if colour else max(1, n_channels)
    side = isqrt(round(n_bytes * per_byte / n_channels))
    itemsize = 1 if colour or suffix == ".png" else 2
    pieces = "rows" if suffix in SLIDES or suffix in (".tif", ".tiff", ".czi") else "plane"
    shape = (1, n_channels, 1, side, side)
    return Header(shape, itemsize, colour, pieces=pieces, guessed=True)


def count_bytes(path: str) -> int:
    """Size of a raw file; of all files of a pattern; with the folder of pixels that lies beside an MRXS file."""
    if "{" in path and not os.path.exists(path):  # noqa: PTH110
        found = files_of(path)
    elif path.lower().endswith(".mrxs"):
        found = [path, *Path(path).with_suffix("").glob("*")]
    else:
        found = [path]
    sizes = []
    for one in found:
        try:
            sizes.append(os.stat(one).st_size)  # noqa: PTH116
        except OSError:
            continue  # convert will say what is wrong with it
    return sum(sizes)


class HeaderStore:
    """Headers that were read before, by the state of their files."""

    def __init__(self, root: Path):
        self.path = root / HEADERS
        self._known = read_lines(self.path)

    def find(self, row: Row) -> Header | None:
        """The header of a file that has not changed since it was read."""
        found = self._known.get(key_of(row)) if self._known else None
        return found[1] if found and found[0] == raw_state(row) else None

    def add(self, row: Row, header: Header) -> None:
        """Remember a header; `save` writes it down."""
        self._known[key_of(row)] = (raw_state(row), header)

    def save(self) -> None:
        """Write all of them, whole or not at all."""
        lines = [
            json.dumps({"path": path, "scene": scene, "state": state} | dataclasses.asdict(header))
            for (path, scene), (state, header) in self._known.items()
        ]
        with manifests.replacing(self.path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def key_of(row: Row) -> tuple[str, str]:
    """Where an image lies, whatever the working directory."""
    return os.path.normpath(Path(row.path).absolute()), row.scene


def read_lines(path: Path) -> dict[tuple[str, str], tuple[str, Header]]:
    """(path, scene) -> state of the file and its header; a line of another version is passed over."""
    known = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                known.update([parse_line(json.loads(line))])
            except (ValueError, KeyError, TypeError):
                continue
    return known


def parse_line(line: Mapping) -> tuple[tuple[str, str], tuple[str, Header]]:
    """One line of the store."""
    values = {field.name: line[field.name] for field in dataclasses.fields(Header)}
    values |= {"shape": tuple(values["shape"]), "names": tuple(values["names"])}
    return (line["path"], line["scene"]), (line["state"], Header(**values))
