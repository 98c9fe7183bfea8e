"""scopemill simulate: make a demo study with known truth: config.yaml, images.tsv, raw/ and truth/.

Fields of cells in five channels, or with --nuclei images of crowded nuclei and their labels, to train on. A study of two
arms with known particles per cell: `scopemill simulate cytometry STUDY`. Whole slides: `scopemill simulate lung STUDY`
and `scopemill simulate histology STUDY`.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..config import find_recipe, recipe_folders
from ..simulate.crowd import Crowd, simulate_crowd
from ..simulate.cytometry import Field, simulate_field
from . import _cytometry, _slides
from ._fields import write_field, write_sheet

ARMS = {
    "control": {"T": (0.5, 3.0), "B": (0.5, 2.0)},
    "treated": {"T": (0.5, 16.0), "B": (0.5, 4.0)},
}
A_SUBJECT = 2  # images of crowded nuclei


def main(arguments: Sequence[str]) -> int:
    """Write the demo study; the same arguments give the same files."""
    if arguments and arguments[0] == "cytometry":
        return _cytometry.main(arguments[1:])
    if arguments and arguments[0] in _slides.EXAMPLES:
        return _slides.main(arguments[1:], arguments[0])
    parser = argparse.ArgumentParser("scopemill simulate", description=__doc__)
    parser.add_argument("study", type=Path, help="folder to write")
    parser.add_argument(
        "--fields", type=int, default=6, help="fields of cells in each arm (control, treated)"
    )
    parser.add_argument("--cells", type=int, default=25, help="cells in a field")
    parser.add_argument(
        "--nuclei", type=int, metavar="N", help="instead: so many images of crowded nuclei"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--config",
        help="example config to copy: a name in config/examples, or a file",
    )
    parser.add_argument(
        "--pictures", action="store_true", help="add two real pictures that scikit-image carries"
    )
    options = parser.parse_args(arguments)
    for folder in (options.study / "raw", options.study / "truth"):
        folder.mkdir(parents=True, exist_ok=True)
    rows = list(make_nuclei(options) if options.nuclei else make_fields(options))
    rows += copy_pictures(options.study) if options.pictures else []
    examples = [
        folder.parent / "examples" for folder in recipe_folders(options.study / "config.yaml")
    ]
    config = options.config or ("train-demo" if options.nuclei else "demo")
    shutil.copyfile(find_recipe(config, examples), options.study / "config.yaml")
    write_sheet(options.study, rows)
    sys.stdout.write(f"{len(rows)} images in {options.study}\n")
    return 0


def make_fields(options: argparse.Namespace):
    """Write the fields of both arms; one sheet row each, with what is known of it."""
    seeds = np.random.SeedSequence(options.seed).spawn(len(ARMS) * options.fields)
    for n, seed in enumerate(seeds):
        arm = list(ARMS)[n // options.fields]
        name = f"{arm}-{n % options.fields + 1:02d}"
        settings = replace(Field(), n_cells=options.cells, types=ARMS[arm])
        field = simulate_field(settings, np.random.default_rng(seed))
        write_field(options.study, name, field, settings)
        types = field.objects["class"]
        yield {
            "id": name, "path": f"raw/{name}.ome.tif", "group": arm, "expected_n_cells": len(types),
            **{f"expected_n_cells_{one}": int((types == one).sum()) for one in ARMS[arm]},
            "expected_n_particles": len(field.particles["x"]),
        }  # fmt: skip


def make_nuclei(options: argparse.Namespace):
    """Write images of crowded nuclei, two of each subject, whose cells and staining are alike; one sheet row each."""
    import tifffile

    for n, seed in enumerate(np.random.SeedSequence(options.seed).spawn(options.nuclei)):
        subject = np.random.default_rng([options.seed, n // A_SUBJECT])
        settings = replace(
            Crowd(),
            radius_px=subject.uniform(8.5, 11.5),
            photons=subject.uniform(30, 70),
            haze=subject.uniform(0.2, 0.6),
        )
        image, labels = simulate_crowd(settings, np.random.default_rng(seed))
        name = f"field-{n + 1:02d}"
        tifffile.imwrite(options.study / "raw" / f"{name}.tif", image)
        tifffile.imwrite(options.study / "truth" / f"{name}.tif", labels, compression="zlib")
        yield {
            "id": name, "path": f"raw/{name}.tif", "subject": f"s{n // A_SUBJECT + 1:02d}",
            "expected_n_nuclei": int(labels.max()),
        }  # fmt: skip


def copy_pictures(study: Path):
    """Two pictures from scikit-image: a stained tissue section and a single cell; their pixel size is not known."""
    from skimage import data

    for name, source in (("ihc", "ihc.png"), ("cell", "cell.png")):
        shutil.copyfile(Path(data.__file__).parent / source, study / "raw" / f"{name}.png")
        yield {
            "id": name,
            "path": f"raw/{name}.png",
            "group": "pictures",
            "pixel_size_um": "unknown",
        }
