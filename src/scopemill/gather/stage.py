"""Gather: manifests and tables of all images -> the study's tables; every row of the sheet accounted for once."""

import logging
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .. import decisions
from ..manifests import Record
from ..settings import DetectTask, settings
from ..sheet import make_batches, read_sheet
from . import (
    decided,
    dictionary,
    output,
    particle_tables,
    plates,
    region_groups,
    regions,
    summary,
    suspects,
)
from .collect import (
    account,
    find_placed,
    measured_images,
    read_areas,
    read_objects,
    read_records,
    read_spots,
    region_columns,
)
from .joining import join_metadata, join_rows, make_images, make_metadata
from .particles import Particles
from .summary import Fit

if TYPE_CHECKING:
    import pandas as pd

LOG = logging.getLogger("scopemill")
ALWAYS = ("objects", "images", "summary")


@settings
class Settings:
    """What the study's tables hold."""

    tasks: tuple[str, ...] = ()
    """Set by the workflow: the tasks of the study."""
    group_by: str = "group"
    """Column of the sheet by which images are put together in summary.csv and in plots."""
    means: tuple[str, ...] | None = None
    """Columns of objects whose mean goes into images.csv; a sensible choice when not given."""
    fits: tuple[Fit, ...] = ()
    """Dose-response curves to fit: {object, y, x}, y a column of objects, x a numeric column of the sheet."""
    particles: dict[DetectTask, Particles] = field(default_factory=dict)
    """Detect task -> how its particles are counted: {objects, control, cells, detection}; gives particles.csv, particle_comparisons.csv and particle_counts.csv."""
    seed: int = 0
    """For the bootstrap and for permutations."""


def run(settings: Settings, out: Path, sheet: Path, images_per_batch: int) -> None:
    """Write objects, images, summary, quarantine, data dictionary, and what else there is anything of."""
    root, rows = out.parent, read_sheet(sheet)
    records = read_records(root, settings.tasks, list(make_batches(rows, images_per_batch)))
    decisions_made = decisions.read_standing(root / decisions.FILE)
    standing = decided.set_aside_images(
        {row.id: account(row, records) for row in rows}, decisions_made
    )
    good = [row.id for row in rows if standing[row.id].status == "ok"]
    metadata = make_metadata(rows)
    inspected = decided.apply(read_objects(root, records, good), decisions_made, good)
    placed = find_placed(root, records, good, inspected.kept)
    columns = region_columns(placed, list(metadata.columns))
    objects = suspects.mark_objects(inspected.kept, metadata, settings.group_by)
    objects = join_metadata(objects, metadata)
    inspected = replace(inspected, kept=objects)  # the objects are held once
    spots = decided.mark_spots(
        join_metadata(read_spots(root, records, good), metadata),
        inspected.rejected,
        decided.spot_columns(root, records, inspected.rejected),
    )
    areas = read_areas(root, records, good, settings.seed)
    images = make_images(rows, standing, records, metadata)
    counted, measured = decided.counted(spots), find_measured(records, good)
    images = summary.summarise_images(images, objects, counted, measured, settings.means)
    images = regions.summarise_images(images, areas, placed)
    images = suspects.mark_images(images, objects, records, settings.group_by)
    described = {
        "objects": objects,
        "spots": spots,
        "images": images,
        "summary": summarise(settings, images, objects, areas, placed),
        "regions": join_metadata(regions.make_regions(areas, placed), metadata),
        "plates": plates.make_plates(images, objects, settings.means, settings.seed),
        **particle_tables.make_tables(
            settings.particles, objects, images, root, records, settings.group_by, settings.seed
        ),
    }
    there = {name: one for name, one in described.items() if len(one) or name in ALWAYS}
    always = {name: described[name] for name in ALWAYS}
    always["data_dictionary"] = dictionary.make_dictionary(there, list(metadata.columns), columns)
    optional = {name: one for name, one in described.items() if name not in ALWAYS}
    optional |= {
        "rejected": join_metadata(inspected.rejected, metadata),
        "relabelled": inspected.relabelled,
        "decisions": inspected.decisions,
        "fits": summary.fit_curves(objects, settings.fits),
        "comparison": summary.compare_expected(images),
    }
    output.write_parquet(root / "objects.parquet", objects)
    output.write_tables(root, always, optional)
    output.write_quarantine(root / "quarantine.tsv", rows, standing)
    LOG.info("%d images ok, %d objects, wrote %s", len(good), len(objects), root)


def find_measured(records: dict[str, dict[str, Record]], good: list[str]) -> dict[str, set[str]]:
    """Detect or quantify task -> images that it has something of; others may share their names."""
    return {
        key.split(".")[1]: measured_images(of_task, good)
        for key, of_task in records.items()
        if key.startswith(("detect.", "quantify."))
    }


def summarise(
    settings: Settings,
    images: "pd.DataFrame",
    objects: "pd.DataFrame",
    areas: list[regions.Measured],
    placed: list[regions.Measured],
) -> "pd.DataFrame":
    """One row a group and quantity: of objects, then of areas and regions."""
    how = settings.group_by, settings.seed
    groups = summary.summarise_groups(images, objects, how[0], settings.means, how[1])
    of_regions = region_groups.summarise_groups(images, areas, placed, *how)
    return groups if of_regions.empty else join_rows(groups, of_regions)
