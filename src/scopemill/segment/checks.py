"""Checks of methods that run a network: what the model takes against what it is given."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from ..patches import Meta
from ..settings import ConfigError
from .sources import SCALE_TOLERANCE

if TYPE_CHECKING:
    from ..models.description import Description


def check_channels_or_patches(settings: Any, channels: Mapping[str, Any]) -> None:
    """Raise ConfigError unless one of both is given."""
    if (settings.channels is None) == (settings.patches is None):
        cure = f"channels: {list(channels)[:1]} for images, patches: <name> for a patch set"
        raise ConfigError(f"channels: give either channels or patches; {cure}")


def refuse_other_channels(
    description: "Description", settings: Any, names: Sequence[str], cure: str
) -> None:
    """Raise DataError MODEL_MISMATCH where the model takes another number of channels."""
    if len(names) == len(description.channels):
        return
    where = f"patch set '{settings.patches}' has" if settings.patches else "it was given"
    found = f"{where} {len(names)} ({', '.join(names)})"
    cause = f"model {settings.model} takes {description.wants}; {found}"
    raise DataError("MODEL_MISMATCH", f"{cause}; choose them, in this order, with {cure}")


def refuse_other_scale(description: "Description", settings: Any, store: Meta) -> None:
    """Raise DataError MODEL_MISMATCH where the patches have another pixel size."""
    wanted, found = description.pixel_size_um, store.pixel_size_um
    if wanted and found and abs(found / wanted - 1) > SCALE_TOLERANCE:
        name = settings.patches
        cause = f"model {settings.model} is for pixels of {wanted:g} µm; patch set '{name}' has {found:g} µm"
        raise DataError("MODEL_MISMATCH", f"{cause}; set patch: {name}: pixel_size_um: {wanted:g}")
