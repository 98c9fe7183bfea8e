"""Quantify: objects + labels + image -> one row an object with all that is measured; or classes -> areas by tile."""

from collections.abc import Iterable
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal

from ..columns import describe
from ..frames import Frame, open_frames
from ..jobs import Job
from ..settings import (
    ChannelName,
    ClassTask,
    DetectTask,
    Method,
    NonNegative,
    Percentile,
    Positive,
    SegmentTask,
    settings,
)
from ..tables import read_statement, write_table
from .areas import measure_areas, measure_regions
from .objects import measure_objects
from .regions import check_names, column_of

if TYPE_CHECKING:
    import pandas as pd

ARTIFACT = "features/{task}/{image}.parquet"


# what measures objects only
OF_OBJECTS = ("channels", "nucleus", "ring_um", "background_percentile", "spots")


@settings
class Settings:
    """What is measured of which objects, or of which classes of pixels."""

    objects: DetectTask | None = None
    """The detect task (`from-labels`) whose objects are measured."""
    classes: ClassTask | None = None
    """Instead of objects: the segment task (one that gives classes) whose areas are measured."""
    channels: tuple[ChannelName, ...] | None = None
    """Channels to measure; all when not given."""
    z: Literal["max", "mean", "middle"] = "max"
    """How planes of a stack are put together before intensities are measured on 2-D labels."""
    nucleus: SegmentTask | None = None
    """Nuclei: the object is measured apart in nucleus and cytoplasm, with the ratio."""
    ring_um: Positive | None = None
    """Width of a ring around each object that is measured too, with the ratio object / ring."""
    ring_gap_um: NonNegative = 0.0
    """Distance between object and ring: the object's blurred border belongs to neither."""
    background_percentile: Percentile | None = None
    """Percentile of the image (of a slide: of windows all over it) that is subtracted as background before nucleus, cytoplasm and ring are compared."""
    spots: tuple[DetectTask, ...] = ()
    """Detect tasks whose spots are counted per object."""
    regions: tuple[ClassTask, ...] = ()
    """Class tasks (tissue, or regions that were drawn) by whose classes objects or areas are told apart: objects get a column of the class that they lie in, and of the distance to its border."""
    within: dict[ClassTask, tuple[str, ...]] = field(default_factory=dict)
    """Measure only there: class task -> names of its classes, such as {tissue: [tissue]}."""
    whole: tuple[str, ...] = ()
    """Of `classes`: the classes that fractions are of, all together; when empty all but the first (the background), or all where there is only one other."""
    tile_um: Positive = 256.0
    """Of `classes`: side of the squares that the interval of a fraction draws again; several times the size of what is measured (pixels where the pixel size is unknown)."""

    def __post_init__(self):
        if (self.objects is None) == (self.classes is None):
            raise ValueError("give either objects or classes, to say what is measured")
        given = [name for name in OF_OBJECTS if getattr(self, name)]
        if self.classes and given:
            raise ValueError(f"{given[0]}: measures objects; it does not go with classes")
        if self.objects and self.whole:
            raise ValueError("whole: goes with classes; it does not go with objects")
        for task in self.regions:
            if describe(column_of(task)):
                raise ValueError(f"regions: '{task}' is a column's name already; rename that task")


def carry(job: Job, settings: Settings, method: Method | None) -> dict[str, Any]:
    """Measure every time point of one image."""
    with open_frames(job, "stack") as frames:
        if settings.classes:
            return carry_areas(job, settings, frames)
        return carry_objects(job, settings, frames)


def carry_objects(job: Job, settings: Settings, frames: Iterable[Frame]) -> dict[str, Any]:
    """Write the table of objects; how large each region is, is stated in it."""
    import pandas as pd

    labels_task = read_statement(job.inputs[f"detect.{settings.objects}"])["labels"]
    tables, areas, names = [], [], {}
    for frame in frames:
        tables.append(quantify(frame, labels_task, settings))
        areas += measure_regions(frame, settings.regions, settings.within)
        names = {task: frame.class_names(task) for task in settings.regions}
    table = pd.concat(tables, ignore_index=True)
    write_table(
        job.output, table, fingerprint=job.fingerprint, objects=settings.objects,
        regions=names, region_areas=areas, pixel_size_um=frame.meta.pixel_size_um,
    )  # fmt: skip
    return {"n_objects": len(table)}


def carry_areas(job: Job, settings: Settings, frames: Iterable[Frame]) -> dict[str, Any]:
    """Write the table of areas; the names of the classes, with those that have none, are stated in it."""
    import pandas as pd

    tables = []
    for frame in frames:
        tables.append(quantify_classes(frame, settings))
        known = {task: frame.class_names(task) for task in (settings.classes, *settings.regions)}
        whole = choose_whole(frame, settings)
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "image", job.image)
    names = known.pop(settings.classes)
    write_table(
        job.output, table, fingerprint=job.fingerprint, classes=settings.classes, names=names,
        whole=whole, regions=known, n_times=len(tables), pixel_size_um=frame.meta.pixel_size_um,
    )  # fmt: skip
    areas = table[table["region_of"] == ""].groupby("class")["area"].sum()
    return {"area_px": {name: int(areas.get(name, 0)) for name in names}}


def quantify(frame: Frame, labels_task: str, settings: Settings) -> "pd.DataFrame":
    """Rows of the detect task, with features, parts, spot counts and regions joined."""
    return measure_objects(frame, frame.tables(f"detect.{settings.objects}"), labels_task, settings)


def quantify_classes(frame: Frame, settings: Settings) -> "pd.DataFrame":
    """Rows of `areas.measure_areas`; tiles have whole pixels."""
    tile_px = max(1, round(settings.tile_um / frame.um_per_px))
    return measure_areas(frame, settings.classes, settings.regions, settings.within, tile_px)


def choose_whole(frame: Frame, settings: Settings) -> list[str]:
    """The classes that fractions are of."""
    if settings.whole:
        return check_names(frame, settings.classes, settings.whole)
    names = list(frame.class_names(settings.classes))
    return names[1:] if len(names) > 2 else names
