"""Dry run: what Snakemake takes to find out what there is to do, for a study that is new and for one that is finished.

Theirs: one job per image and stage, six short rules without functions, with a log each as `snakemake --lint` wants it. Finished is
made, not run: empty artifacts in the order of their times (theirs), or artifacts that manifests list, with the metadata that
`snakemake --touch` writes (ours). Theirs has no such metadata to compare, which is to its favour. Both run in an environment
without the extra `slurm`, whose plug-in loads pandas into every Snakemake.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .harness import CHECKOUT, Benchmark, Goal, Outcome
from .workflow import compiling

STAGES = ("convert", "segment", "detect", "quantify", "classify", "qc")
STUDY_RULES = ("gather", "report", "account", "all")
NOT_EXTRA = ("snakemake_executor_plugin_slurm", "__editable__", "_virtualenv")
RULES = """
IMAGES = [f"i{{i:05d}}" for i in range({n})]
rule all:
    input: expand("out/classify/{{image}}", image=IMAGES), expand("out/qc/{{image}}", image=IMAGES)
rule convert:
    input: "../ours/raw/{{image}}.tif"
    output: "out/convert/{{image}}"
    log: "logs/convert/{{image}}.log"
    shell: "convert {{input}} {{output}} 2> {{log}}"
rule segment:
    input: "out/convert/{{image}}"
    output: "out/segment/{{image}}"
    log: "logs/segment/{{image}}.log"
    shell: "segment {{input}} {{output}} 2> {{log}}"
rule detect:
    input: "out/segment/{{image}}"
    output: "out/detect/{{image}}"
    log: "logs/detect/{{image}}.log"
    shell: "detect {{input}} {{output}} 2> {{log}}"
rule quantify:
    input: "out/convert/{{image}}", "out/segment/{{image}}", "out/detect/{{image}}"
    output: "out/quantify/{{image}}"
    log: "logs/quantify/{{image}}.log"
    shell: "quantify {{input}} {{output}} 2> {{log}}"
rule classify:
    input: "out/quantify/{{image}}"
    output: "out/classify/{{image}}"
    log: "logs/classify/{{image}}.log"
    shell: "classify {{input}} {{output}} 2> {{log}}"
rule qc:
    input: "out/convert/{{image}}", "out/segment/{{image}}", "out/detect/{{image}}"
    output: "out/qc/{{image}}"
    log: "logs/qc/{{image}}.log"
    shell: "qc {{input}} {{output}} 2> {{log}}"
"""
PLANNED = re.compile(r"^rule convert:.*?wildcards: \w+=(\w+)", re.MULTILINE | re.DOTALL)
CONFIG = """
study: new
channels: {DNA: {source: 0, role: nucleus}}
segment: {nuclei: {method: {name: otsu, channel: DNA}}}
detect: {nuclei: {method: {name: from-labels, labels: nuclei}}}
quantify: {nuclei: {objects: nuclei}}
classify: {size: {objects: nuclei, method: {name: gate, rules: {big: area_um2 > 50}}}}
"""


def prepare(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """Two studies, new and finished, of each side, and the environment."""
    n, ours, theirs = size["images"], folder / "ours", folder / "theirs"
    (ours / "raw").mkdir(parents=True)
    names = [f"i{i:05d}" for i in range(n)]
    (ours / "raw" / "one").write_bytes(b"II*\0" + bytes(1000))
    began = time.time() - 1000
    os.utime(ours / "raw" / "one", (began, began))
    for name in names:
        os.link(ours / "raw" / "one", ours / "raw" / f"{name}.tif")
    rows = "".join(f"{name}\traw/{name}.tif\n" for name in names)
    (ours / "images.tsv").write_text(f"id\tpath\n{rows}")
    (ours / "new.yaml").write_text(CONFIG)
    (ours / "finished.yaml").write_text(CONFIG.replace("study: new", "study: finished"))
    case = {"n": n, "ours": ours, "theirs": theirs, "site": link_site(folder / "site")}
    finish_ours(case)
    for name in ("new", "finished"):
        (theirs / name).mkdir(parents=True)
        (theirs / name / "Snakefile").write_text(RULES.replace("../ours", str(ours)).format(n=n))
    for moment, stage in enumerate(STAGES, 1):
        (theirs / "finished" / "out" / stage).mkdir(parents=True)
        for name in names:
            path = theirs / "finished" / "out" / stage / name
            path.touch()
            os.utime(path, (began + moment, began + moment))
    return case


def link_site(site: Path) -> Path:
    """The installed packages, but for the extra `slurm`."""
    site.mkdir()
    for folder in (Path(one) for one in sys.path if one.endswith("site-packages")):
        for path in folder.iterdir():
            if path.suffix != ".pth" and not path.name.startswith(NOT_EXTRA):
                (site / path.name).symlink_to(path)
    return site


def finish_ours(case: Mapping[str, Any]) -> None:
    """What a finished study leaves: artifacts, manifests that list them, tables, and Snakemake's metadata."""
    from scopemill.config import read_config
    from scopemill.manifests import Record, write_manifest
    from scopemill.study import load_study

    path = case["ours"] / "finished.yaml"
    study = load_study(read_config(path), path)
    root = case["ours"] / "results" / "finished"
    facts = {"n_objects": 120, "um_per_px": 0.5, "channels": ["DNA"], "notes": []}
    for task in (task for task in study.tasks.values() if task.stage in STAGES):
        (root / "artifacts" / task.key).mkdir(parents=True)
        for batch, rows in study.batches.items():
            records = [Record(row.id, "ok", "f" * 64, artifact=f"artifacts/{task.key}/{row.id}", sha256="0" * 64, facts=facts) for row in rows]  # fmt: skip
            for record in records:
                (root / record.artifact).touch()
            write_manifest(root / "manifests" / task.key / f"{batch}.jsonl", records)
    for name in ("objects.parquet", "images.csv", "summary.csv", "quarantine.tsv", "data_dictionary.csv", "report.html", "accounting.json"):  # fmt: skip
        (root / name).touch()
    run_snakemake(case, "ours", "finished", "--touch")


