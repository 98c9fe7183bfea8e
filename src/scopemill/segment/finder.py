"""Finder: a model that finds objects, and what it needs to know of an image: scale, patch set, post-processing.

`settings` are those of the method `unet`; `load_network` serves those of any method.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..frames import Frame
from ..instances import Settings as InstanceSettings
from ..settings import ConfigError, load
from .checks import refuse_other_channels, refuse_other_scale
from .sources import Known, read_scaled, zoom_to_pixel_size

if TYPE_CHECKING:
    from ..models.whole import Ready

LOOK_PX = 1024  # of a large image, where objects are measured


def choose_zoom(frame: Frame, settings: Any, ready: "Ready", known: Known) -> float:
    """How much larger the network has to see the image."""
    from ..models.diameter import estimate_diameter

    diameter_px = ready.description.object_diameter_px
    if not diameter_px:
        return zoom_to_pixel_size(frame, ready, settings.model)
    if settings.diameter_um:
        return diameter_px * (frame.meta.pixel_size_um or 1.0) / settings.diameter_um
    part = frame.cut(*find_brightest(frame, settings.channels[0]))
    image = read_scaled(part, settings.channels, known, ready.description.normalisation)
    tuned = choose_postprocessing(ready, frame.meta.pixel_size_um, settings)
    # in a stack of a crowd, a projection shows heaps, a plane shows objects
    brightest = int(image.mean(axis=(0, 2, 3)).argmax())
    diameter = estimate_diameter(ready, image[:, brightest], tuned)
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


def load_network(frame: Frame, settings: Any) -> "Ready":
    """The network; what there is to say of its device goes into the report."""
    from ..models.memory import tell
    from ..models.ready import load_ready
    from ..models.whole import Ready

    network, description, device, warning = load_ready(Path(settings.model), frame.device)
    frame.note(warning or f"networks run on {device}")
    tell(network, frame.note)
    return Ready(network, description, device, settings.batch_size)


def load_finder(frame: Frame, settings: Any) -> "Ready":
    """A network that finds objects."""
    ready = load_network(frame, settings)
    output = ready.description.output
    if "foreground" not in output:
        raise ConfigError(f"{Path(settings.model)}: finds no objects: its output is {output}")
    return ready


def open_patches(frame: Frame, settings: Any, ready: "Ready") -> Any:
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
    ready: "Ready", um_per_px: float | None, settings: Any
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
