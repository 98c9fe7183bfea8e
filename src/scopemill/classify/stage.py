"""Classify: measured objects -> one class an object (and, for trained classifiers, probabilities)."""

from typing import TYPE_CHECKING, Any

from ..frames import Frame, open_frames
from ..jobs import Job
from ..settings import Method, QuantifyTask, settings
from ..tables import write_table

if TYPE_CHECKING:
    import pandas as pd

ARTIFACT = "classified/{task}/{image}.parquet"


@settings
class Settings:
    """Which objects are classified, whatever the method."""

    objects: QuantifyTask
    """The quantify task whose objects get a class."""
    method: dict[str, Any]
    """{name: gate | features | network | a plug-in, and the method's own settings}."""


def carry(job: Job, settings: Settings, method: Method) -> dict[str, Any]:
    """Classify every time point of one image."""
    import pandas as pd

    with open_frames(job) as frames:
        tables = [classify(frame, settings, method) for frame in frames]
    table = pd.concat(tables, ignore_index=True)
    write_table(job.output, table, fingerprint=job.fingerprint, objects=settings.objects)
    return {
        "classes": {
            str(name): int(n) for name, n in table["class"].value_counts(sort=False).items()
        }
    }


def classify(frame: Frame, settings: Settings, method: Method) -> "pd.DataFrame":
    """Columns image, t, label, class and what else the method says."""
    table = frame.tables(f"quantify.{settings.objects}")
    return table[["image", "t", "label"]].assign(
        **method.module.classify(table, frame, method.settings)
    )
