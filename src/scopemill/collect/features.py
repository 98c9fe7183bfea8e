"""Features: measured objects with their class -> the table (HDF5) that a classifier of measured features learns from."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..columns import describe
from ..measured import write_measured
from ..settings import ConfigError, nearest
from .cells import Measured
from .sources import Source

if TYPE_CHECKING:
    import pandas as pd

# what says where an object lies or what is counted in it, not what it looks like
NO_FEATURES = re.compile(
    r"image|t|label|class|touches_border|orientation|(centroid_)?[zyx](_um)?|[zyx][01]|n_\w+|\w+_(label|region)|\w*distance\w*"
)


def write_objects(
    path: Path, meta: dict[str, Any], sources: list[Source], parts: Mapping[str, str],
    groups: Mapping[str, str], own: Any,
) -> None:  # fmt: skip
    """Measured objects with a class of those wanted, as a table."""
    import pandas as pd

    tables = [
        one.table.assign(image=one.row.id, part=parts[one.row.id], group=groups[one.row.id])
        for one in sources
    ]
    table = pd.concat(tables, ignore_index=True)
    features = choose_features(table, own.measured)
    channels = find_channels(features, list(own.roles))
    said = {"features": features, "channels": channels, "learnt_from": own.measured.words}
    write_measured(path, meta | said, table[table["class"].isin(meta["classes"])])


def choose_features(table: "pd.DataFrame", own: Measured) -> list[str]:
    """The columns that a classifier learns from; of those in pixels and in um the latter.

    Raises
    ------
    ConfigError
        Naming columns that were not measured, or are no numbers.
    """
    numbers = list(table.select_dtypes("number").columns)
    lacking = [name for name in own.features if name not in numbers]
    if lacking:
        cause = f"quantify.{own.objects} measured no numbers of {', '.join(lacking)}"
        raise ConfigError(f"measured.features: {cause}{nearest(lacking[0], numbers)}")
    physical = {re.sub(r"_um[23]?$", "", name) for name in numbers if "_um" in name}
    return list(own.features) or [
        name for name in numbers if not NO_FEATURES.fullmatch(name) and name not in physical
    ]


def find_channels(features: Collection[str], channels: Collection[str]) -> list[str]:
    """The channels that features are of."""
    return [
        one for one in channels if any(describe(f, [one]) and not describe(f, []) for f in features)
    ]
