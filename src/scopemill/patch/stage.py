"""Patch: image (TCZYX) -> patch store: overlapping windows (C, Z, P, P) with the foreground in them."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ..blocks import sample_scaled
from ..frames import Frame, open_frames
from ..images import as_stack
from ..jobs import Job
from ..patches import LEVELS, Meta, write_patches
from ..pyramid import LARGE_PX
from ..scaling import choose_scale, rescale_window
from ..settings import ChannelName, Fraction, Positive, settings
from ..tiling import Window, cut, tile_origins
from .foreground import OVERVIEW_PX, find_foreground, make_overview, overview_scale

ARTIFACT = "patches/{task}/{image}.h5"
ALIGN = 16  # U-Nets halve their input up to four times: windows on this grid agree with the whole
SAMPLE_PX = 2**20  # per channel, for percentiles


@settings
class Settings:
    """What is cut out, and at which scale."""

    channels: list[ChannelName] | None = None
    """The channels that the model takes, in its order; all when not given."""
    patch_size_px: Annotated[int, Field(ge=32)] = 512
    """Width and height of a patch."""
    overlap_px: Annotated[int, Field(ge=0)] = 64
    """How much neighbours share at least; wider than the objects."""
    pixel_size_um: Positive | None = None
    """The pixel size that the model wants; without it, patches have the image's own."""
    foreground: Literal["auto", "all"] = "auto"
    """Whether empty parts of the image are left out; 'all' keeps everything."""
    min_foreground: Fraction = 0.01
    """Patches with a smaller share of foreground are left out."""

    def __post_init__(self):
        if self.overlap_px > self.patch_size_px // 2:
            raise ValueError(
                f"overlap_px must be at most half of patch_size_px ({self.patch_size_px})"
            )


def carry(job: Job, settings: Settings, method: None = None) -> dict[str, Any]:
    """Cut one image into patches; of its pixels only windows are in memory."""
    with open_frames(job) as opened:
        frames = list(opened)
        meta = frames[0].meta
        names = list(settings.channels or meta.channel_names)
        dtypes = [read_type(frames[0], name) for name in names]
        source = meta.shape[-2:]
        size, pixel_size_um = choose_scale(source, meta.pixel_size_um, settings.pixel_size_um)
        found = [find_places(frame, names, size, settings) for frame in frames]
        origins = np.concatenate([places for places, _ in found])
        percentiles = tuple(measure_percentiles(frames, name, size) for name in names)
        store = Meta(
            (len(frames), len(names), meta.shape[2], *size), source, tuple(names), pixel_size_um,
            meta.z_step_um, settings.patch_size_px, settings.overlap_px, percentiles, job.fingerprint,
        )  # fmt: skip
        patches = cut_all(frames, names, size, origins, settings.patch_size_px)
        write_patches(job.output, store, np.result_type(*dtypes), origins, patches)
    return {
        "n_patches": len(origins),
        "foreground_fraction": round(float(np.mean([share for _, share in found])), 4),
        "pixel_size_um": pixel_size_um,
        "shape": store.image_shape,
    }


def read_type(frame: Frame, name: str) -> np.dtype:
    """Type of a channel's pixels; raises Skip NO_CHANNEL where the image lacks it."""
    return frame.cut(slice(0, 1), slice(0, 1)).channel(name).dtype


def read_window(frame: Frame, name: str, size: tuple[int, int], window: Window) -> np.ndarray:
    """A window of one channel (Z, Y, X) at the store's scale."""
    return rescale_window(
        lambda y, x: as_stack(frame.cut(y, x).channel(name)), frame.size, size, window
    )


