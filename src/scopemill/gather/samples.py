"""Samples: table of objects -> the rows of each group of images and kind of object, as arrays, found for all of them at once.

A data frame a group and class would cost more than all that is done with it: plates have thousands of wells.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

KEY_COLUMNS = r"area_um2|volume_um3|n_.*|nucleus_cytoplasm_ratio_.*|ring_ratio_.*|intensity_mean_.*"


class Sample(NamedTuple):
    """Objects of one kind in one group of images."""

    group: Any
    kind: str
    members: "pd.DataFrame"  # images of the group
    rows: np.ndarray  # (n,) of the table of objects
    clusters: np.ndarray  # (n,) from 0: what is resampled, in the order of their names
    by: str  # what that is: subject (where the sheet has one), else image


@dataclass(frozen=True)
class Objects:
    """What is counted of a table of objects: numbers instead of names, and columns whose mean is worth a place."""

    table: "pd.DataFrame"
    wanted: tuple[str, ...] | None  # columns; a sensible choice when not given

    @cached_property
    def images(self) -> "tuple[np.ndarray, pd.Index]":
        """Number of each object's image, and the images."""
        return self.table["image"].factorize()

    @cached_property
    def kinds(self) -> "tuple[np.ndarray, pd.Index]":
        """Number of each object's kind, and the kinds in the order of the table."""
        return self.table["object"].factorize()

    @cached_property
    def classes(self) -> "tuple[np.ndarray, list[str]]":
        """Number of each object's class (-1: none), and the classes in alphabetical order."""
        if "class" not in self.table:
            return np.full(len(self.table), -1), []
        numbers, names = self.table["class"].factorize(sort=True)
        return numbers, list(names)

    @cached_property
    def columns(self) -> dict[str, np.ndarray]:
        """The columns of which there are means; NaN where an object has nothing."""
        names = [name for name in self.table if re.fullmatch(KEY_COLUMNS, str(name))]
        chosen = [name for name in (self.wanted or names) if name in self.table]
        return {name: self.table[name].to_numpy(float, na_value=np.nan) for name in chosen}

    def samples(self, groups: "list[tuple[Any, pd.DataFrame]]") -> Iterator[Sample]:
        """Group by group, and kind by kind; those without objects are left out."""
        (image_of, images), (kind_of, kinds) = self.images, self.kinds
        place = {image: n for n, (_, members) in enumerate(groups) for image in members["image"]}
        group_of = np.array([place.get(image, -1) for image in images], np.int64)[image_of]
        keys = np.where(group_of < 0, -1, group_of * len(kinds) + kind_of)
        order = np.argsort(keys, kind="stable")
        first_of = np.flatnonzero(np.diff(keys[order], prepend=-1))
        for rows in np.split(order, first_of)[1:]:
            group, members = groups[group_of[rows[0]]]
            by = "subject" if "subject" in members else "image"
            numbers, of = np.unique(image_of[rows], return_inverse=True)
            named = dict(zip(members["image"], members[by], strict=True))
            names = [named[images[number]] for number in numbers]
            clusters = np.unique(names, return_inverse=True)[1][of]
            yield Sample(group, kinds[kind_of[rows[0]]], members, rows, clusters, by)
