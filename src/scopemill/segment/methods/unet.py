"""U-Net: an image, or patches of it -> labels, by a network's probability maps and a watershed on them.

Any model folder with a foreground head will do. `channels` names what it looks at, brought to the scale that the network
knows; `patches` names a patch set, for scales that are given, or where slides are read once and looked at often.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from ...frames import Frame
from ...instances import Settings as InstanceSettings
from ...instances import drop_small, find_instances
from ...scaling import take_nearest
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
from ...stitching import Objects
from ..blocks import Answer, Block
from ..checks import check_channels_or_patches, refuse_other_channels, refuse_other_scale
from ..sources import (
    ImageSource,
    Known,
    PatchSource,
    find_align,
    fit_zoom,
    measure_levels,
    predict_blocks,
    read_scaled,
    round_up,
    zoom_to_pixel_size,
)

if TYPE_CHECKING:
    from ...models.whole import Ready

USES_GPU = True
NEIGHBOURS = (
    2  # diameters: what of a neighbouring block an object may reach into and still be known
)
UNKNOWN_PX = 32  # diameter where neither model nor user says one
LOOK_PX = 1024  # of a large image, where objects are measured


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
    """Patches of 512 px that the network sees at once: fewer need less memory."""


def check(settings: Settings, channels: Mapping[str, Any]) -> None:
    """Either channels or patches."""
    check_channels_or_patches(settings, channels)


def survey(frame: Frame, settings: Settings) -> Known | None:
    """Grey values and scale of a large image, at which blocks of it fit together; a patch set brings its own."""
    if settings.patches is not None:
        return None
    known = look_over(frame, settings)
    return replace(known, zoom=fit_zoom(known.zoom))


def look_over(frame: Frame, settings: Settings) -> Known:
    """Grey values of an image, and the scale at which the network sees it."""
    ready = load_finder(frame, settings)
    refuse_other_channels(ready.description, settings, settings.channels, "channels: [...]")
    known = Known(measure_levels(frame, settings.channels))
    if is_3d(ready):
        return known
    return replace(known, zoom=choose_zoom(frame, settings, ready, known))


def segment(frame: Frame, settings: Settings) -> np.ndarray:
    """Labels of one time point at the image's own size: (Y, X), or (Z, Y, X) by a 3-D network."""
    from ...models.predict import predict_store, use_threads
    from ...models.whole import find_objects

    use_threads(frame.threads)
    ready = load_finder(frame, settings)
    if settings.patches is not None:
        store = open_patches(frame, settings, ready)
        tuned = choose_postprocessing(ready, store.meta.pixel_size_um, settings)
        maps = predict_store(
            ready.network, ready.description, store, frame.t, ready.device, settings.batch_size
        )
        named = dict(zip(ready.description.output, maps, strict=True))
        labels = find_instances(named, tuned, spacing_px(store.meta)[-maps[0].ndim :])
        return drop_small(take_nearest(labels, store.meta.source_size), 0)
    known = look_over(frame, settings) if frame.known is None else frame.known
    tuned = choose_postprocessing(ready, frame.meta.pixel_size_um, settings)
    image = read_scaled(frame, settings.channels, known, ready.description.normalisation)
    if not is_3d(ready):
        image = image.max(axis=1)
    return drop_small(find_objects(ready, image, known.zoom, tuned), 0)


def grid(frame: Frame, settings: Settings) -> tuple[int, int]:
    """Size (Y, X) in which objects are found: that of the patch set."""
    if settings.patches is None:
        return frame.size
    return frame.patches(settings.patches).meta.image_shape[-2:]


def margin_px(frame: Frame, settings: Settings) -> tuple[int, int, int] | None:
    """What neighbouring blocks share, what the network looks at beyond, and where blocks may begin."""
    ready = load_finder(frame, settings)
    if is_3d(ready):
        return None
    known_px = ready.description.object_diameter_px or UNKNOWN_PX
    if settings.patches is not None:
        return round_up(NEIGHBOURS * known_px, 1), 0, 1
    zoom = frame.known.zoom
    align = find_align(zoom, getattr(ready.network, "size_multiple", (1,))[-1])
    context = getattr(ready.network, "halo_px", 0) / zoom + (zoom != 1) * (2 + 2 / zoom)
    return round_up(NEIGHBOURS * known_px / zoom, align), round_up(context, align), align


