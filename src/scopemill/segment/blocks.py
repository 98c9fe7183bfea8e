"""Blocks: a plane of any size, looked at block by block -> its labels or classes, in a scratch file.

What is in memory at once is one block, however large the slide. A method takes part by saying how far it looks
(`margin_px`); it may make the blocks itself (`segment_blocks`), in a grid of its own (`grid`), and may judge whole
objects when their pieces are put together (`keep`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..frames import Frame
from ..scaling import take_nearest_window
from ..settings import Method
from ..stitching import Objects, Stitcher
from ..tiling import Window, list_cores, widen, within

Inside = Callable[[Window], np.ndarray]  # which pixels (Y, X) of a window are looked at
Block = tuple[Window, Window]  # what to look at, and what of it to answer
Answer = tuple[
    np.ndarray, tuple[np.ndarray, ...]
]  # labels or classes, and maps to sum up per object


@dataclass(frozen=True)
class Layout:
    """How a plane is cut: cores that cover it, what neighbours share, and what is looked at beyond that."""

    size: tuple[int, int]
    tile: int
    overlap: int  # of labels: pixels in which a block answers beyond its core
    context: int  # pixels that are looked at beyond that
    align: int = 1  # blocks begin at multiples of it

    @property
    def cores(self) -> list[Window]:
        """What each block is to fill."""
        return list_cores(self.size, self.tile)

    def block(self, core: Window) -> Block:
        """The window to look at, and the part of it to answer."""
        answer = widen(core, self.overlap, self.size)
        return widen(answer, self.context, self.size), answer


@dataclass(frozen=True)
class Plane:
    """What was found in a plane: numbers in a scratch array, read tile by tile."""

    size: tuple[int, int]  # of the image
    store: Any  # (Y', X'), of the grid in which they were found
    numbers: np.ndarray | None = None  # id -> label
    objects: Objects | None = None
    kept: np.ndarray = field(default_factory=lambda: np.empty(0, bool))

    def read(self, y: slice, x: slice) -> np.ndarray:
        """A window (Y, X) of the image."""

        def cut(*window: slice) -> np.ndarray:
            if self.numbers is None:
                return self.store[window]
            return self.store.read(window, self.numbers)

        return take_nearest_window(cut, self.store.shape, self.size, (y, x))


def make_layout(frame: Frame, method: Method, tile: int) -> Layout | None:
    """The blocks of a frame; None where it is looked at whole: it is small, or the method cannot do otherwise."""
    module, own = method.module, method.settings
    if max(frame.size) <= tile or not hasattr(module, "margin_px"):
        return None
    margin = module.margin_px(frame, own)
    if margin is None:
        return None
    overlap, context, align = margin if isinstance(margin, tuple) else (0, margin, 1)
    size = module.grid(frame, own) if hasattr(module, "grid") else frame.size
    return Layout(tuple(size), -(-tile // align) * align, overlap, context, align)


def answer_blocks(frame: Frame, method: Method, blocks: Iterable[Block]) -> Iterator[Answer]:
    """What a method finds in each block."""
    if hasattr(method.module, "segment_blocks"):
        yield from method.module.segment_blocks(frame, blocks, method.settings)
        return
    for window, answer in blocks:
        found = method.module.segment(frame.cut(*window), method.settings)
        yield found[within(answer, window)], ()


def find_objects(
    frame: Frame,
    method: Method,
    layout: Layout,
    cores: Sequence[Window],
    store: Any,
    keep: Callable[[Objects], np.ndarray],
    inside: Inside | None = None,
) -> Plane:
    """Labels of a plane, by its `cores` to look at; `keep` judges the objects when they are whole.

    How much of each object is `inside`, is its last sum.
    """
    answers = answer_blocks(frame, method, map(layout.block, cores))
    together = Stitcher(store, keeps_ids=getattr(method.module, "KEEPS_IDS", False))
    for core in cores:
        window, (labels, weights) = layout.block(core)[1], next(answers)
        together.add(core, window, labels, (*weights, inside(window)) if inside else weights)
        del labels, weights  # gone before the next block is looked at
    objects = together.finish()
    kept = keep(objects)
    return Plane(frame.size, store, objects.number(kept), objects, kept)


def find_classes(
    frame: Frame,
    method: Method,
    layout: Layout,
    cores: Sequence[Window],
    store: Any,
    inside: Inside | None = None,
) -> Plane:
    """Classes of a plane, by its `cores` to look at; background where nothing is `inside`."""
    answers = answer_blocks(frame, method, map(layout.block, cores))
    for core in cores:
        classes = next(answers)[0][within(core, layout.block(core)[1])]
        store[core] = np.where(inside(core), classes, 0) if inside else classes
        del classes  # gone before the next block is looked at
    return Plane(frame.size, store)


def choose_cores(layout: Layout, inside: Inside | None) -> list[Window]:
    """The blocks in which there is anything to find."""
    return [core for core in layout.cores if inside is None or inside(core).any()]


def make_inside(frame: Frame, task: str, size: tuple[int, int]) -> Inside:
    """Where a class task has a class, by windows of a grid of this size."""

    def read(y: slice, x: slice) -> np.ndarray:
        return frame.cut(y, x).classes(task) > 0

    return lambda window: take_nearest_window(read, frame.size, size, window)
