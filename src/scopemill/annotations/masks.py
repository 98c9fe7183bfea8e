"""Masks: boolean crop (Y, X) or (Z, Y, X) <-> bytes: number of planes (uint32, 0 for a flat one), then zlib of its bits."""

import struct
import zlib

import numpy as np


def pack(mask: np.ndarray) -> bytes:
    """Mask -> bytes."""
    planes = mask.shape[0] if mask.ndim == 3 else 0
    return struct.pack("<I", planes) + zlib.compress(np.packbits(mask).tobytes(), 6)


def unpack(data: bytes, height: int, width: int) -> np.ndarray:
    """Bytes -> mask whose size in the plane is that of its row's box."""
    (planes,) = struct.unpack_from("<I", data)
    shape = (planes, height, width) if planes else (height, width)
    count = int(np.prod(shape))
    bits = np.frombuffer(zlib.decompress(data[4:]), np.uint8)
    return np.unpackbits(bits, count=count).reshape(shape).astype(bool)
