"""Data dictionary: every column of every result table -> unit and meaning."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..columns import describe
from .summary import column_name

if TYPE_CHECKING:
    import pandas as pd

SUMMARY = {
    "group": ("", "value of the column by which images are grouped"),
    "class": ("", "class of the objects; empty: all"),
    "quantity": ("", "what the value is: count, fraction, or mean of a column"),
    "value": ("as the column", "the estimate"),
    "low": ("as value", "lower end of the 95 % interval"),
    "high": ("as value", "upper end of the 95 % interval"),
    "interval": ("", "how the interval was found, and what was resampled"),
    "n_images": ("", "images in the group"),
    "n_objects": ("", "objects that the value is of"),
}


def make_dictionary(described: Mapping[str, "pd.DataFrame"], metadata: list[str]) -> "pd.DataFrame":
    """One row a table and column."""
    import pandas as pd

    kinds = [column_name(kind) for kind in described["objects"]["object"].unique()]
    rows = []
    for table, frame in described.items():
        for name in map(str, frame.columns):
            unit, meaning = describe_column(name, table, metadata, kinds)
            rows.append({"table": table, "column": name, "unit": unit, "meaning": meaning})
    return pd.DataFrame(rows, columns=["table", "column", "unit", "meaning"])


def describe_column(
    name: str, table: str, metadata: list[str], kinds: list[str]
) -> tuple[str, str]:
    """Unit and meaning of one column of one table."""
    if name in metadata:
        return "", "from the image sheet"
    if table == "summary" and name in SUMMARY:
        return SUMMARY[name]
    for kind in kinds:
        # all columns that begin with a kind are means; its end must not be taken for a channel's
        column = name.removeprefix(f"{kind}_").removesuffix("_mean")
        if name == f"{kind}_{column}_mean" and (found := describe(column)):
            return found[0], f"{kind}: mean over the image's objects of: {found[1]}"
    return describe(name) or ("", "")
