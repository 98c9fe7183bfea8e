"""Two-arm studies through the whole workflow -> how often the interval of particles per cell and type holds the truth.

OMP_NUM_THREADS=1 python benchmarks/cytometry.py --out cytometry.json [--seeds 20] [--detect unet3d-spots]

Each seed is a study of its own: new cells, new particles, new noise; control and treated, types T and B. Calibrated once, on
stacks of other seeds. The truth is what was asked of the simulator: specific particles a cell, by type. The first seed runs to the
report; the others stop at the tables (--whole: all run to the report).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

CHECKOUT = Path(__file__).parents[1]
WAYS = {  # of particles.csv: estimate, low, high
    "corrected": ("corrected_per_cell", "corrected_low", "corrected_high"),
    "background subtracted, not corrected": ("specific_per_cell", "specific_low", "specific_high"),
}
FIRST_SEED = 1000


def main() -> None:
    """Print a line a seed and type, then how many intervals hold the truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--fields", type=int, default=6, help="images in each arm")
    parser.add_argument("--cells", type=int, default=12, help="cells in an image")
    parser.add_argument("--calibrate", type=int, default=16, help="images of the calibration")
    parser.add_argument("--detect", choices=["log-spots", "unet3d-spots"], default="log-spots")
    parser.add_argument("--whole", action="store_true", help="pictures and report of every seed")
    parser.add_argument(
        "--folder", type=Path, help="keep the studies here; finished ones are not run again"
    )
    parser.add_argument("--out", type=Path, help="JSON of all intervals")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).absolute()
        print(
            "| seed | class | truth | corrected | holds | not corrected | holds |\n|---|---|---|---|---|---|---|"
        )
        rows = []
        for seed in range(FIRST_SEED, FIRST_SEED + options.seeds):
            for row in run_seed(folder, seed, options):
                rows.append(row)
                print(show(row), flush=True)
    print(f"\n{summarise(rows)}")
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1) + "\n")


def run_seed(folder: Path, seed: int, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One study: simulate, run, read particles.csv."""
    study, began = folder / f"seed-{seed}", time.perf_counter()
    table = study / "results" / "two-arms" / "particles.csv"
    if not table.exists():
        sizes = ["--fields", options.fields, "--cells", options.cells, "--seed", seed]
        scopemill("simulate", "cytometry", study, *sizes)
        set_method(study / "config.yaml", options.detect)
        detection = folder / "detection.json"
        if not detection.exists():
            given = ["--simulated", study / "field.yaml", "--images", options.calibrate]
            scopemill("calibrate", study, *given, "--out", detection)
        (study / "detection.json").write_text(detection.read_text())
        run_workflow(study, whole=options.whole or seed == FIRST_SEED)
    yield from compare(study, table, seed, time.perf_counter() - began)


def compare(study: Path, table: Path, seed: int, seconds: float) -> Iterator[dict[str, Any]]:
    """A row a type: what was asked of the simulator, and the intervals of the treated arm."""
    expected = pd.read_csv(study / "truth" / "expected.csv").set_index(["group", "class"])
    found = pd.read_csv(table, keep_default_na=False, na_values=[""])
    found = found[found["kind"] == "all"].set_index(["group", "class"])
    for cell_type in expected.loc["treated"].index:
        truth, one = expected.loc[("treated", cell_type)], found.loc[("treated", cell_type)]
        row = {
            "seed": seed,
            "class": cell_type,
            "truth": float(truth["specific_per_cell"]),
            "seconds": round(seconds),
        }
        row |= {
            "realised": float(truth["specific_realised"]),
            "n_cells": int(one["n_cells"]),
            "interval": one["interval"],
        }
        for way, columns in WAYS.items():
            value, low, high = (float(one[name]) for name in columns)
            row[way] = {
                "value": value,
                "low": low,
                "high": high,
                "holds": low <= row["truth"] <= high,
            }
        yield row


def set_method(config: Path, name: str) -> None:
    """Another method of detection in a study's config."""
    if name == "log-spots":
        return
    said = yaml.safe_load(config.read_text())
    method = {
        "name": name,
        "model": str(CHECKOUT / "models" / "particles"),
        "channel": "particles",
        "within": "cells",
    }
    said["detect"] = {"particles": {"method": method}}
    config.write_text(yaml.safe_dump(said, sort_keys=False))


def scopemill(*words: Any) -> None:
    run([sys.executable, "-m", "scopemill", *words], CHECKOUT)


def run_workflow(study: Path, whole: bool) -> None:
    """What a user types; or only what leads to the tables, without pictures and report."""
    command = [sys.executable, "-m", "snakemake", "--cores", 1, "--quiet", "rules"]
    command += ["--snakefile", CHECKOUT / "Snakefile", "--directory", study]
    command += [] if whole else ["--until", "gather"]
    run([*command, "--configfile", study / "config.yaml"], study)


def run(command: list[Any], where: Path) -> None:
    """A program, from a folder; what it said, when it failed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(CHECKOUT / "src")}
    done = subprocess.run(
        list(map(str, command)), cwd=where, capture_output=True, text=True, env=environment
    )
    if done.returncode:
        raise SystemExit(
            f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )


def show(row: dict[str, Any]) -> str:
    """A line of the table."""
    cells = [str(row["seed"]), row["class"], f"{row['truth']:g}"]
    for way in WAYS:
        one = row[way]
        cells += [
            f"{one['value']:.2f} ({one['low']:.2f} to {one['high']:.2f})",
            "yes" if one["holds"] else "no",
        ]
    return f"| {' | '.join(cells)} |"


def summarise(rows: list[dict[str, Any]]) -> str:
    """How many intervals hold the truth, by way and type; how wide they are, and how far off in the mean."""
    lines = []
    for way in WAYS:
        for cell_type in sorted({row["class"] for row in rows}):
            own = [row for row in rows if row["class"] == cell_type]
            holds = sum(row[way]["holds"] for row in own)
            ratio = sum(row[way]["value"] / row["truth"] for row in own) / len(own)
            width = sum((row[way]["high"] - row[way]["low"]) / row["truth"] for row in own) / len(
                own
            )
            lines.append(
                f"{way}, {cell_type}: {holds} of {len(own)} intervals hold the truth; mean {ratio:.3f} of it, width {width:.2f} of it"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
