"""Forecasts beside what manifests recorded: CPU seconds, peak memory and disk of every task -> the tables of docs/plan.md.

python benchmarks/forecast.py --data ../shared/data --folder /tmp/forecast [--studies slide svs stacks fields] [--cores 1]

Each study is run in `--folder` (what is there already is kept), then forecast from its headers alone, as if nothing had
been run. Goals: time within a factor of 1.5 (of tasks that took more than a second), memory never below the peak.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from scopemill.commands.plan import read_facts
from scopemill.config import read_config
from scopemill.forecast.facts import Facts
from scopemill.forecast.forecaster import SAFETY, Forecaster
from scopemill.forecast.headers import HeaderStore
from scopemill.forecast.history import count_batches, read_history
from scopemill.forecast.machine import Machine, calibrate
from scopemill.manifests import Record
from scopemill.simulate.crowd import Crowd, simulate_crowd
from scopemill.study import load_study

CHECKOUT = Path(__file__).resolve().parents[1]
GOAL = 1.5
WORTH_S = 1.0  # CPU seconds of a task: below, only the sum of all tasks counts
FIELD_PX = 512
OBJECTS = {
    "detect": {"nuclei": {"method": {"name": "from-labels", "labels": "nuclei"}}},
    "quantify": {"nuclei": {"objects": "nuclei"}},
}
UNET = {"name": "unet", "model": str(CHECKOUT / "models/nuclei"), "channels": ["DNA"]}
OTSU = {"name": "otsu", "channel": "DNA", "smooth_um": 1, "split_um": 5}


def main() -> int:
    """Run, forecast, print; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=CHECKOUT.parent / "shared" / "data")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--studies", nargs="+", default=list(STUDIES), choices=list(STUDIES))
    parser.add_argument("--slide-px", type=int, nargs="+", default=[1024, 4096])
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument(
        "--machine",
        type=Path,
        help="a calibration; without, it is made before and after each study",
    )
    options = parser.parse_args()
    missed = 0
    for name in options.studies:
        folder = options.folder / name
        if not (folder / "config.yaml").exists():
            folder.mkdir(parents=True, exist_ok=True)
            STUDIES[name](folder, options)
        # what else runs on a shared machine changes its speed
        machines = [read_machine(options)]
        run_study(folder, options.cores)
        machines.append(read_machine(options))
        missed += compare(name, folder, average(machines))
    return int(missed > 0)


def read_machine(options: argparse.Namespace) -> Machine:
    """As it was calibrated, or is now."""
    return Machine.read(options.machine) if options.machine else calibrate()


def average(machines: list[Machine]) -> Machine:
    """The mean of their factors."""
    arrays = sum(one.arrays for one in machines) / len(machines)
    networks = sum(one.networks for one in machines) / len(machines)
    return Machine(round(arrays, 2), round(networks, 2), machines[0].gpu, machines[0].name)


def write_study(folder: Path, config: Mapping[str, Any], rows: Mapping[str, str]) -> None:
    """Config and sheet."""
    (folder / "config.yaml").write_text(yaml.safe_dump(dict(config), sort_keys=False))
    lines = [f"{image}\t{path}\n" for image, path in rows.items()]
    (folder / "images.tsv").write_text("id\tpath\n" + "".join(lines))


