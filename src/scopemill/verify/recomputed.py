"""Recomputed: some images drawn at random -> everything of them made again from raw pixels, and how it differs."""

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..manifests import Record, sha256
from ..runner import run_batch
from ..study import Study
from ..tasks import Task
from .batches import Records, batch_tasks, make_batch
from .differences import describe_difference
from .findings import REPAIR, RUN, Finding

NAME = "verify"  # of study and batch in the temporary folder


def draw_images(study: Study, n: int, seed: int) -> list[str]:
    """Ids of so many images, in the order of the sheet."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(study.rows), min(n, len(study.rows)), replace=False)
    return [study.rows[place].id for place in sorted(chosen)]


def check_image(
    study: Study, root: Path, records: Records, image: str, device: str
) -> Iterator[Finding]:
    """Run all tasks of one image into a temporary folder ($TMPDIR), and compare with what the study has."""
    with tempfile.TemporaryDirectory(prefix="scopemill-verify-") as folder:
        scratch = Path(folder) / NAME
        again: dict[str, dict[str, Record]] = {}
        for task in batch_tasks(study):
            manifest = scratch / "manifests" / task.key / f"{NAME}.jsonl"
            batch = make_batch(study, task, manifest, [image], again, device)
            with contextlib.redirect_stdout(sys.stderr):  # its progress
                (record,) = run_batch(batch)
            again[task.key] = {image: record}
            before = records[task.key].get(image)
            if before is None:
                continue
            if before.fingerprint != record.fingerprint:
                cause = "cannot be compared: what it was made by or from changed since"
                yield Finding("RECOMPUTED", task.key, cause, f"{RUN} first", task.key, image)
                return
            yield from compare(task, image, root, before, scratch, record)


def compare(
    task: Task, image: str, root: Path, before: Record, scratch: Path, after: Record
) -> Iterator[Finding]:
    """How an image stands, and its artifact, then and now."""
    name = before.artifact or f"manifests/{task.key}"
    stood, stands = (f"{one.status} {one.code}".strip() for one in (before, after))
    if stood != stands:
        cause = f"computed again it is {stands} ({after.message}), recorded was {stood}"
        cure = f"scopemill retry --image {image}, then run snakemake again"
        if before.status == "ok":
            yield Finding("RECOMPUTED", name, cause, REPAIR, task.key, image, set_aside=(name,))
        else:
            yield Finding("RECOMPUTED", name, cause, cure, task.key, image)
    elif before.status == "ok" and sha256(root / before.artifact) != after.sha256:
        if difference := describe_difference(root / before.artifact, scratch / after.artifact):
            cause = f"computed again from raw pixels it differs: {difference}"
            yield Finding("RECOMPUTED", name, cause, REPAIR, task.key, image, set_aside=(name,))
