"""Gathered: manifests and artifacts -> the study's tables, made again and compared byte by byte with those that are there."""

import importlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path

from ..manifests import sha256
from ..settings import load_stage
from ..study import Study
from .findings import ENDS, RUN_OR_REPAIR, Finding

ENDINGS = (".csv", ".tsv", ".parquet")


def check_tables(study: Study, root: Path) -> Iterator[Finding]:
    """Every table of the study is what gather makes of its artifacts now; tables that it does not make are named."""
    with tempfile.TemporaryDirectory(prefix="scopemill-verify-") as folder:
        scratch = Path(folder)
        for one in root.iterdir():
            if one.is_dir() or one.suffix == ".sqlite":
                (scratch / one.name).symlink_to(one.absolute())
        gather = importlib.import_module("scopemill.gather.stage")
        stated = json.loads(json.dumps(asdict(study.tasks["gather"].settings)))
        settings, _ = load_stage("gather", stated, "gather")
        try:
            gather.run(settings, scratch / "objects.parquet", study.sheet, study.images_per_batch)
        except RuntimeError as error:  # an image that is not accounted for
            yield Finding("ACCOUNT", "manifests", str(error), "run snakemake again")
            return
        made = {one.name for one in scratch.iterdir() if not one.is_symlink()}
        for name in sorted(made):
            if cause := find_difference(root / name, scratch / name):
                yield Finding("TABLE", name, cause, RUN_OR_REPAIR, set_aside=(name, *ENDS))
    for path in sorted(root.iterdir()):
        if path.is_file() and path.suffix in ENDINGS and path.name not in made:
            cause = "the study's settings make no table of this name: left from another config"
            yield Finding("ORPHAN", path.name, cause, "scopemill verify --repair sets it aside", set_aside=(path.name,))  # fmt: skip


def find_difference(recorded: Path, again: Path) -> str:
    """Where a table differs from the one that was made again; empty where it does not."""
    if not recorded.is_file():
        return "is not there"
    if sha256(recorded) == sha256(again):
        return ""
    if recorded.suffix == ".parquet":
        return "is not what the artifacts give"
    with recorded.open("rb") as first, again.open("rb") as second:
        lines = enumerate(zip_longest(first, second), 1)
        number = next(number for number, (one, other) in lines if one != other)
    return f"is not what the artifacts give; the first difference is in line {number}"
