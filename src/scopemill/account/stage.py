"""Account: the study's sheet and images -> counts by cause, and an RO-Crate; the study fails when too many cannot be used."""

import json
import logging
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from ..crate import METADATA, write_crate
from ..manifests import replacing
from ..settings import Fraction, settings
from ..sheet import read_sheet
from ..tables import read_csv

if TYPE_CHECKING:
    import pandas as pd

LOG = logging.getLogger("scopemill")
STATUSES = ("ok", "quarantined", "skipped")


@settings
class Settings:
    """How many images may be lost."""

    tasks: tuple[str, ...] = ()
    """Set by the workflow: the tasks of the study."""
    max_quarantined: Fraction = 0.05
    """The study fails when a larger share of its images is quarantined."""
    config: str = ""
    """Set by the workflow: the config file, which goes into the RO-Crate."""
    snakefile: str = ""
    """Set by the workflow: the Snakefile; without it there is no RO-Crate."""


def run(settings: Settings, out: Path, sheet: Path, images_per_batch: int) -> None:
    """Write accounting.json and the RO-Crate; end with status 1 when too many images are quarantined.

    Raises
    ------
    RuntimeError
        When a row of the sheet is not accounted for exactly once.
    """
    (out.parent / METADATA).unlink(missing_ok=True)  # it speaks of what was before
    images = read_csv(out.parent / "images.csv")
    stop_if_lost(images, [row.id for row in read_sheet(sheet)])
    counts = {status: int((images["status"] == status).sum()) for status in STATUSES}
    causes = {
        str(code): int(n)
        for code, n in images.loc[images["status"] != "ok", "code"].value_counts().items()
    }
    share = counts["quarantined"] / len(images)
    text = ", ".join(f"{n} {status}" for status, n in counts.items() if n)
    LOG.info("%d images: %s", len(images), text)
    if share > settings.max_quarantined:
        message = (
            f"{counts['quarantined']} of {len(images)} images are quarantined ({share:.0%}; the limit is "
            f"{settings.max_quarantined:.0%}): {causes}. See {out.parent / 'quarantine.tsv'} and report.html; "
            "mend the files, or raise max_quarantined in the config, and run again"
        )
        LOG.error(message)
        sys.stdout.write(message + "\n")
        sys.exit(1)
    sys.stdout.write(f"{text}; report: {out.parent / 'report.html'}\n")
    with replacing(out) as temporary:
        temporary.write_text(json.dumps({"images": len(images), **counts, "causes": causes}) + "\n")
    describe(settings, out.parent, sheet)


def describe(settings: Settings, root: Path, sheet: Path) -> None:
    """Write the RO-Crate, where what was run can be seen."""
    files = (Path(settings.config), Path(settings.snakefile))
    if all(path.is_file() for path in files):
        write_crate(root, (*settings.tasks, "qc"), files[0], sheet, files[1])
    elif settings.snakefile:
        cure = "bind their folders into the container"
        LOG.warning("no RO-Crate: %s or %s cannot be seen from here; %s", *files, cure)


def stop_if_lost(images: "pd.DataFrame", ids: list[str]) -> None:
    """Raise RuntimeError unless each row of the sheet stands in images.csv once, and well."""
    times = Counter(images["image"])
    wrong = {
        "not in images.csv": [one for one in ids if one not in times],
        "there more than once": [one for one, n in times.items() if n > 1],
        "not in the sheet": sorted(times.keys() - set(ids)),
        "neither ok, quarantined nor skipped": list(
            images.loc[~images["status"].isin(STATUSES), "image"]
        ),
    }
    if found := [f"{', '.join(names)}: {what}" for what, names in wrong.items() if names]:
        raise RuntimeError(
            f"images are not accounted for ({'; '.join(found)}); the sheet was edited while the study ran, or images.csv was: run snakemake again"
        )
