"""Mutations: a valid file's bytes -> bytes that lie, as Hypothesis draws them."""

import struct
from collections.abc import Callable

from hypothesis import strategies as st

NEAR = 2048  # headers and directories mostly lie this near to the beginning or the end
ODD = (0, 1, 2, 3, 255, 256, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 10**6, 10**9)
ODD += (0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 1 << 40)
Mutation = Callable[[bytearray], None]


def places(size: int) -> st.SearchStrategy[int]:
    """Positions in a file, most of them near its beginning or its end."""
    last = size - 1
    near = st.integers(0, min(NEAR, last)) | st.integers(max(0, last - NEAR), last)
    return near | st.integers(0, last)


@st.composite
def mutated(draw: st.DrawFn, content: bytes) -> bytes:
    """One to six lies in a file's bytes."""
    data = bytearray(content)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(places(len(data)))
        draw(st.sampled_from((put_byte, put_number, put_digits, cut, repeat)))(draw, data, at)
    return bytes(data)


def put_byte(draw: st.DrawFn, data: bytearray, at: int) -> None:
    data[at] = draw(st.integers(0, 255))


def put_number(draw: st.DrawFn, data: bytearray, at: int) -> None:
    """A length, an offset or a count that is larger, smaller or odder than it was."""
    width = draw(st.sampled_from("HIQ"))
    order = draw(st.sampled_from("<>"))
    size = struct.calcsize(width)
    value = draw(st.sampled_from(ODD) | st.integers(0, len(data) + 9)) & ((1 << 8 * size) - 1)
    data[at : at + size] = struct.pack(order + width, value)


def put_digits(draw: st.DrawFn, data: bytearray, at: int) -> None:
    """Another number in a text, such as XML: the next digits from here on."""
    for i in range(at, min(at + NEAR, len(data))):
        if 48 <= data[i] < 58:
            data[i] = draw(st.sampled_from(b"0123456789-."))
            return


def cut(draw: st.DrawFn, data: bytearray, at: int) -> None:
    """A part is lost; the first bytes, which say what format it is, mostly stay."""
    del data[max(at, 1) : max(at, 1) + draw(st.integers(1, 64))]


def repeat(draw: st.DrawFn, data: bytearray, at: int) -> None:
    """A part stands there twice."""
    data[at:at] = data[at : at + draw(st.integers(1, 64))]
