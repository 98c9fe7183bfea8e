"""Ten thousand tiny images, 1 % of them broken in all known ways -> whether each is where it belongs, and what it took.

    python benchmarks/ten_thousand.py --images 10000 --cores 2

Exits with 1 unless every good image is in the tables and every bad one is named by the right code.
"""

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "tests" / "workflow"))
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

SIZE = 96
ONE_IN = 100
DIFFERENT = 64  # images are repeated, since drawing them takes longer than analysing them


def cut(share: float) -> Callable[[Path], None]:
    """A file of which only a share is there."""

    def write(path: Path) -> None:
        write_image(path, make_pixels(1, SIZE))
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])

    return write


def write_nan(path: Path) -> None:
    pixels = make_pixels(1, SIZE).astype(np.float32)
    pixels[0, 3, 3] = np.nan
    write_image(path, pixels)


def write_header_lie(path: Path) -> None:
    import tifffile

    tifffile.imwrite(path, np.ones((64, 64), np.uint8), metadata=None, rowsperstrip=64)
    with tifffile.TiffFile(path, mode="r+") as tif:
        for name in ("ImageWidth", "ImageLength"):
            tif.pages[0].tags[name].overwrite(10**6)


FAULTS: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "absent": (lambda path: None, {"MISSING"}),
    "empty": (Path.touch, {"EMPTY"}),
    "folder": (Path.mkdir, {"NOT_A_FILE"}),
    "pipe": (os.mkfifo, {"NOT_A_FILE"}),
    "loop": (lambda path: path.symlink_to(path), {"MISSING"}),
    "web page": (lambda path: path.write_text("<!DOCTYPE html>404"), {"FORMAT"}),
    "zeros": (lambda path: path.write_bytes(bytes(5000)), {"FORMAT"}),
    "cut at 20 %": (cut(0.2), {"TRUNCATED", "STRUCTURE"}),
    "cut at 95 %": (cut(0.95), {"TRUNCATED", "STRUCTURE"}),
    "one channel": (lambda path: write_image(path, make_pixels(1, SIZE)[0], axes="YX"), {"CHANNELS"}),
    "black": (lambda path: write_image(path, np.zeros((2, SIZE, SIZE), np.uint16)), {"FLAT"}),
    "not finite": (write_nan, {"NONFINITE"}),
    "a size that is a lie": (write_header_lie, {"TOO_LARGE", "TRUNCATED"}),
    "far pixels": (
        lambda path: write_image(path, make_pixels(2, SIZE), PhysicalSizeX=90.0, PhysicalSizeY=90.0),
        {"PIXEL_SIZE"},
    ),
}  # fmt: skip


def write_study(folder: Path, n: int) -> dict[str, set[str]]:
    """Images, sheet and config; image -> the codes that are right for it, for the broken ones."""
    raw = folder / "raw"
    raw.mkdir(parents=True)
    for i in range(DIFFERENT):
        write_image(raw / f"good{i}.ome.tif", make_pixels(i, SIZE))
    broken, rows, kinds = {}, [], list(FAULTS)
    for i in range(n):
        name, path = f"i{i:05d}", raw / f"i{i:05d}.ome.tif"
        if i % ONE_IN == ONE_IN // 2 or n - i <= len(FAULTS):  # a few images have all faults too
            write, broken[name] = FAULTS[kinds[len(broken) % len(kinds)]]
            write(path)
        else:
            os.link(raw / f"good{i % DIFFERENT}.ome.tif", path)
        rows.append([name, f"raw/{path.name}"])
    write_sheet(folder, rows)
    limit = {"max_quarantined": 2 * len(broken) / n, "images_per_batch": "auto"}
    write_config(folder, make_config(SHORT, limit))
    return broken


def find_faults(results: Path, n: int, broken: dict[str, set[str]]) -> list[str]:
    """What is not as it should be, in words."""
    with (results / "images.csv").open(newline="") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    with (results / "objects.csv").open(newline="") as file:
        measured = {row["image"] for row in csv.DictReader(file)}
    found = [] if len(rows) == n else [f"{len(rows)} of {n} images in images.csv"]
    for name, row in rows.items():
        right = broken.get(name, {""})
        if row["code"] not in right:
            found.append(f"{name}: code {row['code']!r} instead of {sorted(right)}")
        if (name in measured) == (name in broken):
            found.append(f"{name}: {'has' if name in measured else 'has no'} objects")
    return found


def main() -> int:
    """Generate, run, check; 0 when all is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--cores", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ten-thousand-") as name:
        folder = Path(name)
        broken = write_study(folder, options.images)
        profile = ("--profile", str(CHECKOUT / "profiles" / "local"), "--cores", str(options.cores))
        start = time.monotonic()
        command = snakemake_command(folder, *profile)
        status = subprocess.run(command, env=environment(), cwd=folder, check=False).returncode
        seconds = time.monotonic() - start
        found = find_faults(folder / "results" / "tiny", options.images, broken)
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"images: {options.images}, of which {len(broken)} are broken in {len(FAULTS)} ways")
    print(f"exit status {status}; {seconds:.0f} s, {seconds / options.images:.3f} s an image")
    print(f"peak memory of a process: {peak_mb:.0f} MB")
    print(f"not as it should be: {len(found)}", *found[:20], sep="\n  ")
    return int(bool(status or found))


if __name__ == "__main__":
    sys.exit(main())
