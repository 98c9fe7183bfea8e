"""What all formats share: the file with its first bytes, what is asked of it, and the words in which it is refused."""

import functools
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DataError, Skip

if TYPE_CHECKING:
    import pandas as pd

HEAD_BYTES = 4096
MAX_TEXT_BYTES = 1 << 29
GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Wanted:
    """What the reader must know beyond the file."""

    image: tuple[str, ...] = ()  # names that a file about several images may know this one by
    classes: tuple[str, ...] = ()  # names of pixel values 1, 2, ...
    shape: tuple[int, int, int, int] | None = None  # (T, Z, Y, X) of the image
    components: bool = True  # whether each connected part of a binary mask is an object
    guessed: bool = False  # whether the format was told by the content alone


@dataclass(frozen=True)
class File:
    """An annotation file."""

    path: Path
    head: bytes

    @property
    def is_json(self) -> bool:
        """Whether it can only be JSON, packed or not."""
        start = self.head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        return start in (b"{", b"[") or self.head.startswith(GZIP)

    def json(self) -> Any:
        """Its content; read once for all formats (and images) that ask.

        Raises
        ------
        DataError
            ANNOTATION when it is not valid JSON, TOO_LARGE when it is more than that.
        """
        stat = self.path.stat()
        return read_json(self.path, stat.st_size, stat.st_mtime_ns)


def refuse(file: "File | Path", cause: str, cure: str, code: str = "ANNOTATION") -> DataError:
    """The error that names file, cause and cure."""
    return DataError(code, f"{file.path if isinstance(file, File) else file}: {cause}; {cure}")


@contextmanager
def blame(file: File, what: str) -> Iterator[None]:
    """Turn what a library says of damaged content into DataError; what is not the file's fault passes through."""
    try:
        yield
    except (DataError, Skip, MemoryError, ImportError, NameError):
        raise
    except OSError as error:
        if error.errno is not None:
            raise  # the disk's or the network's fault: the job is retried
        raise refuse(file, f"{what} ({str(error)[:200]})", "copy it again") from error
    except Exception as error:
        cause = f"{type(error).__name__}: {str(error)[:200]}"
        raise refuse(file, f"{what} ({cause})", "export it again") from error


def read_bytes(path: Path, limit: int = MAX_TEXT_BYTES) -> bytes:
    """Content, unpacked if it is gzip.

    Raises
    ------
    DataError
        TOO_LARGE when there is more than `limit`; ANNOTATION when the packing is damaged.
    """
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        source = gzip.GzipFile(fileobj=file) if packed else file
        try:
            data = source.read(limit + 1)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise refuse(path, f"gzip data are damaged ({error})", "copy it again") from error
    if len(data) > limit:
        raise refuse(path, f"more than {limit} bytes of text", "split it by image", "TOO_LARGE")
    return data


@functools.lru_cache(maxsize=1)
def read_json(path: Path, size: int, time_ns: int) -> Any:
    """Parsed content; `size` and `time_ns` tell one state of the file from another."""
    data = read_bytes(path)
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise refuse(path, f"not valid JSON ({str(error)[:200]})", "export it again") from error


def to_points(file: File, positions: Any, where: str) -> np.ndarray:
    """List of positions -> (n, 2) float64 in (x, y).

    Raises
    ------
    DataError
        ANNOTATION when they are no pairs of numbers; NONFINITE.
    """
    try:
        points = np.asarray(positions, dtype=np.float64)
    except (ValueError, TypeError):
        points = np.empty(0)
    if points.ndim != 2 or points.shape[1] not in (2, 3):
        raise refuse(file, f"{where}: coordinates are no list of (x, y)", "export it again")
    if not np.isfinite(points).all():
        raise refuse(file, f"{where}: a coordinate is not finite", "export it again", "NONFINITE")
    return points[:, :2]


def to_ring(file: File, positions: Any, where: str) -> np.ndarray:
    """The same for a closed outline, which has three corners or more."""
    points = to_points(file, positions, where)
    if len(np.unique(points, axis=0)) < 3:
        raise refuse(file, f"{where}: an outline of fewer than 3 points", "draw it again, or delete it")  # fmt: skip
    return points


def find_columns(file: File) -> tuple[list[str], str]:
    """Names of a table's columns, by its first line, and what separates them."""
    line = file.head.removeprefix(b"\xef\xbb\xbf").splitlines()[:1]
    text = line[0].decode("utf-8", "replace") if line else ""
    separator = "\t" if "\t" in text else ","
    return [name.strip().strip('"') for name in text.split(separator)], separator


def read_rows(file: File) -> "pd.DataFrame":
    """A table, all cells as text."""
    import pandas as pd

    text = io.BytesIO(read_bytes(file.path))
    with blame(file, "not a valid table"):
        return pd.read_csv(
            text, sep=find_columns(file)[1], dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
