"""Job: one image as a stage sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .manifests import Record
    from .sheet import Row


@dataclass(frozen=True)
class Job:
    """One image as a stage sees it."""

    image: str
    output: Path  # write the artifact here
    fingerprint: str  # and put this into it
    inputs: Mapping[str, Path]  # artifacts of this image, by task key ("convert", "segment.nuclei")
    row: "Row | None" = None  # of the sheet; for convert and annotate only
    records: "Mapping[str, Record]" = field(
        default_factory=dict
    )  # what the tasks before said of this image
    device: str = "auto"
    threads: int = 1
    folder: Path = Path()  # of the sheet, from which its paths count
    notes: list[str] = field(default_factory=list)  # what the reader of the report should know
