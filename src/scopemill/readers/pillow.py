"""Read PNG, JPEG and BMP through Pillow: a plane is decoded whole, once."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import DataError
from ._base import Raw, check_header

MAGIC = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"BM": "bmp"}
END = {"png": b"IEND\xaeB`\x82", "jpeg": b"\xff\xd9"}
TAIL_BYTES = 2**16
# Pillow mode -> (mode to read it in, pixel type); palettes and alpha become plain colours
MODES = {
    "1": ("L", "uint8"),
    "L": ("L", "uint8"),
    "LA": ("L", "uint8"),
    "P": ("RGB", "uint8"),
    "PA": ("RGB", "uint8"),
    "RGB": ("RGB", "uint8"),
    "RGBA": ("RGB", "uint8"),
    "RGBX": ("RGB", "uint8"),
    "I;16": ("I;16", "uint16"),
    "I;16B": ("I;16B", "uint16"),
    "I": ("I", "int32"),
    "F": ("F", "float32"),
}


def recognise(head: bytes, path: Path) -> bool:
    """Tell PNG, JPEG and BMP by their first bytes."""
    return _format(head) is not None


def open_file(path: Path, scene: str | None, max_pixels: int) -> Raw:
    """Open one picture. Raises DataError TOO_LARGE, TRUNCATED, DTYPE or STRUCTURE."""
    kind, head = _complete(path)
    with _opened(path) as image:
        (width, height), mode = image.size, image.mode
    if mode not in MODES:
        message = f"{path}: colour mode {mode} is not supported; save it as RGB or grey"
        raise DataError("DTYPE", message)
    target, dtype = MODES[mode]
    deep = kind == "png" and struct.unpack(">xxxxxxxxxxxxxxxxxxxxxxxxBB", head[:26])  # depth, type
    if deep and deep[0] == 16 and deep[1] != 0:  # Pillow would drop the low byte of each sample
        target, dtype = "deep", "uint16"
    rgb = target == "RGB" or (target == "deep" and deep[1] in (2, 6))
    colours = 3 if rgb else 1
    if scene not in (None, "0"):
        raise DataError("SCENE", f"{path}: has no scene {scene!r}; it holds one image, '0'")
    check_header(path, (colours, height, width), np.dtype(dtype), max_pixels)
    return _Picture(
        path=path,
        format=kind,
        shape=(1, colours, 1, height, width),
        dtype=np.dtype(dtype),
        rgb=rgb,
        metadata={"mode": mode},
        max_pixels=max_pixels,
        pieces="tiles",  # of the one plane that was decoded
        target=target,
    )


def _complete(path: Path) -> tuple[str, bytes]:
    """Return the format and the first bytes of a file that has its end mark."""
    with path.open("rb") as file:
        head = file.read(32)
        file.seek(-min(TAIL_BYTES, path.stat().st_size), 2)
        tail = file.read()
    kind = _format(head)
    if END.get(kind, b"") not in tail:
        raise DataError("TRUNCATED", f"{path}: the {kind} data have no end mark; copy it again")
    return kind, head


class _Picture(Raw):
    def __init__(self, *, target: str, **header):
        super().__init__(**header)
        self._target = target
        self._pixels: np.ndarray | None = None  # (C, Y, X), decoded at the first read

    def _decode(self, t, c, z, y, x):
        if self._pixels is None:
            pixels = _load_deep(self.path) if self._target == "deep" else self._load()
            self._pixels = np.moveaxis(pixels.reshape(*pixels.shape[:2], -1), 2, 0)
        return self._pixels[c, y, x]

    def _load(self) -> np.ndarray:
        with _opened(self.path) as image:
            image.verify()  # checks PNG checksums, which decoding does not
        with _opened(self.path) as image:
            image.load()
            return np.array(image if image.mode == self._target else image.convert(self._target))

    def _close(self):
        self._pixels = None


def _load_deep(path: Path) -> np.ndarray:
    import imagecodecs

    pixels = imagecodecs.png_decode(path.read_bytes())
    return pixels[..., : 3 if pixels.shape[-1] > 2 else 1]


def _format(head: bytes) -> str | None:
    return next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open without Pillow's own size limit and warnings: max_pixels has been or will be checked."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=("PNG", "JPEG", "BMP", "MPO")) as image:
                yield image
    finally:
        Image.MAX_IMAGE_PIXELS = limit
