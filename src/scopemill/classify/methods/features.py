"""Features: measured columns -> class and probabilities, by a model folder that `train` made (`features`).

What is below `certain_from` is called `uncertain`.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ... import columns
from ...errors import DataError
from ...frames import Frame
from ...settings import ConfigError, Fraction, ModelFolder, nearest, settings
from .network import UNCERTAIN, name_column

if TYPE_CHECKING:
    import pandas as pd


@settings
class Settings:
    """The model, and how sure it must be."""

    model: ModelFolder
    """A model folder that gives classes of measured features: model.yaml and weights.safetensors."""
    certain_from: Fraction = 0.5
    """Objects whose class is less probable are `uncertain`."""


def classify(table: "pd.DataFrame", frame: Frame, settings: Settings) -> dict[str, np.ndarray]:
    """One class a row, its probability, and the probability of every class."""
    forest, described = load_ready(Path(settings.model))
    check_features(table, frame, described.features, settings)
    x = table[described.features].to_numpy(np.float64)
    missing = ~np.isfinite(x)
    if missing.any():
        names = [name for name, n in zip(described.features, missing.sum(axis=0), strict=True) if n]
        frame.note(f"{missing.any(axis=1).sum()} objects have no value of {', '.join(names)}")
    p = forest.predict(np.where(missing, np.nan, x))
    highest = p.max(axis=1, initial=0.0)
    chosen = np.array(described.output, dtype=object)[p.argmax(axis=1)]
    chosen[highest < settings.certain_from] = UNCERTAIN
    each = {name_column(name): p[:, k] for k, name in enumerate(described.output)}
    return {"class": chosen, "probability": highest, **each}


def check_features(
    table: "pd.DataFrame", frame: Frame, wanted: Sequence[str], settings: Settings
) -> None:
    """Refuse a table that lacks what the model takes.

    Raises
    ------
    DataError
        MODEL_MISMATCH where the image lacks the channel of a feature.
    ConfigError
        Where the features could be measured, but were not.
    """
    lacking = [name for name in wanted if name not in table]
    if not lacking:
        return
    cause = (
        f"model {settings.model} takes measured columns that are not there: {', '.join(lacking)}"
    )
    without = [name for name in lacking if columns.describe(name, frame.channel_names) is None]
    if without:
        has = f"the image has the channels {', '.join(frame.channel_names)}"
        cure = "name them as in training, or choose another model"
        raise DataError("MODEL_MISMATCH", f"{cause}; {has}; {cure}")
    cure = "measure them (channels, nucleus, ring_um of the quantify task), as in training"
    raise ConfigError(f"{cause}{nearest(lacking[0], table.columns)}; {cure}")


def load_ready(folder: Path) -> tuple:
    """Forest and description, from the last call where nothing changed since."""
    return load_changed(folder, tuple(one.stat().st_mtime_ns for one in sorted(folder.glob("*"))))


@functools.lru_cache(maxsize=1)
def load_changed(folder: Path, changed: tuple[int, ...]) -> tuple:
    """The same, once for each state of the folder."""
    from ...models.forest import load_forest

    return load_forest(folder)
