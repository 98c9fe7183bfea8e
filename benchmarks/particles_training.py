"""Write the simulated stacks that models/particles was trained on: images.tsv, raw/, points/ -> a folder for a study.

python benchmarks/particles_training.py STUDY [--images 360]; the config is config/examples/particles-model.yaml
"""

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile

from scopemill.simulate.spots import draw_settings, simulate_spots

SEED = 61_000  # benchmarks/particles.py draws from other seeds
PARTS = {"train": 0.75, "validation": 0.12, "test": 0.13}


def main(arguments: Sequence[str]) -> None:
    """Write the study."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("--images", type=int, default=360)
    options = parser.parse_args(arguments)
    for name in ("raw", "points"):
        (options.study / name).mkdir(parents=True, exist_ok=True)
    ends = np.cumsum(list(PARTS.values())) * options.images
    with (options.study / "images.tsv").open("w", encoding="utf-8") as sheet:
        sheet.write("id\tpath\tsplit\n")
        for n in range(options.images):
            name, part = f"s{n:04d}", list(PARTS)[int(np.searchsorted(ends, n, side="right"))]
            write_stack(options.study, name, np.random.default_rng([SEED, n]))
            sheet.write(f"{name}\traw/{name}.tif\t{part}\n")


def write_stack(folder: Path, name: str, rng: np.random.Generator) -> None:
    """One stack and its points."""
    found = simulate_spots(draw_settings(rng), rng)
    tifffile.imwrite(
        folder / "raw" / f"{name}.tif", found.image, imagej=True, metadata={"axes": "ZYX"}
    )
    with (folder / "points" / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["z", "y", "x"])
        writer.writerows(np.round(found.points, 3).tolist())


if __name__ == "__main__":
    main(sys.argv[1:])