def make_slide(folder: Path, options: argparse.Namespace) -> None:
    """Fluorescence slides of several sizes, tiled, two channels, crowded nuclei; one image a job."""
    import tifffile

    field, _ = simulate_crowd(
        Crowd(shape_yx=(FIELD_PX, FIELD_PX), n_nuclei=240), np.random.default_rng(1)
    )
    rows = {}
    for size in options.slide_px:
        path = folder / f"slide-{size}.ome.tif"
        n = -(-size // FIELD_PX)
        facts = {
            "axes": "CYX", "Channel": {"Name": ["DNA", "marker"]},
            "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5,
        }  # fmt: skip
        tiles = (field for _ in range(2 * n * n))
        tifffile.imwrite(
            path, tiles, shape=(2, n * FIELD_PX, n * FIELD_PX), dtype=field.dtype, bigtiff=True,
            tile=(FIELD_PX, FIELD_PX), compression="zlib", metadata=facts, ome=True,
        )  # fmt: skip
        rows[f"slide-{size}"] = path.name
    config = {
        "study": "slide",
        "images_per_batch": 1,
        "channels": {"DNA": "DNA", "marker": "marker"},
        "device": "cpu",
        "patch": {"all": {"channels": ["DNA"]}},
        "segment": {
            "nuclei": {"method": UNET | {"diameter_um": 10}},
            "classical": {"method": OTSU},
            "cells": {"method": {"name": "grow", "seeds": "classical", "max_distance_um": 4}},
            "section": {"method": {"name": "tissue"}},
        },
        "detect": OBJECTS["detect"],
        "quantify": OBJECTS["quantify"] | {"areas": {"classes": "section"}},
    }
    write_study(folder, config, rows)


def make_svs(folder: Path, options: argparse.Namespace) -> None:
    """A real H&E slide: stains, tissue, areas, nuclei."""
    nuclei = {"name": "otsu", "channel": "hematoxylin", "smooth_um": 0.7, "split_um": 4}
    eosin = {"name": "threshold", "channel": "eosin", "within": "section"}
    config = {
        "study": "svs",
        "channels": {"red": 0, "green": 1, "blue": 2},
        "stains": {"method": "he", "estimate": True},
        "patch": {"all": {"patch_size_px": 256}},
        "segment": {
            "section": {"method": {"name": "tissue"}},
            "eosin": {"method": eosin},
            "glands": {"method": OTSU | {"channel": "green", "dark_objects": True, "split_um": 0}},
            "nuclei": {"method": nuclei},
        },
        "detect": OBJECTS["detect"],
        "quantify": {
            "nuclei": {"objects": "nuclei", "channels": ["hematoxylin"], "regions": ["section"]},
            "areas": {"classes": "section"},
        },
    }
    write_study(folder, config, {"cmu": str(options.data / "wsi/CMU-1-Small-Region.svs")})


def make_stacks(folder: Path, options: argparse.Namespace) -> None:
    """The demo: stacks of five channels."""
    shutil.copytree(CHECKOUT / "demo", folder, dirs_exist_ok=True)


def make_fields(folder: Path, options: argparse.Namespace) -> None:
    """Small fields of the 2018 Data Science Bowl."""
    images = sorted((options.data / "dsb2018_nuclei/images").glob("*.png"))[:24]
    config = {
        "study": "fields",
        "device": "cpu",
        "channels": {"DNA": "red"},
        "pixel_size_um": "unknown",
        "segment": {"nuclei": {"method": UNET}, "classical": {"method": OTSU}},
        **OBJECTS,
    }
    write_study(folder, config, {f"i{n:02d}": str(path) for n, path in enumerate(images)})


STUDIES = {"slide": make_slide, "svs": make_svs, "stacks": make_stacks, "fields": make_fields}


def run_study(folder: Path, cores: int) -> None:
    """Everything that handles images, on so many cores."""
    study = load_study(read_config(folder / "config.yaml"), folder / "config.yaml")
    root = f"results/{study.config.study}"
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", CHECKOUT / "Snakefile", "--directory", folder,
        "--configfile", folder / "config.yaml", "--cores", cores, "--quiet", "all", "--keep-going",
        "--rerun-triggers", "mtime", "--", *(f"{root}/manifests/qc/{one}.jsonl" for one in study.batches),
    ]  # fmt: skip
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(CHECKOUT / "src")}
    subprocess.run(list(map(str, command)), env=environment, check=False)


def compare(name: str, folder: Path, machine: Machine) -> int:
    """Print a table of one study; how many goals are missed."""
    config = folder / "config.yaml"
    study = load_study(read_config(config), config)
    root = folder / "results" / study.config.study
    facts, _ = read_facts(study, HeaderStore(root))
    forecaster = Forecaster(study, machine)
    sys.stdout.write(f"{name}, {machine}\n")
    sys.stdout.write(HEADER)
    missed = 0
    for key, records in read_history(root).items():
        if key in study.tasks:
            for group in group_by_size(records, facts):
                line, misses = compare_task(forecaster, key, group, facts)
                sys.stdout.write(line)
                missed += misses
    sys.stdout.write("\n")
    return missed


HEADER = (
    f"{'task':22} {'images':>6} {'Mpx':>7}   {'CPU s':>8} {'forecast':>8} {'ratio':>6}"
    f"   {'peak MB':>8} {'forecast':>8} {'ratio':>6}   {'disk MB':>8} {'forecast':>8}\n"
)


def group_by_size(records: Mapping[str, Record], facts: Mapping[str, Facts]) -> list[list[Record]]:
    """Records of images of one shape; all small ones together."""
    groups: dict[float, list[Record]] = {}
    for record in records.values():
        if record.status == "ok" and record.cpu_seconds and record.image in facts:
            size = facts[record.image].plane
            groups.setdefault(size if size > 10**6 else 0, []).append(record)
    return [groups[size] for size in sorted(groups)]


def compare_task(
    forecaster: Forecaster, key: str, records: list[Record], facts: Mapping[str, Facts]
) -> tuple[str, int]:
    """One line; how many goals it misses."""
    found = [forecaster.of(key, facts[one.image]) for one in records]
    seconds = sum(one.cpu_seconds for one in records)
    loaded = count_batches(forecaster, [one.image for one in records])
    expected = sum(one.all_cpu_s for one in found) + loaded * forecaster.load_s(key)
    peak = max(one.peak_memory_mb for one in records)
    # the ratio of memory is that of each image; SAFETY is what is asked for above the model
    memory = max(one.memory_mb for one in found)
    least = min(one.memory_mb / r.peak_memory_mb for one, r in zip(found, records, strict=True))
    disk, space = sum(one.size for one in records) / 1e6, sum(one.disk_mb for one in found)
    ratio = expected / max(seconds, 1e-9)
    off = seconds > WORTH_S and not 1 / GOAL <= ratio <= GOAL
    marks = ("!" if off else " ") + ("M" if least < 1 else "m" if least < SAFETY else " ")
    megapixels = sum(facts[one.image].megapixels for one in records)
    line = (
        f"{key:22} {len(records):6} {megapixels:7.1f}   {seconds:8.2f} {expected:8.2f} {ratio:6.2f}"
        f"   {peak:8.0f} {memory:8.0f} {least:6.2f}   {disk:8.2f} {space:8.2f} {marks}\n"
    )
    return line, int(off) + (least < 1)


if __name__ == "__main__":
    sys.exit(main())
