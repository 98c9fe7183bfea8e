"""Cells: measured objects + who says what they are (a person's CSV, a gate) -> the objects that a classifier learns from."""

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..images import Image
from ..settings import ClassifyTask, ConfigError, QuantifyTask, settings
from ..tables import read_statement, read_table

if TYPE_CHECKING:
    import pandas as pd

LOG = logging.getLogger(__name__)
UNKNOWN = ("", "unassigned", "uncertain")  # no classes: what nobody could tell
SHOWN = 5  # of many problems of one kind


@settings
class Measured:
    """Objects of this study that a classifier learns from, and who says what they are."""

    objects: QuantifyTask
    """The quantify task that measured them."""
    labelled: str = ""
    """CSV, relative to the sheet: image, class, and label (or y and x, in pixels: a place within the object); object (rows of other tasks are passed over), t and z where needed."""
    gated: ClassifyTask | None = None
    """The classify task whose classes are learnt; what stands in `labelled` goes over it."""
    features: tuple[str, ...] = ()
    """For the method `features`: the columns that it learns from; without them, all of shape and intensity."""

    def __post_init__(self):
        if not self.labelled and self.gated is None:
            raise ValueError("labelled or gated: one of them must say of what class objects are")

    @property
    def words(self) -> str:
        """Who says what the objects are."""
        told = [f"labelled cells ({Path(self.labelled).name})"] if self.labelled else []
        return " and ".join([*told, *([f"classify task {self.gated}"] if self.gated else [])])


def read_labelled(path: Path, own: Measured, images: Collection[str]) -> "pd.DataFrame":
    """Rows of the CSV about these objects: line, image, t, label, z, y, x (missing where not given) and class.

    Raises
    ------
    ConfigError
        Naming the file, and what it lacks.
    """
    import pandas as pd

    if not path.is_file():
        raise ConfigError(f"measured.labelled: {path}: no such file; its path is relative to the sheet")  # fmt: skip
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except ValueError as error:  # of pandas, or of the letters
        raise ConfigError(f"{path}: no CSV ({error}); export it again, with commas, as UTF-8") from None  # fmt: skip
    lacking = sorted({"image", "class"} - set(table))
    if lacking or not ({"label"} <= set(table) or {"y", "x"} <= set(table)):
        wanted = "image, class, and label or y and x"
        raise ConfigError(f"{path}: has the columns {', '.join(table)}; it needs {wanted}")
    table.insert(0, "line", np.arange(2, len(table) + 2))
    if "object" in table:
        table = table[table["object"] == own.objects]
    table = table[table["class"].str.strip() != ""]
    refuse(path, table[~table["image"].isin(images)], "is of an image that the sheet does not have")
    found = pd.DataFrame(index=table.index)
    for name in ("t", "label", "z", "y", "x"):
        cells = table[name].str.strip() if name in table else pd.Series("", table.index)
        found[name] = pd.to_numeric(cells.where(cells != ""), errors="coerce").astype(float)
        ill = (cells != "") & ~np.isfinite(found[name])
        refuse(path, table[ill], f"has a {name} that is no number")
        if name in ("t", "label"):
            refuse(path, table[found[name] % 1 > 0], f"has a {name} that is no whole number")
    nowhere = found["label"].isna() & found[["y", "x"]].isna().any(axis=1)
    refuse(path, table[nowhere], "has neither label nor y and x")
    found = found.assign(line=table["line"], image=table["image"], path=str(path))
    return found.assign(**{"class": table["class"].str.strip()})


def refuse(path: Path | str, rows: "pd.DataFrame", what: str) -> None:
    """Raise ConfigError where there are any such rows."""
    if len(rows):
        lines = [f"line {one.line} (image {one.image})" for one in rows[:SHOWN].itertuples()]
        more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
        raise ConfigError(f"{path}: {', '.join(lines)}{more}: {what}; correct or remove them")


