"""Stored: manifests, journals and artifacts of a study -> records, and what of it is not as it was written."""

import importlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ..manifests import LIFTED, Record, journal_of, key_of, read_journal, read_manifest, sha256
from ..runner import artifact_path, read_fingerprint
from ..settings import output_of
from ..study import Study
from ..tasks import BATCH_STAGES
from .batches import Records, batch_tasks, make_batch
from .findings import ENDS, REPAIR, RUN, RUN_OR_REPAIR, Finding

TELL_EVERY_S = 5.0


def read_records(study: Study, root: Path) -> tuple[dict[str, dict[str, Record]], list[Finding]]:
    """Records by task key and image, and manifests that are absent, damaged or not what the journal says.

    Where they differ the journal counts, which is what the workflow resumes from.
    """
    records: dict[str, dict[str, Record]] = {}
    findings = []
    for task in batch_tasks(study):
        of_task = records.setdefault(task.key, {})
        for batch, rows in study.batches.items():
            path = root / "manifests" / task.key / f"{batch}.jsonl"
            journal = read_journal(journal_of(path))
            try:
                found = read_manifest(path)
                findings += compare(found, journal, [row.id for row in rows], path, root)
            except (OSError, ValueError, TypeError, KeyError) as error:
                found = {}
                findings.append(unreadable(path, root, error))
            there = {**found, **journal}
            of_task.update({row.id: there[row.id] for row in rows if row.id in there})
    return records, findings


def unreadable(path: Path, root: Path, error: Exception) -> Finding:
    """A manifest that is absent or damaged."""
    name = path.relative_to(root).as_posix()
    absent = isinstance(error, FileNotFoundError)
    cause = "is not there" if absent else f"cannot be read ({error})"
    return Finding("MANIFEST", name, cause, RUN_OR_REPAIR, key_of(path), set_aside=(name, *ENDS))


def compare(
    records: dict[str, Record],
    journal: dict[str, Record],
    images: list[str],
    path: Path,
    root: Path,
) -> Iterator[Finding]:
    """Lines of a manifest that are not the sheet's or not the journal's; whoever edits one forgets the other."""
    key, name = key_of(path), path.relative_to(root).as_posix()
    written = name.replace("manifests", "provenance", 1)
    if list(records) != images:
        cause = "holds other images than the sheet has in this batch"
        yield Finding("MANIFEST", name, cause, RUN, key)
    for image, record in records.items():
        if record.status == LIFTED:
            cause = "its quarantine was lifted, and it was not tried again yet"
            yield Finding("LIFTED", name, cause, RUN, key, image)
        elif image not in journal:
            cause = f"{written} has no line of this image"
            cure = "scopemill verify --repair writes it again from the manifest"
            yield Finding("JOURNAL", name, cause, cure, key, image)
        elif journal[image] != record:
            cause = (
                f"its line is not that of {written}: edited, or a job was stopped before its end"
            )
            aside = (name, *ENDS)
            yield Finding("MANIFEST", name, cause, RUN_OR_REPAIR, key, image, set_aside=aside)


def check_artifacts(study: Study, root: Path, records: Records) -> Iterator[Finding]:
    """Hash every artifact, and read the fingerprint inside it."""
    tasks = batch_tasks(study)
    total = sum(one.status == "ok" for key in records for one in records[key].values())
    ticker = Ticker(total)
    for task in tasks:
        batch = make_batch(study, task, root / "manifests" / task.key / "any", [], records, "cpu")
        for image, record in records[task.key].items():
            if record.status != "ok":
                continue
            place = artifact_path(batch, image).relative_to(root).as_posix()
            cause = find_fault(root, record, place)
            ticker.step(record.size)
            if cause:
                kind = "MISSING" if cause == "is not there" else "ARTIFACT"
                aside = () if kind == "MISSING" else (place,)
                cure = RUN if kind == "MISSING" else REPAIR
                yield Finding(kind, place, cause, cure, task.key, image, set_aside=aside)


def find_fault(root: Path, record: Record, place: str) -> str:
    """What is wrong with one artifact, in words; empty where nothing is."""
    path = root / place
    if not path.is_file():
        return "is not there"
    if record.artifact != place:
        return f"the manifest names {record.artifact!r} instead"
    if path.stat().st_size != record.size:
        return f"has {path.stat().st_size} bytes, {record.size} were written"
    if sha256(path) != record.sha256:
        return "its bytes are not those that were written (sha256)"
    if read_fingerprint(path) != record.fingerprint:
        return "the fingerprint inside is not that of its manifest"
    return ""


def artifact_folders() -> set[str]:
    """Folders of the results that hold artifacts of images, and nothing else."""
    stages = [importlib.import_module(f"scopemill.{stage}.stage") for stage in BATCH_STAGES]
    patterns = {stage.ARTIFACT for stage in stages if hasattr(stage, "ARTIFACT")}
    return {pattern.split("/")[0] for pattern in patterns} | {output_of(None), "classes"}


def find_orphans(study: Study, root: Path, records: Records) -> Iterator[Finding]:
    """Artifacts and manifests that nothing of the study speaks of."""
    known = {record.artifact for key in records for record in records[key].values()}
    known |= {
        f"manifests/{task.key}/{batch}.jsonl"
        for task in batch_tasks(study)
        for batch in study.batches
    }
    for folder in sorted(artifact_folders() | {"manifests"}):
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if name in known or (path.is_dir() and not path.is_symlink()):
                continue
            if path.name.startswith(".tmp-"):
                cause = "a job that was stopped left it behind, or one is at work"
                yield Finding("LEFTOVER", name, cause, "it goes when its batch runs again", note=True)  # fmt: skip
                continue
            cause = "no manifest of this study speaks of it: left from another config or sheet"
            yield Finding("ORPHAN", name, cause, "scopemill verify --repair sets it aside", set_aside=(name,))  # fmt: skip


class Ticker:
    """Says on standard error how many artifacts are hashed, now and then."""

    def __init__(self, total: int, clock=time.monotonic):
        self.total, self.done, self.n_bytes = total, 0, 0
        self._clock = clock
        self._start = self._told = clock()

    def step(self, n_bytes: int) -> None:
        """One more artifact of so many bytes."""
        self.done += 1
        self.n_bytes += n_bytes
        now = self._clock()
        if now - self._told >= TELL_EVERY_S:
            self._told = now
            rate = self.n_bytes / 1e6 / (now - self._start)
            sys.stderr.write(
                f"verify: {self.done}/{self.total} artifacts, {self.n_bytes / 1e9:.1f} GB, {rate:.0f} MB/s\n"
            )
