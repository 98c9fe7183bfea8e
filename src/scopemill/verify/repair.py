"""Repair: findings -> broken files are moved aside, so that the next run makes them again, and nothing else."""

from collections.abc import Iterable
from pathlib import Path

from ..manifests import append_journal, journal_of, read_manifest
from .findings import Finding

FOLDER = "set_aside"  # below the results of the study; it may be deleted


def repair(root: Path, findings: Iterable[Finding]) -> list[str]:
    """Move files aside and write lost lines of journals again; what was moved."""
    moved = []
    for finding in findings:
        if finding.kind == "JOURNAL":
            manifest = root / finding.file
            append_journal(journal_of(manifest), read_manifest(manifest)[finding.image])
        for name in finding.set_aside:
            # a file may be named by several findings
            if (root / name).is_file() or (root / name).is_symlink():
                set_aside(root, name)
                moved.append(name)
    return moved


def set_aside(root: Path, name: str) -> None:
    """Move one file; an older one of its name is kept too."""
    target = root / FOLDER / name
    number = 1
    while target.exists():
        number += 1
        target = root / FOLDER / f"{name}.{number}"
    target.parent.mkdir(parents=True, exist_ok=True)
    (root / name).rename(target)
