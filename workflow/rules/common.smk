"""Helpers of the rules: the checked study, and what a rule asks of it. No rules here."""

import gc
import json
import re
import sys
from dataclasses import asdict, replace
from functools import cache
from math import ceil
from pathlib import Path

from scopemill.annotations.source import source_state
from scopemill.config import read_config
from scopemill.containers import image_for
from scopemill.decisions import FILE, standing_hash
from scopemill.forecast.forecaster import Forecaster
from scopemill.gpu_faults import nodes_to_avoid
from scopemill.manifests import digest, repairs, sha256
from scopemill.provenance import task_code_hash
from scopemill.settings import ConfigError
from scopemill.sheet import raw_state
from scopemill.study import load_study

try:
    # Snakemake itself lets a key stand twice, and takes the last
    read_config(Path(workflow.configfiles[-1]))
    STUDY = load_study(config, Path(workflow.configfiles[-1]))
    FORECAST = Forecaster.of_rules(STUDY)
except ConfigError as error:
    sys.exit(f"\n{error}\n")

# what is loaded by now stays: looking through it again and again, for cycles, takes a tenth of a dry run
gc.freeze()

LEAST_MB = 1000  # of a job; what small images need is hard to tell and cheap to have
LEAST_GPU_MB = 4000  # the libraries of a GPU alone take most of this
CONTAINER = image_for(Path(workflow.basedir), STUDY.config.device)


wildcard_constraints:
    task=r"[A-Za-z][A-Za-z0-9_-]*",
    batch=r"[A-Za-z0-9][A-Za-z0-9_-]*",


def task_of(rule, wildcards):
    """The task that a job of a rule is about."""
    return STUDY.tasks[
        f"{rule}.{wildcards.task}" if "task" in wildcards.keys() else rule
    ]


def upstream(rule):
    """Manifests, for the job's batch, of the tasks that its task reads from."""

    def manifests_of(wildcards):
        return [
            f"<results>/manifests/{key}/{wildcards.batch}.jsonl"
            for key in task_of(rule, wildcards).needs
        ]

    return manifests_of


def settings(rule):
    """The task's settings as JSON: what changes them reruns the job."""
    return lambda wildcards: settings_of(task_of(rule, wildcards).key)


@cache  # all jobs of a task have the same
def settings_of(key):
    """A task's settings as JSON."""
    return json.dumps(asdict(STUDY.tasks[key].settings))


def settings_of_account(wildcards):
    """The settings of account, and what the study was run with."""
    files = {
        "config": str(workflow.configfiles[-1]),
        "snakefile": workflow.main_snakefile,
    }
    return json.dumps(asdict(task_of("account", wildcards).settings) | files)


def code(rule):
    """Hash of the code that the job will run: what changes it reruns the job."""
    return lambda wildcards: code_of(task_of(rule, wildcards).key)


@cache  # and of one state of the files: what changes while the workflow is planned, the job itself refuses
def code_of(key):
    """Hash of a task's code."""
    return task_code_hash(STUDY.tasks[key])


def lost(rule):
    """Which artifacts of the batch are gone: losing one reruns the job, which restores it."""

    def lost_of(wildcards):
        key = task_of(rule, wildcards).key
        return repairs(
            Path(
                f"results/{STUDY.config.study}/manifests/{key}/{wildcards.batch}.jsonl"
            )
        )

    return lost_of


def raw_files(wildcards):
    """Rows and state of the batch's raw files: a new or replaced one reruns the job."""
    return digest(
        [
            (row.says, raw_state(row, STUDY.config.checksums))
            for row in STUDY.batches[wildcards.batch]
        ]
    )


def annotation_files(wildcards):
    """State of the batch's annotation files: one that came, went or was edited reruns the job."""
    source = task_of("annotate", wildcards).settings.source
    return digest(
        [
            (row.says, source_state(source, row, STUDY.sheet.parent))
            for row in STUDY.batches[wildcards.batch]
        ]
    )


def sheet_rows(wildcards):
    """The whole sheet: its metadata are in the study's tables."""
    return digest([row.says for row in STUDY.rows])


def labelled_cells(wildcards):
    """The CSV of labelled cells that a training learns from: an edited one makes another training set."""
    own = task_of("collect", wildcards).settings.measured
    return sha256(STUDY.sheet.parent / own.labelled) if own and own.labelled else ""


def decisions_made(wildcards):
    """What people decided in `scopemill inspect`: the study's tables follow."""
    return standing_hash(Path(f"results/{STUDY.config.study}/{FILE}"))


def uses_gpu(rule, wildcards):
    """Whether the task's method runs on a GPU where there is one, and the config lets it."""
    return FORECAST.uses_gpu(task_of(rule, wildcards))


