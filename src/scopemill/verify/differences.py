"""Differences: two artifacts that should be equal -> in what their pixels or columns differ, in words."""

from pathlib import Path

import numpy as np

from .. import images, tables

WINDOW_PX = 2048


def describe_difference(recorded: Path, again: Path) -> str:
    """Empty where the files differ in bytes only, not in what they hold."""
    describe = {".tif": describe_pixels, ".parquet": describe_columns}.get(recorded.suffix)
    try:
        return describe(recorded, again) if describe else "its bytes are others"
    except Exception as error:  # whatever is wrong with the file, it is not what it should be
        return f"it cannot be read ({type(error).__name__})"


def describe_pixels(recorded: Path, again: Path) -> str:
    """Share of pixel values that differ, window by window."""
    with images.Image(recorded) as first, images.Image(again) as second:
        if first.meta.shape != second.meta.shape:
            return f"shape {first.meta.shape} instead of {second.meta.shape} (TCZYX)"
        n_times, n_channels, n_planes, height, width = first.meta.shape
        total = differ = 0
        for t, c, z, y, x in np.ndindex(
            n_times, n_channels, n_planes, -(-height // WINDOW_PX), -(-width // WINDOW_PX)
        ):
            rows, columns = (slice(at * WINDOW_PX, (at + 1) * WINDOW_PX) for at in (y, x))
            a, b = (one.window(c, t, z, rows, columns) for one in (first, second))
            total += a.size
            differ += int(np.count_nonzero(a != b))
    return f"{differ} of {total} pixel values" if differ else ""


def describe_columns(recorded: Path, again: Path) -> str:
    """Columns that differ."""
    first, second = tables.read_table(recorded), tables.read_table(again)
    if len(first) != len(second) or list(first) != list(second):
        return f"{len(first)} rows and {first.shape[1]} columns instead of {len(second)} and {second.shape[1]}"
    names = [str(name) for name in first if not first[name].equals(second[name])]
    return f"column {', '.join(names)}" if names else ""