def command(case: Mapping[str, Any], side: str, study: str) -> tuple[list[str], Path]:
    """What a user types, and where."""
    # -P: like the command `snakemake`, and unlike `python -m`, not looking for plug-ins among the study's images
    python = [sys.executable, "-S", "-P", "-m", "snakemake"]
    words = [*python, "--cores", "2", "--scheduler", "greedy"]
    if side == "theirs":
        return words, case["theirs"] / study
    profile = ["--workflow-profile", "none", "--nolock"]
    snakefile = ["--snakefile", str(CHECKOUT / "Snakefile")]
    return [*words, *profile, *snakefile, "--configfile", f"{study}.yaml"], case["ours"]


def run_snakemake(case: Mapping[str, Any], side: str, study: str, *flags: str) -> str:
    """What it printed."""
    words, folder = command(case, side, study)
    modules = os.pathsep.join([str(case["site"]), str(CHECKOUT / "src")])
    done = subprocess.run([*words, *flags], cwd=folder, env={**compiling(os.environ), "PYTHONPATH": modules}, capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return done.stdout + done.stderr


def plan(case: Mapping[str, Any], side: str) -> dict[str, Any]:
    """Dry run of both studies: jobs by rule, the images or batches that are planned, and whether nothing is left to do."""
    start = time.perf_counter()
    text = run_snakemake(case, side, "new", "--dry-run")
    middle = time.perf_counter()
    finished = run_snakemake(case, side, "finished", "--dry-run")
    return {
        "jobs": dict(read_stats(text)),
        "planned": PLANNED.findall(text),
        "nothing": "Nothing to be done" in finished,
        "dry_run_s": middle - start,
        "no_op_s": time.perf_counter() - middle,
    }


def read_stats(text: str) -> Iterator[tuple[str, int]]:
    """The table of jobs that a dry run prints."""
    table = re.findall(r"^job +count\n[- ]+\n(.*?)\n\n", text, re.MULTILINE | re.DOTALL)[0]
    for line in table.splitlines():
        rule, count = line.split()
        yield rule, int(count)


def plan_theirs(case: Mapping[str, Any]) -> dict[str, Any]:
    """One job per image and stage."""
    return plan(case, "theirs")


def plan_ours(case: Mapping[str, Any]) -> dict[str, Any]:
    """One job per batch and stage."""
    return plan(case, "ours")


def check(case: Mapping[str, Any], theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """Both plan every image once through every stage, and find a finished study finished."""
    from scopemill.config import read_config
    from scopemill.study import load_study

    path = case["ours"] / "new.yaml"
    batches = load_study(read_config(path), path).batches
    images = [row.id for batch in ours["planned"] for row in batches.get(batch, [])]
    wanted = dict.fromkeys(STAGES, len(batches)) | dict.fromkeys(STUDY_RULES, 1)
    wanted["total"] = sum(wanted.values())
    objections = {
        "they do not plan every image once": len(set(theirs["planned"])) != case["n"],
        "ours does not plan the same images": sorted(images) != sorted(theirs["planned"]),
        f"their jobs are {theirs['jobs']}": theirs["jobs"] != {**dict.fromkeys(STAGES, case["n"]), "all": 1, "total": 6 * case["n"] + 1},
        f"our jobs are {ours['jobs']}, not {wanted}": ours["jobs"] != wanted,
        "a finished study is not found finished": not (theirs["nothing"] and ours["nothing"]),
    }  # fmt: skip
    return [text for text, is_so in objections.items() if is_so]


def spoil(result: Mapping[str, Any]) -> dict[str, Any]:
    """One batch is not planned."""
    return {**result, "planned": result["planned"][:-1]}


def facts(case: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, float]:
    """Of our first run."""
    return {key: result[key] for key in ("dry_run_s", "no_op_s")} | {"jobs": result["jobs"]["total"]}  # fmt: skip


def slower(outcome: Outcome) -> float:
    """Seconds of the slower of dry run and no-op rerun."""
    return max(outcome.facts["dry_run_s"], outcome.facts["no_op_s"])


BENCHMARK = Benchmark(
    name="dry_run",
    task="dry run and no-op rerun of 10,000 images through six stages",
    against="one job per image and stage",
    prepare=prepare,
    baseline=plan_theirs,
    ours=plan_ours,
    check=check,
    spoil=spoil,
    full={"images": 10_000},
    small={"images": 60},
    goals=(
        Goal("times less CPU", Outcome.ratio, at_least=30),
        Goal("peak MB", lambda outcome: outcome.median("peak_mb"), at_most=150),
        Goal("seconds of the slower one", slower, at_most=10),
    ),
    facts=facts,
    warm_up_small=True,
)
