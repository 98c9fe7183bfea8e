"""What `scopemill export STUDY --to qupath` does: all label and class images, spots and annotations of a study -> GeoJSON."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..annotations.export_geojson import write_geojson
from ..annotations.export_labels import write_label_image
from ..manifests import Record, read_manifests
from ..settings import ConfigError, nearest
from ..tables import read_statement, read_table

if TYPE_CHECKING:
    import pandas as pd

Records = dict[str, dict[str, Record]]
STAGES = ("annotate", "segment", "detect")


def export_study(
    root: Path, folder: Path, tasks: list[str] | None = None, simplify_px: float = 0.0
) -> Iterator[tuple[Path, int]]:
    """Write FOLDER/<task>/<image>.geojson for each task; each file with the number of its features.

    Raises
    ------
    ConfigError
        When the folder is no study, or has none of the tasks.
    """
    records = read_manifests(sorted((root / "manifests").glob("*/*.jsonl")))
    keys = choose_tasks(root, records, tasks)
    for key in keys:
        links = find_tables(root, records, key)
        for image, record in records[key].items():
            if record.status == "ok":
                path = folder / key.partition(".")[2] / f"{image}.geojson"
                source = root / record.artifact
                if key.startswith("segment."):
                    table = join_tables(root, records, links, image)
                    yield write_label_image(source, path, table, simplify_px, pack_large=True)
                else:
                    table = read_table(source)
                    table = spots_as_annotations(table, key) if key.startswith("detect.") else table
                    write_geojson(path, table)
                    yield path, len(table)


def choose_tasks(root: Path, records: Records, tasks: list[str] | None) -> list[str]:
    """Keys of the tasks that are exported: those that are named, else all that have outlines or points."""
    known = [key for key in records if key.partition(".")[0] in STAGES and has_shapes(root, records[key])]  # fmt: skip
    if not known:
        raise ConfigError(f"{root}: no results/<study> with labels, classes, spots or annotations")
    if tasks is None:
        return known
    names = [key.partition(".")[2] for key in known]
    for task in tasks:
        if task not in names:
            raise ConfigError(f"{root}: nothing to export of task '{task}'{nearest(task, names)}")
    return [key for key, name in zip(known, names, strict=True) if name in tasks]


def has_shapes(root: Path, made: dict[str, Record]) -> bool:
    """Whether a task's artifacts are label images, annotations, or tables of points."""
    paths = [root / one.artifact for one in made.values() if one.status == "ok"]
    return bool(paths) and (
        paths[0].suffix != ".parquet" or "labels" not in read_statement(paths[0])
    )


def find_tables(root: Path, records: Records, key: str) -> list[str]:
    """Tasks whose tables are about the objects of a segment task: detect, quantify and classify, in this order."""
    made = {
        other: read_statement(root / path)
        for other, path in first_artifacts(records)
        if other.partition(".")[0] in ("detect", "quantify", "classify")
    }

    def about(stage: str, word: str, tasks: list[str]) -> list[str]:
        names = [task.partition(".")[2] for task in tasks]
        return [one for one, said in made.items() if one.startswith(f"{stage}.") and said.get(word) in names]  # fmt: skip

    detected = about("detect", "labels", [key])
    measured = about("quantify", "objects", detected)
    return [*detected, *measured, *about("classify", "objects", measured)]


def first_artifacts(records: Records) -> Iterator[tuple[str, str]]:
    """Each task's key, and one of its artifacts."""
    for key, made in records.items():
        paths = [one.artifact for one in made.values() if one.status == "ok"]
        if paths:
            yield key, paths[0]


def join_tables(
    root: Path, records: Records, links: list[str], image: str
) -> "pd.DataFrame | None":
    """Everything that is known of one image's objects, each column once; classes of several tasks as 'A: B'."""
    whole: Any = None
    for key in links:
        record = records[key].get(image)
        if record is None or record.status != "ok":
            continue
        table = read_table(root / record.artifact)
        table.attrs = {}
        if whole is None:
            whole = table
            continue
        if "class" in table and "class" in whole:
            both = whole[["t", "label", "class"]].merge(table[["t", "label", "class"]], on=["t", "label"], how="left")  # fmt: skip
            whole["class"] = both["class_x"].str.cat(both["class_y"], sep=": ", na_rep="").str.strip(": ")  # fmt: skip
        new = [name for name in table if name in ("t", "label") or name not in whole]
        whole = whole.merge(table[new], on=["t", "label"], how="left")
    return whole


def spots_as_annotations(table: "pd.DataFrame", key: str) -> "pd.DataFrame":
    """Spots -> annotated points, those of a plane together; their class is the task."""
    import shapely

    from ..annotations.table import make_table, outline_row

    deep = "z" in table
    flat = not deep and table["t"].nunique() <= 1
    table = table.assign(plane=table["z"].round().astype(int) if deep else -1)
    table = table.sort_values(["t", "plane"], kind="stable")
    # annotations count from a pixel's corner
    points = shapely.points(table["x"].to_numpy() + 0.5, table["y"].to_numpy() + 0.5)
    return make_table(
        outline_row(
            "point", point, t=-1 if flat else t, z=plane, properties={"geojson": {"points": [t, plane]}},
            **{"class": key.partition(".")[2]},
        )
        for point, t, plane in zip(points, table["t"].tolist(), table["plane"].tolist(), strict=True)
    )  # fmt: skip
