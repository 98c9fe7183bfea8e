"""scopemill check: a study's config, sheet and files -> what is wrong, before anything runs."""

import argparse
import os
import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from ..annotations.source import fill_in
from ..config import read_config
from ..convert.stage import choose_channels, choose_pixel_size
from ..errors import DataError
from ..readers import open_raw
from ..sheet import Row
from ..study import Study, load_study

MAX_BINDS = 6


def main(arguments: Sequence[str]) -> int:
    """0 when every image can be opened and has channels and pixel size; 1 otherwise."""
    parser = argparse.ArgumentParser("scopemill check", description=__doc__)
    parser.add_argument("config", type=Path, help="config.yaml, or the folder it lies in")
    options = parser.parse_args(arguments)
    path = options.config / "config.yaml" if options.config.is_dir() else options.config
    study = load_study(read_config(path), path)
    faults = [
        (row, fault) for row in study.rows if not row.exclude and (fault := check_row(row, study))
    ]
    for row, fault in faults:
        sys.stdout.write(f"{study.sheet}, line {row.line}, image {row.id}: {fault.code}: {fault}\n")
    tasks = ", ".join(task.key for task in study.tasks.values())
    sys.stdout.write(
        f"{path}: {len(study.rows)} images in {len(study.batches)} batches of up to {study.images_per_batch}; {tasks}\n"
    )
    annotations = find_annotations(study)
    for key, paths in annotations.items():
        sys.stdout.write(
            f"{key}: {len(paths)} of {len(study.rows)} images have an annotation file\n"
        )
    raw = [Path(row.path) for row in study.rows]
    if binds := find_binds([*raw, *chain(*annotations.values())], Path.cwd()):
        sys.stdout.write(
            f"in a container, add to apptainer-args of the profile: {' '.join(binds)}\n"
        )
    if faults:
        causes = ", ".join(
            f"{n} x {code}" for code, n in Counter(fault.code for _, fault in faults).items()
        )
        sys.stdout.write(f"{len(faults)} images would be quarantined: {causes}\n")
        return 1
    sys.stdout.write(f"all files can be read. Run: snakemake --cores all --configfile {path}\n")
    return 0


def find_annotations(study: Study) -> dict[str, list[Path]]:
    """Annotation files that are there, by annotate task."""
    found: dict[str, list[Path]] = {}
    for task in study.tasks.values():
        if task.stage == "annotate":
            source, folder = task.settings.source, study.sheet.parent
            paths = [fill_in(source, row, folder) for row in study.rows]
            found[task.key] = [path for path in paths if path is not None and path.is_file()]
    return found


def find_binds(files: Iterable[Path], here: Path) -> list[str]:
    """Folders of files that a container does not see by itself, as Apptainer options (read only)."""
    paths = [Path(os.path.normpath(path.absolute())) for path in files]
    folders = {
        one.parent for path in paths for one in (path, path.resolve())
    }  # links, and where they lead
    outside = sorted(folder for folder in folders if not folder.is_relative_to(here))
    highest = [
        one
        for one in outside
        if not any(one.is_relative_to(other) and one != other for other in outside)
    ]
    if len(highest) > MAX_BINDS:
        common = Path(os.path.commonpath(highest))
        highest = [common] if common != Path(common.anchor) else highest
    return [shlex.quote(f"--bind={folder}:{folder}:ro") for folder in highest]


def check_row(row: Row, study: Study) -> DataError | None:
    """What is wrong with one image, from its header alone."""
    settings = study.tasks["convert"].settings
    path = Path(row.path)
    try:
        with open_raw(path, row.scene or None, int(settings.max_gigapixels * 1e9)) as raw:
            choose_channels(settings.channels, raw.channel_names, path)
            choose_pixel_size(row.pixel_size_um, settings, raw.pixel_size_um, path)
    except DataError as error:
        return error
    return None