def know_objects(
    artifacts: Mapping[str, Path], own: Measured, labelled: "pd.DataFrame | None"
) -> tuple["pd.DataFrame", Path]:
    """Measured objects of one image that have a class (column class), and their label image.

    `artifacts` are those of the image, by task key; `labelled` are its rows of `read_labelled`.
    """
    import pandas as pd

    features = artifacts[f"quantify.{own.objects}"]
    detected = read_statement(features)["objects"]
    labels = artifacts[f"segment.{read_statement(artifacts[f'detect.{detected}'])['labels']}"]
    table = read_table(features).drop(columns="class", errors="ignore")
    told = pd.Series("", pd.MultiIndex.from_frame(table[["t", "label"]]), dtype=object)
    if own.gated is not None:
        told.update(read_gated(artifacts[f"classify.{own.gated}"], own))
    if labelled is not None and len(labelled):
        told.update(find_labelled(labelled, table, labels))
    table["class"] = told.to_numpy()
    return table[~table["class"].isin(UNKNOWN)].reset_index(drop=True), labels


def read_gated(path: Path, own: Measured) -> "pd.Series":
    """Classes by (t, label) that a classify task gave; empty where it could not tell.

    Raises
    ------
    ConfigError
        Where it classified other objects.
    """
    about = read_statement(path)["objects"]
    if about != own.objects:
        cause = f"classify.{own.gated} is about the objects of quantify.{about}"
        raise ConfigError(f"measured.gated: {cause}, not of quantify.{own.objects}; choose one of them")  # fmt: skip
    table = read_table(path).set_index(["t", "label"])["class"].astype(str)
    return table[~table.isin(UNKNOWN)]


def find_labelled(rows: "pd.DataFrame", table: "pd.DataFrame", labels: Path) -> "pd.Series":
    """Classes by (t, label) of the rows of one image.

    Raises
    ------
    ConfigError
        Naming the lines that are of no measured object, or that contradict each other.
    """
    path = rows["path"].iloc[0]
    times = table["t"].unique()
    if rows["t"].isna().any() and len(times) > 1:
        refuse(path, rows[rows["t"].isna()], "gives no t, and the image has several time points")
    rows = rows.assign(t=rows["t"].fillna(times[0] if len(times) else 0).astype(int))
    with Image(labels) as image:
        found = [
            int(one.label) if one.label == one.label else look_up(image, one)
            for one in rows.itertuples()
        ]
    rows = rows.assign(label=found, had_label=rows["label"].notna())
    boxes = table[["t", "label", "y0", "x0", "y1", "x1"]]
    joined = rows.merge(boxes, on=["t", "label"], how="left")
    refuse(path, joined[joined["y0"].isna()], "is of no object that was measured")
    elsewhere = [~joined[axis].isna() & ~lies_within(joined, axis) for axis in "yx"]
    wrong = joined["had_label"] & (elsewhere[0] | elsewhere[1])
    refuse(path, joined[wrong], "has a label whose object lies elsewhere (segmented anew since?); remove the column label to find cells by their place")  # fmt: skip
    classes = joined.groupby(["t", "label"])["class"]
    double = classes.transform("nunique") > 1
    refuse(path, joined[double], "says another class of a cell that stands there twice")
    return classes.first()


def lies_within(joined: "pd.DataFrame", axis: str) -> "pd.Series":
    """Whether a place lies within the object's box, or a pixel beside it."""
    return joined[axis].between(joined[f"{axis}0"] - 1, joined[f"{axis}1"])


def look_up(image: Image, row: Any) -> int:
    """The label at a place; of a stack without z, the one in most planes."""
    times, _, planes, height, width = image.meta.shape
    y, x = round(row.y), round(row.x)
    if not (0 <= row.t < times and 0 <= y < height and 0 <= x < width):
        return 0
    column = image.stack(0, row.t, slice(y, y + 1), slice(x, x + 1))[:, 0, 0]
    if row.z == row.z:
        z = round(row.z)
        return int(column[z]) if 0 <= z < planes else 0
    column = column[column > 0]
    return int(np.bincount(column).argmax()) if len(column) else 0
