"""Account: the study's images and quarantine -> counts by cause; the study fails when too many cannot be used."""

import json
import logging
import sys
from pathlib import Path

from ..manifests import replacing
from ..settings import Fraction, settings
from ..tables import read_csv

LOG = logging.getLogger("scopemill")


@settings
class Settings:
    """How many images may be lost."""

    tasks: tuple[str, ...] = ()
    """Set by the workflow: the tasks of the study."""
    max_quarantined: Fraction = 0.05
    """The study fails when a larger share of its images is quarantined."""


def run(settings: Settings, out: Path, sheet: Path, images_per_batch: int) -> None:
    """Write accounting.json; end with status 1 when too many images are quarantined."""
    images = read_csv(out.parent / "images.csv")
    counts = {str(status): int(n) for status, n in images["status"].value_counts().items()}
    causes = {
        str(code): int(n)
        for code, n in images.loc[images["status"] != "ok", "code"].value_counts().items()
    }
    share = counts.get("quarantined", 0) / len(images)
    text = ", ".join(f"{n} {status}" for status, n in counts.items())
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
