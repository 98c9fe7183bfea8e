"""Patch: image (TCZYX) -> patch store: overlapping windows (C, Z, P, P) with the foreground in them."""

import functools
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ..images import Image
from ..jobs import Job
from ..patches import LEVELS, Meta, write_patches
from ..scaling import choose_scale, rescale
from ..settings import ChannelName, Fraction, Positive, settings
from ..tiling import cut, tile_origins
from .foreground import find_foreground, make_overview, overview_scale

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
    """Cut one image into patches; twice through its time points, of which one is in memory."""
    with Image(job.inputs["convert"]) as image:
        channels = [image.index(one) for one in settings.channels or image.meta.channel_names]
        source = image.meta.shape[-2:]
        size, pixel_size_um = choose_scale(source, image.meta.pixel_size_um, settings.pixel_size_um)

        @functools.lru_cache(maxsize=1)
        def read(t: int) -> np.ndarray:
            return read_volume(image, channels, t, size)

        n_times = image.meta.shape[0]
        brightest = brightest_value(image.dtype) if image.meta.rgb else None
        origins, share, percentiles = survey(read, n_times, brightest, settings)
        meta = Meta(
            (n_times, len(channels), image.meta.shape[2], *size), source,
            tuple(image.meta.channel_names[c] for c in channels), pixel_size_um, image.meta.z_step_um,
            settings.patch_size_px, settings.overlap_px, percentiles, job.fingerprint,
        )  # fmt: skip
        patches = cut_all(read, origins, settings.patch_size_px)
        write_patches(job.output, meta, image.dtype, origins, patches)
    return {
        "n_patches": len(origins),
        "foreground_fraction": round(share, 4),
        "pixel_size_um": pixel_size_um,
        "shape": meta.image_shape,
    }


def read_volume(image: Image, channels: list[int], t: int, size: tuple[int, int]) -> np.ndarray:
    """One time point (C, Z, Y, X) at the store's scale."""
    n_planes = image.meta.shape[2]
    volume = np.empty((len(channels), n_planes, *size), image.dtype)
    for i, c in enumerate(channels):
        for z in range(n_planes):
            volume[i, z] = rescale(image.plane(t, c, z), size)
    return volume


def brightest_value(dtype: np.dtype) -> float:
    """What white light gives."""
    return 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)


def survey(
    read: Callable[[int], np.ndarray], n_times: int, brightest: float | None, settings: Settings
) -> tuple[np.ndarray, float, tuple[tuple[float, ...], ...]]:
    """Where patches are (N, 3: t, y, x), the share of foreground, percentiles per channel."""
    origins, shares, samples = [], [], []
    for t in range(n_times):
        volume = read(t)
        samples.append(sample(volume, SAMPLE_PX // n_times))
        mask = None if settings.foreground == "all" else map_foreground(volume, brightest, settings)
        shares.append(1.0 if mask is None else float(mask.mean()))
        kept = choose_origins(volume.shape[-2:], mask, settings)
        origins.append(np.column_stack([np.full(len(kept), t, np.int64), kept]))
    values = np.concatenate(samples, axis=1)
    percentiles = tuple(tuple(np.percentile(one, LEVELS).tolist()) for one in values)
    return np.concatenate(origins), float(np.mean(shares)), percentiles


def sample(volume: np.ndarray, limit: int) -> np.ndarray:
    """About `limit` voxels of each channel (C, n), evenly spread; all of a small volume."""
    stride = max(1, int(np.ceil(np.sqrt(volume[0].size / max(limit, 1)))))
    return volume[:, :, ::stride, ::stride].reshape(len(volume), -1)


def map_foreground(volume: np.ndarray, brightest: float | None, settings: Settings) -> np.ndarray:
    """Foreground of one time point, on its overview.

    The margin is an eighth of a patch: then one pixel of foreground, even in the image's corner,
    makes 1 % of a patch.
    """
    margin_px = settings.patch_size_px / 8 / overview_scale(volume.shape[-2:])
    return find_foreground(make_overview(volume), brightest, margin_px)


def choose_origins(
    size: tuple[int, int], mask: np.ndarray | None, settings: Settings
) -> np.ndarray:
    """Origins (N, 2) of the patches with enough foreground."""
    tile, scale = settings.patch_size_px, overview_scale(size)
    align = ALIGN if tile - settings.overlap_px >= ALIGN else 1
    origins = tile_origins(size, tile, settings.overlap_px, align)
    if mask is None:
        return origins
    share = [
        mask[y // scale : -(-(y + tile) // scale), x // scale : -(-(x + tile) // scale)].mean()
        for y, x in origins
    ]
    return origins[np.array(share) >= settings.min_foreground]


def cut_all(read: Callable, origins: np.ndarray, tile: int) -> Iterator[np.ndarray]:
    """The patches, in the order of their origins."""
    for t, y, x in origins.tolist():
        yield cut(read(t), (y, x), tile)