def on_gpu(rule, made="manifests/{rule}.{task}/{batch}.jsonl"):
    """Resources of GPU work, which makes this file of the results: one GPU, and where the profile's `gpu_jobs` sends it."""
    site = workflow.resource_settings.default_resources or {}
    raw = {name: getattr(value, "raw", value) for name, value in site.items()}
    there = dict(pair.split("=", 1) for pair in raw.get("gpu_jobs", "").split())

    def either(on_gpu, on_cpu):
        return lambda wildcards: on_gpu if uses_gpu(rule, wildcards) else on_cpu

    # a `gres` of the site already asks for the GPU
    gpu = {} if "gres" in there else {"gpu": either(1, None)}
    gpu |= {name: either(value, raw.get(name)) for name, value in there.items()}
    made = made.replace("{rule}", rule)
    return gpu | {"slurm_extra": elsewhere(made, raw.get("slurm_extra"))}


def elsewhere(made, extra):
    """For SLURM: what the profile has for all jobs, and not again to a node where the job lost its GPU."""
    usual = (extra or "").strip("'\"")  # an expression, in a profile

    def elsewhere_of(wildcards, attempt):
        results = Path(f"results/{STUDY.config.study}")
        job = made.format(**dict(wildcards.items()))
        nodes = nodes_to_avoid(results, job, attempt)
        exclude = f"--exclude={','.join(nodes)}" if nodes else ""
        return f"{usual} {exclude}".strip() or None

    return elsewhere_of


def threads_of(rule):
    """Several cores feed a GPU, or stand in for it."""
    return lambda wildcards: 4 if uses_gpu(rule, wildcards) else 1


def memory_mb(rule):
    """Room for the batch's hungriest image, as `scopemill plan` forecasts it; twice that with each attempt."""

    def memory_of(wildcards, attempt):
        key = task_of(rule, wildcards).key
        needed = FORECAST.job_memory_mb(key, wildcards.batch)
        least = LEAST_GPU_MB if uses_gpu(rule, wildcards) else LEAST_MB
        return doubled(max(least, round_up(needed, 100)), attempt)

    return memory_of


def minutes(rule):
    """Half an hour and three times the CPU time that `scopemill plan` forecasts, an hour at least; twice that with each attempt."""

    def minutes_of(wildcards, attempt):
        key = task_of(rule, wildcards).key
        seconds = 3 * FORECAST.job_seconds(key, wildcards.batch)
        return doubled(max(60, round_up(30 + seconds / 60, 10)), attempt)

    return minutes_of


def doubled(amount, attempt):
    """What the first attempt asks for, twice as much for the second, four times for the third."""
    return amount * 2 ** (attempt - 1)


def round_up(number, step):
    """The next multiple, so that one job's estimate is the next one's."""
    return step * ceil(number / step)


def study_memory_mb(wildcards, attempt):
    """Room for the tables of the whole study; twice that with each attempt."""
    return doubled(4000, attempt)


def manifests_before(rule):
    """Manifests, of the whole study, of the tasks that a task reads from."""
    return lambda wildcards: [
        f"<results>/manifests/{key}/{batch}.jsonl"
        for key in task_of(rule, wildcards).needs
        for batch in STUDY.batches
    ]


def tasks_of(stage):
    """Names of a stage's tasks."""
    return [task.name for task in STUDY.tasks.values() if task.stage == stage]


def training_settings(wildcards):
    """Settings of a training; those of a point of the learning curve use some of the images."""
    own = task_of("train", wildcards).settings
    if f"train.{own.init_from}" in STUDY.tasks:
        models = f"results/{STUDY.config.study}/models"
        own = replace(own, init_from=f"{models}/{own.init_from}")
    if wildcards.part:
        images, repeat = map(int, re.findall(r"\d+", wildcards.part))
        training = replace(own.training, seed=own.training.seed + repeat)
        own = replace(own, images=images, training=training)
    return json.dumps(asdict(own))


def first_weights(wildcards):
    """The model of another training of this study, where a training starts from it."""
    own = task_of("train", wildcards).settings
    there = f"train.{own.init_from}" in STUDY.tasks
    return f"<results>/models/{own.init_from}/model.yaml" if there else []


def curve_models(task):
    """The trainings that a learning curve is made of."""
    own = STUDY.tasks[f"train.{task}"].settings
    return [
        f"<results>/training/{task}/{images}-{repeat}/model.yaml"
        for images in own.learning_curve
        for repeat in range(own.repeats)
    ]


def training_memory_mb(wildcards, attempt):
    """Room for a network's batches; twice that with each attempt."""
    return doubled(8000, attempt)


def all_manifests(wildcards):
    """Every manifest of the study."""
    keys = STUDY.tasks["gather"].needs
    return [
        f"<results>/manifests/{key}/{batch}.jsonl"
        for key in keys
        for batch in STUDY.batches
    ]
