"""Frame: one time point of one image, as stages and methods see it: arrays by name, sizes in micrometres.

Methods get a Frame and never a path, so that a test can hand them arrays typed by hand.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import Skip
from .images import Image, Meta, project, read_labels
from .jobs import Job


@dataclass(frozen=True)
class Frame:
    """One time point; `channel` and `labels` give (Y, X), or (Z, Y, X) where planes are not projected."""

    channel: Callable[[str], np.ndarray]
    labels: Callable[[str], np.ndarray]  # by segment task
    channel_names: tuple[str, ...]
    spacing_um: tuple[float, float, float]  # z, y, x; 1 where the pixel size is unknown
    meta: Meta
    t: int = 0
    patches: Callable[[str], Any] | None = None  # open patch store, by patch set
    tables: Callable[[str], Any] | None = (
        None  # data frames of detect and quantify tasks, by task key
    )
    device: str = "auto"
    threads: int = 1
    note: Callable[[str], None] = lambda text: None  # goes into manifest and report

    @property
    def um_per_px(self) -> float:
        """Micrometres a pixel, in the plane."""
        return self.spacing_um[-1]

    def spacing(self, array: np.ndarray) -> tuple[float, ...]:
        """Voxel size for an array of this frame: (y, x) in 2-D, (z, y, x) in 3-D."""
        return self.spacing_um[-array.ndim :]

    @classmethod
    def of(
        cls,
        channels: Mapping[str, np.ndarray],
        labels: Mapping[str, np.ndarray] | None = None,
        um_per_px: float = 1.0,
        z_step_um: float = 1.0,
        **more: Any,
    ) -> "Frame":
        """A frame from arrays in memory."""
        names = tuple(channels)
        shape = next(iter((channels or labels).values())).shape
        meta = Meta((1, len(names), *(1,) * (3 - len(shape)), *shape), names, um_per_px, z_step_um)
        spacing = (z_step_um, um_per_px, um_per_px)
        return cls(channels.__getitem__, (labels or {}).__getitem__, names, spacing, meta, **more)


@contextmanager
def open_frames(job: Job, z: str = "stack") -> Iterator[Iterator[Frame]]:
    """The frames of an image whose artifacts a job names; planes are put together by `z`."""
    with ExitStack() as stack:
        image = stack.enter_context(Image(job.inputs["convert"]))
        yield (make_frame(job, image, t, z, stack) for t in range(image.meta.shape[0]))


def make_frame(job: Job, image: Image, t: int, z: str, stack: ExitStack) -> Frame:
    """One frame; every array is read when it is asked for."""

    def labels(task: str) -> np.ndarray:
        return project(read_labels(find_input(job, f"segment.{task}"))[t], "stack")

    def patches(name: str) -> Any:
        from .patches import Patches

        return stack.enter_context(Patches(find_input(job, f"patch.{name}")))

    def tables(key: str) -> Any:
        from .tables import read_table

        table = read_table(find_input(job, key))
        return table[table["t"] == t]

    names = image.meta.channel_names
    return Frame(
        lambda channel: image.read(channel, t, z), labels, names, image.spacing_um,
        image.meta, t, patches, tables, job.device, job.threads, job.notes.append,
    )  # fmt: skip


def find_input(job: Job, key: str) -> Any:
    """Path of what a task before made of this image.

    Raises
    ------
    Skip
        UPSTREAM when it made nothing.
    """
    if key not in job.inputs:
        raise Skip("UPSTREAM", f"{key} has nothing of this image")
    return job.inputs[key]
