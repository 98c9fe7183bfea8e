"""The image sheet: a table, one row an image -> rows of text, checked, and their batches.

Everything is read as text (`001` stays `001`); messages name file, line, column and cure.
"""

import csv
import functools
import glob
import hashlib
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .settings import ConfigError, nearest

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
COLUMN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
NOT_IDS = {
    "na",
    "nan",
    "null",
    "none",
    "n-a",
    "true",
    "false",
    "inf",
}  # other programs read these as no text
OWN_COLUMNS = ("id", "path", "batch", "scene", "pixel_size_um", "z_step_um", "exclude")
TAKEN = {"image", "label", "object", "status", "t"}  # columns of the result tables


@dataclass(frozen=True)
class Row:
    """One image of the study."""

    id: str
    path: str
    line: int
    batch: str = ""
    scene: str = ""
    pixel_size_um: str = ""
    z_step_um: str = ""
    exclude: str = ""
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def says(self) -> dict[str, Any]:
        """All fields, wherever in the sheet the row stands."""
        return {**vars(self), "line": 0}


def read_sheet(path: Path) -> list[Row]:
    """Read and check a sheet (.tsv or .csv); paths in it are relative to its folder.

    Raises
    ------
    ConfigError
        With every problem found, not only the first.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such image sheet; `scopemill init` writes one") from None
    except UnicodeDecodeError:
        raise ConfigError(
            f"{path}: not UTF-8 text; save it as 'Text (tab delimited), UTF-8'"
        ) from None
    lines = text.splitlines()
    delimiter = "," if path.suffix == ".csv" else "\t"
    header = next(csv.reader(lines[:1], delimiter=delimiter), [])
    check_header(path, header)
    table = csv.reader(lines[1:], delimiter=delimiter)
    records = [
        (table.line_num + 1, cells) for cells in table if any(cell.strip() for cell in cells)
    ]
    rows, problems = [], []
    for line, cells in records:
        if len(cells) != len(header):
            problems.append(
                f"{path}, line {line}: {len(cells)} cells, the header has {len(header)}"
            )
            continue
        rows.append(
            make_row(
                line,
                dict(zip(header, [cell.strip() for cell in cells], strict=True)),
                str(path.parent),
            )
        )
    problems += [f"{path}, line {row.line}, {text}" for row in rows for text in find_faults(row)]
    problems += find_doubles(path, rows)
    if not rows and not problems:
        problems.append(f"{path}: no images; add a row for each")
    if problems:
        raise ConfigError("\n".join(problems))
    return rows


def check_header(path: Path, header: list[str]) -> None:
    """Refuse a header without id and path, or with names that tables cannot hold."""
    problems = []
    for name in ("id", "path"):
        if name not in header:
            problems.append(f"{path}, line 1: no column '{name}'{nearest(name, header)}")
    for name in header:
        if not COLUMN.fullmatch(name):
            problems.append(f"{path}, line 1: column {name!r}: use letters, digits and _ only")
        elif name in TAKEN:
            problems.append(
                f"{path}, line 1: column '{name}' is a column of the results; rename it"
            )
    for name in {name for name in header if header.count(name) > 1}:
        problems.append(f"{path}, line 1: column '{name}' stands there twice")
    if problems:
        raise ConfigError("\n".join(problems))


def make_row(line: int, cells: dict[str, str], folder: str) -> Row:
    """Cells by column name -> a row; its path lies in the sheet's folder, columns that are not Scopemill's own are metadata."""
    own = {name: cells.pop(name, "") for name in OWN_COLUMNS}
    own["path"] = own["path"] and resolve(folder, own["path"])
    return Row(line=line, metadata=cells, **own)


def resolve(folder: str, path: str) -> str:
    """`str(Path(folder) / path)`, without a Path for each of thousands of files that lie in the same folder."""
    head, slash, name = path.rpartition("/")
    if name in ("", "."):
        return str(Path(folder) / path)
    return prefix_of(folder, head + slash) + name


@functools.cache
def prefix_of(folder: str, head: str) -> str:
    """What stands before the name of a file in a folder below a folder."""
    return str(Path(folder, head, "_"))[:-1]


def find_faults(row: Row) -> list[str]:
    """What is wrong with one row, as 'column x: fault; cure'."""
    faults = []
    if not ID.fullmatch(row.id):
        faults.append(
            f"column id: {row.id!r}: use 1 to 64 letters, digits, - and _; no spaces, dots or slashes"
        )
    elif row.id.lower() in NOT_IDS:
        faults.append(
            f"column id: {row.id!r} is read as 'no value' by other programs; choose another name"
        )
    if not row.path:
        faults.append("column path: empty; name the image file")
    if row.batch and not ID.fullmatch(row.batch):
        faults.append(f"column batch: {row.batch!r}: use letters, digits, - and _")
    for name in ("pixel_size_um", "z_step_um"):
        text = getattr(row, name)
        if text and not is_positive(text) and not (name == "pixel_size_um" and text == "unknown"):
            faults.append(
                f"column {name}: {text!r} is no positive number of micrometres (nor 'unknown')"
            )
    return faults


def is_positive(text: str) -> bool:
    """Whether the text is a finite number above zero."""
    try:
        return 0 < float(text) < float("inf")
    except ValueError:
        return False


def find_doubles(path: Path, rows: list[Row]) -> list[str]:
    """Ids that stand in several rows (file systems may not tell A from a)."""
    first: dict[str, Row] = {}
    doubles = []
    for row in rows:
        other = first.setdefault(row.id.lower(), row)
        if other is not row:
            doubles.append(
                f"{path}, line {row.line}, column id: '{row.id}' is taken by line {other.line}"
            )
    return doubles


def make_batches(rows: list[Row], images_per_batch: int) -> dict[str, list[Row]]:
    """Batch name -> its rows: by the column `batch`, else consecutive rows."""
    batches: dict[str, list[Row]] = {}
    unnamed = [row for row in rows if not row.batch]
    for row in rows:
        if row.batch:
            batches.setdefault(row.batch, []).append(row)
    for start in range(0, len(unnamed), images_per_batch):
        # a name that the sheet gives to a batch too must not lose that one's rows
        name = f"b{start // images_per_batch:04d}"
        batches.setdefault(name, []).extend(unnamed[start : start + images_per_batch])
    return batches


def choose_images_per_batch(n_images: int, rules_per_batch: int, max_jobs: int = 900) -> int:
    """Few images: some batches for all cores; many: 50 to 200 a batch, or as many as make no more than `max_jobs` jobs."""
    upper = ((2, 8), (5, 40), (10, 100), (25, 250), (50, 2500), (100, 5000))
    size = next((size for size, at_most in upper if n_images <= at_most), 200)
    while -(-n_images // size) * rules_per_batch > max_jobs:
        size *= 2
    return size


def raw_state(row: Row, checksums: bool = False) -> str:
    """What tells that a raw file was replaced: its size and time, or its content (of all files, for a pattern)."""
    states = []
    for one in files_of(row.path):
        name = one.rpartition("/")[2]
        try:
            state = os.stat(one)  # noqa: PTH116
            is_told = checksums and stat.S_ISREG(state.st_mode)
            told = content_hash(Path(one), state) if is_told else state.st_mtime_ns
            states.append(f"{name} {state.st_size} {told}")
        except OSError:
            states.append(f"{name} missing")
    return hashlib.sha256("\n".join(states).encode()).hexdigest()[:16]


def files_of(path: str) -> list[str]:
    """The file of an image, or all files of a pattern; asked for every image when a study is planned, hence no Path."""
    name = path.rpartition("/")[2]
    if "{" not in name:
        return [path]
    pattern = "*".join(map(glob.escape, re.split(r"\{\w+\}", name)))
    return sorted(map(str, Path(path).parent.glob(pattern)))


def content_hash(path: Path, status: os.stat_result) -> str:
    """SHA-256 of a file; read once a process unless it changes (a copy may keep the time, but not st_ctime)."""
    return hash_file(path, status.st_size, status.st_ino, status.st_ctime_ns)


@functools.cache
def hash_file(path: Path, *state: int) -> str:
    """SHA-256 of a file in this state."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_same(cell: str | float, value: str | float) -> bool:
    """Whether a cell of the sheet is the value of a setting: two texts exactly, else as numbers (1 is '1.0')."""
    if isinstance(cell, str) and isinstance(value, str):
        return cell == value
    try:
        return float(cell) == float(value)
    except ValueError:
        return False
