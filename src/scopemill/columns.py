"""Columns: the name of every column of the result tables -> its unit and meaning.

The data dictionary and the checks of `gate` both come from here.
"""

import re
from collections.abc import Iterable

# pattern -> (unit, meaning); groups of the pattern fill the meaning
PATTERNS: list[tuple[str, str, str]] = [
    (r"image", "", "id of the image in the sheet"),
    (r"object", "", "what the row is: the quantify task"),
    (
        r"label",
        "",
        "number of the object in its label image; with image, object and t it names the object",
    ),
    (r"t", "", "time point, from 0"),
    (r"status", "", "ok, quarantined (cannot be used) or skipped (excluded)"),
    (r"code", "", "why the image is quarantined or skipped: see docs/errors.md"),
    (r"message", "", "the reason in words"),
    (r"class_by", "", "who gave the object its class by hand; empty: a classifier did"),
    (
        r"rejected",
        "",
        "whether the spot lies in an object that a person rejected; such spots are not counted",
    ),
    (r"rejected_by", "", "who rejected the object"),
    (r"rejected_at", "", "when the object was rejected, UTC"),
    (r"class(?:_(\w+))?", "", "class by classify task {0}"),
    (r"probability(?:_(\w+))?", "", "probability of the class {0} by a network"),
    (r"centroid_([zyx])", "px", "centre of the object, {0}"),
    (r"centroid_([zyx])_um", "um", "centre of the object, {0}"),
    (r"([zyx])([01])", "px", "box of the object: {0}, first pixel (0) or one past the last (1)"),
    (r"([zyx])", "px", "position of the spot, {0}"),
    (r"([zyx])_um", "um", "position of the spot, {0}"),
    (r"touches_border", "", "whether the object is cut by the image's border"),
    (r"area", "px", "number of pixels"),
    (r"area_um2", "um2", "area"),
    (r"area_convex", "px", "area of the convex hull"),
    (r"volume_um3", "um3", "volume"),
    (r"volume", "px", "number of voxels"),
    (r"perimeter", "px", "length of the outline"),
    (r"perimeter_um", "um", "length of the outline"),
    (r"axis_(major|minor)_length", "px", "{0} axis of the ellipse with equal second moments"),
    (
        r"axis_(major|minor)_length_um",
        "um",
        "{0} axis of the ellipse (ellipsoid) with equal second moments",
    ),
    (r"equivalent_diameter_area", "px", "diameter of the circle of equal area"),
    (r"equivalent_diameter_area_um", "um", "diameter of the circle (ball) of equal area (volume)"),
    (r"feret_diameter_max", "px", "largest distance of two points of the outline"),
    (r"feret_diameter_max_um", "um", "largest distance of two points of the outline"),
    (r"eccentricity", "", "of the ellipse with equal second moments: 0 circle, 1 line"),
    (r"solidity", "", "area / area of the convex hull"),
    (r"extent", "", "area / area of the box"),
    (r"orientation", "rad", "angle of the major axis against the vertical"),
    (
        r"intensity_(mean|std|min|max|median|sum)_{channel}",
        "counts",
        "{0} of channel {1} within the object",
    ),
    (
        r"(nucleus|cytoplasm|ring)_mean_{channel}",
        "counts",
        "mean of channel {1} in the object's {0}, less background",
    ),
    (
        r"nucleus_cytoplasm_ratio_{channel}",
        "",
        "mean of channel {0} in the nucleus / in the cytoplasm",
    ),
    (r"ring_ratio_{channel}", "", "mean of channel {0} in the object / in the ring around it"),
    (r"nucleus_area_fraction", "", "share of the object that is nucleus"),
    (
        r"(\w+)_distance_um",
        "um",
        "distance of the object's centroid to the border of the region of {0} that it lies in, negative outside; on a class image of at most 4096 px a side, exact for images up to that",
    ),
    (r"(\w+)_distance", "px", "the same in pixels: distance to the border of the region of {0}"),
    (r"area_(\w+)_mm2", "mm2", "area of {0} (task and class), mean of the time points"),
    (r"area_(\w+)_px", "px", "area of {0} (task and class), mean of the time points"),
    (r"n_(\w+)(?<!_low)(?<!_high)(?<!_mean)", "", "number of {0}"),
    (r"fraction_(\w+)(?<!_low)(?<!_high)", "", "share of {0}"),
    (r"intensity", "counts", "mean of the spot above its background"),
    (r"background", "counts", "median around the spot"),
    (r"channel", "", "channel in which the spot was found"),
    (r"snr", "", "brightest voxel of the spot above its background / noise around it"),
    (r"response", "", "how far the spot's response to the filter stands out, in noises of it"),
    (r"(\w+)_label", "", "object of segment task {0} in which the spot lies (0: none)"),
    (r"pixel_size_um", "um", "width of a pixel; empty when unknown"),
    (r"suspicion", "", "how much it is unlike the others, 0 to 1: look at the highest first"),
    (r"suspicion_reason", "", "why, in words"),
    (r"focus_{channel}", "", "log10 of fine over coarse detail of {0}: lower is less sharp"),
    (r"saturated_{channel}", "", "share of the pixels of {0} that have the highest value"),
    (r"contrast_{channel}", "counts", "99.9th percentile of {0} less the median"),
]
SUFFIXES = {"_low": "lower end of the 95 % interval", "_high": "upper end of the 95 % interval"}
CHANNEL = r"([A-Za-z][A-Za-z0-9_]*)"


def describe(column: str, channels: Iterable[str] | None = None) -> tuple[str, str] | None:
    """(unit, meaning) of a column; None for one that Scopemill does not make (such as the sheet's own)."""
    known = CHANNEL if channels is None else "(" + "|".join(map(re.escape, channels)) + ")"
    for pattern, unit, meaning in PATTERNS:
        if found := re.fullmatch(pattern.replace("{channel}", known), column):
            return unit, meaning.format(*(group or "" for group in found.groups())).strip()
    for suffix, meaning in SUFFIXES.items():
        if column.endswith(suffix) and (base := describe(column.removesuffix(suffix), channels)):
            return base[0], f"{base[1]}: {meaning}"
    if column.endswith("_mean") and (base := describe(column.removesuffix("_mean"), channels)):
        return base[0], f"mean over the image's objects of: {base[1]}"
    return None


def example_columns(channels: Iterable[str]) -> list[str]:
    """Names that a rule may use, for hints in messages."""
    shape = ["area_um2", "solidity", "eccentricity", "perimeter_um"]
    per_channel = ["intensity_mean", "intensity_max", "nucleus_mean", "cytoplasm_mean", "ring_mean"]
    ratios = ["nucleus_cytoplasm_ratio", "ring_ratio"]
    return shape + [f"{name}_{channel}" for name in per_channel + ratios for channel in channels]
