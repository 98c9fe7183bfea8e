"""TIFF series -> where each (t, c, z) plane lies: page, position inside the page, sample."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError

ALPHA = (1, 2)  # ExtraSamples: associated and unassociated alpha
FEW = 8  # a (Y, X, few) array saved without saying so looks like Y pages of X rows
MANY = 32


@dataclass(frozen=True)
class Layout:
    """Axes of a series as letters of TCZYXS; `pages` of them number pages, the rest lie inside."""

    axes: tuple[str, ...]
    sizes: tuple[int, ...]
    pages: int
    kept: int  # samples that are kept of a pixel (alpha is not)
    note: str = ""
    planar: str = "S"  # letter that the separate sample planes of a page stand for

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """TCZYX."""
        size = dict(zip(self.axes, self.sizes, strict=True))
        channels = size.get("C", 1) * self.kept
        return size.get("T", 1), channels, size.get("Z", 1), size["Y"], size["X"]

    def locate(self, t: int, c: int, z: int) -> tuple[int, int, int]:
        """Return (page, depth inside the page, sample) of a plane."""
        at = {"T": t, "C": c // self.kept, "Z": z}
        page = 0
        for axis, size in zip(self.axes[: self.pages], self.sizes[: self.pages], strict=True):
            page = page * size + at[axis]
        sample = c % self.kept if self.planar in "SC" else {"T": t, "Z": z}[self.planar]
        deep = "Z" in self.axes[self.pages :] and self.planar != "Z"
        return page, z if deep else 0, sample


def layout_of(path: Path, series: Any) -> Layout:
    """Name every axis of a tifffile series. Raises DataError AXES."""
    key = series.keyframe
    inside = [(a, n) for a, n in zip(key.axes, key.shape, strict=True) if n > 1 or a in "YX"]
    full = zip(series.get_axes(False), series.get_shape(False), strict=True)
    axes = [(a, n) for a, n in full if n > 1 or a in "YX"]
    pages = len(axes) - len(inside)
    if pages < 0 or [n for _, n in axes[pages:]] != [n for _, n in inside]:
        cause = f"axes {series.axes} {series.shape} do not fit its pages {key.axes} {key.shape}"
        raise DataError("AXES", f"{path}: {cause}; export it as OME-TIFF")
    planar = _planar(key, inside, axes[pages:])
    letters = [planar if a == "S" and planar != "C" else a for a, _ in inside]
    outside, note = _named(path, axes[:pages], set(letters))
    kept, alpha = _kept(series, dict(inside).get("S", 1), planar)
    notes = "; ".join(filter(None, (note, alpha)))
    sizes = tuple(n for _, n in axes)
    return Layout((*outside, *letters), sizes, pages, kept, notes, planar)


def is_channel_last(series: Any) -> bool:
    """Tell a (Y, X, few) array that tifffile wrote as Y pages of X rows and few columns."""
    if series.kind != "shaped" or len(series.shape) != 3 or series.keyframe.axes != "YX":
        return False
    unnamed = series.axes == "QYX" and series.shape[2] <= FEW and min(series.shape[:2]) >= MANY
    return unnamed or series.axes in ("YXC", "YXS")


def _named(path: Path, axes: list[tuple[str, int]], inside: set) -> tuple[tuple[str, ...], str]:
    """Give axes without a meaning (Q: unknown, I: pages) the innermost of Z, T that is free."""
    taken = inside | {a for a, _ in axes}
    names, notes = [], []
    for axis, size in reversed(axes):
        name = axis
        if axis in "QI":
            name = next((free for free in "ZT" if free not in taken), axis)
            notes.append(f"an unnamed axis of {size} planes was taken as {name}")
            taken.add(name)
        names.append(name)
    if not set(names) <= set("TCZ") - inside or len(set(names)) < len(names):
        shown = "".join(a for a, _ in axes)
        raise DataError("AXES", f"{path}: axes {shown} + YX are not TCZYX; export it as OME-TIFF")
    return tuple(reversed(names)), "; ".join(notes)


def _planar(key: Any, inside: list[tuple[str, int]], named: list[tuple[str, int]]) -> str:
    """Letter of separate sample planes: tifffile stores a short z-stack as such by default."""
    if int(key.planarconfig) != 2 or "S" not in dict(inside):
        return "S"
    letter = named[[a for a, _ in inside].index("S")][0]
    return letter if letter in "TZC" else "S"


def _kept(series: Any, samples: int, planar: str) -> tuple[int, str]:
    """Count the samples that are channels, and say what became of the others."""
    key = series.keyframe
    if planar in "TZ":
        return 1, ""
    by_default = series.kind == "shaped" and (
        int(key.planarconfig) == 2 or key.dtype.name != "uint8"
    )
    if samples == 4 and (planar == "C" or by_default):  # tifffile calls any fourth sample alpha
        return 4, "four samples were taken as four channels"
    extra = sum(1 for e in key.extrasamples if int(e) in ALPHA)
    if int(key.photometric) == 2 and samples == 4:  # RGB and one more: alpha, whatever it is called
        extra = 1
    kept = max(samples - extra, 1)
    return kept, "alpha was left out" if kept < samples else ""
