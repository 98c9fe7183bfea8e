"""Facts: a row of the sheet and a header -> what of an image decides how much work it is."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..config import Channel
from ..sheet import Row
from ..study import Study
from .headers import Header

OBJECTS_PER_MM2 = 5000.0  # nuclei of dense tissue; cultures have fewer
UNKNOWN_UM = 0.5  # a pixel of unknown size, for counting objects


@dataclass(frozen=True)
class Facts:
    """One converted image, as far as it can be known before it is converted."""

    shape: tuple[int, int, int, int, int]  # TCZYX; C: the study's channels
    itemsize: int
    rgb: bool = False
    channels: tuple[str, ...] = ()  # of the study, that it has
    um_per_px: float | None = None
    tissue: float | None = None
    pieces: str = "rows"

    @property
    def megapixels(self) -> float:
        """Pixel values of all channels, planes and times."""
        t, c, z, y, x = self.shape
        return t * c * z * y * x / 1e6

    @property
    def plane(self) -> int:
        """Pixels of one plane."""
        return self.shape[3] * self.shape[4]

    @property
    def objects(self) -> float:
        """How many objects one time point may hold."""
        um = self.um_per_px or UNKNOWN_UM
        share = 1.0 if self.tissue is None else self.tissue
        return OBJECTS_PER_MM2 * self.plane * um**2 / 1e6 * share


def make_facts(study: Study, row: Row, header: Header) -> Facts:
    """What the study makes of a raw image."""
    channels = find_channels(study.channels, header)
    t, _, z, y, x = header.shape
    size = pixel_size(study, row, header)
    shape = (t, max(1, len(channels)), z, y, x)
    return Facts(shape, header.itemsize, header.rgb, channels, size, header.tissue, header.pieces)


def find_channels(channels: Mapping[str, Channel], header: Header) -> tuple[str, ...]:
    """The study's channels that the file has; all of them where that is not known."""
    if header.guessed:
        return tuple(channels)
    lower = [name.lower() for name in header.names]
    return tuple(name for name, one in channels.items() if is_there(one.source, lower))


def is_there(source: int | str, names: list[str]) -> bool:
    """Whether a channel is in a file, by its index or its name."""
    return 0 <= source < len(names) if isinstance(source, int) else source.lower() in names


def pixel_size(study: Study, row: Row, header: Header) -> float | None:
    """As convert chooses it: the sheet's, else the config's, else the file's."""
    for stated in (row.pixel_size_um, study.config.pixel_size_um):
        if stated == "unknown":
            return None
        if stated:
            return float(stated)
    return header.pixel_size_um
