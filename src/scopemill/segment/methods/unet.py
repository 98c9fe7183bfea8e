"""U-Net: an image, or patches of it -> labels, by a network's probability maps and a watershed on them.

Any model folder with a foreground head will do. `channels` names what it looks at, brought to the scale that the network
knows; `patches` names a patch set, for scales that are given, or where slides are read once and looked at often.
With `z: stack` a 2-D network looks at the channels plane by plane, at one scale, and what overlaps is linked.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from ...frames import Frame
from ...instances import drop_small, find_instances
from ...linking import link_planes
from ...scaling import take_nearest
from ...settings import (
    ChannelName,
    Fraction,
    ModelFolder,
    NonNegative,
    PatchSet,
    Positive,
    settings,
)
from ...stitching import Objects
from ..blocks import Answer, Block
from ..checks import check_channels_or_patches, refuse_other_channels
from ..finder import (
    choose_postprocessing,
    choose_zoom,
    is_3d,
    load_finder,
    open_patches,
    spacing_px,
)
from ..sources import (
    ImageSource,
    Known,
    PatchSource,
    find_margin,
    fit_zoom,
    measure_levels,
    predict_blocks,
    read_scaled,
    round_up,
)

USES_GPU = True
NEIGHBOURS = 2  # diameters that neighbouring blocks share
UNKNOWN_PX = 32  # diameter where neither model nor user says one


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
    link_iou: Fraction = 0.3
    """In a stack (`z: stack`), a 2-D network looks at each plane; objects of neighbouring planes that overlap at least so much (intersection over union) are one."""
    link_waist: Fraction = 0.8
    """In a stack: an object whose area falls below this share of what it is above and below is cut there; 0 never cuts."""
    min_height_um: NonNegative = 1.5
    """In a stack: objects seen over less (planes times their distance) are dropped."""
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
    """Labels of one time point at the image's own size: (Y, X), or (Z, Y, X) of a stack, by planes where the network is 2-D."""
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
    if is_3d(ready):
        voxel = tuple(step / frame.um_per_px for step in frame.spacing_um)
        return drop_small(find_objects(ready, image, known.zoom, tuned, voxel), 0)
    planes = [find_objects(ready, plane, known.zoom, tuned) for plane in image.swapaxes(0, 1)]
    if len(planes) == 1:
        return drop_small(planes[0], 0)
    least_planes = math.ceil(round(settings.min_height_um / frame.spacing_um[0], 6))
    return link_planes(np.stack(planes), settings.link_iou, settings.link_waist, least_planes)


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
    context, align = find_margin(ready, zoom)
    return round_up(NEIGHBOURS * known_px / zoom, align), context, align


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
        del maps  # gone before the next block is looked at
        yield labels, (foreground,)
        del labels, foreground


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
