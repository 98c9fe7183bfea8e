"""Features: labels + channels -> one row an object: shape, and intensity in the whole object and its parts.

Names are scikit-image's (`regionprops`), with physical twins (`area_um2`).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

SHAPE_2D = (
    "area", "area_convex", "perimeter", "axis_major_length", "axis_minor_length", "equivalent_diameter_area",
    "feret_diameter_max", "eccentricity", "solidity", "extent", "orientation",
)  # fmt: skip
SHAPE_3D = ("area", "equivalent_diameter_area", "axis_major_length", "axis_minor_length", "extent")
LENGTHS = (
    "perimeter", "axis_major_length", "axis_minor_length", "equivalent_diameter_area", "feret_diameter_max",
)  # fmt: skip
INTENSITY = ("mean", "std", "min", "max", "median")


def measure(
    labels: np.ndarray,
    channels: Mapping[str, np.ndarray],
    spacing: tuple[float, ...],
    with_um: bool = True,
) -> "pd.DataFrame":
    """Measure every object of a 2-D or 3-D label image.

    Lengths that depend on direction are measured with the voxel's size in 3-D and scaled by the pixel in 2-D.
    """
    import pandas as pd

    from . import shapes

    # 2-D stays in pixels (and is scaled below); a voxel has no one length
    step = (1.0, 1.0) if labels.ndim == 2 else spacing
    compiled = shapes.can_measure(labels, channels.values())
    table = pd.DataFrame(
        (measure_compiled if compiled else measure_plainly)(labels, channels, step)
    )
    return add_um(table, spacing, with_um)


def measure_compiled(
    labels: np.ndarray, channels: Mapping[str, np.ndarray], spacing: tuple[float, ...]
) -> dict[str, np.ndarray]:
    """Columns in the order of `measure_plainly`, with 64 bits throughout; some fifty times faster."""
    from . import shapes

    objects = shapes.Objects.of(labels)
    counts, found = shapes.measure_shapes(objects, spacing)
    order = SHAPE_2D if labels.ndim == 2 else SHAPE_3D
    columns = {"label": objects.labels} | {name: found[name] for name in order}
    values = {
        name: shapes.measure_intensities(objects, counts, image) for name, image in channels.items()
    }
    for i, statistic in enumerate(INTENSITY):
        columns |= {f"intensity_{statistic}_{name}": one[:, i] for name, one in values.items()}
    return columns | {f"intensity_sum_{name}": one[:, 0] * counts for name, one in values.items()}


def measure_plainly(
    labels: np.ndarray, channels: Mapping[str, np.ndarray], spacing: tuple[float, ...]
) -> dict[str, np.ndarray]:
    """Columns by scikit-image, which is the definition of them; for what the compiled way does not take, and for tests."""
    from skimage.measure import regionprops_table

    properties = ["label", *(SHAPE_2D if labels.ndim == 2 else SHAPE_3D)]
    properties += [f"intensity_{statistic}" for statistic in INTENSITY] if channels else []
    image = np.stack(list(channels.values()), axis=-1) if channels else None
    found = regionprops_table(
        labels.astype(np.int64), image, properties=properties, spacing=spacing
    )
    for statistic in INTENSITY:
        for i, name in enumerate(channels):
            found[f"intensity_{statistic}_{name}"] = found.pop(f"intensity_{statistic}-{i}")
    count = np.bincount(labels.ravel())[found["label"]]
    return found | {
        f"intensity_sum_{name}": found[f"intensity_mean_{name}"] * count for name in channels
    }


def add_um(table: "pd.DataFrame", spacing: tuple[float, ...], with_um: bool) -> "pd.DataFrame":
    """Physical twins of areas and lengths."""
    if len(spacing) == 3:
        # measured in um already
        renamed = {name: f"{name}_um" for name in LENGTHS if name in table} | {"area": "volume_um3"}
        return table.rename(columns=renamed if with_um else {"area": "volume"})
    if with_um:
        step = spacing[-1]
        table["area_um2"] = table["area"] * step**2
        for name in LENGTHS:
            table[f"{name}_um"] = table[name] * step
    return table


def mean_within(
    parts: np.ndarray, image: np.ndarray, ids: np.ndarray, background: float = 0.0
) -> np.ndarray:
    """Mean of `image` less `background` over each label of `parts`; NaN where a label has no pixel."""
    from . import shapes

    n = int(max(parts.max(initial=0), ids.max(initial=0))) + 1
    if shapes.can_measure(parts, [image]):
        counts, sums = shapes.sum_within(parts, image, n)
    else:
        counts, sums = (np.bincount(parts.ravel(), one, n) for one in (None, image.ravel()))
    counts, sums = counts[ids], sums[ids]
    with np.errstate(invalid="ignore"):
        return sums / np.where(counts, counts, np.nan) - background


def ring_around(
    labels: np.ndarray, gap_um: float, width_um: float, spacing: tuple[float, ...]
) -> np.ndarray:
    """Labels of a ring of this width around each object, beginning `gap_um` away, not reaching into others.

    A pixel belongs to the nearest object, as by `skimage.segmentation.expand_labels`.
    """
    from scipy.ndimage import distance_transform_edt

    away, nearest = distance_transform_edt(labels == 0, spacing, return_indices=True)
    inside = (away > gap_um) & (away <= gap_um + width_um)
    ring = np.zeros_like(labels)
    ring[inside] = labels[tuple(one[inside] for one in nearest)]
    return ring


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Quotient; NaN where the lower one is not positive."""
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
