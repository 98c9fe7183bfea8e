"""What label, class and mask images share: any picture without loss -> integer pixels (T, Z, Y, X) of the image's size."""

import warnings

import numpy as np

from ...readers import open_raw
from ._file import File, Wanted, blame, refuse

MAX_PIXELS = 1 << 31
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
COLOUR_TYPE, PALETTE = 25, 3  # place and value in a PNG's header


def is_picture(file: File) -> bool:
    """PNG, TIFF or BMP; JPEG too, which is then refused with the reason."""
    return file.head.startswith((PNG, JPEG, b"BM", *TIFF))


def read_pixels(file: File, wanted: Wanted) -> np.ndarray:
    """Pixels of one channel as integers, 0 or more.

    Raises
    ------
    DataError
        ANNOTATION for colours, JPEG, negative or broken numbers; ANNOTATION_FIT for another size than the image's.
    """
    if file.head.startswith(JPEG):
        raise refuse(file, "JPEG changes pixel values, labels do not survive it", "save it as PNG or TIFF")  # fmt: skip
    if file.head.startswith(PNG) and file.head[COLOUR_TYPE : COLOUR_TYPE + 1] == bytes([PALETTE]):
        pixels = read_palette(file)
    else:
        with open_raw(file.path, None, MAX_PIXELS) as raw:
            if raw.rgb:
                raise refuse(file, "a colour picture", "save labels as a grey picture of 8 or 16 bit")  # fmt: skip
            times, channels, planes = raw.shape[:3]
            pages = [raw.read(t, c, z) for t in range(times) for c in range(channels) for z in range(planes)]  # fmt: skip
            pixels = np.stack(pages)
            shape = (times, channels, planes)
            pixels = pixels.reshape(*shape, *pixels.shape[1:])
    return to_integers(file, arrange(file, pixels, wanted))


def read_palette(file: File) -> np.ndarray:
    """Numbers of the colours of a PNG with a palette, (1, 1, 1, Y, X): they are the labels, whatever their colours."""
    from PIL import Image

    with blame(file, "the PNG cannot be decoded"), warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(file.path, formats=("PNG",)) as image:
            return np.asarray(image)[None, None, None]


def arrange(file: File, pixels: np.ndarray, wanted: Wanted) -> np.ndarray:
    """(T, C, Z, Y, X) -> (T, Z, Y, X) of the image; a stack may be in any of the first three axes."""
    times, channels, planes, height, width = pixels.shape
    if wanted.shape is None:
        if channels > 1:
            raise refuse(file, f"{channels} channels", "save labels as one channel")
        return pixels[:, 0]
    stack = [size for size in (times, channels, planes) if size > 1]
    expected = [size for size in wanted.shape[:2] if size > 1]
    if (height, width) != tuple(wanted.shape[2:]) or stack != expected:
        cause = f"{width} x {height} pixels in {times} x {channels} x {planes} pages (time, channel, plane)"
        size = f"{wanted.shape[3]} x {wanted.shape[2]} pixels, {wanted.shape[0]} times, {wanted.shape[1]} planes"
        raise refuse(file, f"{cause}; the image has {size}", "is it of another image or scale?", "ANNOTATION_FIT")  # fmt: skip
    return pixels.reshape(wanted.shape)


def to_integers(file: File, pixels: np.ndarray) -> np.ndarray:
    """The same numbers as integers."""
    if pixels.dtype.kind == "f":
        if not (np.isfinite(pixels).all() and (pixels == np.floor(pixels)).all()):
            raise refuse(file, "pixels are no whole numbers", "save labels as integers")
        pixels = pixels.astype(np.int64)
    if pixels.size and (pixels.min() < 0 or pixels.max() >= 2**32):
        raise refuse(file, f"pixels from {pixels.min()} to {pixels.max()}", "number objects from 1, background 0")  # fmt: skip
    return pixels


def join(tables: list) -> "object":
    """Tables of the time points -> one; labels unique in the image, the file's own kept in the properties."""
    import pandas as pd

    if len(tables) == 1:
        return tables[0]
    offset = 0
    for t, table in enumerate(tables):
        own = table["label"].astype("int64")
        table["properties"] = [f'{{"labels": {{"label": {one}}}}}' for one in own]
        table["t"] = table["t"].where(table["t"] >= 0, t).astype("int32")
        table["label"] = (own + offset).astype("uint32")
        offset = int((own + offset).max()) if len(own) else offset
    return pd.concat(tables, ignore_index=True)
