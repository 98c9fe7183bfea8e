"""Suspects: tables and manifests of a study -> columns of how suspicious each object and image is, and of what tells."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..manifests import Record
from ..settings import ConfigError
from ..suspicion import NOTE, SEAM, rate_images, rate_objects
from .summary import column_name

if TYPE_CHECKING:
    import pandas as pd

Records = Mapping[str, Mapping[str, Record]]  # by task key, by image
Flags = dict[str, tuple[float, str]]


def mark_objects(
    objects: "pd.DataFrame", metadata: "pd.DataFrame", group_by: str
) -> "pd.DataFrame":
    """The objects with `suspicion` and `suspicion_reason`; what the sheet says of images is used for their groups only."""
    if objects.empty:
        return objects
    groups = objects["image"].map(metadata[group_by]) if group_by in metadata else None
    return add_columns(objects, rate_objects(objects, groups))


def mark_images(
    images: "pd.DataFrame", objects: "pd.DataFrame", records: Records, group_by: str
) -> "pd.DataFrame":
    """The images with focus, saturation and contrast of their channels, `suspicion` and `suspicion_reason`."""
    import pandas as pd

    good = images.loc[images["status"] == "ok", "image"]
    facts = {image: record.facts for image, record in records["convert"].items()}
    quality = pd.DataFrame([flatten(facts[image]) for image in images["image"]], index=images.index)
    images = add_columns(images, quality.astype(float))
    kinds = [column_name(kind) for kind in objects["object"].unique()]
    areas = pd.Series(
        [measure_area(facts[image]) for image in images["image"]], index=images.index, dtype=float
    )
    flags = {key: flag_seams(of_task) for key, of_task in records.items()}
    flags |= {f"{key} notes": flag_notes(key, of_task, set(good)) for key, of_task in records.items()}  # fmt: skip
    return add_columns(images, rate_images(images, list(quality), kinds, group_by, areas, flags))


def add_columns(table: "pd.DataFrame", more: "pd.DataFrame") -> "pd.DataFrame":
    """The table with more columns.

    Raises
    ------
    ConfigError
        When the image sheet has a column of such a name.
    """
    import pandas as pd

    if twice := [name for name in more if name in table]:
        raise ConfigError(
            f"the image sheet has a column '{twice[0]}', and the results get one of that name; rename it"
        )
    return pd.concat([table, more], axis=1)


def flatten(facts: Mapping[str, object]) -> dict[str, float | None]:
    """{focus: {DNA: -1}} -> {focus_DNA: -1}."""
    quality = facts.get("quality") or {}
    return {f"{fact}_{name}": value for fact, of in quality.items() for name, value in of.items()}


def measure_area(facts: Mapping[str, object]) -> float:
    """Area of an image's time points together, in um2 where the pixel size is known; NaN where nothing is."""
    if not facts.get("shape"):
        return float("nan")
    n_times, *_, height, width = facts["shape"]
    return n_times * height * width * (facts.get("pixel_size_um") or 1.0) ** 2


def flag_seams(records: Mapping[str, Record]) -> Flags:
    """Images whose blocks do not fit each other at their borders."""
    words = "objects change at the borders of blocks"
    return {
        image: (SEAM, words)
        for image, one in records.items()
        if one.facts.get("seams") and not one.facts["seams"].get("passed", True)
    }


def flag_notes(key: str, records: Mapping[str, Record], good: set[str]) -> Flags:
    """Images of which a task noted something that it did not note of most."""
    notes = {image: records[image].facts.get("notes", ()) for image in good if image in records}
    usual = Counter(note for of_image in notes.values() for note in of_image)
    rare = {
        image: [one for one in of_image if 2 * usual[one] <= len(good)]
        for image, of_image in notes.items()
    }
    return {image: (NOTE, f"{key}: {' '.join(found)}") for image, found in rare.items() if found}
