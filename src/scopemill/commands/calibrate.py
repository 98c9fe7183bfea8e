"""scopemill calibrate: a study's own detection on simulated stacks like its own -> what it misses and what it invents.

Nothing is tuned on these stacks, nor was anything trained on them. The figures go into a JSON file that `gather:
particles: ... detection:` names; counts per cell are then corrected by them. docs/cytometry.md says how to make stacks
like yours: light, cells and particles stand in a YAML file, pixel size and planes are those of the study's first image.
"""

import argparse
import dataclasses
import json
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..config import merge, read_config
from ..convert.stage import choose_pixel_size
from ..errors import DataError
from ..readers import open_raw
from ..scoring.counting import CountScore, describe_counts, score_counts
from ..settings import ConfigError, nearest
from ..simulate.cytometry import Field, simulate_field
from ..study import Study, load_study
from ..tasks import Task
from ._fields import read_field, write_field, write_sheet
from ._substudy import SubStudy, run_detection

OWN_SEEDS = 0xCA11B  # apart from those of training and of simulated studies
MAX_SIDE_PX = 512
MAX_VOXELS_OFF = 3.0
LEAST_IMAGES = 4
ALIKE = 1.25  # how far the medians of SNR may lie apart


def main(arguments: Sequence[str]) -> int:
    """Write the figures."""
    parser = argparse.ArgumentParser("scopemill calibrate", description=__doc__)
    parser.add_argument("config", type=Path, help="config.yaml, or the folder it lies in")
    parser.add_argument(
        "--simulated", type=Path, required=True,
        help="YAML: light, cells and particles; or a folder that `scopemill simulate` wrote",
    )  # fmt: skip
    parser.add_argument("--task", help="detect task, where there are several that find particles")
    parser.add_argument("--images", type=int, default=8, help="stacks to simulate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="instead of detection.json beside the config")
    parser.add_argument("--keep", type=Path, help="leave the simulated study here, to look at")
    options = parser.parse_args(arguments)
    path = options.config / "config.yaml" if options.config.is_dir() else options.config
    study = load_study(without_detection(read_config(path)), path)
    task = choose_task(study, options.task)
    with tempfile.TemporaryDirectory(prefix="scopemill-calibrate-") as temporary:
        folder = options.keep or Path(temporary)
        simulated = options.simulated
        if not simulated.is_dir():
            settings = read_field(simulated, facts_of(study))
            simulate(settings, folder, options.images, options.seed)
            simulated = folder
        sub = run_detection(study, task, simulated, folder / "results" / "calibration")
        figures = compare(sub, task)
    command = shlex.join(["scopemill", "calibrate", *map(str, arguments)])
    figures |= {"snr_study": median_snr_of(study, task), "made_by": command, "settings": dataclasses.asdict(task.settings)}  # fmt: skip
    out = options.out or path.parent / "detection.json"
    out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{describe(figures)}wrote {out}\n")
    return 0


def without_detection(config: dict[str, Any]) -> dict[str, Any]:
    """The config without the file that is about to be written, which may not be there yet."""
    particles = (config.get("gather") or {}).get("particles") or {}
    particles = {name: {**one, "detection": None} for name, one in particles.items()}
    return merge(config, {"gather": {"particles": particles}}) if particles else config


def choose_task(study: Study, name: str | None) -> Task:
    """The detect task that finds particles in cells; refuses what cannot be told apart."""
    tasks = {
        task.name: task
        for task in study.tasks.values()
        if task.stage == "detect" and getattr(task.method.settings, "within", None)
    }
    if name is None and len(tasks) == 1:
        return next(iter(tasks.values()))
    if name not in tasks:
        raise ConfigError(
            f"--task: name a detect task whose method has `within: <cells>`{nearest(name or '', tasks)}"
        )
    return tasks[name]


def facts_of(study: Study) -> dict[str, Any]:
    """Planes, size and pixel size of the study's first image; a large one is simulated in part."""
    settings, row = study.tasks["convert"].settings, study.rows[0]
    try:
        with open_raw(Path(row.path), row.scene or None, int(settings.max_gigapixels * 1e9)) as raw:
            size, _ = choose_pixel_size(row.pixel_size_um, settings, raw.pixel_size_um, raw.path)
            planes, *sides = raw.shape[2:]
            step = row.z_step_um or settings.z_step_um or raw.z_step_um
    except DataError as error:
        raise ConfigError(f"{study.sheet}, line {row.line}: {error}") from None
    facts = {"shape_zyx": (planes, *(min(side, MAX_SIDE_PX) for side in sides))}
    return facts | {
        name: float(value)
        for name, value in (("pixel_size_um", size), ("z_step_um", step))
        if value
    }


def simulate(settings: Field, folder: Path, n_images: int, seed: int) -> None:
    """Stacks, truth and sheet; other seeds than those of any other simulation here."""
    for name in ("raw", "truth"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rows = []
    for n, one in enumerate(np.random.SeedSequence([OWN_SEEDS, seed]).spawn(n_images)):
        name = f"simulated-{n + 1:02d}"
        try:
            field = simulate_field(settings, np.random.default_rng(one))
        except ValueError as error:
            raise ConfigError(f"--simulated: {error}; change n_cells or cell_radius_um") from None
        write_field(folder, name, field, settings)
        rows.append({"id": name, "path": f"raw/{name}.ome.tif"})
    write_sheet(folder, rows)


def compare(sub: SubStudy, task: Task) -> dict[str, Any]:
    """Found particles against the true ones of all images -> what the JSON file says."""
    scores, groups, snr = [], [], []
    for image in sub.images:
        for score, found in score_image(sub, task, image):
            scores.append(score)
            groups.append(image)
            snr.append(found.get("snr", np.empty(0)))
    if len(set(groups)) < LEAST_IMAGES:
        raise ConfigError(
            f"--images: {len(set(groups))} images could be used; {LEAST_IMAGES} are the least"
        )
    snr, figures = np.concatenate(snr), describe_counts(scores, groups)
    if not figures["efficiency_low"] > 0:
        raise ConfigError(
            f"--simulated: too few of {figures['n_particles']} particles of cells were found in the right cell; "
            "look at a simulated stack (--keep FOLDER): is it like yours? Or ask for more --images"
        )
    return figures | {
        "n_images": len(set(groups)),
        "snr": float(np.median(snr)) if len(snr) else None,
    }


def score_image(sub: SubStudy, task: Task, image: str) -> Iterator[tuple[CountScore, dict]]:
    """One score for each channel of particles, and what was found in it."""
    objects, particles, cells = sub.read_truth(image)
    spots, labels = sub.read_found(image, task)
    whole = ~objects["on_border"].astype(bool)
    classes = dict(zip(objects["label"][whole].tolist(), objects["class"][whole].tolist(), strict=True))  # fmt: skip
    column = f"{task.method.settings.within.replace('-', '_')}_label"
    for channel in np.unique(particles["channel"]):
        true, found = particles, spots
        if "channel" in spots:
            true, found = (one[one["channel"] == channel] for one in (particles, spots))
        yield (
            score_counts(
                {"at": positions(true), "cell": true["cells_label"].to_numpy()},
                {"at": positions(found), "cell": found[column].to_numpy()},
                (cells, labels), classes, MAX_VOXELS_OFF, sub.n_planes(image),
            ),
            found,
        )  # fmt: skip


def positions(table) -> np.ndarray:
    """(n, 3) z, y, x in voxels; points of a plane have z 0."""
    z = table["z"] if "z" in table else np.zeros(len(table))
    return np.stack([z, table["y"], table["x"]], axis=1).astype(float)


def median_snr_of(study: Study, task: Task) -> float | None:
    """Of the spots that the study itself has found, where it has run."""
    from ..tables import read_table

    folder = Path("results") / study.config.study / "objects" / task.name
    tables = [read_table(path) for path in sorted(folder.glob("*.parquet"))]
    values = [table["snr"] for table in tables if "snr" in table]
    values = np.concatenate(values) if values else np.empty(0)
    return float(np.median(values)) if len(values) else None


def describe(figures: dict[str, Any]) -> str:
    """What a person should know of it."""
    text = (
        "{n_particles} true particles of cells in {n_images} images: {efficiency:.1%} found in the right cell "
        "({efficiency_low:.1%} to {efficiency_high:.1%}), {false_per_megavoxel:.3g} false ones a megavoxel "
        "({false_low:.3g} to {false_high:.3g})\n"
    ).format_map(figures)
    ours, theirs = figures["snr"], figures["snr_study"]
    if ours and theirs and not 1 / ALIKE < ours / theirs < ALIKE:
        text += (
            f"spots have a median SNR of {ours:.1f} here and {theirs:.1f} in the study: change the photons of "
            "particle_kinds, or background_photons, until they agree\n"
        )
    return text
