"""Tables: data frames <-> Parquet inside the workflow, CSV for people. The only code that knows both."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

KEY = b"scopemill"
ROWS_AT_ONCE = 5000  # of a CSV: their text takes several times the memory of their numbers


def write_table(path: Path, table: "pd.DataFrame", **statement: Any) -> None:
    """Write Parquet; `statement` (fingerprint, ...) travels inside the file."""
    import pyarrow as pa
    from pyarrow import parquet

    arrow = pa.Table.from_pandas(table, preserve_index=False)
    arrow = arrow.replace_schema_metadata({KEY: json.dumps(statement, sort_keys=True).encode()})
    parquet.write_table(arrow, path, compression="zstd")


def read_table(path: Path, wanted: Callable[[str], bool] = lambda name: True) -> "pd.DataFrame":
    """Read Parquet, of it the columns whose names are `wanted`; the statement is in `attrs`."""
    from pyarrow import parquet

    file = parquet.ParquetFile(path)
    table = file.read([name for name in file.schema_arrow.names if wanted(name)]).to_pandas()
    table.attrs = read_statement(path)
    return table


def read_tables(paths: Sequence[Path]) -> "pd.DataFrame":
    """Read Parquet files, one at least, and put them one below the other; without their statements."""
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

    found = [parquet.ParquetFile(path).read(use_threads=False) for path in paths]
    if all(one.schema.equals(found[0].schema) for one in found):
        table = pa.concat_tables(found).to_pandas()
        del found
        pa.default_memory_pool().release_unused()
        return table
    # pandas knows how whole numbers, fractions and nothing go together in a column
    return pd.concat([one.to_pandas() for one in found], ignore_index=True)


def read_statement(path: Path) -> dict[str, Any]:
    """What was stated when the table was written, without reading its rows."""
    from pyarrow import parquet

    return json.loads(parquet.read_metadata(path).metadata[KEY])


def write_csv(path: Path, table: "pd.DataFrame") -> None:
    """Write CSV with up to 7 significant digits; empty cells are missing values."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        for first in range(0, len(table), ROWS_AT_ONCE):
            part = table.iloc[first : first + ROWS_AT_ONCE]
            writer.writerows(zip(*(format_cells(one) for _, one in part.items()), strict=True))


def format_cells(column: "pd.Series") -> list[str | None]:
    """Cells as they stand in a CSV; all at once, as a call a number would take most of the time."""
    if column.dtype.kind == "f":
        text = ("%.7g\n" * len(column) % tuple(column.to_numpy(float, na_value=np.nan))).split()
        return [None if cell == "nan" else cell for cell in text]
    cells = column.astype(object).to_numpy()
    return np.where(column.isna(), None, cells).tolist()


TEXT_COLUMNS = {"image", "group", "subject", "batch", "well", "plate", "field"}


def to_numbers(column: "pd.Series") -> "pd.Series":
    """Numbers where every cell is one, and none could be a name such as 001; empty cells are missing."""
    import pandas as pd

    cells = column[column != ""]
    leading = cells.str.match(r"0\d").any() if len(cells) else True
    if column.name in TEXT_COLUMNS or leading:
        return column
    numbers = pd.to_numeric(column.where(column != ""), errors="coerce")
    return column if numbers[cells.index].isna().any() else numbers


def read_csv(path: Path) -> "pd.DataFrame":
    """Read a CSV of these; ids stay text (`001`), empty cells are missing values."""
    import pandas as pd

    return pd.read_csv(
        path, dtype=dict.fromkeys(TEXT_COLUMNS, str), keep_default_na=False, na_values=[""]
    )
