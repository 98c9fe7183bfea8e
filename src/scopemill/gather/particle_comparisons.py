"""Particle comparisons: samples of groups -> each group against the control: difference, ratio, effect size, p."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import rates
from .particles import Counted, Particles, columns_of, find_controls

if TYPE_CHECKING:
    import pandas as pd


def compare_groups(counted: list[Counted], task: str, own: Particles, seed: int) -> "pd.DataFrame":
    """One row a group (but the one that others are compared with), class and kind.

    Images are what is compared: p is of a permutation of images (or subjects), Hedges' g of their means.
    """
    import pandas as pd

    rows = []
    references = find_references(counted)
    for one in counted:
        reference = references[one.class_, one.kind]
        if one.is_control or one.group == reference.group or not has_cells(one, reference):
            continue
        rows.append(
            {
                "group": one.group, "reference": reference.group, "object": own.objects, "spots": task,
                "class": one.class_, "kind": one.kind, **compare(one, reference, seed),
            }
        )  # fmt: skip
    table = pd.DataFrame(rows)
    return table.assign(p_adjusted=adjust(table["p"].to_numpy())) if len(table) else table


def has_cells(*counted: Counted) -> bool:
    """Whether there is anything to compare."""
    return all(len(one.sample.counts) for one in counted)


def find_references(counted: list[Counted]) -> dict[tuple[str, str], Counted]:
    """Class and kind -> the control, else the first group."""
    first = {(one.class_, one.kind): one for one in reversed(counted)}
    return first | find_controls(counted)


def compare(one: Counted, other: Counted, seed: int) -> dict[str, Any]:
    """Difference and ratio of particles a cell, and how sure it is that there is one."""
    (counts, sizes), (other_counts, other_sizes) = one.sample.sums, other.sample.sums
    effect = rates.hedges_g(counts / sizes, other_counts / other_sizes)
    return {
        "n_images": one.sample.n_images,
        "n_images_reference": other.sample.n_images,
        "particles_per_cell": one.rate.used.value,
        "particles_per_cell_reference": other.rate.used.value,
        **columns_of("difference", "difference", rates.subtract(one.rate.used, other.rate.used)),
        **columns_of("ratio", "ratio", rates.divide(one.rate.used, other.rate.used)),
        **columns_of("hedges_g", "hedges_g", effect),
        "p": rates.permutation_p((counts, sizes), (other_counts, other_sizes), seed),
        "compared": f"{len(sizes)} and {len(other_sizes)} {one.sample.by}s",
    }  # fmt: skip


def adjust(p: np.ndarray) -> np.ndarray:
    """The p of many comparisons, by Benjamini & Hochberg (1995); NaN stay."""
    from scipy.stats import false_discovery_control

    known = ~np.isnan(p)
    adjusted = np.full(len(p), np.nan)
    if known.any():
        adjusted[known] = false_discovery_control(p[known])
    return adjusted
