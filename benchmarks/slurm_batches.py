"""Small fields on the test cluster at several batch sizes -> jobs, wall time, overhead: the table of docs/cluster.md.

python benchmarks/slurm_batches.py --fields 200 --per-batch 20 100      (as root; packages: docs/cluster.md)
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
import yaml

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests/cluster"))
from cluster_tools import CHECKOUT, Cluster, manifests  # noqa: E402

SCRIPT = HERE.parent / "tests/cluster/slurm_cluster.sh"
STAGES = ("convert", "segment", "detect", "quantify", "qc")
TIMED = """#!/bin/sh
start=$(date +%s.%N)
/usr/bin/sbatch "$@"
code=$?
echo "$start $(date +%s.%N)" >> "$SBATCH_TIMES"
exit $code
"""
HEADER = (
    "| images a batch | fields | jobs | wall | submitting a job | starting a job | of a job's time, not image work |\n"
    "|---:|---:|---:|---:|---:|---:|---:|"
)


def main() -> None:
    """Print one line of the table a batch size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fields", type=int, default=200)
    parser.add_argument("--per-batch", type=int, nargs="+", default=[20, 100])
    parser.add_argument("--size", type=int, default=512, help="width of a field in pixels")
    parser.add_argument("--groups", nargs="+", metavar="RULE=GROUP", help="one SLURM job a group")
    options = parser.parse_args()
    print(HEADER)
    with tempfile.TemporaryDirectory(prefix="scopemill-slurm-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        # as many jobs at once as this machine has cores
        env = os.environ | {"FAKE_CPUS": "1"}
        subprocess.run([SCRIPT, "start", root / "cluster"], env=env, check=True)
        try:
            for size in options.per_batch:
                print(measure(root, size, options), flush=True)
        finally:
            subprocess.run([SCRIPT, "stop", root / "cluster"], check=False)


def measure(root: Path, per_batch: int, options: argparse.Namespace) -> str:
    """One line of the table."""
    place = root / f"study{per_batch}"
    config = write_study(place, options.fields, options.size, per_batch)
    cluster = find_cluster(root / "cluster", place / "sbatch.txt")
    command = ["snakemake", "--snakefile", str(CHECKOUT / "Snakefile"), "--configfile", str(config)]
    command += ["--profile", str(write_profile(root)), "--directory", str(place)]
    command += ["--groups", *options.groups] if options.groups else []
    start = time.monotonic()
    done = subprocess.run(command, env=cluster.env, capture_output=True, text=True)
    wall = time.monotonic() - start
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-5000:]
    jobs = cluster.accounts((done.stdout + done.stderr).split("SLURM run ID: ")[1].split()[0])
    whole = {"gather", "report", "account"}
    batch_jobs = [job for job in jobs if job.rule not in whole]
    found = manifests(place)
    work = sum(record["seconds"] for records in found.values() for record in records.values())
    elapsed = sum(job.seconds for job in batch_jobs)
    lines = (place / "sbatch.txt").read_text().splitlines()
    submits = [float(end) - float(begin) for begin, end in map(str.split, lines)]
    return (
        f"| {per_batch} | {options.fields} | {len(jobs)} | {wall:.0f} s | {statistics.mean(submits):.2f} s "
        f"| {(elapsed - work) / len(batch_jobs):.1f} s | {1 - work / elapsed:.0%} |"
    )


def find_cluster(root: Path, times: Path) -> Cluster:
    """The running cluster, with an sbatch that writes down how long it took."""
    (root / "bin/sbatch").write_text(TIMED)
    (root / "bin/sbatch").chmod(0o755)
    path = f"{Path(sys.executable).parent}:{root / 'bin'}:{os.environ['PATH']}"
    own = {"SLURM_CONF": str(root / "etc/slurm.conf"), "PATH": path, "SBATCH_TIMES": str(times)}
    return Cluster(root, {**os.environ, **own})


def write_profile(root: Path) -> Path:
    """profiles/slurm, without a container."""
    lines = (CHECKOUT / "profiles/slurm/config.yaml").read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("software-deployment", "apptainer"))]
    (root / "profile").mkdir(exist_ok=True)
    (root / "profile/config.yaml").write_text("\n".join(kept) + "\n")
    return root / "profile"


def write_study(place: Path, n_fields: int, size: int, per_batch: int) -> Path:
    """Fields of bright discs, segmented by Otsu."""
    rng = np.random.default_rng(0)
    (place / "raw").mkdir(parents=True)
    y, x = np.indices((size, size))
    rows = ["id\tpath\n"]
    for i in range(n_fields):
        image = rng.normal(200, 10, (size, size))
        for row, column in rng.integers(15, size - 15, (40, 2)):
            image[(y - row) ** 2 + (x - column) ** 2 <= 64] += 2000
        tifffile.imwrite(place / f"raw/f{i}.tif", image.astype(np.uint16))
        rows.append(f"f{i}\traw/f{i}.tif\n")
    (place / "images.tsv").write_text("".join(rows))
    config = {
        "study": "small",
        "channels": {"DNA": 0},
        "pixel_size_um": 0.5,
        "images_per_batch": per_batch,
        "segment": {"cells": {"method": {"name": "otsu", "channel": "DNA"}}},
        "detect": {"cells": {"method": {"name": "from-labels", "labels": "cells"}}},
        "quantify": {"cells": {"objects": "cells"}},
    }
    (place / "config.yaml").write_text(yaml.safe_dump(config))
    return place / "config.yaml"


if __name__ == "__main__":
    main()
