"""Detect: labels or image -> table of objects: boxes and centroids of labels, or points (spots)."""

from typing import TYPE_CHECKING, Any

from ..frames import Frame, open_frames
from ..jobs import Job
from ..settings import Method, settings
from ..tables import write_table

if TYPE_CHECKING:
    import pandas as pd

ARTIFACT = "objects/{task}/{image}.parquet"


@settings
class Settings:
    """What is detected, whatever the method."""

    method: dict[str, Any]
    """{name: from-labels | log-spots | unet3d-spots | a plug-in, and the method's own settings}."""


def carry(job: Job, settings: Settings, method: Method) -> dict[str, Any]:
    """Detect in every time point of one image."""
    import pandas as pd

    with open_frames(job, "stack") as frames:
        tables = [detect(frame, method) for frame in frames]
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "image", job.image)
    write_table(job.output, table, fingerprint=job.fingerprint, **method.as_dict())
    return {"n_objects": len(table)}


def detect(frame: Frame, method: Method) -> "pd.DataFrame":
    """Objects of one frame; coordinates also in micrometres where the pixel size is known."""
    table = method.module.detect(frame, method.settings)
    table.insert(0, "t", frame.t)
    if frame.meta.pixel_size_um:
        for axis, step in zip("zyx", frame.spacing_um, strict=True):
            for name in (axis, f"centroid_{axis}"):
                if name in table:
                    table[f"{name}_um"] = table[name] * step
    return table
