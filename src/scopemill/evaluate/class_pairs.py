"""Class pairs: class images of a study and truth from anywhere -> cases that are read window by window."""

import numpy as np

from ..images import Image, as_stack
from ..readers import open_raw
from ..settings import ConfigError
from .collect import Case, Read
from .pairs import Pair
from .regions import TrueClasses
from .truth import DRAWN, read_drawn


def class_names_of(pairs: list[Pair]) -> tuple[str, ...]:
    """Names of the classes of class images; none of labels."""
    path = next((pair.artifact for pair in pairs if pair.artifact), None)
    if path is None:
        return ()
    with Image(path) as image:
        return image.meta.class_names


def make_class_case(pair: Pair, names: tuple[str, ...]) -> Case:
    """True and found classes of one image, window by window.

    Raises
    ------
    ConfigError
        When truth and result are not of one size.
    """
    read, shape = open_true_classes(pair, names)
    if pair.artifact is None:
        return Case(pair.image, 0, pair.image, read, lambda y, x: np.zeros_like(read(y, x)), None, shape)  # fmt: skip

    def predicted(y: slice, x: slice) -> np.ndarray:
        with Image(pair.artifact) as image:
            return image.stack(0, 0, y, x)

    return Case(pair.image, 0, pair.image, read, predicted, None, shape)


def open_true_classes(pair: Pair, names: tuple[str, ...]) -> tuple[Read, tuple[int, ...]]:
    """How a window of the truth is read, and its shape (Z, Y, X): that of the result, where there is one."""
    shape = None
    if pair.artifact is not None:
        with Image(pair.artifact) as image:
            shape = image.meta.shape[2:]
    if pair.truth.suffix.lower() in DRAWN:
        table, draw = read_drawn(pair.truth, pair.image), TrueClasses(names)
        if shape is None:
            shape = (1, *(max(1, int(np.ceil(table[side].max()))) for side in ("y1", "x1")))
        flat = shape[1:] if shape[0] == 1 else shape
        return lambda y, x: as_stack(draw(table, flat, (y, x))), shape
    with open_raw(pair.truth) as raw:
        own = raw.shape[2:]
    if shape is not None and own != tuple(shape):
        raise ConfigError(f"{pair.truth}: {own} pixels, the classes of {pair.image} have {shape}")

    def read(y: slice, x: slice) -> np.ndarray:
        with open_raw(pair.truth) as raw:
            return np.stack([raw.read(0, 0, z, y, x) for z in range(own[0])])

    return read, own
