"""Tables: data frames <-> Parquet inside the workflow, CSV for people. The only code that knows both."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

KEY = b"scopemill"


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


def read_statement(path: Path) -> dict[str, Any]:
    """What was stated when the table was written, without reading its rows."""
    from pyarrow import parquet

    return json.loads(parquet.read_metadata(path).metadata[KEY])


def write_csv(path: Path, table: "pd.DataFrame") -> None:
    """Write CSV with up to 7 significant digits; empty cells are missing values."""
    table.to_csv(path, index=False, float_format="%.7g", lineterminator="\n")


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
