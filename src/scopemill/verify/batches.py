"""Batches: a study's tasks -> what the runner takes for them, as the rules of the workflow would give it."""

import importlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from ..manifests import Record
from ..runner import Batch
from ..settings import load_stage
from ..study import Study
from ..tasks import BATCH_STAGES, Task

READ_THE_SHEET = ("convert", "annotate")
Records = Mapping[str, Mapping[str, Record]]  # by task key, by image


def batch_tasks(study: Study) -> list[Task]:
    """Tasks that work image by image, each after those that it reads from."""
    waiting = {key: task for key, task in study.tasks.items() if task.stage in BATCH_STAGES}
    ordered: dict[str, Task] = {}
    while waiting:
        key = next(key for key, task in waiting.items() if ordered.keys() >= set(task.needs))
        ordered[key] = waiting.pop(key)
    return list(ordered.values())


def make_batch(
    study: Study, task: Task, manifest: Path, images: list[str], records: Records, device: str
) -> Batch:
    """The batch that a job of the task would be given for these images."""
    stage = importlib.import_module(f"scopemill.{task.stage}.stage")
    # settings reach a job as JSON, which has lists for tuples
    settings, method = load_stage(task.stage, json.loads(json.dumps(asdict(task.settings))), task.key)  # fmt: skip
    rows = {row.id: row for row in study.rows if row.id in images}
    return Batch(
        stage,
        task.name,
        settings,
        method,
        manifest,
        images,
        rows if task.stage in READ_THE_SHEET else {},
        {key: records[key] for key in task.needs},
        device,
        folder=study.sheet.parent if task.stage in READ_THE_SHEET else Path(),
    )
