"""U-Net: an image, or patches of it -> labels, by a network's probability maps and a watershed on them.

Any model folder with a foreground head will do. `channels` names what it looks at, each image in memory, brought to
the scale that the network knows; `patches` names a patch set, for slides and for scales that are given.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from ...errors import DataError
from ...frames import Frame
from ...images import as_stack
from ...instances import Settings as InstanceSettings
from ...instances import drop_small, find_instances
from ...patches import Meta
from ...scaling import FINEST, take_nearest
from ...settings import (
    ChannelName,
    ConfigError,
    Fraction,
    ModelFolder,
    PatchSet,
    Positive,
    load,
    settings,
)

if TYPE_CHECKING:
    from ...models.whole import Ready

USES_GPU = True
SCALE_TOLERANCE = 0.1  # networks are trained with at least so much variation of size


@settings
class Settings:
    """The model, what it looks at, and what of its post-processing is changed."""

    model: ModelFolder
    """A model folder: model.yaml and weights.safetensors."""
    channels: list[ChannelName] | None = None
    """The channels that the model takes, in its order; the image is brought to the model's scale."""
    patches: PatchSet | None = None
    """Instead of channels: a patch set with the channels and the pixel size of the model."""
    diameter_um: Positive | None = None
    """With channels: how wide the objects are; without it, models that need to know estimate it in each image."""
    foreground_threshold: Fraction | None = None
    """Lower takes more; without it, the value tuned for the model."""
    min_distance_um: Positive | None = None
    """Centres of objects are at least this far apart; without it, the value tuned for the model."""
    batch_size: Annotated[int, Field(ge=1)] = 8
    """Patches that the network sees at once: fewer need less memory."""


def check(settings: Settings, channels: Mapping[str, Any]) -> None:
    """Either channels or patches."""
    if (settings.channels is None) == (settings.patches is None):
        cure = (
            f"channels: {list(channels)[:1]} for images in memory, patches: <name> for a patch set"
        )
        raise ConfigError(f"channels: give either channels or patches; {cure}")


def segment(frame: Frame, settings: Settings) -> np.ndarray:
    """Labels of one time point at the image's own size: (Y, X), or (Z, Y, X) by a 3-D network."""
    import torch

    torch.set_num_threads(max(1, frame.threads))
    ready, warning = load_finder(Path(settings.model), frame.device, settings.batch_size)
    frame.note(warning or f"networks run on {ready.device}")
    if settings.patches is not None:
        return segment_patches(frame, settings, ready)
    return segment_image(frame, settings, ready)


def segment_image(frame: Frame, settings: Settings, ready: "Ready") -> np.ndarray:
    """Labels of an image in memory, which the network sees at the scale that it knows."""
    from ...examples import measure_percentiles
    from ...models.predict import scale_grey_values
    from ...models.whole import find_objects

    described = ready.description
    refuse_other_channels(ready, settings, settings.channels, "channels: [...]")
    is_3d = len(getattr(ready.network, "size_multiple", (1, 1))) == 3
    planes = [frame.channel(name) for name in settings.channels]
    if not is_3d:
        planes = [one.max(axis=0) if one.ndim == 3 else one for one in planes]
    pixels = np.stack([as_stack(one) for one in planes])
    image = scale_grey_values(pixels, measure_percentiles(pixels), described.normalisation)
    um_per_px = frame.meta.pixel_size_um
    tuned = choose_postprocessing(ready, um_per_px, settings)
    if is_3d:
        return drop_small(find_objects(ready, image, 1.0, tuned), 0)
    zoom = choose_zoom(frame, settings, ready, image[:, 0], tuned)
    return drop_small(find_objects(ready, image[:, 0], zoom, tuned), 0)


