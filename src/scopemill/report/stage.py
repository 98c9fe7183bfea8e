"""Report: the study's tables, manifests and QC pictures -> one self-contained report.html."""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..manifests import Record, read_manifest, replacing
from ..readable import readable
from ..settings import settings
from ..sheet import make_batches, read_sheet
from ..tables import read_csv, read_table
from ..wells import find_wells
from . import decided, gallery, particle_plots, plates, plots, region_plots, seams

if TYPE_CHECKING:
    import pandas as pd

LOG = logging.getLogger("scopemill")


@settings
class Settings:
    """What the report shows."""

    tasks: tuple[str, ...] = ()
    """Set by the workflow: the tasks of the study."""
    group_by: str = "group"
    """Column of the sheet by which plots are grouped; that of `gather` when not given."""
    plots: tuple[str, ...] | None = None
    """Columns of objects whose distribution is plotted; a sensible choice when not given."""
    max_thumbnails: int = 200
    """Pictures of the gallery that the page holds itself; of a larger study half are the most suspicious images, half every n-th of the others. It shows all others from the folder qc/ beside it."""
    thumbnail_px: int = 420
    """Width of a thumbnail."""


@dataclass(frozen=True)
class Tables:
    """The study's tables, as gather wrote them; those that it did not write are empty."""

    objects: "pd.DataFrame"
    images: "pd.DataFrame"
    summary: "pd.DataFrame"
    quarantine: "pd.DataFrame"
    fits: "pd.DataFrame"
    comparison: "pd.DataFrame"
    regions: "pd.DataFrame"
    wells: "pd.DataFrame"


def run(settings: Settings, out: Path, sheet: Path, images_per_batch: int) -> None:
    """Write the report."""
    root = out.parent
    batches = list(make_batches(read_sheet(sheet), images_per_batch))
    read = read_tables(root, settings)
    thumbnails, more = gallery.make_gallery(root, read.images, settings)
    page = render(
        study=root.name,
        version=__version__,
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        counts=count_status(read.images),
        quarantine=read.quarantine.to_dict("records"),
        figures=list(plots.make_figures(read, settings)),
        comparison=list(summarise_comparison(read.comparison)),
        fits=read.fits.to_dict("records"),
        regions=region_plots.list_rows(read.regions) if len(read.regions) else [],
        n_regions=len(read.regions),
        region_figures=list(region_plots.make_figures(read.regions, read.summary)),
        particles=particle_plots.make_section(root),
        seams=seams.list_seams(list_segmented(root, settings.tasks, batches)),
        summary=read.summary.to_dict("records"),
        suspects=gallery.rank_images(read.images),
        plates=plates.make_section(read.wells),
        gallery=thumbnails,
        more=more,
        timing=list(time_tasks(root, [*settings.tasks, "qc"], batches)),
        notes=[
            *find_notes(root, settings.tasks, batches),
            *find_unplaced(read),
            *decided.list_notes(root),
        ],
    )
    with replacing(out) as temporary:
        temporary.write_text(page, encoding="utf-8")
    LOG.info("wrote %s (%.1f MB)", out, len(page) / 1e6)


def render(**values: Any) -> str:
    """Fill the page; whatever comes from files is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("scopemill.report", ".")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"number": format_number, "count": format_count}
    return environment.get_template("page.html").render(**values)


def format_number(value: Any) -> str:
    """Four significant digits; a dash for what is missing."""
    if isinstance(value, (int, float)):
        return "-" if value != value else readable(value, 4)
    return str(value)


def format_count(value: float) -> str:
    """A whole number with all its digits; a dash for what is missing."""
    return "-" if value != value else f"{value:.0f}"


def read_tables(root: Path, settings: Settings) -> Tables:
    """The tables that gather wrote; of objects the columns that plots may show."""
    import pandas as pd

    def optional(name: str) -> "pd.DataFrame":
        return read_csv(root / name) if (root / name).exists() else pd.DataFrame()

    quarantine = pd.read_csv(root / "quarantine.tsv", sep="\t", dtype=str, keep_default_na=False)
    images, summary = read_csv(root / "images.csv"), read_csv(root / "summary.csv")
    names = ("fits.csv", "comparison.csv", "regions.csv", "plates.csv")
    fits, *others = map(optional, names)
    of_fits = (name for fit in fits.to_dict("records") for name in (fit["x"], fit["y"]))
    wanted = {"image", "object", settings.group_by, *(settings.plots or ()), *of_fits}
    objects = read_table(
        root / "objects.parquet", lambda name: name in wanted or plots.may_be_plotted(name)
    )
    return Tables(objects, images, summary, quarantine, fits, *others)


def count_status(images: "pd.DataFrame") -> dict[str, int]:
    """Images in all, and by status."""
    counts = images["status"].value_counts()
    return {
        "all": len(images),
        **{name: int(counts.get(name, 0)) for name in ("ok", "quarantined", "skipped")},
    }


def summarise_comparison(comparison: "pd.DataFrame") -> Iterator[dict[str, Any]]:
    """Known against measured, summed over the images, one line a column."""
    for column, table in comparison.groupby("column") if len(comparison) else ():
        expected, measured = float(table["expected"].sum()), float(table["measured"].sum())
        yield {
            "column": column, "n_images": len(table), "expected": expected, "measured": measured,
            "difference": measured / expected - 1 if expected else float("nan"),
        }  # fmt: skip


def time_tasks(root: Path, tasks: list[str], batches: list[str]) -> Iterator[dict[str, Any]]:
    """Images and seconds of each task, by its manifests."""
    for key in tasks:
        records = list(read_records(root, key, batches))
        made = [record.seconds for record in records if record.status == "ok"]
        yield {
            "task": key, "ok": len(made), "other": len(records) - len(made),
            "seconds": sum(made), "per_image": sum(made) / max(1, len(made)), "slowest": max(made, default=0.0),
        }  # fmt: skip


def read_records(root: Path, key: str, batches: list[str]) -> Iterator[Record]:
    """All records of a task."""
    for batch in batches:
        yield from read_manifest(root / "manifests" / key / f"{batch}.jsonl").values()


def list_segmented(
    root: Path, tasks: list[str], batches: list[str]
) -> Iterator[tuple[str, Record]]:
    """Records of all segment tasks."""
    for key in tasks:
        if key.startswith("segment."):
            yield from ((key, record) for record in read_records(root, key, batches))


def find_notes(root: Path, tasks: list[str], batches: list[str]) -> Iterator[str]:
    """What a reader should know: sizes that are not known, dead channels, what tasks noted."""
    records = [one for one in read_records(root, "convert", batches) if one.status == "ok"]
    unknown = sum(record.facts.get("pixel_size_um") is None for record in records)
    if unknown:
        yield (
            f"The pixel size of {unknown} images is unknown: there, settings in um count pixels, "
            "and columns in um are absent."
        )
    flat = [record.image for record in records if record.facts.get("flat_channels")]
    if flat:
        yield f"{len(flat)} images have a channel with one value only, such as {flat[0]}."
    for key in tasks:
        notes = Counter(
            note for one in read_records(root, key, batches) for note in one.facts.get("notes", ())
        )
        yield from (f"{key}: {note} ({n} images)." for note, n in notes.items())


def find_unplaced(read: Tables) -> Iterator[str]:
    """Images that are in no plate although others are."""
    good = read.images[read.images["status"] == "ok"]
    lost = good.loc[find_wells(good)["well"].isna(), "image"]
    if len(read.wells) and len(lost):
        yield f"The well of {len(lost)} images, such as {lost.iloc[0]}, could not be read: use names as A01. They are not in plates.csv."
