"""Cells: counts of spots, labels and features -> a few sample cells of a stack, with boxes and what is written beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..frames import Frame
from ..outliers import NAMED
from ..suspicion import rate_objects
from ..tiling import Window
from .marks import Line, choose_colors

if TYPE_CHECKING:
    import pandas as pd

MARGIN_UM = 1.0
MOST_PX = 400  # of a cell that are shown
TEXT = "#ffffff"


@dataclass(frozen=True)
class Sample:
    """A cell to be shown from three sides."""

    name: str  # why it was chosen
    task: str
    label: int
    window: Window
    lines: Sequence[Line]


def choose_samples(
    frame: Frame,
    task: str,
    spots: "pd.DataFrame",
    classes: "pd.Series | None",
    features: "pd.DataFrame | None",
) -> list[Sample]:
    """The cells with most, as many as usual, and fewest spots, and the most suspicious one; the same every time.

    Cells that the image's border cuts are passed over, as long as there are others.
    """
    boxes = find_boxes(frame, task)
    inner = boxes[~boxes["cut"]]
    labels = (inner if len(inner) else boxes).index
    owned = spots[spots["within"] == task.replace("-", "_")]
    if len(owned):
        counts = owned.groupby("owner").size().reindex(labels, fill_value=0)
        chosen = choose_labels(counts, ("most spots", "usual", "fewest spots"))
    else:
        sizes = (boxes["y1"] - boxes["y0"]) * (boxes["x1"] - boxes["x0"])
        chosen = choose_labels(sizes.loc[labels], ("largest", "usual", "smallest"))
    if (odd := find_most_suspicious(features, labels)) and odd[0] not in chosen.values():
        chosen[f"most suspicious, {odd[1]}"] = odd[0]
    return [
        Sample(
            name, task, label, open_box(boxes.loc[label], frame),
            write_lines(name, task, label, owned[owned["owner"] == label], choose_colors(spots), classes),
        )
        for name, label in chosen.items()
    ]  # fmt: skip


def choose_labels(counts: "pd.Series", names: Sequence[str]) -> dict[str, int]:
    """The labels of the highest, the median and the lowest count, by these names; equal counts in the order of labels."""
    order = [
        int(label)
        for label in counts.sort_index().sort_values(ascending=False, kind="stable").index
    ]
    if not order:
        return {}
    # of one or two cells, the earlier names are not given
    places = {len(order) - 1: names[2], (len(order) - 1) // 2: names[1], 0: names[0]}
    return {name: order[place] for place, name in sorted(places.items())}


def find_most_suspicious(
    features: "pd.DataFrame | None", labels: "pd.Index"
) -> tuple[int, str] | None:
    """Label and reason, compared with the image's other cells."""
    if features is None or not len(known := features[features["label"].isin(labels)]):
        return None
    rated = rate_objects(known.assign(object=""))
    worst = rated["suspicion"].idxmax()
    if rated.loc[worst, "suspicion"] < NAMED:
        return None
    return int(known.loc[worst, "label"]), rated.loc[worst, "suspicion_reason"].split("; ")[0]


def find_boxes(frame: Frame, task: str) -> "pd.DataFrame":
    """Box of each label in image pixels (y0, x0, y1, x1), and whether the image's border cuts it."""
    import pandas as pd
    from scipy import ndimage

    labels, scale = frame.label_overview(task)
    found = {
        label: [*(one.start for one in box), *(one.stop for one in box)]
        for label, box in enumerate(ndimage.find_objects(labels.astype(np.int64)), 1)
        if box
    }
    table = pd.DataFrame.from_dict(found, orient="index", columns=["y0", "x0", "y1", "x1"])
    height, width = labels.shape
    cut = (table[["y0", "x0"]] == 0).any(axis=1) | (table["y1"] == height) | (table["x1"] == width)
    return (table * scale).astype(int).assign(cut=cut)


def open_box(box: "pd.Series", frame: Frame) -> Window:
    """The box with a margin; of a very large cell, its middle."""
    margin = int(np.ceil(MARGIN_UM / frame.um_per_px))
    window = []
    for axis, n in zip("yx", frame.size, strict=True):
        low, high = box[f"{axis}0"] - margin, box[f"{axis}1"] + margin
        too_much = max(0, high - low - MOST_PX)
        low, high = low + too_much // 2, high - (too_much - too_much // 2)
        window.append(slice(max(0, int(low)), min(n, int(high))))
    return tuple(window)


def write_lines(
    name: str,
    task: str,
    label: int,
    spots: "pd.DataFrame",
    colors: dict[str, str],
    classes: "pd.Series | None",
) -> list[Line]:
    """Cell, class and counts."""
    own = classes.get(label) if classes is not None else None
    counts = [(f"{kind}: {int((spots['kind'] == kind).sum())}", colors[kind]) for kind in colors]
    return [[(name, TEXT)], [(f"{task} {label}{f', {own}' if own else ''}", TEXT), *counts]]
