"""Results: a study's tables in a notebook, with the sheet's metadata joined.

>>> study = scopemill.load("results/demo")  # doctest: +SKIP
>>> study.objects.query("group == 'treated' and area_um2 > 50")  # doctest: +SKIP
"""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import images, tables

if TYPE_CHECKING:
    import pandas as pd


class Results:
    """The tables and images of one results folder; each is read when it is first asked for.

    Raises
    ------
    FileNotFoundError
        When the folder holds no finished study.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        if not (self.folder / "objects.parquet").is_file():
            raise FileNotFoundError(
                f"{self.folder}: no objects.parquet; has the study run to its end?"
            )

    def __repr__(self) -> str:
        return f"Results({str(self.folder)!r})"

    @cached_property
    def objects(self) -> "pd.DataFrame":
        """One row an object: metadata of its image, class, shape, intensities, spots."""
        return tables.read_table(self.folder / "objects.parquet")

    @cached_property
    def images(self) -> "pd.DataFrame":
        """One row an image: metadata, how it stands, counts and fractions with intervals."""
        return tables.read_csv(self.folder / "images.csv")

    @cached_property
    def summary(self) -> "pd.DataFrame":
        """One row a group, kind of object, class and quantity, with interval."""
        return tables.read_csv(self.folder / "summary.csv")

    @cached_property
    def spots(self) -> "pd.DataFrame":
        """One row a spot."""
        return tables.read_csv(self.folder / "spots.csv")

    @cached_property
    def dictionary(self) -> "pd.DataFrame":
        """Unit and meaning of every column."""
        return tables.read_csv(self.folder / "data_dictionary.csv")

    def image(self, image: str, channel: str, t: int = 0, z: str = "stack") -> np.ndarray:
        """Pixels of one channel: (Z, Y, X), or (Y, X) when planes are put together by max, mean or middle."""
        with images.Image(self.folder / "images" / f"{image}.ome.tif") as opened:
            return opened.read(channel, t, z)

    def labels(self, image: str, task: str, t: int = 0) -> np.ndarray:
        """Label image of a segment task: (Y, X) or (Z, Y, X)."""
        volume = images.read_labels(self.folder / "labels" / task / f"{image}.ome.tif")[t]
        return images.project(volume, "stack")
