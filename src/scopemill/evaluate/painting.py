"""Painting: an image of any size in one contrast, and true and found classes in colours over it.

Colours are those of Okabe and Ito (2008), which colour-blind people tell apart.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import pictures
from ..images import Image
from .drawing import DIM, DIM_BRIGHT, GAP_PX, MISSED, PANEL_PX, PERCENTILES, RIGHT, WRONG
from .regions import IGNORE

if TYPE_CHECKING:
    from .collect import Case

OTHER = "#cc79a7"  # one class taken for another
UNKNOWN = "#4a5a94"  # not annotated
OPACITY = {RIGHT: 0.4}  # mistakes are what is to be seen
STRONG = 0.85


class Show:
    """The image behind the classes: (Y, X, 3), 0 to 1, of any window in one contrast, or as a whole in small."""

    def __init__(self, case: "Case", channel: str | None):
        self._path, self._t = case.picture, case.t
        with Image(case.picture) as image:
            colour = image.meta.rgb and channel is None
            self._channels: Sequence[str | int] = range(3) if colour else [channel or 0]
            planes = [image.overview(c, case.t, max_px=2 * PANEL_PX) for c in self._channels]
            self._small, self._scale = np.stack([plane for plane, _ in planes], -1), planes[0][1]
            top = 255 if image.dtype == np.uint8 else max(float(self._small.max()), 1.0)
            limits = pictures.contrast_limits(self._small, PERCENTILES)
        self._limits = (0.0, top) if colour else limits

    def window(self, y: slice, x: slice) -> np.ndarray:
        """A window at full size."""
        with Image(self._path) as image:
            planes = [image.read(c, self._t, "max", y, x) for c in self._channels]
        return self._stretch(np.stack(planes, -1))

    def at(self, ys: np.ndarray, xs: np.ndarray) -> np.ndarray:
        """Rows and columns of the image, from the overview."""
        y, x = (
            np.minimum((axis / self._scale).astype(int), n - 1)
            for axis, n in zip((ys, xs), self._small.shape, strict=False)
        )
        return self._stretch(self._small[y[:, None], x])

    def _stretch(self, planes: np.ndarray) -> np.ndarray:
        low, high = self._limits
        grey = np.clip((planes.astype(np.float32) - low) / (high - low), 0, 1)
        return np.broadcast_to(grey, (*grey.shape[:2], 3)).copy()


def paint_class(picture: np.ndarray, truth: np.ndarray, found: np.ndarray, k: int) -> np.ndarray:
    """One class against all others, on the picture in grey."""
    is_true, is_found = truth == k, found == k
    masks = {RIGHT: is_true & is_found, MISSED: is_true & ~is_found, WRONG: is_found & ~is_true}
    return paint(picture, masks, truth)


def paint_mistakes(picture: np.ndarray, truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """All classes: right, missed, wrong, and taken for another."""
    equal, is_true, is_found = truth == found, truth > 0, found > 0
    masks = {
        RIGHT: equal & is_true, MISSED: is_true & ~is_found, WRONG: is_found & ~is_true,
        OTHER: ~equal & is_true & is_found,
    }  # fmt: skip
    return paint(picture, masks, truth)


def paint(picture: np.ndarray, masks: dict[str, np.ndarray], truth: np.ndarray) -> np.ndarray:
    """Colours over the picture in dark grey; nothing is said of what is not annotated."""
    dim = DIM_BRIGHT if picture.mean() > 0.4 else DIM
    panel = dim * np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2)
    known = truth != IGNORE
    for color, mask in {**{one: mask & known for one, mask in masks.items()}, UNKNOWN: ~known}.items():  # fmt: skip
        opacity = OPACITY.get(color, STRONG)
        panel[mask] = (1 - opacity) * panel[mask] + opacity * pictures.to_rgb(color)
    return panel


def join_panels(panels: Sequence[np.ndarray]) -> np.ndarray:
    """Panels (Y, X, 3) of one size beside each other."""
    gap = np.full((panels[0].shape[0], GAP_PX, 3), 0.1, np.float32)
    parts: list[Any] = [part for panel in panels for part in (gap, panel)]
    return np.concatenate(parts[1:], axis=1)


def to_pillow(picture: np.ndarray):
    """(Y, X, 3), 0 to 1 -> Pillow."""
    from PIL import Image as Pillow

    return Pillow.fromarray((np.clip(picture, 0, 1) * 255).round().astype(np.uint8))
