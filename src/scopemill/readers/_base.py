"""What all readers share: the Raw image, and the words in which a file is refused."""

import errno
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from io import BufferedReader, FileIO
from math import isfinite, prod
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Self

import numpy as np

from ..errors import DataError

DTYPES = ("uint8", "uint16", "int16", "uint32", "int32", "float32", "float64")
COLOURS = ("red", "green", "blue")
WHOLE = slice(None)
UM = {"m": 1e6, "dm": 1e5, "cm": 1e4, "mm": 1e3, "nm": 1e-3, "pm": 1e-6, "å": 1e-4}
UM |= dict.fromkeys(("um", "µm", "μm", "micron", "microns", "micrometer", "\\u00b5m"), 1.0)
BAD_SEEK = (errno.EINVAL, errno.EOVERFLOW)


@dataclass(kw_only=True)
class Raw:
    """One scene of a raw file as TCZYX planes; a context manager. Not for several threads at once.

    A reader overrides `_decode` and `_close`, and sets `samples` when one decode yields several
    channels (interleaved colours): the last decoded region then serves the next channels. `pieces`
    says in which regions nothing is decoded twice: any, bands of full rows, or whole planes.
    """

    path: Path
    format: str
    scenes: tuple[str, ...] = ("0",)
    scene: str = "0"
    shape: tuple[int, int, int, int, int]  # TCZYX; alpha is dropped
    dtype: np.dtype
    channel_names: tuple[str, ...] = ()
    rgb: bool = False  # a colour picture (brightfield)
    pixel_size_um: tuple[float, float] | None = None  # (y, x) as the file claims it
    z_step_um: float | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    max_pixels: int = field(default=2**36, repr=False)
    samples: int = field(default=1, repr=False)
    pieces: Literal["tiles", "rows", "plane"] = field(default="plane", repr=False)
    _last: tuple[Any, np.ndarray | None] = field(default=(None, None), repr=False)

    def __post_init__(self):
        self.dtype = np.dtype(self.dtype).newbyteorder("=")
        check_header(self.path, self.shape, self.dtype, self.max_pixels)
        self.channel_names = _names(self.channel_names, self.shape[1], self.rgb)

    def read(
        self, t: int = 0, c: int = 0, z: int = 0, y: slice = WHOLE, x: slice = WHOLE
    ) -> np.ndarray:
        """Return one region (Y, X) of one plane. Raises DataError DECODE or TRUNCATED."""
        y, x = self._bounds(t, c, z, y, x)
        if self.samples == 1:
            return self._region(t, c, z, y, x)
        group, sample = divmod(c, self.samples)
        key = (t, group, z, y.start, y.stop, x.start, x.stop)
        if self._last[0] != key:
            self._last = (None, None)  # frees the old region before the next is made
            self._last = (key, self._region(t, group * self.samples, z, y, x))
        return self._last[1][sample].copy()

    def read_rgb(self, t: int = 0, z: int = 0, y: slice = WHOLE, x: slice = WHOLE) -> np.ndarray:
        """Return one region of a colour picture as (3, Y, X): one decode, not three."""
        if not self.rgb:
            raise ValueError(f"{self.path}: not a colour picture")
        if self.samples == 3:
            return self._region(t, 0, z, *self._bounds(t, 0, z, y, x))
        return np.stack([self.read(t, c, z, y, x) for c in range(3)])

    def close(self) -> None:
        """Close the file; the header stays readable."""
        self._last = (None, None)
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _bounds(self, t: int, c: int, z: int, y: slice, x: slice) -> tuple[slice, slice]:
        for axis, index, size in zip("TCZ", (t, c, z), self.shape[:3], strict=True):
            if not 0 <= index < size:
                raise IndexError(f"{self.path}: {axis}={index} of {size}")
        height, width = self.shape[3:]
        return slice(*y.indices(height)[:2]), slice(*x.indices(width)[:2])

    def _region(self, t: int, c: int, z: int, y: slice, x: slice) -> np.ndarray:
        with blame(self.path, "DECODE", "the image data cannot be decoded"):
            region = self._decode(t, c, z, y, x)
        size = (max(y.stop - y.start, 0), max(x.stop - x.start, 0))
        size = size if self.samples == 1 else (self.samples, *size)
        if region.shape != size:
            message = f"{self.path}: decoded {region.shape} pixels, the header promises {size}"
            raise DataError("DECODE", f"{message}; copy or export it again")
        return np.array(region, self.dtype, order="C")  # its own memory, to write in

    def _decode(self, t: int, c: int, z: int, y: slice, x: slice) -> np.ndarray:
        """Return (Y, X), or (samples, Y, X) where `samples` > 1 and `c` is the first of them."""
        raise NotImplementedError

    def _close(self) -> None:
        pass