def measure_percentiles(
    frames: Sequence[Frame], name: str, size: tuple[int, int]
) -> tuple[float, ...]:
    """Percentiles of one channel at LEVELS, of a sample of all time points."""
    values = [sample(frame, name, size, SAMPLE_PX // len(frames)) for frame in frames]
    return tuple(np.percentile(np.concatenate(values), LEVELS).tolist())


def sample(frame: Frame, name: str, size: tuple[int, int], limit: int) -> np.ndarray:
    """About `limit` voxels of a channel (n,), evenly spread; all of a small image."""
    windows = sample_scaled(frame.size, size)
    n_voxels = frame.meta.shape[2] * sum(
        (y.stop - y.start) * (x.stop - x.start) for y, x in windows
    )
    stride = max(1, int(np.ceil(np.sqrt(n_voxels / max(limit, 1)))))
    parts = (read_window(frame, name, size, one) for one in windows)
    return np.concatenate([part[:, ::stride, ::stride].ravel() for part in parts])


def brightest_value(dtype: np.dtype) -> float:
    """What white light gives."""
    return 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)


def find_places(
    frame: Frame, names: Sequence[str], size: tuple[int, int], settings: Settings
) -> tuple[np.ndarray, float]:
    """Where the patches of one time point are (N, 3: t, y, x), and its share of foreground."""
    mask, scale = None, 1.0
    if settings.foreground != "all":
        mask, scale = map_foreground(frame, names, size, settings)
    kept = choose_origins(size, mask, scale, settings)
    share = 1.0 if mask is None else float(mask.mean())
    return np.column_stack([np.full(len(kept), frame.t, np.int64), kept]), share


def map_foreground(
    frame: Frame, names: Sequence[str], size: tuple[int, int], settings: Settings
) -> tuple[np.ndarray, float]:
    """Foreground of one time point on an overview, and the store's pixels to a pixel of that.

    The margin is an eighth of a patch: then one pixel of foreground, even in the image's corner,
    makes 1 % of a patch.
    """
    if frame.meta.rgb:
        # white is known of the colours, not of the stains that are computed from them
        names = [name for name in names if name in frame.meta.channel_names]
    names = names or frame.meta.channel_names
    brightest = brightest_value(read_type(frame, names[0])) if frame.meta.rgb else None
    overview, scale = look(frame, names, size)
    return find_foreground(overview, brightest, settings.patch_size_px / 8 / scale), scale


def look(frame: Frame, names: Sequence[str], size: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Overview (C, y, x) of at most 1024 px, and the store's pixels to one of its pixels."""
    if max(*size, *frame.size) <= LARGE_PX:
        whole = (slice(0, size[0]), slice(0, size[1]))
        volumes = (read_window(frame, name, size, whole)[None] for name in names)
        return np.concatenate([make_overview(one) for one in volumes]), overview_scale(size)
    found = [frame.overview(name, OVERVIEW_PX) for name in names]
    return np.stack([one for one, _ in found]), found[0][1] * size[0] / frame.size[0]


def choose_origins(
    size: tuple[int, int], mask: np.ndarray | None, scale: float, settings: Settings
) -> np.ndarray:
    """Origins (N, 2) of the patches with enough foreground in a mask whose pixels are `scale` wide."""
    tile = settings.patch_size_px
    align = ALIGN if tile - settings.overlap_px >= ALIGN else 1
    origins = tile_origins(size, tile, settings.overlap_px, align)
    if mask is None:
        return origins
    starts = np.floor(origins / scale).astype(np.int64)
    stops = np.ceil((origins + tile) / scale).astype(np.int64)
    share = [mask[y0:y1, x0:x1].mean() for (y0, x0), (y1, x1) in zip(starts, stops, strict=True)]
    return origins[np.array(share) >= settings.min_foreground]


def cut_all(
    frames: Sequence[Frame],
    names: Sequence[str],
    size: tuple[int, int],
    origins: np.ndarray,
    tile: int,
) -> Iterator[np.ndarray]:
    """The patches (C, Z, P, P), in the order of their origins; mirrored beyond the border."""
    for t, y, x in origins.tolist():
        window = (slice(y, y + tile), slice(x, x + tile))
        volumes = [read_window(frames[t], name, size, window) for name in names]
        yield cut(np.stack(volumes), (0, 0), tile)
