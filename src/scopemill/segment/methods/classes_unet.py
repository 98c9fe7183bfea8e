"""Classes by U-Net: an image of any size -> classes of its pixels (semantic segmentation), tissue types for instance.

The model's outputs exclude each other, background the first. Each pixel takes the class that is the most probable, or
the most so for its threshold. Tiles overlap by all that the network looks at, so that they give what the whole would.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from ...class_images import decide, fill_small, reach_px
from ...frames import Frame
from ...scaling import take_nearest
from ...settings import ChannelName, ConfigError, ModelFolder, NonNegative, nearest, settings
from ..blocks import Answer, Block
from ..checks import refuse_other_channels
from ..finder import load_network
from ..sources import (
    ImageSource,
    Known,
    find_margin,
    fit_zoom,
    measure_levels,
    predict_blocks,
    round_up,
    zoom_to_pixel_size,
)

if TYPE_CHECKING:
    from ...models.whole import Ready

OUTPUT = "classes"
USES_GPU = True


@settings
class Settings:
    """The model, what it looks at, and what is made of its probabilities."""

    model: ModelFolder
    """A model folder whose output are classes: background, ..."""
    channels: list[ChannelName]
    """The channels that the model takes, in its order."""
    thresholds: dict[str, Annotated[float, Field(gt=0, lt=1)]] = dataclasses.field(
        default_factory=dict
    )
    """Class -> probability that counts as much as 0.5 of another; without it, the value tuned for the model. Lower takes more."""
    min_hole_um2: NonNegative = 0.0
    """Parts of the background smaller than this take the class around them."""
    min_island_um2: NonNegative = 0.0
    """Parts of the other classes smaller than this take the class around them."""
    batch_size: Annotated[int, Field(ge=1)] = 8
    """Tiles of 512 px that the network sees at once: fewer need less memory."""


def class_names(settings: Settings) -> tuple[str, ...]:
    """What the values 0, 1, 2, ... mean."""
    from ...models.description import read_description

    return tuple(read_description(Path(settings.model)).output)


def survey(frame: Frame, settings: Settings) -> Known:
    """Grey values and scale of a large image, at which blocks of it fit together."""
    known = look_over(frame, settings)
    return dataclasses.replace(known, zoom=fit_zoom(known.zoom))


def look_over(frame: Frame, settings: Settings) -> Known:
    """Grey values of an image, and the scale at which the network sees it."""
    ready = load_classes(frame, settings)
    refuse_other_channels(ready.description, settings, settings.channels, "channels: [...]")
    zoom = zoom_to_pixel_size(frame, ready, settings.model)
    return Known(measure_levels(frame, settings.channels), zoom)


def margin_px(frame: Frame, settings: Settings) -> tuple[int, int, int]:
    """What the network and the rules of holes and islands look at."""
    ready = load_classes(frame, settings)
    looks, align = find_margin(ready, frame.known.zoom)
    return round_up(reach_px(*limits_px(frame, settings)), align), looks, align


def segment(frame: Frame, settings: Settings) -> np.ndarray:
    """Classes (Y, X), uint8, of a frame that is in memory."""
    if frame.known is None:
        frame = dataclasses.replace(frame, known=look_over(frame, settings))
    whole = frame.window
    classes, _ = next(segment_blocks(frame, [(whole, whole)], settings))
    return classes


def segment_blocks(frame: Frame, blocks: Iterable[Block], settings: Settings) -> Iterator[Answer]:
    """Classes of each block."""
    ready = load_classes(frame, settings)
    source = ImageSource(frame, settings.channels, frame.known, ready.description.normalisation)
    outputs = ready.description.output
    thresholds = {**ready.description.postprocessing.get("thresholds", {}), **settings.thresholds}
    for (_, answer), maps in predict_blocks(ready, source, blocks, frame.threads):
        size = tuple(one.stop - one.start for one in answer)
        found = take_nearest(decide(maps, outputs, thresholds), size)
        del maps  # gone before the next block is looked at
        yield fill_small(found, *limits_px(frame, settings)), ()


def limits_px(frame: Frame, settings: Settings) -> tuple[float, float]:
    """The smallest hole and island in pixels."""
    area = frame.um_per_px**2
    return settings.min_hole_um2 / area, settings.min_island_um2 / area


def load_classes(frame: Frame, settings: Settings) -> "Ready":
    """A network that gives classes of pixels."""
    ready = load_network(frame, settings)
    output = ready.description.output
    if output[0] != "background" or ready.description.classifier:
        cause = f"{Path(settings.model)}: gives no classes of pixels, but {output}"
        raise ConfigError(f"{cause}; choose a model that was trained by the method semantic")
    return ready


def check(settings: Settings, channels: Mapping[str, Any]) -> None:
    """The model's classes are there."""
    try:
        names = class_names(settings)
    except ValueError:
        return  # the folder is not there, which is said elsewhere
    for name in settings.thresholds:
        if name not in names:
            raise ConfigError(f"thresholds: there is no class '{name}'{nearest(name, names)}")
