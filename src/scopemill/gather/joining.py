"""Joining: rows of the sheet and tables of images -> tables with the sheet's own columns."""

from typing import TYPE_CHECKING

from .. import tables
from ..manifests import Record
from ..sheet import Row

if TYPE_CHECKING:
    import pandas as pd


def make_metadata(rows: list[Row]) -> "pd.DataFrame":
    """The sheet's own columns, numbers where all cells are numbers; index: image."""
    import pandas as pd

    table = pd.DataFrame(
        [row.metadata for row in rows], index=pd.Index([row.id for row in rows], name="image")
    )
    return table.apply(tables.to_numbers)


def make_images(
    rows: list[Row],
    standing: dict[str, Record],
    records: dict[str, dict[str, Record]],
    metadata: "pd.DataFrame",
) -> "pd.DataFrame":
    """One row an image: metadata and how it stands."""
    import pandas as pd

    facts = [
        {
            "image": row.id,
            "status": standing[row.id].status,
            "code": standing[row.id].code,
            "pixel_size_um": records["convert"][row.id].facts.get("pixel_size_um"),
        }
        for row in rows
    ]
    return join_metadata(pd.DataFrame(facts), metadata)


def join_rows(above: "pd.DataFrame", below: "pd.DataFrame") -> "pd.DataFrame":
    """Rows of both; an empty table has columns of no type, which must not become the type of all."""
    import pandas as pd

    return pd.concat([one for one in (above, below) if len(one)], ignore_index=True)


def join_metadata(table: "pd.DataFrame", metadata: "pd.DataFrame") -> "pd.DataFrame":
    """The table with the sheet's columns after its keys."""
    if table.empty:
        return table
    joined = table.join(metadata[[name for name in metadata if name not in table]], on="image")
    keys = [
        name
        for name in ("image", *metadata.columns, "object", "t", "label", "class")
        if name in joined
    ]
    return joined[[*keys, *(name for name in joined if name not in keys)]]
