"""Runner: the one loop over a batch. Resume, quarantine, atomic writes, progress and log live here only.

For each image: keep its artifact if that is whole and has the right fingerprint; else let the stage's
`carry(job, settings, method)` make it in a temporary file that then takes its place. `DataError` quarantines
the image, `Skip` passes over it; anything else ends the job, so that it is tried again.
"""

import dataclasses
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import manifests, provenance
from .errors import DataError, Skip
from .jobs import Job
from .lanes import Made, count_lanes, in_lanes
from .manifests import Record
from .progress import Progress
from .settings import Method, references
from .sheet import Row, raw_state
from .usage import Usage

LOG = logging.getLogger("scopemill")


@dataclass(frozen=True)
class Batch:
    """What one job is asked to do."""

    stage: Any  # the stage's module
    task: str
    settings: Any
    method: Method | None
    manifest: Path
    images: list[str]
    rows: Mapping[str, Row]
    upstream: Mapping[str, Mapping[str, Record]]  # by task key, by image
    device: str = "auto"
    threads: int = 1
    folder: Path = Path()  # of the sheet

    @property
    def root(self) -> Path:
        """The results folder of the study."""
        return manifests.results_root(self.manifest)


def run_batch(batch: Batch) -> list[Record]:
    """Bring every image of the batch up to date, then write the manifest."""
    journal = manifests.journal_of(batch.manifest)
    known = manifests.read_journal(journal)
    common = common_fingerprint(batch)
    manifests.remove_leftovers(artifact_path(batch, "any").parent)
    facts = provenance.run_facts(batch.device)
    write_environment(batch.root, facts["environment"])
    shapes = shapes_of(batch.upstream.get("convert", {}))
    lanes = count_lanes(batch.method, batch.threads, shapes)
    made = Made(journal, facts, shared=lanes > 1)

    def work(image: str) -> Record:
        made.begin()
        record, is_new = bring_up_to_date(batch, image, known.get(image), common)
        return made.add(record) if is_new else record

    progress = Progress(
        f"{manifests.key_of(batch.manifest)} {batch.manifest.stem}", len(batch.images)
    )
    records = []
    for record in in_lanes(work, batch.images, lanes):
        records.append(record)
        progress.step()
    manifests.write_manifest(batch.manifest, records)
    kept = len(records) - made.n
    LOG.info("%s: %d made, %d kept, wrote %s", progress.title, made.n, kept, batch.manifest)
    return records


def shapes_of(converted: Mapping[str, Record]) -> list[Sequence[int] | None]:
    """TCZYX of the images that could be converted."""
    return [one.facts.get("shape") for one in converted.values() if one.status == "ok"]


def write_environment(root: Path, name: str) -> None:
    """Say once which versions an environment's hash stands for."""
    path = root / "provenance" / "environments" / f"{name}.json"
    if not path.exists():
        with manifests.replacing(path) as temporary:
            temporary.write_text(json.dumps(provenance.package_versions(), indent=1) + "\n")


def common_fingerprint(batch: Batch) -> str:
    """What all images of the batch share: settings, models, code and the packages that it runs on."""
    modules = [batch.stage, *([batch.method.module] if batch.method else [])]
    code = provenance.code_hash(*modules)
    return manifests.digest(comparable_settings(batch), code, provenance.package_versions())


def comparable_settings(batch: Batch) -> dict[str, Any]:
    """The settings, with each model folder replaced by what is in it."""
    values = dataclasses.asdict(batch.settings)
    if batch.method:
        models = {key for kind, _, key in references(batch.method.settings) if kind == "model"}
        values["method"] = {
            key: model_digest(Path(value)) if key in models else value
            for key, value in batch.method.as_dict().items()
        }
    return values


def model_digest(folder: Path) -> str:
    """Hash of a model folder's description and weights."""
    return manifests.digest(
        *(manifests.sha256(folder / name) for name in ("model.yaml", "weights.safetensors"))
    )


def bring_up_to_date(
    batch: Batch, image: str, known: Record | None, common: str
) -> tuple[Record, bool]:
    """The image's record, and whether anything had to be done for it."""
    upstream = {key: records[image] for key, records in batch.upstream.items()}
    row = batch.rows.get(image)
    fingerprint = fingerprint_of(batch, image, common)
    if known and known.fingerprint == fingerprint and manifests.is_whole(known, batch.root):
        return known, False
    if not known and (found := find_artifact(batch, image, fingerprint)):
        return found, True
    lost = bool(known) and not manifests.is_whole(known, batch.root)
    record = make(batch, image, upstream, row, fingerprint)
    return dataclasses.replace(record, repairs=known.repairs + lost if known else 0), True


