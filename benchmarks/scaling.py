"""How a study's cost grows with its images: small fields through the whole workflow -> seconds an image and peak memory, drawn.

    python benchmarks/scaling.py --sizes 10 30 100 300 1000 3000 --cores 2

What was measured before is kept in benchmarks/results/scaling.json, one entry a size, and is measured again only when it is
named in --sizes; with --sizes and nothing behind it, the picture alone is drawn again. Draws docs/images/scaling.png.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.extend(str(Path(__file__).parents[1] / folder) for folder in ("", "tests/workflow"))
from benchmarks.suite.harness import RESULTS, cpu_seconds, machine
from benchmarks.suite.workflow import compiling
from workflow_tools import (
    CHECKOUT,
    SHORT,
    environment,
    make_config,
    make_pixels,
    snakemake_command,
    write_config,
    write_image,
    write_sheet,
)

from scopemill.manifests import read_manifest

SIZE_PX = 128
DIFFERENT = 64  # images are repeated, since drawing them takes longer than analysing them
MEASURED = RESULTS / "scaling.json"
PICTURE = CHECKOUT / "docs" / "images" / "scaling.png"
SERIES = {"wall_s": "elapsed", "cpu_s": "CPU"}


def measure(n: int, cores: int) -> dict[str, float]:
    """A study of n images from nothing to its report; then what the dry run of the finished study takes."""
    with tempfile.TemporaryDirectory(prefix="scaling-") as name:
        folder = Path(name)
        write_study(folder, n)
        profile = ("--profile", str(CHECKOUT / "profiles" / "local"), "--cores", str(cores))
        run = [*snakemake_command(folder, *profile), "--quiet", "all"]
        taken = take(run, folder)
        if not (folder / "results" / "tiny" / "accounting.json").exists():
            sys.exit(f"{n} images: the study was not finished")
        # a job forgets its peak between two images: their records hold it
        records = [record for path in folder.glob("results/*/manifests/*/*.jsonl") for record in read_manifest(path).values()]  # fmt: skip
        taken["peak_mb"] = max(taken["peak_mb"], *(one.peak_memory_mb for one in records))
        return {"images": n, **taken, "no_op_s": take([*run, "--dry-run"], folder)["cpu_s"]}


def take(command: list[str], folder: Path) -> dict[str, float]:
    """Seconds, CPU seconds of all processes, and the largest process in MB: that of this command, for a new shell starts it."""
    program = Path(__file__).resolve()
    asked = [sys.executable, str(program), "--child", *command]
    done = subprocess.run(asked, cwd=folder, env=compiling(environment()), stdout=subprocess.PIPE, text=True, check=True)  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def run_child(command: list[str]) -> None:
    """Run a command and print what it took; in a process of its own, whose children are this command's alone."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(json.dumps({"wall_s": time.perf_counter() - wall, "cpu_s": cpu_seconds() - cpu, "peak_mb": peak_mb}))  # fmt: skip


def write_study(folder: Path, n: int) -> None:
    """Images, sheet and config."""
    raw, rows = folder / "raw", []
    raw.mkdir()
    for i in range(min(n, DIFFERENT)):
        write_image(raw / f"drawn{i}.ome.tif", make_pixels(i, SIZE_PX))
    for i in range(n):
        os.link(raw / f"drawn{i % DIFFERENT}.ome.tif", raw / f"i{i:05d}.ome.tif")
        rows.append([f"i{i:05d}", f"raw/i{i:05d}.ome.tif"])
    write_sheet(folder, rows)
    write_config(folder, make_config(SHORT, {"images_per_batch": "auto", "device": "cpu"}))


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Two panels: seconds an image, and the memory of the largest process, both over the number of images."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import LogLocator

    n = [row["images"] for row in rows]
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    for (key, label), style in zip(SERIES.items(), ("o-", "s--"), strict=True):
        left.plot(n, [row[key] / row["images"] for row in rows], style, label=label, color="#2a6f97", markersize=4)  # fmt: skip
    left.set_ylabel("seconds an image")
    left.legend(frameon=False)
    right.plot(n, [row["peak_mb"] for row in rows], "o-", color="#9b2226", markersize=4)
    right.set_ylabel("largest process, MB")
    right.set_ylim(50, 2000)
    for axes in (left, right):
        axes.set(xscale="log", yscale="log", xlabel="images")
        axes.set_xticks(n, [f"{one:,}" for one in n])
        axes.xaxis.minorticks_off()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter("")
        axes.grid(alpha=0.3, which="both", linewidth=0.4)
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def print_table(rows: list[dict[str, Any]]) -> None:
    """Markdown, as docs/performance.md shows it."""
    print("| images | seconds an image | CPU seconds an image | cores busy | largest process, MB | CPU seconds of a no-op rerun |")  # fmt: skip
    print("|---|---|---|---|---|---|")
    for row in rows:
        each = [row[key] / row["images"] for key in SERIES]
        print(f"| {row['images']:,} | {each[0]:.3f} | {each[1]:.3f} | {each[1] / each[0]:.2f} | {row['peak_mb']:.0f} | {row['no_op_s']:.1f} |")  # fmt: skip


def main() -> None:
    """Measure the sizes that are asked for, one after the other; print and draw all that are known."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[10, 30, 100, 300, 1000, 3000])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    options = parser.parse_args()
    known = json.loads(MEASURED.read_text())["rows"] if MEASURED.exists() else {}
    for n in sorted(options.sizes):
        known[str(n)] = measure(n, options.cores)
        MEASURED.parent.mkdir(exist_ok=True)
        MEASURED.write_text(json.dumps({"machine": machine(), "cores": options.cores, "rows": known}, indent=1) + "\n")  # fmt: skip
        print(f"{n} images: {known[str(n)]['wall_s']:.0f} s", flush=True)
    rows = sorted(known.values(), key=lambda row: row["images"])
    print_table(rows)
    draw(rows, options.picture)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        run_child(sys.argv[2:])
    else:
        main()
