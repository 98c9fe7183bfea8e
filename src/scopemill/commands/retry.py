"""scopemill retry: a study -> its quarantined images are tried again by the next run, they alone.

An image whose file, row or settings changed is tried again without this. It is for causes that lie elsewhere: a
permission, a reader that was not installed, a file that was mended and kept its time.
"""

import argparse
import dataclasses
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..config import read_config
from ..errors import CODES
from ..manifests import (
    LIFTED,
    Record,
    append_journal,
    journal_of,
    key_of,
    read_manifest,
    write_manifest,
)
from ..settings import ConfigError, nearest
from ..study import Study, load_study


def main(arguments: Sequence[str]) -> int:
    """Lift quarantine; 0 also where there was nothing to lift."""
    options = make_parser().parse_args(arguments)
    path = options.config / "config.yaml" if options.config.is_dir() else options.config
    study = load_study(read_config(path), path)
    refuse_unknown(options.image, [row.id for row in study.rows], "image")
    refuse_unknown(options.code, list(CODES), "code")
    refuse_running(options.results)
    lifted, kept = lift(study, options.results / study.config.study, options.image, options.code)
    for key, record in lifted:
        sys.stdout.write(f"{key}: {record.image} ({record.code}: {record.message})\n")
    images = {record.image for _, record in lifted}
    if kept:
        counts = ", ".join(f"{n} x {code}" for code, n in sorted(Counter(kept).items()))
        sys.stdout.write(f"still quarantined: {counts}\n")
    if not images:
        sys.stdout.write(f"{path}: nothing to try again\n")
        return 0
    what = "1 image" if len(images) == 1 else f"{len(images)} images"
    sys.stdout.write(
        f"{what} will be tried again. Run: snakemake --cores all --configfile {shlex.quote(str(path))}\n"
    )
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Without --code and --image, everything that is quarantined is lifted."""
    parser = argparse.ArgumentParser("scopemill retry", description=__doc__)
    parser.add_argument("config", type=Path, help="config.yaml, or the folder it lies in")
    parser.add_argument(
        "--code", action="append", default=[], help="only images with this code (may stand twice)"
    )
    parser.add_argument(
        "--image", action="append", default=[], help="only the image with this id (may stand twice)"
    )
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="folder of all studies' results"
    )
    return parser


def refuse_unknown(asked: Sequence[str], known: Sequence[str], what: str) -> None:
    """Raise ConfigError for an image or a code that cannot be meant."""
    for name in asked:
        if name not in known:
            raise ConfigError(f"--{what} {name}: there is no such {what}{nearest(name, known)}")


def refuse_running(results: Path) -> None:
    """Raise ConfigError while a run holds the study: its jobs would write over what is said here."""
    locks = results.parent / ".snakemake" / "locks"
    if locks.is_dir() and any(locks.iterdir()):
        raise ConfigError(
            f"{locks}: a run of snakemake holds this folder; wait for its end (after a kill: snakemake --unlock)"
        )


def lift(
    study: Study, root: Path, images: Sequence[str], codes: Sequence[str]
) -> tuple[list[tuple[str, Record]], list[str]]:
    """Mark quarantined records in journals and manifests, so that they count as repairs to be made.

    Gives what was lifted, by task, and the codes of what was not. Tasks that wait for an image that comes back follow
    by themselves: their fingerprints say how the tasks before ended.
    """
    lifted, kept = [], []
    for manifest in find_manifests(study, root):
        records = read_manifest(manifest)
        chosen = {
            image: record
            for image, record in records.items()
            if record.status == "quarantined"
            and (not images or image in images)
            and (not codes or record.code in codes)
        }
        kept += [
            record.code
            for image, record in records.items()
            if record.status == "quarantined" and image not in chosen
        ]
        lifted += [(key_of(manifest), record) for record in chosen.values()]
        marked = {
            image: dataclasses.replace(record, status=LIFTED) for image, record in chosen.items()
        }
        # the journal first: what is not yet in the manifest is lifted when this is asked again
        for record in marked.values():
            append_journal(journal_of(manifest), record)
        if marked:
            write_manifest(manifest, [marked.get(image, one) for image, one in records.items()])
    return lifted, kept


def find_manifests(study: Study, root: Path) -> list[Path]:
    """Manifests of the study's tasks that are there, in the order of the stages."""
    places = [
        root / "manifests" / key / f"{batch}.jsonl"
        for key in study.tasks
        for batch in study.batches
    ]
    return [place for place in places if place.is_file()]