def fingerprint_of(batch: Batch, image: str, common: str) -> str:
    """What an image's artifact is made from: all that the batch shares, the artifacts before it, its files."""
    row = batch.rows.get(image)
    inputs = {key: input_fingerprint(records[image]) for key, records in batch.upstream.items()}
    return manifests.digest(
        common, image, inputs, raw_fingerprint(batch, row), *source_fingerprint(batch, row)
    )


def input_fingerprint(record: Record) -> str:
    """What of an artifact before goes into the next one; an image that is set aside may come back as it was."""
    return record.fingerprint if record.status == "ok" else f"{record.status} {record.fingerprint}"


def raw_fingerprint(batch: Batch, row: Row | None) -> list[Any]:
    """What of the sheet and the raw file goes into a converted image."""
    if row is None:
        return []
    state = raw_state(row, getattr(batch.settings, "checksums", False))
    return [state, row.scene, row.pixel_size_um, row.z_step_um, row.exclude]


def source_fingerprint(batch: Batch, row: Row | None) -> list[str]:
    """What of further files that a stage reads goes into its artifact."""
    if row is None or not hasattr(batch.stage, "source_state"):
        return []
    return [batch.stage.source_state(row, batch.folder, batch.settings)]


def artifact_path(batch: Batch, image: str) -> Path:
    """Where the image's artifact belongs."""
    stage = batch.stage
    pattern = stage.artifact_of(batch.method) if hasattr(stage, "artifact_of") else stage.ARTIFACT
    return batch.root / pattern.format(task=batch.task, image=image)


def find_artifact(batch: Batch, image: str, fingerprint: str) -> Record | None:
    """A record for an artifact that is there although the journal is lost."""
    path = artifact_path(batch, image)
    if not path.exists() or read_fingerprint(path) != fingerprint:
        return None
    facts = batch.stage.read_facts(path) if hasattr(batch.stage, "read_facts") else {}
    return finished(batch, image, fingerprint, {}, facts)


def read_fingerprint(path: Path) -> str | None:
    """The fingerprint inside an artifact; None when it has none that can be read."""
    from . import images, patches, pictures, tables

    readers = {
        ".tif": lambda: images.Image(path).meta.fingerprint,
        ".h5": lambda: patches.Patches(path).meta.fingerprint,
        ".parquet": lambda: tables.read_statement(path)["fingerprint"],
        ".png": lambda: pictures.read_fingerprint(path),
    }
    try:
        return readers[path.suffix]()
    except Exception as error:  # whatever is wrong with it, it is made again
        LOG.warning("%s: not readable (%s); it is made again", path, error)
        return None


def make(
    batch: Batch, image: str, upstream: Mapping[str, Record], row: Row | None, fingerprint: str
) -> Record:
    """Let the stage make the artifact; say how it went."""
    usage = Usage.start()
    path = artifact_path(batch, image)
    try:
        stop_if_unusable(batch, upstream, row)
        inputs = {
            key: batch.root / record.artifact for key, record in upstream.items() if record.artifact
        }
        with manifests.replacing(path) as output:
            job = Job(
                image,
                output,
                fingerprint,
                inputs,
                row,
                upstream,
                batch.device,
                batch.threads,
                batch.folder,
            )
            facts = batch.stage.carry(job, batch.settings, batch.method)
    except (DataError, Skip) as reason:
        path.unlink(missing_ok=True)  # what stood there was made from something else
        status = "quarantined" if isinstance(reason, DataError) else "skipped"
        LOG.warning("%s %s: %s: %s", image, status, reason.code, reason)
        return Record(image, status, fingerprint, reason.code, str(reason), **usage.so_far())
    if job.notes:
        facts = {**(facts or {}), "notes": sorted(set(job.notes))}
    return finished(batch, image, fingerprint, usage.so_far(), facts)


def stop_if_unusable(batch: Batch, upstream: Mapping[str, Record], row: Row | None) -> None:
    """Raise Skip when the sheet excludes the image or a task before has no artifact of it."""
    if row is not None and row.exclude:
        raise Skip("EXCLUDED", f"excluded in the sheet: {row.exclude}")
    for key, record in upstream.items():
        if record.status == "ok" or (
            key != "convert" and getattr(batch.stage, "TAKES_WHAT_THERE_IS", False)
        ):
            continue
        raise Skip("UPSTREAM", f"{key} has nothing of this image ({record.status}, {record.code})")


def finished(
    batch: Batch,
    image: str,
    fingerprint: str,
    usage: Mapping[str, float],
    facts: dict[str, Any] | None,
) -> Record:
    """The record of an artifact that is in its place."""
    path = artifact_path(batch, image)
    return Record(
        image, "ok", fingerprint,
        artifact=path.relative_to(batch.root).as_posix(),
        size=path.stat().st_size,
        sha256=manifests.sha256(path),
        facts=json.loads(json.dumps(facts or {})),
        **usage,
    )  # fmt: skip
