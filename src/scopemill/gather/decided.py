"""Decided: objects and what people decided -> objects that stay, those rejected, and new classes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..decisions import Decision, find_objects
from ..manifests import Record
from .collect import first_statement

if TYPE_CHECKING:
    import pandas as pd

RELABELLED = ("image", "t", "object", "label", "y", "x", "class")


@dataclass(frozen=True)
class Decided:
    """Tables; without decisions `kept` is what was given, and the others have no rows."""

    kept: "pd.DataFrame"
    rejected: "pd.DataFrame"
    relabelled: "pd.DataFrame"
    decisions: "pd.DataFrame"  # all that stand, and what became of each


def set_aside_images(
    standing: Mapping[str, Record], decisions: list[Decision]
) -> dict[str, Record]:
    """How images stand when those that people rejected are left out."""
    last = {one.image: one for one in decisions if not one.object}
    rejected = {image: one for image, one in last.items() if one.decision == "reject"}
    return {
        image: replace(
            record, status="skipped", code="REJECTED", artifact="",
            message=f"rejected by {rejected[image].user}, {rejected[image].time}",
        )
        if image in rejected and record.status == "ok" else record
        for image, record in standing.items()
    }  # fmt: skip


def apply(objects: "pd.DataFrame", decisions: list[Decision], good: list[str]) -> Decided:
    """Take rejected objects out and give relabelled ones their class; of two decisions the later one counts."""
    import pandas as pd

    nothing = pd.DataFrame()
    if not decisions:
        return Decided(objects, nothing, nothing, nothing)
    places = find_objects(decisions, objects)
    last = {
        place: one for place, one in zip(places, decisions, strict=True) if place is not None
    }  # row -> decision
    objects = objects.copy()
    relabelled = relabel(objects, {k: v for k, v in last.items() if v.decision == "relabel"})
    gone = sorted(place for place, one in last.items() if one.decision == "reject")
    rejected = objects.iloc[gone].assign(
        rejected_by=[last[place].user for place in gone],
        rejected_at=[last[place].time for place in gone],
    )
    kept = objects.drop(index=objects.index[gone]).reset_index(drop=True)
    listed = list_decisions(decisions, places, last, objects, good)
    return Decided(kept, rejected.reset_index(drop=True), relabelled, listed)


def relabel(objects: "pd.DataFrame", new: Mapping[int, Decision]) -> "pd.DataFrame":
    """Write new classes into the objects, in place; the objects that got one, as training data."""
    import pandas as pd

    if not new:
        return pd.DataFrame()
    for place, one in new.items():
        column = class_column(objects, one)
        # without a classifier the few that were labelled would look like the classes of all
        if column:
            row = objects.index[place]
            objects.loc[row, column] = one.class_
            objects.loc[row, "class_by"] = one.user
    chosen = objects.iloc[sorted(new)]
    table = chosen.rename(columns={"centroid_y": "y", "centroid_x": "x"}).assign(
        **{"class": [new[place].class_ for place in sorted(new)]}
    )
    return table[list(RELABELLED)].reset_index(drop=True)


def class_column(objects: "pd.DataFrame", decision: Decision) -> str | None:
    """The column that holds an object's class; of several classifiers', the one that knows the new class."""
    columns = [name for name in objects if name == "class" or str(name).startswith("class_")]
    of = objects[objects["object"] == decision.object]
    filled = [name for name in columns if name != "class_by" and of[name].notna().any()]
    known = [name for name in filled if (of[name] == decision.class_).any()]
    return next(iter([*known, *filled]), None)


def list_decisions(
    decisions: list[Decision],
    places: list[int | None],
    last: Mapping[int, Decision],
    objects: "pd.DataFrame",
    good: list[str],
) -> "pd.DataFrame":
    """One row a decision that stands: who, when, what became of it, and the object's label now."""
    import pandas as pd

    rows = []
    for one, place in zip(decisions, places, strict=True):
        row = {name.rstrip("_"): value for name, value in asdict(one).items()}
        if not one.object:
            state = "applied"
        elif one.image not in good:
            state = "image not used"
        else:
            state = "stale" if place is None else "applied" if last[place] is one else "overruled"
        label = objects["label"].iloc[place] if place is not None else None
        rows.append({**row, "state": state, "label_now": label})
    return pd.DataFrame(rows).astype({"label_now": "Int64"})


def spot_columns(
    root: Path, records: dict[str, dict[str, Record]], rejected: "pd.DataFrame"
) -> dict[str, str]:
    """Quantify task of rejected objects -> the column of spots that holds their labels."""
    columns = {}
    for task in rejected["object"].unique() if len(rejected) else ():
        detected = first_statement(root, records[f"quantify.{task}"])["objects"]
        labels = first_statement(root, records[f"detect.{detected}"])["labels"]
        columns[task] = f"{labels.replace('-', '_')}_label"
    return columns


def mark_spots(
    spots: "pd.DataFrame", rejected: "pd.DataFrame", columns: Mapping[str, str]
) -> "pd.DataFrame":
    """The spots, with a column that says which lie in rejected objects where there are any of these."""
    if rejected.empty or spots.empty:
        return spots
    marked = spots.assign(rejected=False)
    for task, table in rejected.groupby("object"):
        column = columns[task]
        if column in spots:
            gone = set(zip(table["image"], table["t"], table["label"], strict=True))
            keys = zip(spots["image"], spots["t"], spots[column], strict=True)
            marked["rejected"] |= np.array([key in gone for key in keys])
    return marked


def counted(spots: "pd.DataFrame") -> "pd.DataFrame":
    """The spots that enter the study's numbers."""
    return spots[~spots["rejected"]].drop(columns="rejected") if "rejected" in spots else spots
