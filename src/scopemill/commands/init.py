"""scopemill init: a folder of images -> config.yaml and images.tsv, by reading headers and file names."""

import argparse
import csv
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..settings import ConfigError
from ..sheet import COLUMN, NOT_IDS, TAKEN
from ._conventions import CONVENTIONS
from ._filenames import SUFFIXES, find_images
from ._template import make_config


def main(arguments: Sequence[str]) -> int:
    """Write STUDY/config.yaml and STUDY/images.tsv; never over existing ones."""
    options = parse(arguments)
    folder = options.study
    targets = [folder / "config.yaml", folder / "images.tsv"]
    for target in targets:
        if target.exists() and not options.force:
            raise ConfigError(f"{target}: exists already; add --force to write it anew")
    pattern = CONVENTIONS[options.convention][1] if options.convention else options.pattern
    images = find_images(options.images, pattern)
    rows = keep_rows(add_metadata(images, options.metadata), options.where)
    config = make_config(folder, options, next(iter(images)))
    folder.mkdir(parents=True, exist_ok=True)
    targets[0].write_text(config, encoding="utf-8")
    write_sheet(targets[1], rows, folder)
    sys.stdout.write(
        f"{len(rows)} images. Look at {targets[0]} and {targets[1]}, then: scopemill check {folder}\n"
    )
    return 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command's arguments."""
    parser = argparse.ArgumentParser("scopemill init", description=__doc__)
    parser.add_argument("study", type=Path, help="folder of the study, made if it is not there")
    parser.add_argument(
        "--images", type=Path, required=True, help="folder with the raw images (and folders below)"
    )
    parser.add_argument(
        "--recipe", default="cytometry", help="name in config/recipes, or a YAML file to start from"
    )
    names = parser.add_mutually_exclusive_group()
    names.add_argument(
        "--convention",
        choices=CONVENTIONS,
        help="files named as plate readers do: "
        + ", ".join(f"{name} ({example})" for name, (example, _) in CONVENTIONS.items()),
    )
    names.add_argument(
        "--pattern",
        help="regular expression on the path below --images; named groups become columns, as in "
        r"'(?P<drug>\w+)_(?P<day>\d+)_(?P<well>[A-H]\d\d)\.tif'; groups channel, z and t join files to one image",
    )
    parser.add_argument(
        "--metadata", type=Path, help="CSV or TSV whose columns are joined where names are equal"
    )
    parser.add_argument(
        "--where",
        nargs="*",
        default=[],
        metavar="COLUMN=VALUE",
        help="keep only these rows; VALUE may be a|b",
    )
    parser.add_argument(
        "--force", action="store_true", help="write over an existing config and sheet"
    )
    return parser.parse_args(arguments)


def add_metadata(images: dict[Path, dict[str, str]], table: Path | None) -> list[dict[str, str]]:
    """One row an image: id, path, metadata from names, and those of the table that fit."""
    ids = make_ids([path.name for path in images])
    # a group called `id` names the images itself
    rows = [
        {"id": one, "path": str(path)} | metadata
        for one, (path, metadata) in zip(ids, images.items(), strict=True)
    ]
    if table is None:
        return rows
    delimiter = "," if table.suffix == ".csv" else "\t"
    with table.open(newline="", encoding="utf-8-sig") as file:
        read = csv.DictReader(file, delimiter=delimiter, restval="")
        entries = [{key: cell for key, cell in entry.items() if key} for entry in read]
    if not entries:
        raise ConfigError(f"{table}: no rows below the header")
    if "id" not in entries[0]:  # tables of Scopemill itself call it image
        entries = [
            {"id" if key == "image" else key: cell for key, cell in one.items()} for one in entries
        ]
    shared = [name for name in entries[0] if name in rows[0] and name != "path"]
    if not shared:
        raise ConfigError(
            f"{table}: none of its columns {list(entries[0])} is a column of the sheet {list(rows[0])}"
        )
    known = {tuple(normal(entry[name]) for name in shared): entry for entry in entries}
    return [
        row
        | known.get(tuple(normal(row[name]) for name in shared), {})
        | {name: row[name] for name in (*shared, "path")}
        for row in rows
    ]


def keep_rows(rows: list[dict[str, str]], conditions: Sequence[str]) -> list[dict[str, str]]:
    """Rows that meet every COLUMN=VALUE; a|b is either."""
    wanted = [condition.partition("=")[::2] for condition in conditions]
    kept = [row for row in rows if all(row.get(name) in value.split("|") for name, value in wanted)]
    if not kept:
        raise ConfigError(
            f"--where {' '.join(conditions)}: no row is left of {len(rows)}; columns: {list(rows[0])}"
        )
    return kept


def normal(text: str) -> str:
    """'01' and '1' name the same column of a plate."""
    return str(int(text)) if text.isdecimal() else text


def make_ids(names: Iterable[str]) -> list[str]:
    """File names -> ids: allowed characters only, unique."""
    ids: list[str] = []
    for name in names:
        while Path(name).suffix.lower() in {".ome", *SUFFIXES}:
            name = Path(name).stem
        stem = re.sub(r"[^A-Za-z0-9]+", "-", re.sub(r"\{\w+\}", "", name)).strip("-")[:56]
        stem = f"image-{stem}".rstrip("-") if stem.lower() in {"", *NOT_IDS} else stem
        unique, n = stem, 2
        while unique.lower() in {one.lower() for one in ids}:
            unique, n = f"{stem}-{n}", n + 1
        ids.append(unique)
    return ids


def write_sheet(path: Path, rows: list[dict[str, str]], folder: Path) -> None:
    """Write the sheet; paths are absolute unless the images lie below the study."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    columns = [name for name in columns if COLUMN.fullmatch(name) and name not in TAKEN]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(
            file, columns, delimiter="\t", lineterminator="\n", extrasaction="ignore", restval=""
        )
        writer.writeheader()
        for row in rows:
            image = Path(row["path"]).absolute()
            inside = image.is_relative_to(folder.absolute())
            writer.writerow(
                row | {"path": str(image.relative_to(folder.absolute()) if inside else image)}
            )
