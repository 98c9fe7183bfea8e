"""Particles: objects with their numbers of particles -> particles a cell by group, class and kind, and what lies behind.

Background is what control images hold; what detection misses and invents is put right by a calibration.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .. import rates
from ..calibration import Detection, Found
from ..rates import UNKNOWN, Estimate
from ..settings import QuantifyTask, settings
from ..sheet import is_same
from .cell_counts import (
    ALL,
    Rate,
    Sample,
    cluster_column,
    describe_distribution,
    estimate_rate,
    prepare_cells,
    take_sample,
)
from .summary import column_name, split_groups

if TYPE_CHECKING:
    import pandas as pd


@settings
class Particles:
    """How the particles of one detect task are counted."""

    objects: QuantifyTask
    """The quantify task whose objects they belong to; it must count them (its `spots`)."""
    control: dict[str, str | float] = field(default_factory=dict)
    """Images whose particles are all nonspecific: column of the sheet -> its value there. Their mean is the background that is subtracted."""
    cells: Literal["complete", "all"] = "complete"
    """complete: cells that the image's border cuts are left out, as some of their particles are."""
    detection: str | None = None
    """A file that `scopemill calibrate` wrote, beside the config: counts are corrected by its figures."""
    figures: Detection | None = None
    """Set by the workflow: what that file holds."""


@dataclass(frozen=True)
class Counted:
    """One group, class and kind of particle: its cells, and their rate."""

    group: str
    class_: str
    kind: str
    is_control: bool
    sample: Sample
    rate: Rate


def count_particles(
    objects: "pd.DataFrame",
    images: "pd.DataFrame",
    task: str,
    own: Particles,
    kinds: tuple[str, ...],
    planes: Mapping[str, int],
    group_by: str,
) -> list[Counted]:
    """Samples of all groups, classes and kinds of one detect task.

    `images`: those measured, with the sheet's columns; `kinds`: channels of particles; `planes`: image -> its planes.
    """
    cells = objects[objects["object"] == own.objects]
    column = f"n_{column_name(task)}"
    if column not in cells or cells.empty:
        return []
    cells = prepare_cells(cells, images, dict(planes), own.cells == "complete")
    columns = {ALL: column} | {kind: f"{column}_{column_name(kind)}" for kind in kinds}
    columns = {kind: name for kind, name in columns.items() if name in cells}
    classes = [ALL, *sorted(cells["class"].dropna().unique())] if "class" in cells else [ALL]
    by, found = cluster_column(images), []
    for group, members in split_groups(images, group_by):
        of_group = cells[cells["image"].isin(members["image"])]
        control = bool(own.control) and is_control(members, own.control)
        for class_ in classes:
            chosen = of_group if class_ == ALL else of_group[of_group["class"] == class_]
            for kind, name in columns.items():
                sample = take_sample(chosen, name, len(members), by)
                found.append(Counted(str(group), class_, kind, control, sample, estimate_rate(sample)))  # fmt: skip
    return found


def is_control(images: "pd.DataFrame", control: Mapping[str, Any]) -> bool:
    """Whether all images are such as the setting `control` describes."""
    return all(is_same(cell, value) for name, value in control.items() for cell in images[name])


def make_particles(counted: list[Counted], task: str, own: Particles) -> "pd.DataFrame":
    """One row a group, class and kind: rate, distribution, background, specific and corrected rate."""
    import pandas as pd

    controls = find_controls(counted)
    rows = [
        {
            "group": one.group, "object": own.objects, "spots": task, "class": one.class_, "kind": one.kind,
            **describe_rate(one),
            **describe_distribution(one.sample),
            **describe_specific(one, controls.get((one.class_, one.kind)), own),
        }
        for one in counted
    ]  # fmt: skip
    return pd.DataFrame(rows)


def find_controls(counted: list[Counted]) -> dict[tuple[str, str], Counted]:
    """Class and kind -> the control images' cells; control groups are put together."""
    found: dict[tuple[str, str], Counted] = {}
    for one in (one for one in counted if one.is_control):
        key = one.class_, one.kind
        if key in found:
            sample = found[key].sample.joined(one.sample)
            name = f"{found[key].group} + {one.group}"
            one = replace(one, group=name, sample=sample, rate=estimate_rate(sample))
        found[key] = one
    return found


def describe_rate(one: Counted) -> dict[str, Any]:
    """How many cells and particles there are, and particles a cell with its intervals."""
    sample, rate = one.sample, one.rate
    return {
        "n_images": sample.n_images,
        "n_cells": len(sample.counts),
        "n_cells_left_out": sample.n_left_out,
        "n_particles": int(sample.counts.sum()),
        "particles_per_cell": rate.used.value,
        "low": rate.used.low,
        "high": rate.used.high,
        "interval": rate.interval,
        "poisson_low": rate.poisson.low,
        "poisson_high": rate.poisson.high,
        "between_low": rate.between.low,
        "between_high": rate.between.high,
    }


def describe_specific(one: Counted, control: Counted | None, own: Particles) -> dict[str, Any]:
    """The rate less the background, and corrected by what detection misses and invents; all with intervals.

    False detections are in the control too: of these only the part in which the cells' volumes differ is left.
    """
    figures = own.figures.of(one.class_) if own.figures else None
    background, specific, rest, words = UNKNOWN, UNKNOWN, one.rate.used, "all particles of a cell"
    megavoxels = one.sample.megavoxels
    if own.control:
        if one.is_control:
            background, rest, words = one.rate.used, UNKNOWN, "the control itself"
        elif control is None or not len(control.sample.counts):
            rest, words = UNKNOWN, "no cells of this class in the control"
        else:
            background = control.rate.used
            rest = specific = rates.subtract(one.rate.used, background)
            megavoxels -= control.sample.megavoxels
            words = f"background of {len(control.sample.counts)} control cells subtracted"
    corrected = correct(rest, figures, megavoxels) if figures else UNKNOWN
    if figures and not np.isnan(rest.value):
        words += f"; false detections in {megavoxels:.3g} megavoxels a cell subtracted; divided by the efficiency"
        words += f" (calibration of {own.figures.n_images} simulated images)"
    return {
        **columns_of("background_per_cell", "background", background),
        **columns_of("specific_per_cell", "specific", specific),
        "efficiency": figures.efficiency if figures else np.nan,
        "false_per_megavoxel": figures.false_per_megavoxel if figures else np.nan,
        "megavoxels_per_cell": one.sample.megavoxels,
        **columns_of("corrected_per_cell", "corrected", corrected),
        "correction": words,
    }


def correct(rate: Estimate, figures: Found, megavoxels: float) -> Estimate:
    """(rate - false x volume) / efficiency, with the uncertainty of all three."""
    false = Estimate(figures.false_per_megavoxel, figures.false_low, figures.false_high)
    efficiency = Estimate(figures.efficiency, figures.efficiency_low, figures.efficiency_high)
    return rates.divide(rates.subtract(rate, false.times(megavoxels)), efficiency)


def columns_of(name: str, stem: str, estimate: Estimate) -> dict[str, float]:
    """An estimate as three columns."""
    return {name: estimate.value, f"{stem}_low": estimate.low, f"{stem}_high": estimate.high}
