"""Frame: one time point of one image, as stages and methods see it: arrays by name, sizes in micrometres.

Methods get a Frame and never a path, so that a test can hand them arrays typed by hand. A frame can be
cut to a window; then only that window is read.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .frame_sources import Arrays, Artifacts, Overview, Source, find_input, label_opener
from .images import Image, Meta
from .jobs import Job
from .tiling import Window, spread_windows

SMALL_PX = 4 * 10**6  # images up to this are their own sample ...
SAMPLES = 8  # ... others are sampled on a grid of this many windows a side
SAMPLE_PX = 256


@dataclass(frozen=True)
class Frame:
    """One time point; arrays are (Y, X), or (Z, Y, X) where planes are not projected."""

    source: Source
    channel_names: tuple[str, ...]  # and stains
    spacing_um: tuple[float, float, float]  # z, y, x; 1 where the pixel size is unknown
    meta: Meta
    window: Window  # that is shown: the whole image unless it was cut
    t: int = 0
    patches: Callable[[str], Any] | None = None  # open patch store, by patch set
    tables: Callable[[str], Any] | None = (
        None  # data frames of annotate, detect and quantify tasks, by task key
    )
    device: str = "auto"
    threads: int = 1
    note: Callable[[str], None] = lambda text: None  # goes into manifest and report
    known: Any = None  # what a method's `survey` found out about the whole image

    @property
    def um_per_px(self) -> float:
        """Micrometres a pixel, in the plane."""
        return self.spacing_um[-1]

    @property
    def size(self) -> tuple[int, int]:
        """(Y, X) of the whole image."""
        return self.meta.shape[-2:]

    def spacing(self, array: np.ndarray) -> tuple[float, ...]:
        """Voxel size for an array of this frame: (y, x) in 2-D, (z, y, x) in 3-D."""
        return self.spacing_um[-array.ndim :]

    def cut(self, y: slice, x: slice) -> "Frame":
        """The same frame, showing only a window: in pixels of the whole image, clipped to it."""
        window = tuple(
            slice(start, max(start, stop))
            for start, stop, _ in (y.indices(self.size[0]), x.indices(self.size[1]))
        )
        return dataclasses.replace(self, window=window)

    def channel(self, name: str) -> np.ndarray:
        """The window of a channel, or of a stain (float32 optical density)."""
        return self.source.channel(name, *self.window)

    def labels(self, task: str) -> np.ndarray:
        """The window of a segment task's labels."""
        return self.source.labels(task, *self.window)

    def classes(self, task: str) -> np.ndarray:
        """The window of a class image, uint8."""
        return self.source.labels(task, *self.window)

    def class_names(self, task: str) -> tuple[str, ...]:
        """What the values 0, 1, 2, ... of a class image mean."""
        return self.source.class_names(task)

    def overview(self, channel: str, max_px: int = 2048) -> Overview:
        """The whole channel (Y, X) in at most `max_px` a side, and image pixels per overview pixel.

        Planes of a stack are put together by maximum where the stage keeps them apart.
        """
        return self.source.channel_overview(channel, max_px)

    def label_overview(self, task: str, max_px: int = 2048) -> Overview:
        """As `overview`: every n-th pixel of the labels."""
        return self.source.label_overview(task, max_px)

    def class_overview(self, task: str, max_px: int = 2048) -> Overview:
        """As `overview`: every n-th pixel of the classes."""
        return self.source.label_overview(task, max_px)

    def sample(self) -> list[Window]:
        """Windows to estimate statistics of the whole image on, however it is cut: all of a small image."""
        return sample_windows(self.size)

    def sampled(self, read: Callable[["Frame"], np.ndarray]) -> np.ndarray:
        """The values (n,) that `read` gives of the windows of the sample."""
        return np.concatenate([read(self.cut(*window)).ravel() for window in self.sample()])

    @classmethod
    def of(
        cls,
        channels: Mapping[str, np.ndarray],
        labels: Mapping[str, np.ndarray] | None = None,
        um_per_px: float = 1.0,
        z_step_um: float = 1.0,
        classes: Mapping[str, tuple[np.ndarray, tuple[str, ...]]] | None = None,
        **more: Any,
    ) -> "Frame":
        """A frame from arrays in memory."""
        names, drawn = tuple(channels), [one for one, _ in (classes or {}).values()]
        shape = [*channels.values(), *(labels or {}).values(), *drawn][0].shape
        meta = Meta((1, len(names), *(1,) * (3 - len(shape)), *shape), names, um_per_px, z_step_um)
        window = (slice(0, shape[-2]), slice(0, shape[-1]))
        source = Arrays(channels, labels or {}, classes or {})
        return cls(source, names, (z_step_um, um_per_px, um_per_px), meta, window, **more)


def sample_windows(size: tuple[int, int]) -> list[Window]:
    """What of a plane (Y, X) its statistics are estimated on: all of a small one."""
    return spread_windows(size, SMALL_PX, SAMPLES, SAMPLE_PX)


@contextmanager
def open_frames(job: Job, z: str = "stack") -> Iterator[Iterator[Frame]]:
    """The frames of an image whose artifacts a job names; planes are put together by `z`."""
    with ExitStack() as stack:
        image = stack.enter_context(Image(job.inputs["convert"]))
        open_labels = label_opener(job, stack)
        times = range(image.meta.shape[0])
        yield (make_frame(job, image, Artifacts(job, image, t, z, open_labels), t, stack) for t in times)  # fmt: skip


def make_frame(job: Job, image: Image, source: Source, t: int, stack: ExitStack) -> Frame:
    """One frame; every array is read when it is asked for."""

    def patches(name: str) -> Any:
        from .patches import Patches

        return stack.enter_context(Patches(find_input(job, f"patch.{name}")))

    def tables(key: str) -> Any:
        from .tables import read_table

        table = read_table(find_input(job, key))
        return table[table["t"].isin((-1, t))]  # -1: annotations of all time points

    height, width = image.meta.shape[-2:]
    return Frame(
        source, image.channel_names, image.spacing_um, image.meta, (slice(0, height), slice(0, width)),
        t, patches, tables, job.device, job.threads, job.notes.append,
    )  # fmt: skip
