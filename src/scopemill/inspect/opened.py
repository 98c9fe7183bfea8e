"""Opened: the results folder of a study -> what the page lists: images, cells, spots, and what is decided of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import tables
from ..decisions import FILE, Decision, find_objects, now, read_standing, record
from ..settings import ConfigError

if TYPE_CHECKING:
    import pandas as pd

MOST_CELLS, MOST_SPOTS = 5000, 20_000  # that are sent of one image
TABLES = ("images.csv", "objects.parquet", "rejected.csv", "spots.csv")
CELL = (
    "image", "object", "t", "label", "class", "centroid_z", "centroid_y", "centroid_x", "z0", "z1", "y0", "x0",
    "y1", "x1", "suspicion", "suspicion_reason",
)  # fmt: skip


class Unknown(Exception):
    """The study has nothing of that name."""


class OpenStudy:
    """A study's tables, read again when `gather` has written new ones.

    Raises
    ------
    ConfigError
        When the folder holds no finished study.
    """

    def __init__(self, root: Path):
        self.root = root.resolve()
        self._read_from: tuple[int, ...] = ()
        if not all((root / name).is_file() for name in TABLES[:2]):
            raise ConfigError(
                f"{root}: no images.csv and objects.parquet; give the results folder of a study that has run to its "
                "end, such as results/demo"
            )
        self.refresh()

    def refresh(self) -> None:
        """Read the tables if they have changed; while `gather` makes new ones, the last ones are shown."""
        paths = [self.root / name for name in TABLES]
        state = tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in paths)
        if state != self._read_from and all(state[:2]):
            self.images = with_suspicion(tables.read_csv(paths[0]))
            cells = with_suspicion(read_cells(self.root))
            # together, since several threads look: all cells, and the rows of each image
            self._cells = cells, cells.groupby("image").indices
            self.spots = tables.read_csv(paths[3]) if paths[3].exists() else None
            self._read_from = state

    def known(self, image: str) -> str:
        """The id, if it is one of the study's; everything that is asked for by an image's name comes through here."""
        if not (self.images["image"] == image).any():
            raise Unknown(f"no image '{image}'")
        return image

    def file(self, *parts: str) -> Path:
        """An artifact of the study; nothing that lies outside is ever opened."""
        path = self.root.joinpath(*parts).resolve()
        if not path.is_relative_to(self.root) or not path.is_file():
            raise Unknown(f"no file {'/'.join(parts)}")
        return path

    def image_path(self, image: str) -> Path:
        """The OME-TIFF of an image."""
        return self.file("images", f"{self.known(image)}.ome.tif")

    def label_tasks(self, image: str) -> list[str]:
        """Segment tasks that have labels of an image."""
        folders = sorted((self.root / "labels").glob("*"))
        name = f"{self.known(image)}.ome.tif"
        return [one.name for one in folders if (one / name).is_file()]

    def labels_path(self, image: str, task: str) -> Path:
        """The label image of a segment task."""
        if task not in self.label_tasks(image):
            raise Unknown(f"no labels '{task}'")
        return self.file("labels", task, f"{image}.ome.tif")

    def labels_of(self, image: str, quantified: str) -> str:
        """The segment task in whose labels the objects of a quantify task are."""
        if quantified not in set(self.cells["object"]):
            raise Unknown(f"no objects '{quantified}'")
        name = f"{self.known(image)}.parquet"
        detected = tables.read_statement(self.file("features", quantified, name))["objects"]
        return tables.read_statement(self.file("objects", detected, name))["labels"]

    def cells_of(self, image: str) -> "pd.DataFrame":
        """Cells of one image."""
        cells, rows = self._cells
        return cells.iloc[rows.get(image, [])]

    @property
    def cells(self) -> "pd.DataFrame":
        """Cells of all images."""
        return self._cells[0]

    def list_images(self) -> list[dict[str, Any]]:
        """All images, the most suspicious first, with what is decided of them."""
        self.refresh()
        decisions = read_standing(self.root / FILE)
        of_images = {one.image: one for one in decisions if not one.object}
        of_cells = [one for one in decisions if one.object]
        inspected = self.cells[self.cells["image"].isin({one.image for one in of_cells})]
        n_decided = inspected["image"].iloc[list(decided_rows(inspected, of_cells))].value_counts()
        rows = []
        for row in self.images.to_dict("records"):
            of = self.cells_of(row["image"])
            rows.append({
                **plain(row, ("image", "status", "code", "group", "suspicion", "suspicion_reason")),
                "n_cells": len(of),
                "n_decided": int(n_decided.get(row["image"], 0)),
                "classes": [one for one in of["class"].unique() if one],
                **describe(of_images.get(row["image"])),
            })  # fmt: skip
        return sorted(rows, key=lambda row: -row["suspicion"])

    def list_cells(self, image: str) -> list[dict[str, Any]]:
        """Cells of an image, the most suspicious first (of very many, those at the head)."""
        self.refresh()
        cells = self.cells_of(self.known(image))
        last = decided_rows(cells, [one for one in read_standing(self.root / FILE, image) if one.object])  # fmt: skip
        rows = [
            {**plain(row, CELL[1:]), **describe(last.get(place))}
            for place, row in enumerate(cells.to_dict("records"))
        ]
        return sorted(rows, key=lambda row: -row["suspicion"])

    def list_spots(self, image: str) -> list[dict[str, Any]]:
        """Spots of an image."""
        if self.spots is None:
            return []
        of = self.spots[self.spots["image"] == self.known(image)].head(MOST_SPOTS)
        names = [name for name in ("object", "channel", "t", "z", "y", "x") if name in of]
        unbound = [name for name in of if str(name).endswith("_label")]
        rows = [plain(row, names) for row in of.to_dict("records")]
        bound = (of[unbound].fillna(0) > 0).any(axis=1) if unbound else of["x"].notna()
        return [{**row, "bound": bool(one)} for row, one in zip(rows, bound, strict=True)]

    def classes(self) -> list[str]:
        """Classes that a person may choose from: those found, and those given before."""
        given = [one.class_ for one in read_standing(self.root / FILE) if one.class_]
        return sorted({*filter(None, self.cells["class"].unique()), *given})

    def find_cell(self, image: str, object_: str, t: int, label: int) -> dict[str, Any]:
        """The row of one cell."""
        of = self.cells_of(self.known(image))
        chosen = of[(of["object"] == object_) & (of["t"] == t) & (of["label"] == label)]
        if chosen.empty:
            raise Unknown(f"no {object_} {label} at time point {t} in image '{image}'")
        return chosen.iloc[0].to_dict()

    def decide(
        self, image: str, object_: str, t: int, label: int, verdict: str, class_: str, user: str
    ) -> dict[str, Any]:
        """Keep a decision; how the image or cell stands now."""
        self.refresh()
        place = {"y": 0.0, "x": 0.0, "z": 0.0}
        if object_:
            row = self.find_cell(image, object_, t, label)
            place = {axis: float(row.get(f"centroid_{axis}") or 0) for axis in "yxz"}
        new = Decision(self.known(image), object_, t, label, **place, decision=verdict, class_=class_, user=user, time=now())  # fmt: skip
        record(self.root / FILE, *(self.withdraw(new) if verdict == "undecided" else [new]))
        return describe(new)

    def withdraw(self, new: Decision) -> Iterator[Decision]:
        """For each decision that is about the same thing under whatever label, one that takes it back."""
        standing = [one for one in read_standing(self.root / FILE, new.image) if one.object == new.object]  # fmt: skip
        cells = self.cells_of(new.image)
        places = find_objects([new, *standing], cells)
        for one, place in zip(standing, places[1:], strict=True):
            if not new.object or place == places[0]:
                yield Decision(*one.key, "undecided", "", new.user, new.time)


def read_cells(root: Path) -> "pd.DataFrame":
    """Objects, and those that were rejected before; only what the page shows."""
    import pandas as pd

    parts = [tables.read_table(root / "objects.parquet", lambda name: name in CELL)]
    if (root / "rejected.csv").exists():
        rejected = tables.read_csv(root / "rejected.csv")
        parts.append(rejected[[name for name in CELL if name in rejected]])
    cells = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    return cells.assign(**{"class": cells["class"].fillna("").astype(str) if "class" in cells else ""})  # fmt: skip


def with_suspicion(table: "pd.DataFrame") -> "pd.DataFrame":
    """The table; where nobody has looked for what is odd, nothing is."""
    absent = {name: value for name, value in (("suspicion", 0.0), ("suspicion_reason", "")) if name not in table}  # fmt: skip
    return table.assign(**absent).fillna({"suspicion": 0.0, "suspicion_reason": ""})


def decided_rows(cells: "pd.DataFrame", decisions: list[Decision]) -> dict[int, Decision]:
    """Row number -> the decision that counts."""
    places = find_objects(decisions, cells)
    return {place: one for place, one in zip(places, decisions, strict=True) if place is not None}


def plain(row: dict[str, Any], names: tuple[str, ...] | list[str]) -> dict[str, Any]:
    """Cells of a table's row as JSON can hold them; missing ones are left out."""
    chosen = {str(name): row[name] for name in names if name in row and row[name] == row[name]}
    return {name: value.item() if hasattr(value, "item") else value for name, value in chosen.items()}  # fmt: skip


def describe(decision: Decision | None) -> dict[str, str]:
    """What the page shows of a decision."""
    if decision is None or decision.decision == "undecided":
        return {"decision": ""}
    return {"decision": decision.decision, "new_class": decision.class_, "by": decision.user, "at": decision.time}  # fmt: skip
