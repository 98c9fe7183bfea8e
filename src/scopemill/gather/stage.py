"""Gather: manifests and tables of all images -> the study's tables; every row of the sheet accounted for once."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from .. import tables
from ..manifests import Record
from ..settings import settings
from ..sheet import Row, make_batches, read_sheet
from . import dictionary, region_groups, regions, summary
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
from .summary import Fit

if TYPE_CHECKING:
    import pandas as pd

LOG = logging.getLogger("scopemill")


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
    seed: int = 0
    """For the bootstrap."""


def run(settings: Settings, out: Path, sheet: Path, images_per_batch: int) -> None:
    """Write objects, images, summary, quarantine, data dictionary (and spots, regions, fits, comparison where there are any)."""
    root, rows = out.parent, read_sheet(sheet)
    records = read_records(root, settings.tasks, list(make_batches(rows, images_per_batch)))
    standing = {row.id: account(row, records) for row in rows}
    metadata = make_metadata(rows)
    good = [row.id for row in rows if standing[row.id].status == "ok"]
    objects = read_objects(root, records, good)
    areas = read_areas(root, records, good, settings.seed)
    placed = find_placed(root, records, good, objects)
    columns = region_columns(placed, list(metadata.columns))
    objects = join_metadata(objects, metadata)
    spots = join_metadata(read_spots(root, records, good), metadata)
    measured = {
        key.split(".")[1]: measured_images(of_task, good)
        for key, of_task in records.items()
        if key.startswith(("detect.", "quantify."))  # others may share their names
    }
    images = make_images(rows, standing, records, metadata)
    images = summary.summarise_images(images, objects, spots, measured, settings.means)
    images = regions.summarise_images(images, areas, placed)
    groups = summary.summarise_groups(
        images, objects, settings.group_by, settings.means, settings.seed
    )
    of_regions = region_groups.summarise_groups(
        images, areas, placed, settings.group_by, settings.seed
    )
    groups = groups if of_regions.empty else join_rows(groups, of_regions)
    places = join_metadata(regions.make_regions(areas, placed), metadata)
    write_both(root, "objects", objects)
    optional = {
        "spots.csv": spots,
        "regions.csv": places,
        "fits.csv": summary.fit_curves(objects, settings.fits),
        "comparison.csv": summary.compare_expected(images),
    }
    for name, table in {"images.csv": images, "summary.csv": groups, **optional}.items():
        if name in optional and table.empty:
            (root / name).unlink(missing_ok=True)
        else:
            write_csv(root / name, table)
    write_quarantine(root / "quarantine.tsv", rows, standing)
    described = {"objects": objects, "spots": spots, "images": images, "summary": groups}
    described |= {"regions": places} if len(places) else {}
    write_csv(
        root / "data_dictionary.csv",
        dictionary.make_dictionary(described, list(metadata.columns), columns),
    )
    LOG.info("%d images ok, %d objects, wrote %s", len(good), len(objects), root)


def make_metadata(rows: list[Row]) -> "pd.DataFrame":
    """The sheet's own columns, numbers where all cells are numbers; index: image."""
    import pandas as pd

    table = pd.DataFrame(
        [row.metadata for row in rows], index=pd.Index([row.id for row in rows], name="image")
    )
    return table.apply(tables.to_numbers)


def make_images(
    rows: list[Row],
    standing: dict[str, Record],
    records: dict[str, dict[str, Record]],
    metadata: "pd.DataFrame",
) -> "pd.DataFrame":
    """One row an image: metadata and how it stands."""
    import pandas as pd

    facts = [
        {
            "image": row.id,
            "status": standing[row.id].status,
            "code": standing[row.id].code,
            "pixel_size_um": records["convert"][row.id].facts.get("pixel_size_um"),
        }
        for row in rows
    ]
    return join_metadata(pd.DataFrame(facts), metadata)


def join_rows(above: "pd.DataFrame", below: "pd.DataFrame") -> "pd.DataFrame":
    """Rows of both; an empty table has columns of no type, which must not become the type of all."""
    import pandas as pd

    return pd.concat([one for one in (above, below) if len(one)], ignore_index=True)


def join_metadata(table: "pd.DataFrame", metadata: "pd.DataFrame") -> "pd.DataFrame":
    """The table with the sheet's columns after its keys."""
    if table.empty:
        return table
    joined = table.join(metadata[[name for name in metadata if name not in table]], on="image")
    keys = [
        name
        for name in ("image", *metadata.columns, "object", "t", "label", "class")
        if name in joined
    ]
    return joined[[*keys, *(name for name in joined if name not in keys)]]


def write_both(root: Path, name: str, table: "pd.DataFrame") -> None:
    """Parquet and CSV, each whole or not at all."""
    from ..manifests import replacing

    with replacing(root / f"{name}.parquet") as temporary:
        tables.write_table(temporary, table)
    write_csv(root / f"{name}.csv", table)


def write_csv(path: Path, table: "pd.DataFrame") -> None:
    """CSV, whole or not at all."""
    from ..manifests import replacing

    with replacing(path) as temporary:
        tables.write_csv(temporary, table)


def write_quarantine(path: Path, rows: list[Row], standing: dict[str, Record]) -> None:
    """One line an image that is not ok: what is wrong, where, and with which file."""
    from ..manifests import replacing

    lines = ["image\tstatus\tcode\tmessage\tpath"]
    for row in rows:
        record = standing[row.id]
        if record.status != "ok":
            cells = (row.id, record.status, record.code, record.message, row.path)
            lines.append("\t".join(" ".join(cell.split()) for cell in cells))
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
