"""Settings of a split, and its words."""

from typing import Annotated

from pydantic import Field

from ..settings import settings

PARTS = ("train", "validation", "test")
WORDS = {
    "train": "train", "training": "train", "test": "test", "testing": "test",
    "val": "validation", "valid": "validation", "validation": "validation",
}  # fmt: skip


@settings
class Split:
    """Which images a model learns from, and which it is checked on."""

    column: str = ""
    """Column of the sheet that already says train, validation or test."""
    group: str = ""
    """Column of the sheet: images of one subject, plate or field group stay together."""
    stratify: str = ""
    """Column of the sheet whose values are spread evenly, as well as whole groups permit."""
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of the images that the model is chosen by."""
    test: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the images that are kept for the end."""
    seed: int = 0
    """For the draw."""
    allow_random: bool = False
    """Split although the sheet or the pixels speak against it; this is written down with the model."""
