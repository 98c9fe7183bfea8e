"""The command line: the stages that rules call, and the commands that a person types.

scopemill <stage> --task <task> --in <manifest>... --out <manifest> --settings '<json>'
Imports only the stage or command that it runs.
"""

import argparse
import atexit
import ctypes
import gc
import importlib
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__

M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -3, -1  # of malloc.h
KEPT_BYTES = 64 << 20
LARGE_BYTES = 4 << 20
# layers are made again at once; fresh pages took a quarter of the time
LARGE_LAYER_BYTES = 32 << 20

BATCH_STAGES = {
    "convert": "raw images -> OME-TIFF",
    "annotate": "annotation files -> tables of annotated objects",
    "patch": "images -> patch stores",
    "segment": "images -> label images",
    "detect": "images or labels -> objects",
    "quantify": "objects -> measured objects",
    "classify": "measured objects -> classes",
    "qc": "everything of an image -> one picture",
}
STUDY_STAGES = {
    "gather": "all images -> the study's tables, every image accounted for",
    "report": "the study's tables -> report.html",
    "account": "every image counted; fails when too many are quarantined",
}
TRAIN_STAGES = {
    "collect": "images and annotations -> training set",
    "train": "training set -> model folder",
    "curve": "trainings with few images -> learning curve",
}
COMMANDS = {
    "init": "write config.yaml and images.tsv for a folder of images",
    "check": "check a study's config, sheet and files before it runs",
    "plan": "say how much memory, time and disk a study will take",
    "evaluate": "score label images against ground truth",
    "compare": "put scores of several methods side by side",
    "inspect": "look at images and cells in the browser, and decide about them",
    "export": "labels or annotations to QuPath, ImageJ or label images",
    "simulate": "make images with known truth",
    "calibrate": "find out, on simulated images, how well a study finds its particles",
    "verify": "say what of a study's files does not hold, and mend it",
    "retry": "let quarantined images be tried again",
    "containers": "build, test, inspect, verify and sign Apptainer images",
    "docs": "write generated documentation again (for developers)",
}


def make_parser() -> argparse.ArgumentParser:
    """Stages share one form; a command adds its own arguments when it is chosen."""
    parser = argparse.ArgumentParser("scopemill", description=__doc__.split("\n")[0])
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for stage, purpose in {**BATCH_STAGES, **STUDY_STAGES, **TRAIN_STAGES}.items():
        one = verbs.add_parser(stage, help=purpose, description=purpose)
        one.add_argument("--task", default="", help="name of the task in the config")
        one.add_argument(
            "--in", dest="inputs", nargs="*", type=Path, default=[], metavar="MANIFEST"
        )
        one.add_argument(
            "--out", type=Path, required=True, help="manifest (or table, report) to write"
        )
        one.add_argument("--settings", default="{}", help="JSON, as in the config")
        one.add_argument("--sheet", type=Path, help="image sheet (convert and gather)")
        one.add_argument("--images-per-batch", type=int, default=50)
        one.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
        one.add_argument("--threads", type=int, default=1)
        one.add_argument("--expect-code", default="", help="refuse to run other code than this")
    for command, purpose in COMMANDS.items():
        verbs.add_parser(command, help=purpose, add_help=False)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one stage or command; 0 when it went well."""
    options, rest = make_parser().parse_known_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    from .settings import ConfigError

    # a job that is cancelled tidies up behind itself
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    # all memory goes with the process; looking for cycles in it first takes 0.1 to 0.3 s
    atexit.register(gc.freeze)
    try:
        if options.verb in COMMANDS:
            return importlib.import_module(f".commands.{options.verb}", __package__).main(rest)
        if rest:
            make_parser().error(f"unknown arguments: {' '.join(rest)}")
        run_stage(options)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def use_cores(n: int) -> None:
    """Let libraries that have threads of their own use n cores, before they are loaded."""
    for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "TIFFFILE"):
        os.environ.setdefault(f"{name}_NUM_THREADS", str(n))


def return_memory(large_bytes: int) -> None:
    """Give large arrays back to the system when they are let go: else the C library keeps them, and the peak grows.

    What small ones leave is kept up to a bound: else pages go and come with every array, a sixth of a small image's time.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, large_bytes)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
    except (OSError, AttributeError):
        return  # another C library, which has its own ways


def run_stage(options: argparse.Namespace) -> None:
    """Run a stage on a batch, or on the whole study."""
    use_cores(options.threads)
    from .containers import refuse_other_code
    from .gpu_faults import is_lost, report_lost
    from .provenance import code_hash
    from .settings import load_stage

    log = logging.getLogger("scopemill")
    log.info("scopemill %s %s %s", __version__, options.verb, options.settings)
    stage = importlib.import_module(f".{options.verb}.stage", __package__)
    where = f"{options.verb}.{options.task}" if options.task else options.verb
    settings, method = load_stage(options.verb, json.loads(options.settings), where)
    modules = [stage, *([method.module] if method else [])]
    has_layers = any(getattr(module, "USES_GPU", False) for module in modules)
    return_memory(LARGE_LAYER_BYTES if has_layers else LARGE_BYTES)
    refuse_other_code(options.expect_code, code_hash(*modules))
    try:
        run_loaded(stage, settings, method, options)
    except RuntimeError as error:
        if is_lost(error):
            log.error(report_lost(options.out, error))
        raise


def run_loaded(stage, settings, method, options: argparse.Namespace) -> None:
    """Run a stage whose settings are checked."""
    if options.verb in TRAIN_STAGES:
        stage.run(settings, method, options)
    elif options.verb in STUDY_STAGES:
        stage.run(settings, options.out, options.sheet, options.images_per_batch)
    else:
        run_batch_stage(stage, settings, method, options)


def run_batch_stage(stage, settings, method, options: argparse.Namespace) -> None:
    """Collect what the batch needs and give it to the runner."""
    from .manifests import read_manifests
    from .runner import Batch, run_batch
    from .sheet import make_batches, read_sheet

    upstream = read_manifests(options.inputs)
    rows = {}
    if options.sheet:
        batch = make_batches(read_sheet(options.sheet), options.images_per_batch)[options.out.stem]
        rows = {row.id: row for row in batch}
    images = list(rows or upstream["convert"])
    shared = {
        "rows": rows,
        "upstream": upstream,
        "device": options.device,
        "threads": options.threads,
        "folder": options.sheet.parent if options.sheet else Path(),
    }
    run_batch(Batch(stage, options.task, settings, method, options.out, images, **shared))


if __name__ == "__main__":
    sys.exit(main())
