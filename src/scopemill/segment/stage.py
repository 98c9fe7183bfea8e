"""Segment: image (CZYX) -> labels (YX, or ZYX), uint32, one positive integer per object, 0 background; or classes, uint8."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ..frames import Frame, open_frames
from ..images import as_stack, write_classes, write_labels
from ..jobs import Job
from ..scratch import Scratch
from ..settings import ClassTask, Fraction, Method, Positive, output_of, settings
from ..stitching import Objects
from .blocks import (
    Layout,
    choose_cores,
    find_classes,
    find_objects,
    make_inside,
    make_layout,
)
from .certificate import certify

Reader = Callable[[int, slice, slice], np.ndarray]  # z, y, x


@settings
class Settings:
    """How objects are found, whatever the method."""

    method: dict[str, Any]
    """{name: otsu | grow | unet | classes-unet | tissue | threshold | drawn | a plug-in, and the method's own settings}."""
    z: Literal["max", "mean", "middle", "stack"] = "max"
    """How planes of a stack are put together first; 'stack' segments in 3-D."""
    min_size_um: Positive | None = None
    """Objects narrower than this (diameter of the circle or ball of equal size) are dropped."""
    max_size_um: Positive | None = None
    """Objects wider than this are dropped."""
    within: ClassTask | None = None
    """Only where this segment task has a class (tissue): empty parts are not looked at, objects elsewhere are dropped."""
    tile_px: Annotated[int, Field(ge=128, multiple_of=64)] = 2048
    """Larger images are looked at in blocks of this width, so that memory does not grow with the image."""
    seam_limit: Fraction = 0.05
    """An image is flagged when blocks change more than this share of a sample's foreground or objects."""


def artifact_of(method: Method) -> str:
    """Where the method's artifacts lie."""
    return f"{output_of(method)}/{{task}}/{{image}}.ome.tif"


@dataclass(frozen=True)
class Found:
    """Labels or classes of one frame, read window by window, and what is said of them."""

    n_planes: int
    read: Reader
    facts: dict[str, Any]


def carry(job: Job, settings: Settings, method: Method) -> dict[str, Any]:
    """Segment every time point of one image."""
    with open_frames(job, settings.z) as frames, Scratch(job.output) as scratch:
        found = []
        for frame in frames:
            found.append(segment_frame(frame, settings, method, scratch))
            like, size = frame.meta, frame.size
        shape = (len(found), found[0].n_planes, *size)

        def read(t: int, c: int, z: int, y: slice, x: slice) -> np.ndarray:
            return found[t].read(z, y, x)

        if output_of(method) == "classes":
            names = method.module.class_names(method.settings)
            write_classes(job.output, read, shape, like, names, job.fingerprint)
        else:
            write_labels(job.output, read, shape, like, job.fingerprint)
    facts = join_facts([one.facts for one in found])
    if not facts.get("seams", {}).get("passed", True):
        job.notes.append("blocks left marks at their borders (see Seams)")
    return facts


def segment_frame(frame: Frame, settings: Settings, method: Method, scratch: Scratch) -> Found:
    """One frame, block by block where it is large."""
    large = max(frame.size) > settings.tile_px or len(frame.sample()) > 1
    if large and hasattr(method.module, "survey"):
        frame = replace(frame, known=method.module.survey(frame, method.settings))
    if frame.meta.shape[2] == 1 or settings.z != "stack":
        layout = make_layout(frame, method, settings.tile_px)
        if layout is not None:
            return segment_blockwise(frame, settings, method, layout, scratch)
    volume = as_stack(segment(frame, settings, method))
    facts = {}
    if output_of(method) == "labels":
        facts["n_objects"] = int(np.count_nonzero(np.bincount(volume.ravel())[1:]))
    return Found(len(volume), lambda z, y, x: volume[z, y, x], facts)


def segment(frame: Frame, settings: Settings, method: Method) -> np.ndarray:
    """Labels (or classes) of one frame that is in memory, too small and too large objects dropped."""
    found = method.module.segment(frame, method.settings)
    inside = None if settings.within is None else frame.classes(settings.within) > 0
    if output_of(method) == "classes":
        return found if inside is None else np.where(inside, found, 0)
    if inside is not None:
        areas, shares = np.bincount(found.ravel()), np.bincount(found[..., inside].ravel())
        shares = np.pad(shares, (0, len(areas) - len(shares)))
        found = np.where(2 * shares >= areas, np.arange(len(areas)), 0)[found].astype(np.uint32)
    if (settings.min_size_um, settings.max_size_um) == (None, None):
        return found
    return drop_by_size(found, frame.spacing(found), settings)


def drop_by_size(labels: np.ndarray, spacing: tuple[float, ...], settings: Settings) -> np.ndarray:
    """Drop labels outside the size limits; the others keep their ids."""
    kept = keep_by_size(np.bincount(labels.ravel()), spacing, settings)
    return np.where(kept, np.arange(len(kept)), 0)[labels].astype(np.uint32)


def segment_blockwise(
    frame: Frame, settings: Settings, method: Method, layout: Layout, scratch: Scratch
) -> Found:
    """One plane of any size, with a certificate of its seams."""
    inside = make_inside(frame, settings.within, layout.size) if settings.within else None
    cores = choose_cores(layout, inside)
    facts: dict[str, Any] = {"n_blocks": len(cores)}
    if output_of(method) == "classes":
        store = scratch.plane(layout.size, np.uint8)
        plane = find_classes(frame, method, layout, cores, store, inside)
    else:
        store = scratch.labels(layout.size)
        keep = keep_of(frame, settings, method, layout)
        plane = find_objects(frame, method, layout, cores, store, keep, inside)
        facts["n_objects"] = int(np.count_nonzero(plane.objects.areas[plane.kept]))
    certificate = certify(frame, method, layout, plane, settings.seam_limit, inside)
    if certificate is not None:
        facts["seams"] = certificate.as_facts()
    return Found(1, lambda z, y, x: plane.read(y, x), facts)


def keep_of(
    frame: Frame, settings: Settings, method: Method, layout: Layout
) -> Callable[[Objects], np.ndarray]:
    """Which objects stay, by the method's own rule and by the limits of size."""
    scale = frame.size[0] / layout.size[0]
    spacing = tuple(scale * step for step in frame.spacing_um[1:])

    def keep(objects: Objects) -> np.ndarray:
        kept = keep_by_size(objects.areas, spacing, settings)
        if settings.within and len(objects.areas):
            kept &= 2 * objects.sums[-1] >= objects.areas
        if hasattr(method.module, "keep"):
            kept &= method.module.keep(objects, frame, method.settings)
        return kept

    return keep


def keep_by_size(areas: np.ndarray, spacing: tuple[float, ...], settings: Settings) -> np.ndarray:
    """Which areas (pixels or voxels) are within the limits of size."""
    sizes = areas * np.prod(spacing)
    factor = np.pi / 4 if len(spacing) == 2 else np.pi / 6
    low = factor * (settings.min_size_um or 0) ** len(spacing)
    high = factor * (settings.max_size_um or np.inf) ** len(spacing)
    return (sizes >= low) & (sizes <= high)


def join_facts(facts: list[dict[str, Any]]) -> dict[str, Any]:
    """Facts of all time points: numbers of objects as a list, the worst seams."""
    joined = dict(facts[0])
    if "n_objects" in joined:
        joined["n_objects"] = [one["n_objects"] for one in facts]
    seams = [one["seams"] for one in facts if "seams" in one]
    if seams:
        joined["seams"] = min(
            seams, key=lambda one: (one["passed"], -one["foreground_disagreement"])
        )
    return joined
