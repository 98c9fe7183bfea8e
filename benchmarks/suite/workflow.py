"""Workflow: fields of cells through all stages, by Snakemake and by a loop in one process.

The loop is a program that calls the same functions of the same stages, image by image, and keeps everything loaded; it writes
the same artifacts, tables, pictures and report, and does nothing of what the workflow does for whom it is interrupted or
changed: no fingerprints, no hashes, no journal, no temporary files, no resuming. Both start a Python of their own, have one
core and one thread.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .harness import CHECKOUT, Benchmark, Goal

TABLES = ("objects.csv", "images.csv", "summary.csv")
ROWS = ("A", "B")  # of the sheet: groups
NETWORK = {"name": "unet", "model": "models/nuclei", "patches": "nuclei"}


def prepare(folder: Path, size: Mapping[str, Any]) -> dict[str, Any]:
    """Simulated fields of two channels, a sheet and a config of each side."""
    import numpy as np
    import tifffile
    import yaml
    from scipy.ndimage import gaussian_filter

    from scopemill.simulate.cytometry import nuclei_field

    rng = np.random.default_rng(0)
    (folder / "raw").mkdir(parents=True)
    lines = ["id\tpath\tgroup"]
    for i in range(size["images"]):
        nuclei, labels = nuclei_field(size["shape"], size["nuclei"], rng, radius_px=12.0)
        cells = 300 * gaussian_filter((labels > 0).astype(float), 6)
        pixels = np.stack([nuclei, rng.poisson(cells + 20).astype(np.uint16)])
        facts = {"axes": "CYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}  # fmt: skip
        tifffile.imwrite(folder / "raw" / f"i{i:04d}.ome.tif", pixels, metadata=facts, ome=True)
        lines.append(f"i{i:04d}\traw/i{i:04d}.ome.tif\t{ROWS[i % 2]}")
    (folder / "images.tsv").write_text("\n".join(lines) + "\n")
    config = {
        "channels": {"DNA": {"source": 0, "role": "nucleus"}, "cytoplasm": {"source": 1, "role": "cytoplasm"}},
        "images_per_batch": 100, "device": "cpu",
        "patch": {"nuclei": {"channels": ["DNA"]}},
        "segment": {
            "nuclei": {"method": NETWORK},
            "cells": {"method": {"name": "grow", "seeds": "nuclei", "channel": "cytoplasm", "max_distance_um": 6}},
        },
        "detect": {"cells": {"method": {"name": "from-labels", "labels": "cells"}}},
        "quantify": {"cells": {"objects": "cells", "nucleus": "nuclei"}},
    }  # fmt: skip
    for side in ("workflow", "loop"):
        (folder / f"{side}.yaml").write_text(yaml.safe_dump({"study": side, **config}))
    return {"folder": str(folder), "n": size["images"]}


def run_side(case: Mapping[str, Any], side: str, command: list[str]) -> dict[str, str]:
    """A process that begins without results; the tables that it wrote."""
    folder = Path(case["folder"])
    root = folder / "results" / side
    shutil.rmtree(root, ignore_errors=True)
    shutil.rmtree(folder / ".snakemake", ignore_errors=True)
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    modules = os.pathsep.join([str(CHECKOUT / "src"), str(CHECKOUT)])
    more = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PATH": programs, "PYTHONPATH": modules}  # fmt: skip
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, env={**compiling(os.environ), **more}, capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stdout[-3000:] + done.stderr[-3000:])
    return {name: (root / name).read_text() for name in TABLES}


def compiling(environment: Mapping[str, str]) -> dict[str, str]:
    """Python keeps what it compiles, as it does for users: else every job would compile the package anew."""
    return {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run_workflow(case: Mapping[str, Any]) -> dict[str, str]:
    """As a user types it, on one core."""
    words = ["--snakefile", CHECKOUT / "Snakefile", "--configfile", "workflow.yaml", "--cores", "1"]
    profile = ["--workflow-profile", CHECKOUT / "profiles" / "local"]
    return run_side(case, "workflow", ["snakemake", *map(str, [*words, *profile])])


def run_loop(case: Mapping[str, Any]) -> dict[str, str]:
    """The loop below, in a process of its own."""
    return run_side(case, "loop", [__spec__.name, "loop.yaml"])


def main(config: Path) -> None:
    """The loop: every image through every stage, then the tables and the report."""
    import torch

    torch.set_num_threads(1)
    from importlib import import_module

    from scopemill.config import read_config
    from scopemill.jobs import Job
    from scopemill.manifests import Record, write_manifest
    from scopemill.study import load_study
    from scopemill.tasks import BATCH_STAGES

    study = load_study(read_config(config), config)
    root = Path("results") / study.config.study
    stages = {stage: import_module(f"scopemill.{stage}.stage") for stage in BATCH_STAGES}
    tasks = in_order([task for task in study.tasks.values() if task.stage in BATCH_STAGES])
    for batch, rows in study.batches.items():
        records: dict[str, dict[str, Record]] = {task.key: {} for task in tasks}
        for row in rows:
            for task in tasks:
                stage = stages[task.stage]
                artifact = pattern_of(task, stage).format(task=task.name, image=row.id)
                (root / artifact).parent.mkdir(parents=True, exist_ok=True)
                before = {key: records[key][row.id] for key in task.needs}
                inputs = {key: root / record.artifact for key, record in before.items()}
                job = Job(row.id, root / artifact, "", inputs, row if task.stage == "convert" else None, before, "cpu")  # fmt: skip
                facts = stage.carry(job, task.settings, task.method) or {}
                facts = json.loads(
                    json.dumps({**facts, "notes": job.notes} if job.notes else facts)
                )
                records[task.key][row.id] = Record(row.id, "ok", "", artifact=artifact, facts=facts)
        for key, one in records.items():
            write_manifest(root / "manifests" / key / f"{batch}.jsonl", one.values())
    for name, out in (("gather", "objects.parquet"), ("report", "report.html")):
        stage, task = import_module(f"scopemill.{name}.stage"), study.tasks[name]
        stage.run(task.settings, root / out, study.sheet, study.images_per_batch)


def pattern_of(task: Any, stage: Any) -> str:
    """Where the artifacts of a task lie."""
    return stage.artifact_of(task.method) if hasattr(stage, "artifact_of") else stage.ARTIFACT


def in_order(tasks: list[Any]) -> list[Any]:
    """What another task needs stands before it."""
    ordered: list[Any] = []
    while len(ordered) < len(tasks):
        done = {task.key for task in ordered}
        ordered += [task for task in tasks if task.key not in done and done.issuperset(task.needs)]
    return ordered


def check(case: Mapping[str, Any], theirs: Mapping[str, str], ours: Mapping[str, str]) -> list[str]:
    """The same tables, to the last digit, with all images and some objects."""
    objections = [f"{name} differs" for name in TABLES if theirs[name] != ours[name]]
    if ours["images.csv"].count("\n") != case["n"] + 1:
        objections.append("images.csv does not hold all images")
    if ours["objects.csv"].count("\n") < 5 * case["n"]:
        objections.append("there are hardly any objects")
    return objections


def spoil(result: Mapping[str, str]) -> dict[str, str]:
    """One digit of one object."""
    text = result["objects.csv"].rstrip("\n")
    place = max(i for i, one in enumerate(text) if one.isdecimal())
    digit = str(9 - int(text[place]))
    return {**result, "objects.csv": f"{text[:place]}{digit}{text[place + 1 :]}\n"}


def facts(case: Mapping[str, Any], result: Mapping[str, str]) -> dict[str, float]:
    """How much there was to do."""
    return {"images": case["n"], "objects": result["objects.csv"].count("\n") - 1}


BENCHMARK = Benchmark(
    name="workflow",
    task="200 images of 520x696 through all stages by the workflow: patches, U-Net, cells, measures, pictures, tables, report",
    against="one process that calls the same functions in a loop",
    prepare=prepare,
    baseline=run_loop,
    ours=run_workflow,
    check=check,
    spoil=spoil,
    full={"images": 200, "shape": (520, 696), "nuclei": 90},
    small={"images": 4, "shape": (128, 144), "nuclei": 8},
    goals=(
        Goal("share of CPU more", lambda outcome: 1 / outcome.ratio() - 1, at_most=0.1),
        Goal("share of time more", lambda outcome: 1 / outcome.ratio("wall_s") - 1, at_most=0.2),
    ),
    facts=facts,
    pairs=3,  # minutes a turn
    warm_up_small=True,
)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
