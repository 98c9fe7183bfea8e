"""Network: crops of measured objects -> class and probabilities, by a model folder that `train` made (`classify`).

What is below `certain_from` is called `uncertain`. Of classes that do not exclude each other, all that hold are
named, joined by |, or `none`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ...cutouts import cut_around, find_middles, take_planes
from ...errors import DataError
from ...examples import measure_percentiles
from ...frames import Frame
from ...images import as_stack, project
from ...scaling import choose_scale, rescale
from ...settings import ChannelName, ConfigError, Fraction, ModelFolder, load, settings

if TYPE_CHECKING:
    import pandas as pd

    from ...models.description import Description

USES_GPU = True
UNCERTAIN = "uncertain"


@settings
class Settings:
    """The model, and what it looks at."""

    model: ModelFolder
    """A model folder that gives classes: model.yaml and weights.safetensors."""
    channels: list[ChannelName] | None = None
    """What the model sees, in its order; without it, the channels that the model names."""
    z: Literal["max", "mean", "middle", "stack"] = "max"
    """How planes of a stack are put together, as in training; 'stack' for networks in 3-D."""
    certain_from: Fraction = 0.5
    """Objects whose class is less probable are `uncertain` (where classes exclude each other)."""
    batch_size: Annotated[int, Field(ge=1)] = 64
    """Objects that the network sees at once: fewer need less memory."""


def classify(table: "pd.DataFrame", frame: Frame, settings: Settings) -> dict[str, np.ndarray]:
    """One class a row, its probability, and the probability of every class."""
    import torch

    from ...models.classes import Decision, decide, predict_logits, to_probabilities

    torch.set_num_threads(max(1, frame.threads))
    network, description, device, warning = load_classifier(Path(settings.model), frame.device)
    frame.note(warning or f"networks run on {device}")
    names, activation = description.output, description.activation
    tuned = load(Decision, description.postprocessing, f"{settings.model}: postprocessing")
    pixels = read_pixels(frame, description, settings)
    zoom = np.divide(pixels.shape[-2:], frame.meta.shape[-2:])
    batches = cut_batches(pixels, find_middles(table) * zoom, description, settings.batch_size)
    logits = predict_logits(network, batches, device).reshape(-1, len(names))
    p = to_probabilities(logits, activation, tuned.temperature)
    chosen = np.array(decide(p, names, activation, tuned), dtype=object)
    highest = p.max(axis=1, initial=0.0)
    if activation == "softmax":
        chosen[highest < settings.certain_from] = UNCERTAIN
    columns = {name_column(name): p[:, k] for k, name in enumerate(names)}
    return {"class": chosen, "probability": highest, **columns}


def name_column(name: str) -> str:
    """Column of a class's probability."""
    return "probability_" + re.sub(r"\W+", "_", name)


def read_pixels(frame: Frame, description: "Description", settings: Settings) -> np.ndarray:
    """Channels (C, Z, Y, X) of a frame, at the model's pixel size."""
    meta = frame.meta
    size, _ = choose_scale(meta.shape[-2:], meta.pixel_size_um, description.pixel_size_um)
    names = choose_channels(frame, description, settings)
    stacks = [project(as_stack(frame.channel(name)), settings.z) for name in names]
    return np.stack([[rescale(plane, size) for plane in as_stack(one)] for one in stacks])


def choose_channels(frame: Frame, description: "Description", settings: Settings) -> list[str]:
    """Names of what the model sees.

    Raises
    ------
    DataError
        MODEL_MISMATCH where their number is not the model's, or the image has none of these names.
    """
    takes = f"model {settings.model} takes {description.wants}"
    wanted = settings.channels
    if wanted is None:
        wanted = [one.name or one.role for one in description.channels]
        lacking = [name for name in wanted if name not in frame.channel_names]
        if lacking:
            cause = f"the image has no channel '{lacking[0]}', but {', '.join(frame.channel_names)}"
            cure = "choose them, in this order, with method: channels: [...]"
            raise DataError("MODEL_MISMATCH", f"{takes}; {cause}; {cure}")
    if len(wanted) != len(description.channels):
        cause = f"method: channels names {len(wanted)} ({', '.join(wanted)})"
        raise DataError("MODEL_MISMATCH", f"{takes}; {cause}; name as many, in this order")
    return list(wanted)


def cut_batches(
    pixels: np.ndarray, middles: np.ndarray, description: "Description", batch_size: int
) -> Iterator[np.ndarray]:
    """Crops around places (y, x) of an image (C, Z, Y, X), scaled as in training: (n, C, [Z,] P, P)."""
    from ...models.predict import scale_grey_values

    own, scaling = description.classifier, description.normalisation
    image = take_planes(pixels, own.planes)
    percentiles = measure_percentiles(pixels) if own.per == "object" else None
    for start in range(0, len(middles), batch_size):
        crops = []
        for middle in middles[start : start + batch_size]:
            crop = cut_around(image, *middle, own.crop_px)
            # a model of whole images knows the light of its crop only
            levels = percentiles or measure_percentiles(crop)
            crops.append(scale_grey_values(crop, levels, scaling))
        x = np.stack(crops)
        yield x[:, :, 0] if own.planes == 1 else x


def load_classifier(folder: Path, device: str) -> tuple[Any, "Description", Any, str]:
    """Network, description, device and a warning about it."""
    from ...models.ready import load_ready

    loaded = load_ready(folder, device)
    if loaded[1].classifier is None:
        cure = "choose a model that was trained with method: {name: classify}"
        raise ConfigError(f"{folder}: gives no classes, but {loaded[1].output}; {cure}")
    return loaded
