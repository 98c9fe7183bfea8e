"""Tissue: a slide, stained or fluorescent -> where tissue is, found once on a small copy of the whole slide.

Pen marks, dust, bubbles and black edges are no tissue. An empty slide has none, and is a result like any other.
"""

from dataclasses import dataclass

import numpy as np

from ...frames import Frame
from ...images import as_stack
from ...settings import ChannelName, NonNegative, settings
from ...stains import estimate_white
from ...tissue import CLASS_NAMES, DEBRIS, PEN, TISSUE, Limits, enlarge, find_tissue

OUTPUT = "classes"
SHARE = (
    0.01  # of the image: limits of area are never larger, so that small fields keep their pieces
)
WORTH_A_NOTE = 0.005  # of the image


@settings
class Settings:
    """What is looked at, and what is too small to count."""

    channels: list[ChannelName] | None = None
    """Fluorescence channels or stains that show tissue where they are bright; without it, all channels, or the colours of a stained section."""
    min_area_um2: NonNegative = 5000.0
    """Smaller pieces are dropped: 5000 is 70 x 70 um, less than a needle biopsy is wide and more than dust is (at most 1 % of the image)."""
    min_hole_um2: NonNegative = 500.0
    """Smaller holes are filled: cracks and capillaries are 25 um wide or less; airways, vessels and fat cells stay holes (at most 1 % of the image)."""
    show_rejected: bool = False
    """Whether pen marks and debris become classes of their own, `pen` and `debris`, and not background."""


@dataclass(frozen=True)
class Found:
    """Classes of a small copy (Y, X), and pixels of the image to one of its pixels."""

    classes: np.ndarray
    scale: float


def class_names(settings: Settings) -> tuple[str, ...]:
    """Names of the values 0, 1, ..."""
    return CLASS_NAMES if settings.show_rejected else CLASS_NAMES[:PEN]


def margin_px(frame: Frame, settings: Settings) -> int:
    """Everything is known beforehand."""
    return 0


def survey(frame: Frame, settings: Settings) -> Found:
    """Find the tissue of the whole image."""
    names = settings.channels or frame.meta.channel_names
    colours = frame.meta.rgb and set(names) <= set(frame.meta.channel_names)
    copies = [frame.overview(name) for name in (frame.meta.channel_names if colours else names)]
    overview, scale = np.stack([one for one, _ in copies]), copies[0][1]
    white = choose_white(frame, overview) if colours else None
    px_um2, most = (frame.um_per_px * scale) ** 2, SHARE * overview[0].size
    limits = Limits(
        min(settings.min_area_um2 / px_um2, most), min(settings.min_hole_um2 / px_um2, most)
    )
    stains = frame.meta.stains.vectors if frame.meta.stains else ()
    classes = find_tissue(overview, white, limits, stains)
    for value, what in ((PEN, "pen marks or black areas"), (DEBRIS, "dust or bubbles")):
        if (share := float((classes == value).mean())) > WORTH_A_NOTE:
            cure = "" if stains else "; if that is a stain, name it under `stains` in the config"
            frame.note(f"{share:.1%} of the image is not taken for tissue: {what}{cure}")
    return Found(classes if settings.show_rejected else (classes == TISSUE).astype(np.uint8), scale)


def choose_white(frame: Frame, overview: np.ndarray) -> tuple[float, float, float]:
    """The colour of the empty background."""
    if frame.meta.stains is not None:
        return frame.meta.stains.white
    return estimate_white(overview.reshape(3, -1).T)


def segment(frame: Frame, settings: Settings) -> np.ndarray:
    """Classes of the frame's window: (Y, X), or the same for each plane of a stack."""
    found = survey(frame, settings) if frame.known is None else frame.known
    classes = enlarge(found.classes, found.scale, frame.window)
    if frame.meta.shape[2] == 1:
        return classes
    dot = [slice(one.start, one.start + 1) for one in frame.window]
    n_planes = len(as_stack(frame.cut(*dot).channel(frame.channel_names[0])))
    return classes if n_planes == 1 else np.stack([classes] * n_planes)
