"""Source: where the annotations of an image lie -> a path. A pattern with the sheet's columns in braces, or one file."""

import hashlib
import re
from pathlib import Path

from ..errors import DataError, Skip
from ..settings import ConfigError, nearest
from ..sheet import Row

PLACE = re.compile(r"\{(\w+)\}")


def values_of(row: Row) -> dict[str, str]:
    """What may stand in braces: the sheet's columns, and `image` (the id), `folder` and `stem` (of the raw file)."""
    return {**row.metadata, "batch": row.batch, "scene": row.scene, "id": row.id, "image": row.id, "folder": str(Path(row.path).parent), "stem": Path(row.path).stem}  # fmt: skip


def check_source(source: str, row: Row, where: str) -> None:
    """Refuse a pattern that names what the sheet does not have.

    Raises
    ------
    ConfigError
        Naming the column.
    """
    known = values_of(row)
    for name in PLACE.findall(source):
        if name not in known:
            raise ConfigError(f"{where}: the sheet has no column '{name}'{nearest(name, known)}")
    if not PLACE.sub("x", source).strip() or set(PLACE.sub("", source)) & set("{}"):
        raise ConfigError(f"{where}: {source!r} is no path; write one, such as masks/{{image}}.tif")


def fill_in(source: str, row: Row, folder: Path) -> Path | None:
    """The path for one image, relative ones from the sheet's folder; None where a cell of the sheet is empty."""
    known = values_of(row)
    if not all(known[name] for name in PLACE.findall(source)):
        return None
    return folder / PLACE.sub(lambda found: known[found[1]], source)


def find_source(source: str, row: Row, folder: Path) -> Path:
    """The annotation file of an image.

    Raises
    ------
    Skip
        NO_ANNOTATION where the sheet's cell is empty, or a pattern of image or stem finds no file.
    DataError
        MISSING where a file that the sheet or the config names is not there.
    """
    path = fill_in(source, row, folder)
    if path is None:
        raise Skip("NO_ANNOTATION", f"the sheet names no annotation ({source} is empty)")
    if path.exists():
        return path
    names = set(PLACE.findall(source))
    if names and names <= {"image", "id", "folder", "stem", "batch", "scene"}:
        raise Skip("NO_ANNOTATION", f"{path}: no such file; the image counts as not annotated")
    raise DataError(
        "MISSING", f"{path}: no such annotation file; correct the sheet or `source`, or leave the cell empty"
    )  # fmt: skip


def source_state(source: str, row: Row, folder: Path) -> str:
    """What tells that an annotation file came, went or was edited: its size and time."""
    path = fill_in(source, row, folder)
    try:
        stat = path.stat() if path else None
    except OSError:
        stat = None
    state = f"{path.name} {stat.st_size} {stat.st_mtime_ns}" if stat else "none"
    return hashlib.sha256(state.encode()).hexdigest()[:16]
