"""U-Net spots: a channel, 2-D or 3-D -> points: the maxima of a network's heat map, to a part of a voxel.

The network sees grey values less the background around them, in units of the noise there, so that neither camera nor
exposure matter; `models/particles` is such a one, the training method `spots` makes others.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from ...blocks import list_blocks
from ...frames import Frame
from ...images import as_stack
from ...settings import (
    ChannelName,
    ConfigError,
    Fraction,
    ModelFolder,
    Positive,
    SegmentTask,
    settings,
)
from ...spots import Peaks, keep_highest, margin_px, to_probability
from ...tiling import Window
from ..spots import check_channels, detect_each, measure_spots

if TYPE_CHECKING:
    import pandas as pd

    from ...models.whole import Ready

USES_GPU = True
USUAL_PX = 1.5  # sigma of a spot of which nothing is said
PLANES = 1.0  # the same along z, in planes
SAME_PX = 0.5  # spots of two blocks nearer than this are one
TOLERANCE = 0.15  # pixel sizes that differ by less are near enough
PARTS = 4  # scales are multiples of 1 / 4: blocks begin at whole pixels of both


@settings
class Settings:
    """The model, what it looks at, and what of its post-processing is changed."""

    model: ModelFolder
    """A model folder trained by `spots`, such as models/particles."""
    channel: ChannelName | None = None
    """The channel that shows the spots."""
    channels: list[ChannelName] | None = None
    """Instead: several channels, each looked at by itself; the column `channel` says where a spot was found."""
    threshold: Fraction | None = None
    """Lower finds more, and more that is none; without it, the value tuned for the model."""
    min_snr: Annotated[float, Field(ge=0)] = 0.0
    """Spots that stand out less (column `snr`) are left out: dim ones that the network is right to see, but nobody counts."""
    min_distance_um: Positive | None = None
    """Of spots nearer than this, the surest stays; without it, as the model can tell them apart."""
    spot_sigma_um: Positive | None = None
    """Width (sigma) of a spot in the plane, where it is much wider or narrower than those that the model knows: the image is rescaled."""
    within: SegmentTask | None = None
    """Assign each spot to the object of this segment task in which it lies (0: none)."""
    max_distance_um: Annotated[float, Field(ge=0)] = 0.0
    """Spots so far outside an outline still belong to the object."""
    batch_size: Annotated[int, Field(ge=1)] = 4
    """Windows of 512 px that the network sees at once: fewer need less memory."""


def check(settings: Settings, channels: Mapping[str, Any]) -> None:
    """One way to name channels."""
    check_channels(settings, channels)


def detect(frame: Frame, settings: Settings) -> "pd.DataFrame":
    """Columns z, y, x (voxels, and parts of them), channel, intensity, background, snr, probability, and the object."""
    return detect_each(frame, settings, lambda channel: find(frame, channel, settings))


def find(frame: Frame, channel: str, settings: Settings) -> "pd.DataFrame":
    """Spots of one channel, by their place."""
    import pandas as pd

    from ...models.heat import read_peaks
    from ...models.predict import use_threads

    use_threads(frame.threads)
    ready = load_network(frame, settings)
    peaks = read_peaks(ready.description, Path(settings.model).name)
    zoom = choose_zoom(frame, settings, ready, peaks)
    if settings.threshold is not None:
        peaks = replace(peaks, threshold=settings.threshold)
    blocks = list_blocks(frame.size, frame.meta.shape[2])
    table = pd.concat([find_in(frame, core, channel, settings, ready, peaks, zoom) for core in blocks])  # fmt: skip
    if settings.min_snr:
        table = table[table["snr"] >= settings.min_snr]
    axes = [axis for axis in "zyx" if axis in table]
    apart = np.array(peaks.min_distance_px) / [1, zoom, zoom]
    if settings.min_distance_um:
        apart = settings.min_distance_um / np.array(frame.spacing_um)
    apart = np.maximum(apart, SAME_PX)
    kept = keep_highest(table[axes].to_numpy(), table["probability"].to_numpy(), apart[-len(axes) :])  # fmt: skip
    return table[kept].sort_values(axes, ignore_index=True, kind="stable")


def find_in(
    frame: Frame, core: Window, channel: str, settings: Settings, ready: "Ready", peaks: Peaks, zoom: float
) -> "pd.DataFrame":  # fmt: skip
    """Spots whose place lies in a block, in coordinates of the whole image."""
    import pandas as pd

    from ...models.heat import find_spots, predict_heat
    from ...models.whole import resize

    window = look_around(core, ready, zoom, frame.size)
    image = frame.cut(*window).channel(channel)
    stack = as_stack(image)
    if zoom != 1:
        missing = [(0, 0), *((0, -n % PARTS) for n in stack.shape[1:])]
        padded = np.pad(stack.astype(np.float32), missing, mode="symmetric")
        stack = resize(padded, tuple(round(n * zoom) for n in padded.shape[1:]))
    points, heights = find_spots(predict_heat(ready, stack, peaks.planes), peaks)
    points = np.column_stack([points[:, 0], (points[:, 1:] + 0.5) / zoom - 0.5])
    places = points + np.array([0, *(one.start for one in window)])
    low, high = (np.array([getattr(one, end) for one in core]) for end in ("start", "stop"))
    # those on a seam are found from both sides, which differ by roundings: `find` keeps one
    mine = ((places[:, 1:] > low - 1) & (places[:, 1:] < high)).all(axis=1)
    points, places, heights = points[mine], places[mine], heights[mine]
    voxels = np.rint(points).astype(int).clip(0, np.array(as_stack(image).shape) - 1)
    axes = "zyx"[-image.ndim :]
    columns = dict(zip("zyx", places.T, strict=True))
    columns = {axis: columns[axis] for axis in axes}
    columns |= measure_spots(image, voxels[:, -image.ndim :], spot_sigmas(frame, settings)[-image.ndim :])  # fmt: skip
    return pd.DataFrame(columns | {"probability": to_probability(heights, peaks.calibration)})


def look_around(core: Window, ready: "Ready", zoom: float, size: tuple[int, int]) -> Window:
    """A block and what decides on its spots, begun where the network's coarsest grid and both scales begin."""
    network = ready.network
    seen = margin_px(ready.description.normalisation.local_px) + getattr(network, "halo_px", 0) + 4
    step = PARTS * getattr(network, "size_multiple", (1,))[-1]
    margin = -(-int(np.ceil(seen / zoom)) // step) * step
    return tuple(
        slice(max(0, (one.start - margin) // step * step), min(n, one.stop + margin))
        for one, n in zip(core, size, strict=True)
    )


def choose_zoom(frame: Frame, settings: Settings, ready: "Ready", peaks: Peaks) -> float:
    """How much larger the network has to see the image."""
    wanted, own = ready.description.pixel_size_um, frame.meta.pixel_size_um
    zoom = 1.0
    if settings.spot_sigma_um:
        sigma = settings.spot_sigma_um / frame.um_per_px
        zoom = float(np.clip(sigma, *peaks.sigma_px)) / sigma
    elif wanted and own and abs(own / wanted - 1) > TOLERANCE:
        zoom = own / wanted
    zoom = max(1, round(zoom * PARTS)) / PARTS
    if zoom != 1:
        frame.note(f"seen at {zoom:g} times its size by the model")
    return zoom


def spot_sigmas(frame: Frame, settings: Settings) -> tuple[float, float, float]:
    """Width of a spot in voxels, in which it is measured: z, y, x."""
    plane = settings.spot_sigma_um / frame.um_per_px if settings.spot_sigma_um else USUAL_PX
    return PLANES, plane, plane


def load_network(frame: Frame, settings: Settings) -> "Ready":
    """The network; what there is to say of its device goes into the report."""
    from ...models.memory import tell
    from ...models.ready import load_ready
    from ...models.whole import Ready

    network, description, device, warning = load_ready(Path(settings.model), frame.device)
    if len(getattr(network, "size_multiple", (1, 1))) != 3:
        raise ConfigError(f"model {settings.model}: is no network in 3-D; take one trained by `spots`")  # fmt: skip
    frame.note(warning or f"networks run on {device}")
    tell(network, frame.note)
    return Ready(network, description, device, settings.batch_size)
