"""scopemill simulate cytometry: a study of two arms and two types of cells, with known particles per cell and type.

In the control no particle is specific: what is found there is nonspecific binding, the same in both arms. truth/expected.csv
says what was asked for, and what came about; field.yaml is the light and the cells, for `scopemill calibrate`.
"""

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..config import find_recipe, recipe_folders
from ..simulate.cytometry import Field, SimulatedField, simulate_field
from ._fields import dump_field, write_field, write_sheet, write_table

ARMS = {
    "control": {"T": (0.5, 0.0), "B": (0.5, 0.0)},
    "treated": {"T": (0.5, 20.0), "B": (0.5, 8.0)},
}
COLUMNS = ["group", "class", "channel", "specific_per_cell", "nonspecific_per_cell", "n_cells", "specific_realised", "nonspecific_realised"]  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Write the study; the same arguments give the same files."""
    parser = argparse.ArgumentParser("scopemill simulate cytometry", description=__doc__)
    parser.add_argument("study", type=Path, help="folder to write")
    parser.add_argument("--fields", type=int, default=6, help="fields of cells in each arm")
    parser.add_argument("--cells", type=int, default=12, help="cells in a field")
    parser.add_argument("--size", type=int, default=320, help="width and height in pixels")
    parser.add_argument(
        "--nonspecific", type=float, default=2.0, help="nonspecific particles a cell, in the mean"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--config", default="two-arms", help="config to copy: a name in config/examples, or a file"
    )
    options = parser.parse_args(arguments)
    for folder in (options.study / "raw", options.study / "truth"):
        folder.mkdir(parents=True, exist_ok=True)
    folders = [one.parent / "examples" for one in recipe_folders(options.study / "config.yaml")]
    shutil.copyfile(find_recipe(options.config, folders), options.study / "config.yaml")
    dump_field(options.study / "field.yaml", arm_settings(options, "treated"))
    fields = list(make_fields(options))
    write_sheet(options.study, [describe(*one) for one in fields])
    rows = [row for arm in ARMS for row in expect(arm, arm_settings(options, arm), fields)]
    write_table(options.study / "truth" / "expected.csv", COLUMNS, rows)
    sys.stdout.write(f"{len(fields)} images in {options.study}\n")
    return 0


def arm_settings(options: argparse.Namespace, arm: str) -> Field:
    """What the fields of an arm have in common."""
    return replace(
        Field(),
        shape_zyx=(9, options.size, options.size),
        n_cells=options.cells,
        types=ARMS[arm],
        nonspecific_per_cell=options.nonspecific,
        n_unbound=10,
    )


def make_fields(options: argparse.Namespace) -> Iterator[tuple[str, str, SimulatedField]]:
    """Write the fields of both arms; name, arm and truth of each, without its pixels."""
    seeds = iter(np.random.SeedSequence(options.seed).spawn(len(ARMS) * options.fields))
    for arm in ARMS:
        settings = arm_settings(options, arm)
        for n in range(options.fields):
            name = f"{arm}-{n + 1:02d}"
            field = simulate_field(settings, np.random.default_rng(next(seeds)))
            write_field(options.study, name, field, settings)
            yield name, arm, field._replace(image=np.empty(0))


def describe(name: str, arm: str, field: SimulatedField) -> dict[str, Any]:
    """A row of the sheet."""
    classes = field.objects["class"]
    counts = {f"expected_n_cells_{one}": int((classes == one).sum()) for one in ARMS[arm]}
    row = {"id": name, "path": f"raw/{name}.ome.tif", "group": arm}
    row |= {"expected_n_cells": len(classes), **counts}
    return row | {"expected_n_particles": len(field.particles["x"])}


def expect(arm: str, settings: Field, fields: list[tuple]) -> Iterator[list]:
    """Rows of expected.csv for an arm: what was asked for, and the means over cells that lie whole in their field."""
    own = [field for _, of, field in fields if of == arm]
    for cell_type in settings.types:
        for channel in settings.particle_channels:
            counts = np.concatenate([count(field, cell_type, channel) for field in own], axis=1)
            asked = settings.mean_in_channel(cell_type, channel), nonspecific(settings, channel)
            mean = counts.mean(axis=1) if counts.size else (float("nan"),) * 2
            yield [arm, cell_type, channel, *asked, counts.shape[1], *(round(float(one), 4) for one in mean)]  # fmt: skip


def nonspecific(settings: Field, channel: str) -> float:
    """Mean nonspecific particles a cell that show in a channel."""
    shares = {kind: share for kind, (share, _) in settings.particle_kinds.items()}
    shown = sum(shares[kind] for kind in settings.kinds_in(channel))
    return settings.nonspecific_per_cell * shown / sum(shares.values())


def count(field: SimulatedField, cell_type: str, channel: str) -> np.ndarray:
    """Specific and nonspecific particles (2, n) of the n whole cells of a type."""
    objects, particles = field.objects, field.particles
    labels = objects["label"][(objects["class"] == cell_type) & ~objects["on_border"]]
    here, n = particles["channel"] == channel, len(objects["label"]) + 1
    of = [here & particles["specific"], here & ~particles["specific"]]
    return np.array([np.bincount(particles["cells_label"][one], minlength=n)[labels] for one in of])
