"""Files: a split <-> CSV with image, split, group and the hash of the pixels, so that it can be checked and used again."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..manifests import replacing
from ..settings import ConfigError
from .settings import PARTS

COLUMNS = ("image", "split", "group", "sha256")


@dataclass(frozen=True)
class Assignment:
    """One line of a split on disk."""

    split: str
    group: str = ""
    sha256: str = ""  # of the pixels, see `pixel_hash`


def write_split(
    path: Path,
    parts: Mapping[str, str],
    groups: Mapping[str, str] | None = None,
    hashes: Mapping[str, str] | None = None,
) -> None:
    """Write image, split, group, sha256 of the pixels (CSV), whole or not at all."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(
            (image, part, (groups or {}).get(image, ""), (hashes or {}).get(image, ""))
            for image, part in parts.items()
        )


def read_split(path: Path) -> dict[str, Assignment]:
    """Image -> its line of a split.

    Raises
    ------
    ConfigError
        When the file is absent or has other columns or parts.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such split; `write_split` or a table with columns {COLUMNS}")
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if not {"image", "split"} <= set(reader.fieldnames or ()):
            raise ConfigError(f"{path}: expected columns {COLUMNS}, found {reader.fieldnames}")
        found = {}
        for row in reader:
            if row["split"] not in PARTS:
                raise ConfigError(
                    f"{path}, line {reader.line_num}: split {row['split']!r} is none of {PARTS}"
                )
            found[row["image"]] = Assignment(
                row["split"], row.get("group") or "", row.get("sha256") or ""
            )
    return found