class BoundedFile(BufferedReader):
    """A file to read from, in which a length that lies takes no more memory than the file has bytes."""

    def __init__(self, path: Path):
        super().__init__(FileIO(str(path)))
        self._size = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1) -> bytes:
        """Return so many bytes, or those up to the end."""
        left = max(self._size - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left))


@contextmanager
def blame(path: Path, code: str, what: str) -> Iterator[None]:
    """Turn a library's exception into DataError; what is not the file's fault passes through."""
    try:
        yield
    except (DataError, MemoryError, ImportError, NameError):
        raise
    except FileNotFoundError as error:
        raise DataError("MISSING", f"{path}: is gone since it was found; copy it again") from error
    except OSError as error:
        if error.errno is not None and error.errno not in BAD_SEEK:
            raise  # the disk's or the network's fault: the job is retried
        code = "TRUNCATED" if "truncated" in str(error) else code
        raise DataError(code, f"{path}: {what} ({str(error)[:200]}); copy it again") from error
    except Exception as error:
        cause = f"{type(error).__name__}: {str(error)[:200]}"
        raise DataError(code, f"{path}: {what} ({cause}); copy or export it again") from error


def check_header(path: Path, shape: Sequence[int], dtype: np.dtype, max_pixels: int) -> None:
    """Refuse sizes and pixel types that must not be decoded."""
    if min(shape) < 1:
        raise DataError(
            "STRUCTURE", f"{path}: an axis of {tuple(shape)} has no pixels; export again"
        )
    if prod(shape) > max_pixels:
        message = (
            f"{path}: claims {tuple(shape)} pixels, {max_pixels} are allowed; raise max_pixels"
        )
        raise DataError("TOO_LARGE", f"{message} if that size is true")
    if dtype.name not in DTYPES:
        message = f"{path}: pixel type {dtype.name} is not supported; export it as one of {DTYPES}"
        raise DataError("DTYPE", message)


def choose_scene(path: Path, names: Sequence[str], scene: str | None) -> tuple[tuple, int]:
    """Return unique scene names and the position of the chosen one (by name or by number)."""
    count = len(names)
    unique = tuple(names) if all(names) and len(set(names)) == count > 1 else None
    labels = unique or tuple(str(i) for i in range(count))
    if scene is None and count == 1:
        return labels, 0
    for known in (labels, tuple(names), [str(i) for i in range(count)]):
        if scene is not None and list(known).count(scene) == 1:
            return labels, list(known).index(scene)
    fault = f"has no scene {scene!r}" if scene is not None else f"holds {count} images"
    shown = ", ".join(map(repr, labels[:20])) + (", ..." if count > 20 else "")
    raise DataError("SCENE", f"{path}: {fault}; choose one with scene: {shown}")


def extra(path: Path, module: str) -> ModuleType:
    """Import a vendor package, or say how to install it."""
    try:
        return import_module(module)
    except ImportError as error:
        cure = f"needs the package {module}: pip install 'scopemill[formats]'"
        raise DataError("NEEDS_EXTRA", f"{path}: {cure}") from error


def size_um(value: object, unit: str = "um") -> float | None:
    """Return a length in micrometres; None for 0, negatives, NaN, text and units without length."""
    try:
        length = float(value) * UM[unit.strip().lower()]
    except (TypeError, ValueError, KeyError, AttributeError):
        return None
    return length if isfinite(length) and length > 0 else None


def pair_um(y: object, x: object, unit: str = "um") -> tuple[float, float] | None:
    """Return (y, x) in micrometres, or None unless both are lengths."""
    sizes = size_um(y, unit), size_um(x, unit)
    return None if None in sizes else sizes


def _names(names: Sequence[str], count: int, rgb: bool) -> tuple[str, ...]:
    if len(names) != count:
        names = COLOURS if rgb and count == 3 else [""] * count
    names = [str(name).strip() or str(i) for i, name in enumerate(names)]
    times = Counter(names)
    return tuple(f"{n} ({i})" if times[n] > 1 else n for i, n in enumerate(names))
