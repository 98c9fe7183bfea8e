"""Sources: what artifacts were made from (raw files, settings, code, model files, containers) -> what of it changed since."""

from collections.abc import Iterator
from pathlib import Path

from ..manifests import Record, sha256
from ..models.description import DESCRIPTION, WEIGHTS, read_description
from ..runner import Batch, common_fingerprint, fingerprint_of
from ..settings import references
from ..study import Study
from ..tasks import Task
from .batches import Records, batch_tasks, make_batch
from .findings import RUN, Finding


def check_fingerprints(study: Study, root: Path, records: Records) -> Iterator[Finding]:
    """Compare each recorded fingerprint with that of what is here now; no pixel is read."""
    for task in batch_tasks(study):
        of_task = records[task.key]
        known = [image for image in of_task if all(image in records[key] for key in task.needs)]
        batch = make_batch(study, task, root / "manifests" / task.key / "any", known, records, "cpu")  # fmt: skip
        try:
            common = common_fingerprint(batch)
        except OSError:  # no model: check_models names it
            continue
        yield from compare_fingerprints(task, batch, of_task, known, common)


def compare_fingerprints(
    task: Task, batch: Batch, records: dict[str, Record], images: list[str], common: str
) -> Iterator[Finding]:
    """One finding for the task where all images differ, else one an image."""
    other = [one for one in images if fingerprint_of(batch, one, common) != records[one].fingerprint]  # fmt: skip
    if other and (len(other) == len(images) or not batch.rows):
        made = records[other[0]].run
        cause = (
            f"{len(other)} of {len(images)} images were made by other settings, code, model files or packages than those here "
            f"(by scopemill {made.get('scopemill', 'unknown')}, revision {made.get('revision', 'unknown')[:12]}, "
            f"packages {made.get('environment', 'unknown')})"
        )
        cure = f"{RUN}, or check out that revision to verify what it made"
        yield Finding("OTHER", f"manifests/{task.key}", cause, cure, task.key)
        return
    for image in other:
        cause = "the file, or its row of the sheet, changed after the image was made"
        yield Finding("INPUT", batch.rows[image].path, cause, RUN, task.key, image)


def check_models(study: Study, root: Path) -> Iterator[Finding]:
    """Weights of all models that tasks use, and of those that the study trained."""
    folders = {path.parent: "" for path in sorted(root.glob(f"models/*/{DESCRIPTION}"))}
    for task in study.tasks.values():
        for settings in filter(None, (task.settings, task.method and task.method.settings)):
            found = [Path(one) for kind, one, _ in references(settings) if kind == "model"]
            folders |= dict.fromkeys(found, task.key)
    for folder, key in folders.items():
        if fault := find_model_fault(folder):
            cure = "copy the model folder again, or train it again"
            yield Finding("WEIGHTS", str(folder / WEIGHTS), fault, cure, key)


def find_model_fault(folder: Path) -> str:
    """What is wrong with a model folder, in words; empty where nothing is."""
    try:
        described = read_description(folder)
    except ValueError as error:
        return str(error)
    if not (folder / WEIGHTS).is_file():
        return "is not there"
    if sha256(folder / WEIGHTS) != described.weights_sha256:
        return f"is not what {DESCRIPTION} describes (its sha256 differs)"
    return ""


def check_containers(records: Records) -> Iterator[Finding]:
    """Container images that jobs ran in: they are still those of which the manifests speak."""
    used = {
        (record.run["container"]["path"], record.run["container"].get("sha256", ""))
        for of_task in records.values()
        for record in of_task.values()
        if record.run.get("container")
    }
    for place, expected in sorted(used):
        if not expected:
            cause = "the manifests do not say its sha256"
            yield Finding("CONTAINER", place, cause, "keep the image's .json beside it", note=True)
        elif not Path(place).is_file():
            cause = f"is not here (sha256 {expected[:12]} made results of this study)"
            yield Finding("CONTAINER", place, cause, "nothing to do where it was moved on purpose", note=True)  # fmt: skip
        elif sha256(Path(place)) != expected:
            cause = "is another image now than the one that made results of this study"
            yield Finding("CONTAINER", place, cause, "bring that one back, or run the study again with this one")  # fmt: skip
