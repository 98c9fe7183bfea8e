"""Network: crops of measured objects -> class and probabilities, by a model folder that `train` made (`classify`).

What is below `certain_from` is called `uncertain`. Of classes that do not exclude each other, all that hold are
named, joined by |, or `none`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ...blocks import list_blocks, sample_scaled
from ...cutouts import cut_around, find_middles, take_planes
from ...errors import DataError
from ...examples import measure_percentiles
from ...frames import Frame
from ...images import as_stack, project
from ...scaling import choose_scale, rescale_window
from ...settings import ChannelName, ConfigError, Fraction, ModelFolder, load, settings
from ...tiling import Window

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
    from ...models.memory import tell

    torch.set_num_threads(max(1, frame.threads))
    network, description, device, warning = load_classifier(Path(settings.model), frame.device)
    frame.note(warning or f"networks run on {device}")
    tell(network, frame.note)
    names, activation = description.output, description.activation
    tuned = load(Decision, description.postprocessing, f"{settings.model}: postprocessing")
    pixels = open_pixels(frame, description, settings)
    middles = find_middles(table) * np.divide(pixels.size, frame.size)
    groups = list(group_by_block(middles, pixels))
    batches = cut_batches(pixels, middles, groups, description, settings.batch_size)
    logits = predict_logits(network, batches, device).reshape(-1, len(names))
    logits[np.concatenate([[], *groups]).astype(np.int64)] = logits.copy()
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


@dataclass(frozen=True)
class Pixels:
    """The channels of a frame at the model's pixel size, read by window."""

    frame: Frame
    names: list[str]
    size: tuple[int, int]  # Y, X
    z: str

    def read(self, window: Window) -> np.ndarray:
        """(C, Z, Y, X) of a window (y, x)."""
        return np.stack([self.read_channel(name, window) for name in self.names])

    def read_channel(self, name: str, window: Window) -> np.ndarray:
        """(Z, Y, X) of a window (y, x)."""

        def look(y: slice, x: slice) -> np.ndarray:
            stack = as_stack(self.frame.cut(y, x).channel(name))
            return as_stack(project(stack, self.z))

        return rescale_window(look, self.frame.size, self.size, window)

    def percentiles(self) -> tuple[tuple[float, ...], ...]:
        """Percentiles (C, LEVELS) of a sample of the frame: all of a small one."""
        windows = sample_scaled(self.frame.size, self.size)
        return tuple(
            measure_percentiles(
                [np.concatenate([self.read_channel(name, one).ravel() for one in windows])]
            )[0]
            for name in self.names
        )


def open_pixels(frame: Frame, description: "Description", settings: Settings) -> Pixels:
    """What the model sees of a frame."""
    meta = frame.meta
    size, _ = choose_scale(meta.shape[-2:], meta.pixel_size_um, description.pixel_size_um)
    return Pixels(frame, choose_channels(frame, description, settings), size, settings.z)


def group_by_block(middles: np.ndarray, pixels: Pixels) -> Iterator[np.ndarray]:
    """Rows of the places (n, 2) that lie in the same block: their crops are cut out of one window."""
    for y, x in list_blocks(pixels.size, pixels.frame.meta.shape[2]):
        inside = (middles >= (y.start, x.start)) & (middles < (y.stop, x.stop))
        rows = np.flatnonzero(inside.all(axis=1))
        if len(rows):
            yield rows


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
    pixels: Pixels,
    middles: np.ndarray,
    groups: Iterable[np.ndarray],
    description: "Description",
    batch_size: int,
) -> Iterator[np.ndarray]:
    """Crops around places (y, x), group by group, scaled as in training: (n, C, [Z,] P, P)."""
    from ...models.predict import scale_grey_values

    own, scaling = description.classifier, description.normalisation
    percentiles = pixels.percentiles() if own.per == "object" else None
    for group in groups:
        window = find_window(middles[group], own.crop_px, pixels.size)
        image = take_planes(pixels.read(window), own.planes)
        origin = [one.start for one in window]
        for start in range(0, len(group), batch_size):
            crops = []
            for middle in middles[group[start : start + batch_size]]:
                crop = cut_around(image, *middle, own.crop_px, origin, pixels.size)
                # a model of whole images knows the light of its crop only
                levels = percentiles or measure_percentiles(crop)
                crops.append(scale_grey_values(crop, levels, scaling))
            x = np.stack(crops)
            yield x[:, :, 0] if own.planes == 1 else x


def find_window(middles: np.ndarray, crop_px: int, size: tuple[int, int]) -> Window:
    """The window (y, x) of an image that holds the crops around these places (n, 2), and what they mirror."""
    around = zip(middles.min(axis=0), middles.max(axis=0), size, strict=True)
    return tuple(
        slice(max(0, int(low) - crop_px - 1), min(n, int(high) + crop_px + 1))
        for low, high, n in around
    )


def load_classifier(folder: Path, device: str) -> tuple[Any, "Description", Any, str]:
    """Network, description, device and a warning about it."""
    from ...models.ready import load_ready

    loaded = load_ready(folder, device)
    if loaded[1].classifier is None:
        cure = "choose a model that was trained with method: {name: classify}"
        raise ConfigError(f"{folder}: gives no classes, but {loaded[1].output}; {cure}")
    return loaded
