"""Sources: manifests and the sheet -> images whose pixels and truth are both there, in the order of the sheet."""

import logging
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..annotations.table import make_table
from ..images import Image
from ..manifests import read_manifests, results_root
from ..settings import ConfigError
from ..sheet import Row
from ..splits import pixel_hash
from ..tables import read_table
from .cells import know_objects, read_labelled

if TYPE_CHECKING:
    import pandas as pd

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """An image of which the truth is known, open to be read."""

    row: Row
    image: Path
    annotation: Path | None
    objects: "pd.DataFrame | None" = None  # measured ones with their class, in place of annotations
    labels: Path | None = None  # their label image

    @property
    def table(self) -> "pd.DataFrame":
        """What is known of the image: annotations, or measured objects; nothing where the sheet says it."""
        if self.objects is not None:
            return self.objects
        return read_table(self.annotation) if self.annotation else make_table(())


def find_sources(rows: Mapping[str, Row], options: Namespace, own: Any) -> list[Source]:
    """Images of which both the pixels and the truth are there.

    Raises
    ------
    ConfigError
        Where there are none.
    """
    made = {
        key: {
            image: results_root(options.inputs[0]) / one.artifact
            for image, one in records.items()
            if one.status == "ok"
        }
        for key, records in read_manifests(options.inputs).items()
    }
    if own.measured:
        return list(find_measured(rows, made, options.sheet.parent, own.measured))
    annotations = made.get(f"annotate.{own.annotations}", {})
    sources = [
        Source(row, made["convert"][name], annotations.get(name))
        for name, row in rows.items()
        if name in made["convert"] and (name in annotations or own.annotations is None)
    ]
    if not sources and own.annotations is None:
        raise ConfigError("collect: no image could be read: nothing to learn from; see quarantine")
    if not sources:
        cause = f"annotate.{own.annotations}: no image has an annotation that can be read"
        raise ConfigError(f"{cause}: nothing to learn from; see quarantine and annotate's settings")
    return sources


def find_measured(
    rows: Mapping[str, Row], made: Mapping[str, Mapping[str, Path]], folder: Path, own: Any
) -> Iterator[Source]:
    """Images with measured objects that have a class."""
    labelled = read_labelled(folder / own.labelled, own, rows) if own.labelled else None
    gate = [f"classify.{own.gated}"] if own.gated else []
    needed = ["convert", f"quantify.{own.objects}", *gate]
    n_objects = 0
    for name, row in rows.items():
        told = labelled[labelled["image"] == name] if labelled is not None else None
        if not all(name in made[key] for key in needed):
            if told is not None and len(told):
                LOG.warning("%d labelled cells of image %s, which could not be measured, are left out", len(told), name)  # fmt: skip
            continue
        artifacts = {key: one[name] for key, one in made.items() if name in one}
        objects, labels = know_objects(artifacts, own, told)
        n_objects += len(objects)
        if len(objects):
            yield Source(row, artifacts["convert"], None, objects, labels)
    if not n_objects:
        raise ConfigError(f"measured: no object of quantify.{own.objects} has a class by {own.words}: nothing to learn from")  # fmt: skip


def read_first(
    sources: list[Source], own: Any, hashes: dict[str, str]
) -> Iterator[tuple[str, np.ndarray]]:
    """Id and first channel of the first time point of each image, as it is; fills in the hash of its pixels."""
    for one in sources:
        with Image(one.image) as image:
            channel = (own.channels or image.channel_names)[0]
            pixels = image.read(channel, 0, own.z)
        hashes[one.row.id] = pixel_hash(pixels)
        yield one.row.id, pixels
