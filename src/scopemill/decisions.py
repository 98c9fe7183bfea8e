"""Decisions: what a person says of images and objects -> rows that are only ever added to; those that stand -> objects.

`results/<study>/decisions.sqlite`. A label may mean another object after the next segmentation, so a decision
keeps the object's place as well.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from .manifests import digest
from .settings import ConfigError

if TYPE_CHECKING:
    import pandas as pd

FILE = "decisions.sqlite"
Verdict = Literal["accept", "reject", "relabel", "undecided"]
PLACE = ("label", "centroid_y", "centroid_x", "z0", "z1", "y0", "y1", "x0", "x1")
WAIT_S = 30.0  # for another writer
TABLE = """
CREATE TABLE IF NOT EXISTS decisions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, image TEXT NOT NULL, object TEXT NOT NULL, t INTEGER NOT NULL,
    label INTEGER NOT NULL, y REAL NOT NULL, x REAL NOT NULL, z REAL NOT NULL,
    decision TEXT NOT NULL CHECK (decision IN ('accept', 'reject', 'relabel', 'undecided')),
    class TEXT NOT NULL, user TEXT NOT NULL, time TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS by_image ON decisions (image);
CREATE TRIGGER IF NOT EXISTS keep_rows BEFORE UPDATE ON decisions
    BEGIN SELECT RAISE(ABORT, 'decisions are only added'); END;
CREATE TRIGGER IF NOT EXISTS keep_all BEFORE DELETE ON decisions
    BEGIN SELECT RAISE(ABORT, 'decisions are only added'); END;
"""


@dataclass(frozen=True)
class Decision:
    """One decision; `object` (a quantify task) is empty where it is about the whole image."""

    image: str
    object: str
    t: int
    label: int
    y: float  # centroid in pixels of the image
    x: float
    z: float  # 0 in a plane
    decision: Verdict
    class_: str  # of relabel
    user: str
    time: str  # UTC

    @property
    def key(self) -> tuple:
        """What it is about, as it was seen then."""
        return (self.image, self.object, self.t, self.label, self.y, self.x, self.z)


COLUMNS = ", ".join(one.name.rstrip("_") for one in fields(Decision))


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def opened(path: Path, mode: Literal["rw", "rwc"]) -> Iterator[sqlite3.Connection]:
    """A connection for one look or one change; a folder that may only be read can be looked at.

    Raises
    ------
    ConfigError
        When the file is no database of decisions, or cannot be written.
    """
    how = mode if os.access(path.parent, os.W_OK) else "ro&immutable=1"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode={how}", WAIT_S, uri=True)) as connection:  # fmt: skip
            yield connection
    except sqlite3.Error as error:
        raise ConfigError(
            f"{path}: decisions cannot be read or kept ({error}); see that the folder may be written and has room, "
            "or put a copy of the file back"
        ) from error


def record(path: Path, *decisions: Decision) -> None:
    """Add decisions, all or none; several people may do so at once. They are on disk when this returns."""
    with opened(path, "rwc") as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'keep_all'").fetchone():
            connection.executescript(TABLE)
        marks = ", ".join("?" * len(fields(Decision)))
        with connection:
            connection.executemany(
                f"INSERT INTO decisions ({COLUMNS}) VALUES ({marks})", map(astuple, decisions)
            )


def read_standing(path: Path, image: str | None = None) -> list[Decision]:
    """The last decision of each key, in the order in which they were made; those taken back are left out."""
    if not path.exists():
        return []
    which, values = ("WHERE image = ?", (image,)) if image is not None else ("", ())
    with opened(path, "rw") as connection:
        rows = connection.execute(f"SELECT {COLUMNS} FROM decisions {which} ORDER BY id", values)
        standing: dict[tuple, Decision] = {}
        for one in (Decision(*row) for row in rows):
            standing.pop(one.key, None)  # so that the order is that of the last ones
            standing[one.key] = one
    return [one for one in standing.values() if one.decision != "undecided"]


def standing_hash(path: Path) -> str:
    """Hash of the decisions that stand; empty without any. What changes it reruns `gather`."""
    standing = read_standing(path)
    return digest([asdict(one) for one in standing]) if standing else ""


def find_objects(decisions: list[Decision], objects: "pd.DataFrame") -> list[int | None]:
    """For each decision, the row number of the object that it is about now; None where there is none.

    `objects` has image, object, t, label, centroid_y, centroid_x and the box y0, x0, y1, x1 (stacks: z0, z1).
    It is the object of that label when its centroid lies within half its diameter of where it was; else the
    nearest one of which that is true.
    """
    if not decisions:
        return []
    places = objects.groupby(["image", "object", "t"], sort=False).indices if len(objects) else {}
    columns = {name: objects[name].to_numpy() for name in PLACE if name in objects}
    nobody = np.empty(0, int)
    return [
        find_object(one, columns, places.get((one.image, one.object, one.t), nobody))
        for one in decisions
    ]


def find_object(decision: Decision, columns: dict[str, np.ndarray], rows: np.ndarray) -> int | None:
    """The same for one decision; `rows` are those of its image, task and time point."""
    of = {name: column[rows] for name, column in columns.items()}
    if not len(rows):
        return None
    distance = np.hypot(of["centroid_y"] - decision.y, of["centroid_x"] - decision.x)
    near = distance <= (of["y1"] - of["y0"] + of["x1"] - of["x0"]) / 4
    if "z0" in of:
        # of two cells one above the other, the one whose planes it lies in
        near &= np.isnan(of["z0"]) | ((of["z0"] <= decision.z) & (decision.z < of["z1"]))
    if not near.any():
        return None
    same = near & (of["label"] == decision.label)
    return int(rows[same.argmax() if same.any() else np.where(near, distance, np.inf).argmin()])
