"""Where a frame's pixels come from: artifacts on disk, or arrays in memory -> windows (Y, X) or (Z, Y, X)."""

import functools
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .errors import Skip
from .images import Image, as_stack, project
from .jobs import Job
from .pyramid import overview_of

Overview = tuple[np.ndarray, float]  # (Y, X), image pixels per overview pixel


class Source(Protocol):
    """One time point of one image."""

    def channel(self, name: str, y: slice, x: slice) -> np.ndarray:
        """A window of a channel or a stain, planes put together as the stage asked."""

    def labels(self, task: str, y: slice, x: slice) -> np.ndarray:
        """A window of the labels or classes of a segment task."""

    def class_names(self, task: str) -> tuple[str, ...]:
        """Names of the values 0, 1, 2, ... of a segment task that gives classes."""

    def channel_overview(self, name: str, max_px: int) -> Overview:
        """The whole channel (Y, X), shrunk."""

    def label_overview(self, task: str, max_px: int) -> Overview:
        """The whole label or class image (Y, X), shrunk."""


class Artifacts:
    """The artifacts that a job names; each is opened once, when it is first asked for."""

    def __init__(self, job: Job, image: Image, t: int, z: str, open_labels: Any):
        self._job, self._image, self._t, self._z = job, image, t, z
        self._open = open_labels

    def channel(self, name: str, y: slice, x: slice) -> np.ndarray:
        """See `Source`."""
        return self._image.read(name, self._t, self._z, y, x)

    def labels(self, task: str, y: slice, x: slice) -> np.ndarray:
        """See `Source`."""
        return self._open(task).read(0, self._t, "stack", y, x)

    def class_names(self, task: str) -> tuple[str, ...]:
        """See `Source`."""
        return self._open(task).meta.class_names

    def channel_overview(self, name: str, max_px: int) -> Overview:
        """See `Source`."""
        return self._image.overview(name, self._t, self._z, max_px)

    def label_overview(self, task: str, max_px: int) -> Overview:
        """See `Source`."""
        return self._open(task).overview(0, self._t, "max", max_px)


def label_opener(job: Job, stack: ExitStack) -> Any:
    """Segment task -> its open artifact, which `stack` closes; shared by all time points."""

    @functools.cache
    def open_labels(task: str) -> Image:
        return stack.enter_context(Image(find_input(job, f"segment.{task}")))

    return open_labels


@dataclass(frozen=True)
class Arrays:
    """Arrays in memory, (Y, X) or (Z, Y, X) each."""

    channels: Mapping[str, np.ndarray]
    label_images: Mapping[str, np.ndarray]
    classes: Mapping[str, tuple[np.ndarray, tuple[str, ...]]]

    def channel(self, name: str, y: slice, x: slice) -> np.ndarray:
        """See `Source`."""
        return self.channels[name][..., y, x]

    def labels(self, task: str, y: slice, x: slice) -> np.ndarray:
        """See `Source`."""
        return self._label_image(task)[..., y, x]

    def _label_image(self, task: str) -> np.ndarray:
        return self.classes[task][0] if task in self.classes else self.label_images[task]

    def class_names(self, task: str) -> tuple[str, ...]:
        """See `Source`."""
        return tuple(self.classes[task][1])

    def channel_overview(self, name: str, max_px: int) -> Overview:
        """See `Source`."""
        return overview_of(project(as_stack(self.channels[name]), "max"), max_px, nearest=False)

    def label_overview(self, task: str, max_px: int) -> Overview:
        """See `Source`."""
        return overview_of(project(as_stack(self._label_image(task)), "max"), max_px, nearest=True)


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
