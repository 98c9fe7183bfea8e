"""scopemill plan: a study's headers -> how much memory, time and disk it will take, before anything runs.

No pixel is read, save for a slide's small copy of itself. What the study has recorded so far goes over the forecast.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ..config import read_config
from ..convert.stage import choose_channels, choose_pixel_size
from ..errors import DataError
from ..forecast.facts import Facts, make_facts
from ..forecast.forecaster import Forecaster
from ..forecast.headers import Header, HeaderStore, read_header
from ..forecast.history import read_history
from ..forecast.machine import Machine, calibrate
from ..forecast.plan import Plan, make_plan
from ..settings import ConfigError
from ..sheet import Row
from ..study import Study, load_study
from ._plan_text import as_json, as_text, as_tsv

SAVE_EVERY_S = 10.0


def main(arguments: Sequence[str]) -> int:
    """0 when every image can be forecast; 1 where some cannot be opened."""
    options = make_parser().parse_args(arguments)
    if options.calibrate:
        machine = calibrate()
        path = machine.write(options.machine)
        sys.stderr.write(f"{path}: {machine}\n")
    if options.config is None:
        if options.calibrate:
            return 0
        raise ConfigError(
            "scopemill plan: name a study (its config.yaml, or the folder it lies in)"
        )
    path = options.config / "config.yaml" if options.config.is_dir() else options.config
    study = load_study(read_config(path), path)
    root = options.results / study.config.study
    machine = Machine.read(options.machine)
    store = HeaderStore(root)
    facts, faults = read_facts(study, store)
    forecaster = Forecaster(study, machine, store)
    plan = make_plan(forecaster, facts, read_history(root), root)
    write(plan, facts, faults, forecaster, options, path)
    return 1 if faults else 0


def make_parser() -> argparse.ArgumentParser:
    """What can be asked."""
    parser = argparse.ArgumentParser("scopemill plan", description=__doc__)
    parser.add_argument(
        "config", type=Path, nargs="?", help="config.yaml, or the folder it lies in"
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parser.add_argument(
        "--cores", type=int, default=cores, help="cores to reckon with (this machine's)"
    )
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="folder of all studies' results"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="everything, for programs")
    form.add_argument("--tsv", action="store_true", help="one line an image and task")
    parser.add_argument(
        "--calibrate", action="store_true", help="first measure this machine (less than a minute)"
    )
    parser.add_argument(
        "--machine", type=Path, help="a calibration to read, or with --calibrate to write"
    )
    return parser


def read_facts(study: Study, store: HeaderStore) -> tuple[dict[str, Facts], dict[str, DataError]]:
    """Facts of each image, and what is wrong with those that have none; headers that were read are kept."""
    facts, faults, told = {}, {}, time.monotonic()
    rows = [row for row in study.rows if not row.exclude]
    try:
        for n, row in enumerate(rows):
            try:
                facts[row.id] = make_facts(study, row, find_header(study, store, row))
            except DataError as error:
                faults[row.id] = error
            if time.monotonic() - told > SAVE_EVERY_S:
                told = time.monotonic()
                sys.stderr.write(f"{n + 1} of {len(rows)} headers\n")
    finally:
        store.save()
    return facts, faults


def find_header(study: Study, store: HeaderStore, row: Row) -> Header:
    """A file's header, read once.

    Raises
    ------
    DataError
        What `scopemill check` would say.
    """
    settings, path = study.tasks["convert"].settings, Path(row.path)
    header = store.find(row)
    if header is None:
        header = read_header(row, int(settings.max_gigapixels * 1e9))
        store.add(row, header)
    claimed = (header.pixel_size_um,) * 2 if header.pixel_size_um else None
    choose_channels(settings.channels, header.names, path)
    choose_pixel_size(row.pixel_size_um, settings, claimed, path)
    return header


def write(
    plan: Plan,
    facts: dict[str, Facts],
    faults: dict[str, DataError],
    forecaster: Forecaster,
    options: argparse.Namespace,
    path: Path,
) -> None:
    """Print it in the form that was asked for."""
    if options.json:
        whole = as_json(plan, facts, faults, forecaster, options.cores)
        sys.stdout.write(json.dumps(whole, indent=1) + "\n")
    elif options.tsv:
        sys.stdout.writelines(f"{line}\n" for line in as_tsv(plan, facts))
    else:
        lines = as_text(plan, facts, faults, forecaster, options.cores, path)
        sys.stdout.writelines(f"{line}\n" for line in lines)
