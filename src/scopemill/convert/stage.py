"""Convert: raw file (any vendor) -> tiled OME-TIFF (TCZYX), channels by name, pixel size known, values checked."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ..config import Channel, Staining
from ..errors import DataError
from ..images import Image, Meta, write_image
from ..jobs import Job
from ..quality import measure_quality
from ..readers import Raw, open_raw
from ..settings import Method, Positive, settings
from ..stains import Stains
from .pieces import Pieces
from .staining import find_stains

ARTIFACT = "images/{image}.ome.tif"
FINDS_BY_NAME = ("readers",)


@settings
class Settings:
    """How raw files are read."""

    channels: dict[str, Channel]
    """The study's channels."""
    stains: Staining | None = None
    """What sections are stained with."""
    pixel_size_um: Positive | Literal["unknown"] | None = None
    """Pixel size for files (and sheet rows) that do not say it."""
    z_step_um: Positive | None = None
    """Plane distance for files (and sheet rows) that do not say it."""
    checksums: bool = False
    """Tell a replaced raw file by its content."""
    plausible_um: tuple[Positive, Positive] = (0.0005, 20.0)
    """Pixel sizes outside this range are taken for an error of the file."""
    allow_flat: bool = False
    """Accept images in which all pixels have one value (empty slides)."""
    max_gigapixels: Annotated[float, Field(gt=0)] = 64.0
    """Refuse files whose header claims more (all channels, planes and times together)."""


def carry(job: Job, settings: Settings, method: Method | None) -> dict[str, Any]:
    """Write the artifact of one raw file; say what was found."""
    path = Path(job.row.path)
    with open_raw(path, job.row.scene or None, int(settings.max_gigapixels * 1e9)) as raw:
        chosen = choose_channels(settings.channels, raw.channel_names, path)
        pixel_size_um, source = choose_pixel_size(
            job.row.pixel_size_um, settings, raw.pixel_size_um, path
        )
        z_step_um = float(job.row.z_step_um or 0) or settings.z_step_um or raw.z_step_um
        colour = raw.rgb and list(chosen.values()) == [0, 1, 2]
        shape = (raw.shape[0], len(chosen), *raw.shape[2:])
        stains = choose_stains(raw, settings, colour, job)
        meta = Meta(
            shape, tuple(chosen), pixel_size_um, z_step_um, colour, job.fingerprint, stains=stains
        )
        pieces = Pieces(raw, list(chosen.values()), colour)
        write_image(job.output, meta, raw.dtype, pieces.read)
    low, high = pieces.low, pieces.high
    flat = [name for name, index in chosen.items() if low[index] == high[index]]
    if len(flat) == len(chosen) and not settings.allow_flat:
        raise DataError(
            "FLAT", f"{path.name}: every pixel is {min(low.values()):g}; was the shutter closed?"
        )
    return {
        "shape": shape, "dtype": str(raw.dtype), "format": raw.format, "pixel_size_um": pixel_size_um,
        "pixel_size_from": source, "z_step_um": z_step_um, "flat_channels": flat,
        "range": {name: [low[index], high[index]] for name, index in chosen.items()},
        "quality": measure_quality(job.output),
        **({"stains": asdict(stains)} if stains else {}),
    }  # fmt: skip


def read_facts(path: Path) -> dict[str, Any]:
    """What an artifact still tells when the record of how it was made is lost."""
    with Image(path) as image:
        return {
            "shape": image.meta.shape,
            "pixel_size_um": image.meta.pixel_size_um,
            "z_step_um": image.meta.z_step_um,
            "quality": measure_quality(path),
        }


def choose_stains(raw: Raw, settings: Settings, colour: bool, job: Job) -> Stains | None:
    """What the picture is stained with.

    Raises
    ------
    DataError
        CHANNELS where the artifact will hold no colours to take apart.
    """
    stains = find_stains(raw, settings.stains, job.notes.append)
    if stains and not colour:
        raise DataError(
            "CHANNELS",
            f"{raw.path.name}: stains are taken from all three colours; name them in `channels`, in the order "
            "of the file (red: 0, green: 1, blue: 2)",
        )
    return stains


def choose_channels(
    channels: dict[str, Channel], names: tuple[str, ...], path: Path
) -> dict[str, int]:
    """Channel name -> index in the file; optional ones may be absent.

    Raises
    ------
    DataError
        CHANNELS when a required channel is not there.
    """
    chosen = {}
    for name, channel in channels.items():
        index = find_channel(channel.source, names)
        if index is not None:
            chosen[name] = index
        elif channel.required:
            raise DataError(
                "CHANNELS",
                f"{path.name}: no channel {channel.source!r} for '{name}'; the file has {list(names)}. "
                "Correct `channels` in the config, or set `required: false` there",
            )
    if not chosen:
        raise DataError(
            "CHANNELS", f"{path.name}: none of the study's channels is among {list(names)}"
        )
    return chosen


def find_channel(source: int | str, names: tuple[str, ...]) -> int | None:
    """Index by number, by exact name, or by name in other case."""
    if isinstance(source, int):
        return source if 0 <= source < len(names) else None
    for candidates, wanted in ((names, source), ([name.lower() for name in names], source.lower())):
        if wanted in candidates:
            return list(candidates).index(wanted)
    return None


def choose_pixel_size(
    stated: str, settings: Settings, claimed: tuple[float, float] | None, path: Path
) -> tuple[float | None, str]:
    """Pixel size and where it is from: the sheet, else the config, else the file.

    Raises
    ------
    DataError
        PIXEL_SIZE when nobody says it, or when it cannot be that of a microscope.
    """
    for value, source in ((stated, "sheet"), (settings.pixel_size_um, "config")):
        if value == "unknown":
            return None, source
        if value:
            return check_plausible(float(value), settings, path, source), source
    if claimed is None:
        raise DataError(
            "PIXEL_SIZE",
            f"{path.name}: the file does not say its pixel size; add it to the sheet (column pixel_size_um) "
            "or the config, or state `pixel_size_um: unknown` to work in pixels",
        )
    if abs(claimed[0] / claimed[1] - 1) > 0.01:
        raise DataError(
            "PIXEL_SIZE", f"{path.name}: pixels of {claimed} um are not square; resample the image"
        )
    return check_plausible(claimed[0], settings, path, "file"), "file"


def check_plausible(value: float, settings: Settings, path: Path, source: str) -> float:
    """The value itself, if it can be a microscope's."""
    low, high = settings.plausible_um
    if not low <= value <= high:
        raise DataError(
            "PIXEL_SIZE",
            f"{path.name}: {value:g} um a pixel (from the {source}) is outside {low:g} to {high:g} um; "
            "correct column pixel_size_um of the sheet, or widen `convert: plausible_um`",
        )
    return value