def choose_zoom(
    frame: Frame, settings: Settings, ready: "Ready", image: np.ndarray, tuned
) -> float:
    """How much larger the network has to see the image."""
    from ...models.whole import estimate_diameter

    known, wanted = ready.description.object_diameter_px, ready.description.pixel_size_um
    own = frame.meta.pixel_size_um
    if known and settings.diameter_um:
        return known * (own or 1.0) / settings.diameter_um
    if known:
        diameter = estimate_diameter(ready, image, tuned)
        frame.note(f"objects were taken to be {diameter:.0f} pixels wide (estimated)")
        return known / diameter
    if not wanted:
        return 1.0
    if not own or own > FINEST * wanted:
        cause = f"model {settings.model} is for pixels of {wanted:g} µm; this image has {own or 'an unknown size'}"
        raise DataError("MODEL_MISMATCH", f"{cause}; give pixel_size_um in the config or the sheet")
    if abs(own / wanted - 1) <= SCALE_TOLERANCE:
        return 1.0
    frame.note(f"rescaled from {own:.3g} to {wanted:.3g} µm a pixel for the model")
    return own / wanted


def segment_patches(frame: Frame, settings: Settings, ready: "Ready") -> np.ndarray:
    """Labels of an image whose patches are at the model's scale."""
    from ...models.predict import predict_store

    store, described = frame.patches(settings.patches), ready.description
    cure = f"patch: {settings.patches}: channels: [...]"
    refuse_other_channels(ready, settings, store.meta.channel_names, cure)
    refuse_other_scale(ready, settings, store.meta)
    tuned = choose_postprocessing(ready, store.meta.pixel_size_um, settings)
    maps = predict_store(
        ready.network, described, store, frame.t, ready.device, settings.batch_size
    )
    named = dict(zip(described.output, maps, strict=True))
    labels = find_instances(named, tuned, spacing_px(store.meta)[-maps[0].ndim :])
    return drop_small(take_nearest(labels, store.meta.source_size), 0)


def load_finder(folder: Path, device: str, batch_size: int) -> "tuple[Ready, str]":
    """The network, and a warning about its device."""
    from ...models.ready import load_ready
    from ...models.whole import Ready

    network, description, chosen, warning = load_ready(folder, device)
    if "foreground" not in description.output:
        raise ConfigError(f"{folder}: finds no objects: its output is {description.output}")
    return Ready(network, description, chosen, batch_size), warning


def refuse_other_channels(ready: "Ready", settings: Settings, names, cure: str) -> None:
    """Raise DataError MODEL_MISMATCH where the model takes another number of channels."""
    if len(names) == len(ready.description.channels):
        return
    where = f"patch set '{settings.patches}' has" if settings.patches else "it was given"
    found = f"{where} {len(names)} ({', '.join(names)})"
    cause = f"model {settings.model} takes {ready.description.wants}; {found}"
    raise DataError("MODEL_MISMATCH", f"{cause}; choose them, in this order, with {cure}")


def refuse_other_scale(ready: "Ready", settings: Settings, store: Meta) -> None:
    """Raise DataError MODEL_MISMATCH where the patches have another pixel size."""
    wanted, found = ready.description.pixel_size_um, store.pixel_size_um
    if wanted and found and abs(found / wanted - 1) > SCALE_TOLERANCE:
        name = settings.patches
        cause = f"model {settings.model} is for pixels of {wanted:g} µm; patch set '{name}' has {found:g} µm"
        raise DataError("MODEL_MISMATCH", f"{cause}; set patch: {name}: pixel_size_um: {wanted:g}")


def choose_postprocessing(
    ready: "Ready", um_per_px: float | None, settings: Settings
) -> InstanceSettings:
    """The model's tuned values, and the user's above them."""
    tuned = load(
        InstanceSettings, ready.description.postprocessing, f"{settings.model}: postprocessing"
    )
    if settings.foreground_threshold is not None:
        tuned = replace(tuned, foreground_threshold=settings.foreground_threshold)
    if settings.min_distance_um is not None:
        px = settings.min_distance_um / (um_per_px or 1.0)
        tuned = replace(tuned, min_distance_px=px)
    return tuned


def spacing_px(store: Meta) -> tuple[float, float, float]:
    """Size of a voxel (z, y, x) in pixels of the plane."""
    pixel = store.pixel_size_um or 1.0
    return ((store.z_step_um or pixel) / pixel, 1.0, 1.0)
