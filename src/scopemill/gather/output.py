"""Output: the study's tables -> files, each whole or not at all; a table that is empty now leaves no old file behind."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .. import tables
from ..manifests import Record, replacing
from ..sheet import Row

if TYPE_CHECKING:
    import pandas as pd


def write_tables(
    root: Path, always: "Mapping[str, pd.DataFrame]", optional: "Mapping[str, pd.DataFrame]"
) -> None:
    """CSV of each table by its name; of `optional` only those that hold something."""
    for name, table in always.items():
        write_csv(root / f"{name}.csv", table)
    for name, table in optional.items():
        if table.empty:
            (root / f"{name}.csv").unlink(missing_ok=True)
        else:
            write_csv(root / f"{name}.csv", table)


def write_parquet(path: Path, table: "pd.DataFrame") -> None:
    """Parquet, whole or not at all."""
    with replacing(path) as temporary:
        tables.write_table(temporary, table)


def write_csv(path: Path, table: "pd.DataFrame") -> None:
    """CSV, whole or not at all."""
    with replacing(path) as temporary:
        tables.write_csv(temporary, table)


def write_quarantine(path: Path, rows: list[Row], standing: dict[str, Record]) -> None:
    """One line an image that is not ok: what is wrong, where, and with which file."""
    lines = ["image\tstatus\tcode\tmessage\tpath"]
    for row in rows:
        record = standing[row.id]
        if record.status != "ok":
            cells = (row.id, record.status, record.code, record.message, row.path)
            lines.append("\t".join(" ".join(cell.split()) for cell in cells))
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