def segment_blocks(frame: Frame, blocks: Iterable[Block], settings: Settings) -> Iterator[Answer]:
    """Labels of each block, nothing dropped, and the map of foreground where objects are judged by it."""
    from ...models.whole import cut_objects

    ready = load_finder(frame, settings)
    if settings.patches is not None:
        store = open_patches(frame, settings, ready)
        source, zoom, um = PatchSource(store, frame.t), 1.0, store.meta.pixel_size_um
    else:
        source = ImageSource(frame, settings.channels, frame.known, ready.description.normalisation)
        zoom, um = frame.known.zoom, frame.meta.pixel_size_um
    tuned = choose_postprocessing(ready, um, settings)
    undropped = replace(tuned, min_area_px=0, min_probability=0.0)
    outputs = ready.description.output
    for (_, answer), maps in predict_blocks(ready, source, blocks, frame.threads):
        size = tuple(one.stop - one.start for one in answer)
        labels = cut_objects(outputs, maps, size, zoom, undropped)
        foreground = take_nearest(maps[outputs.index("foreground")], size)
        yield labels, (foreground,)


def keep(objects: Objects, frame: Frame, settings: Settings) -> np.ndarray:
    """Objects that are large and sure enough, judged when their pieces are together."""
    ready = load_finder(frame, settings)
    um = frame.meta.pixel_size_um
    if settings.patches is not None:
        um = frame.patches(settings.patches).meta.pixel_size_um
    tuned = choose_postprocessing(ready, um, settings)
    zoom = 1.0 if frame.known is None else frame.known.zoom
    kept = objects.areas >= max(1, tuned.min_area_px / zoom**2)
    if tuned.min_probability > tuned.foreground_threshold:
        kept &= objects.sums[0] / objects.areas >= tuned.min_probability
    return kept


def choose_zoom(frame: Frame, settings: Settings, ready: "Ready", known: Known) -> float:
    """How much larger the network has to see the image."""
    from ...models.whole import estimate_diameter

    diameter_px = ready.description.object_diameter_px
    if not diameter_px:
        return zoom_to_pixel_size(frame, ready, settings.model)
    if settings.diameter_um:
        return diameter_px * (frame.meta.pixel_size_um or 1.0) / settings.diameter_um
    part = frame.cut(*find_brightest(frame, settings.channels[0]))
    image = read_scaled(part, settings.channels, known, ready.description.normalisation)
    tuned = choose_postprocessing(ready, frame.meta.pixel_size_um, settings)
    diameter = estimate_diameter(ready, image.max(axis=1), tuned)
    frame.note(f"objects were taken to be {diameter:.0f} pixels wide (estimated)")
    return diameter_px / diameter


def find_brightest(frame: Frame, channel: str) -> tuple[slice, slice]:
    """The whole of an image of ordinary size, else the window with the most light."""
    from scipy.ndimage import uniform_filter

    if max(frame.size) <= 2 * LOOK_PX:
        return frame.window
    overview, scale = frame.overview(channel)
    light = uniform_filter(overview.astype(np.float32), max(1, round(LOOK_PX / scale)))
    middle = np.unravel_index(int(light.argmax()), light.shape)
    starts = [
        int(np.clip(m * scale - LOOK_PX // 2, 0, max(0, n - LOOK_PX)))
        for m, n in zip(middle, frame.size, strict=True)
    ]
    return tuple(slice(start, start + LOOK_PX) for start in starts)


def load_finder(frame: Frame, settings: Settings) -> "Ready":
    """The network; what there is to say of its device goes into the report."""
    from ...models.ready import load_ready
    from ...models.whole import Ready

    folder = Path(settings.model)
    network, description, device, warning = load_ready(folder, frame.device)
    if "foreground" not in description.output:
        raise ConfigError(f"{folder}: finds no objects: its output is {description.output}")
    frame.note(warning or f"networks run on {device}")
    return Ready(network, description, device, settings.batch_size)


def open_patches(frame: Frame, settings: Settings, ready: "Ready") -> Any:
    """The patch set, if it is what the model wants."""
    store = frame.patches(settings.patches)
    cure = f"patch: {settings.patches}: channels: [...]"
    refuse_other_channels(ready.description, settings, store.meta.channel_names, cure)
    refuse_other_scale(ready.description, settings, store.meta)
    return store


def is_3d(ready: "Ready") -> bool:
    """Whether the network looks at stacks."""
    return len(getattr(ready.network, "size_multiple", (1, 1))) == 3


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
        tuned = replace(tuned, min_distance_px=settings.min_distance_um / (um_per_px or 1.0))
    return tuned


def spacing_px(store: Any) -> tuple[float, float, float]:
    """Size of a voxel (z, y, x) in pixels of the plane."""
    pixel = store.pixel_size_um or 1.0
    return ((store.z_step_um or pixel) / pixel, 1.0, 1.0)
