"""U-Net: patches of an image -> labels, by a network's probability maps and a watershed on them.

Reads a patch set (scale, channels), not the image; any model folder with a foreground head will do.
"""

import functools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from ...errors import DataError
from ...frames import Frame
from ...patches import Meta
from ...settings import ConfigError, Fraction, ModelFolder, PatchSet, Positive, load, settings
from ..instances import Settings as InstanceSettings
from ..instances import drop_small, find_instances

if TYPE_CHECKING:
    from ...models.description import Description

USES_GPU = True
SCALE_TOLERANCE = 0.1  # networks are trained with at least so much variation of size


@settings
class Settings:
    """The model, what it looks at, and what of its post-processing is changed."""

    model: ModelFolder
    """A model folder: model.yaml and weights.safetensors."""
    patches: PatchSet
    """The patch set that it predicts on: its channels and pixel size are those of the model."""
    foreground_threshold: Fraction | None = None
    """Lower takes more; without it, the value tuned for the model."""
    min_distance_um: Positive | None = None
    """Centres of objects are at least this far apart; without it, the value tuned for the model."""
    batch_size: Annotated[int, Field(ge=1)] = 8
    """Patches that the network sees at once: fewer need less memory."""


def segment(frame: Frame, settings: Settings) -> np.ndarray:
    """Labels of one time point at the image's own size: (Y, X), or (Z, Y, X) by a 3-D network."""
    import torch

    from ...models.predict import predict_store

    torch.set_num_threads(max(1, frame.threads))
    network, description, device, warning = load_ready(Path(settings.model), frame.device)
    frame.note(warning or f"networks run on {device}")
    store = frame.patches(settings.patches)
    check_match(description, store.meta, settings)
    tuned = choose_postprocessing(description, store.meta, settings)
    maps = predict_store(network, description, store, frame.t, device, settings.batch_size)
    named = dict(zip(description.output, maps, strict=True))
    labels = find_instances(named, tuned, spacing_px(store.meta)[-maps[0].ndim :])
    return drop_small(resize_labels(labels, store.meta.source_size), 0)


def load_ready(folder: Path, device: str):
    """Network, description, device and a warning about it, from the last call where nothing changed since."""
    files = sorted(folder.glob("*"))
    return _load_ready(folder, device, tuple(file.stat().st_mtime_ns for file in files))


@functools.lru_cache(maxsize=1)
def _load_ready(folder: Path, device: str, changed: tuple[int, ...]):
    from ...models.folder import load_model
    from ...models.predict import choose_device, prepare

    chosen, warning = choose_device(device)
    network, description = load_model(folder)
    if "foreground" not in description.output:
        raise ConfigError(f"{folder}: finds no objects: its output is {description.output}")
    return prepare(network, chosen), description, chosen, warning


def check_match(description: "Description", store: Meta, settings: Settings) -> None:
    """Raise DataError MODEL_MISMATCH where the patches are not what the model was trained on."""
    model, name = settings.model, settings.patches
    if len(store.channel_names) != len(description.channels):
        found = (
            f"patch set '{name}' has {len(store.channel_names)} ({', '.join(store.channel_names)})"
        )
        cure = f"choose them, in this order, with patch: {name}: channels: [...]"
        raise DataError(
            "MODEL_MISMATCH", f"model {model} takes {description.wants}; {found}; {cure}"
        )
    wanted, found = description.pixel_size_um, store.pixel_size_um
    if wanted and found and abs(found / wanted - 1) > SCALE_TOLERANCE:
        cause = f"model {model} is for pixels of {wanted:g} µm; patch set '{name}' has {found:g} µm"
        raise DataError("MODEL_MISMATCH", f"{cause}; set patch: {name}: pixel_size_um: {wanted:g}")


def choose_postprocessing(
    description: "Description", store: Meta, settings: Settings
) -> InstanceSettings:
    """The model's tuned values, and the user's above them."""
    tuned = load(InstanceSettings, description.postprocessing, f"{settings.model}: postprocessing")
    if settings.foreground_threshold is not None:
        tuned = replace(tuned, foreground_threshold=settings.foreground_threshold)
    if settings.min_distance_um is not None:
        px = settings.min_distance_um / (store.pixel_size_um or 1.0)
        tuned = replace(tuned, min_distance_px=px)
    return tuned


def spacing_px(store: Meta) -> tuple[float, float, float]:
    """Size of a voxel (z, y, x) in pixels of the plane."""
    pixel = store.pixel_size_um or 1.0
    return ((store.z_step_um or pixel) / pixel, 1.0, 1.0)


def resize_labels(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Labels (..., Y, X) at another size: each pixel takes the label under its centre."""
    if labels.shape[-2:] == tuple(size):
        return labels
    rows, columns = (
        np.minimum((np.arange(n) + 0.5) * m / n, m - 1).astype(np.int64)
        for n, m in zip(size, labels.shape[-2:], strict=True)
    )
    return labels[..., rows[:, None], columns]
