"""Particle tables: objects, images and manifests -> particles.csv, particle_comparisons.csv and particle_counts.csv."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..manifests import Record
from .collect import first_statement
from .particle_comparisons import compare_groups
from .particle_counts import bin_cells
from .particles import Particles, count_particles, make_particles

if TYPE_CHECKING:
    import pandas as pd

Z = 2  # of the axes TCZYX


def make_tables(
    wanted: Mapping[str, Particles],
    objects: "pd.DataFrame",
    images: "pd.DataFrame",
    root: Path,
    records: dict[str, dict[str, Record]],
    group_by: str,
    seed: int,
) -> dict[str, "pd.DataFrame"]:
    """Table by name, for all detect tasks together; empty ones where nothing is asked for, or was measured."""
    import pandas as pd

    found: dict[str, list[pd.DataFrame]] = {
        "particles": [], "particle_comparisons": [], "particle_counts": []
    }  # fmt: skip
    usable = images[images["status"] == "ok"]
    planes = {
        image: record.facts["shape"][Z]
        for image, record in records["convert"].items()
        if record.facts.get("shape")
    }
    for task, own in wanted.items():
        measured = records[f"quantify.{own.objects}"]
        members = usable[[measured[image].status == "ok" for image in usable["image"]]]
        channels = first_statement(root, records[f"detect.{task}"]).get("channels") or ()
        kinds = tuple(channels) if len(channels) > 1 else ()
        counted = count_particles(objects, members, task, own, kinds, planes, group_by)
        found["particles"].append(make_particles(counted, task, own))
        found["particle_comparisons"].append(compare_groups(counted, task, own, seed))
        found["particle_counts"].append(bin_cells(counted, task, own))
    return {name: join(parts) for name, parts in found.items()}


def join(parts: list["pd.DataFrame"]) -> "pd.DataFrame":
    """Rows of all; an empty table has columns of no type, which must not become the type of all."""
    import pandas as pd

    parts = [one for one in parts if len(one)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
