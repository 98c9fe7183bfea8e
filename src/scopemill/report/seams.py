"""Seams: certificates in the manifests of segment tasks -> rows for the report, the worst first."""

from collections.abc import Iterable
from typing import Any

from ..manifests import Record

NUMBERS = (
    "border_objects", "interior_objects", "density_ratio", "area_ratio", "foreground_disagreement", "object_f1", "windows",
)  # fmt: skip


def list_seams(records: Iterable[tuple[str, Record]]) -> list[dict[str, Any]]:
    """One row an image and task that was cut into blocks: what was found at their borders, NaN where nothing was.

    What is beyond its limit comes first; then what changed most when a sample was looked at again.
    """
    rows = [
        {
            "task": key,
            "image": record.image,
            "passed": bool(record.facts["seams"].get("passed", True)),
            "limit": record.facts["seams"].get("limit", float("nan")),
            **{name: number(record.facts["seams"].get(name)) for name in NUMBERS},
        }
        for key, record in records
        if record.status == "ok" and record.facts.get("seams")
    ]
    return sorted(rows, key=lambda row: (row["passed"], -measure_worst(row)))


def number(value: Any) -> float:
    """A number; NaN for what was not counted."""
    return float("nan") if value is None else value


def measure_worst(row: dict[str, Any]) -> float:
    """The largest change of a sample: of its foreground or of its objects."""
    changes = (row["foreground_disagreement"], 1 - row["object_f1"])
    return max((one for one in changes if one == one), default=0.0)
