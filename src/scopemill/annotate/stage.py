"""Annotate: annotation file (label image, QuPath, ImageJ, COCO, VOC) -> table of annotated objects, for training and evaluation."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..annotations.reading import read_annotations
from ..annotations.source import find_source
from ..annotations.source import source_state as state_of
from ..errors import DataError
from ..images import Image
from ..jobs import Job
from ..settings import Method, settings
from ..sheet import Row
from ..tables import write_table

if TYPE_CHECKING:
    import pandas as pd

ARTIFACT = "annotations/{task}/{image}.parquet"
FINDS_BY_NAME = ("annotations/formats", "readers")


@settings
class Settings:
    """Where annotations lie and what they mean; their coordinates are pixels of the raw image."""

    source: str
    """File of an image: a column of the sheet in braces, or a path such as masks/{image}.tif ({stem}: the raw file's name), relative to the sheet. A column's empty cell, or no file for {image}, means: not annotated."""
    format: Literal["auto", "geojson", "coco", "voc", "imagej", "contours", "points", "labels", "classes", "mask"] = "auto"  # fmt: skip
    """What the file is; auto tells it by the content, and takes pictures for labels (one number an object)."""
    classes: tuple[str, ...] = ()
    """Classes to keep, in the order that training numbers them; for class images the names of the values 1, 2, ...; all when empty. One name for a file without classes is everyone's."""
    components: bool = True
    """Binary masks: each connected part is an object; otherwise the mask is one."""


def carry(job: Job, settings: Settings, method: Method | None) -> dict[str, Any]:
    """Read the annotations of one image; say how many there are."""
    path = find_source(settings.source, job.row, job.folder)
    with Image(job.inputs["convert"]) as image:
        times, _, planes, height, width = image.meta.shape
    raw = Path(job.row.path)
    table = read_annotations(
        path,
        settings.format,
        image=tuple(dict.fromkeys((raw.name, raw.stem, job.image))),
        classes=settings.classes,
        shape=(times, planes, height, width),
        components=settings.components,
    )
    table, left_out = choose_classes(table, settings.classes, path)
    job.notes.extend(left_out)
    table.insert(0, "image", job.image)
    classes = list(settings.classes or dict.fromkeys(table["class"]))
    write_table(job.output, table, fingerprint=job.fingerprint, classes=classes)
    return {"n_objects": len(table), "classes": dict(sorted(Counter(table["class"]).items()))}


def choose_classes(
    table: "pd.DataFrame", classes: tuple[str, ...], path: Path
) -> tuple["pd.DataFrame", list[str]]:
    """Rows of the classes that are asked for, and what is said of the others.

    Raises
    ------
    DataError
        ANNOTATION when several classes are asked for and no object has any.
    """
    if not classes or table.empty:
        return table, []
    if not table["class"].any():
        if len(classes) == 1:
            return table.assign(**{"class": classes[0]}), []
        raise DataError(
            "ANNOTATION",
            f"{path}: no object has a class, {list(classes)} are asked for; classify them, or leave `classes` empty",
        )
    counts = Counter(table["class"][~table["class"].isin(classes)])
    notes = [
        f"annotations of {'class ' + repr(name) if name else 'no class'} are left out"
        for name in sorted(counts)
    ]
    return table[table["class"].isin(classes)].reset_index(drop=True), notes


def source_state(row: Row, folder: Path, settings: Settings) -> str:
    """What tells that an image's annotation file came, went or was edited."""
    return state_of(settings.source, row, folder)


def read_facts(path: Path) -> dict[str, Any]:
    """What an artifact still tells when the record of how it was made is lost."""
    from ..tables import read_table

    classes = read_table(path)["class"]
    return {"n_objects": len(classes), "classes": dict(sorted(Counter(classes).items()))}
