"""Gate: rules on measured columns -> class. The first rule that holds decides; else `unassigned`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ... import columns, expressions
from ...errors import Skip
from ...frames import Frame
from ...settings import ConfigError, nearest, settings

if TYPE_CHECKING:
    import pandas as pd

UNASSIGNED = "unassigned"


@settings
class Settings:
    """Class -> rule, in the order in which they are tried."""

    rules: dict[str, str]
    """Such as `T cell: intensity_mean_CD3 > 400 and intensity_mean_CD19 < 200`."""


def check(settings: Settings, channels: Iterable[str]) -> None:
    """Refuse rules that cannot be read or that use columns that nothing measures.

    Raises
    ------
    ConfigError
        Naming the class, the column and the nearest right name.
    """
    for name, rule in settings.rules.items():
        for column in expressions.names(rule):
            if columns.describe(column, channels) is None:
                hint = nearest(column, columns.example_columns(channels))
                raise ConfigError(f"rules.{name}: no column '{column}' is measured{hint}")


def classify(table: "pd.DataFrame", frame: Frame, settings: Settings) -> dict[str, np.ndarray]:
    """One class a row."""
    chosen = np.full(len(table), UNASSIGNED, dtype=object)
    for name, rule in reversed(settings.rules.items()):
        for column in sorted(expressions.names(rule) - set(table.columns)):
            if columns.describe(column, frame.channel_names) is None:
                raise Skip("NO_CHANNEL", f"the image lacks the channel of '{column}'")
            raise ConfigError(
                f"rules.{name}: '{column}' was not measured; see the quantify task's settings"
            )
        chosen[np.asarray(expressions.evaluate(rule, table), bool)] = name
    return {"class": chosen}
