"""Sources: what a network looks at, window by window -> its probability maps: an image at the network's scale, or a patch set.

Windows and maps are in pixels of the source's grid: those of the image, or of the patch set.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from ..frames import Frame
from ..images import as_stack
from ..patches import Patches
from ..pipeline import ahead
from ..scaling import FINEST, find_step
from ..tiling import Window, within
from .blocks import Block

if TYPE_CHECKING:
    from ..models.whole import Ready

SCALE_TOLERANCE = 0.1  # networks are trained with at least so much variation of size
FITTING = ((1.0, 4), (0.4, 8), (0.2, 16), (0.0, 32))  # zooms from ... on are multiples of 1 / ...


@dataclass(frozen=True)
class Known:
    """What holds for the whole image."""

    percentiles: tuple[tuple[float, ...], ...]
    zoom: float = 1.0  # how much larger the network sees the image


@dataclass(frozen=True)
class ImageSource:
    """Channels of an image, brought to the scale that the network knows."""

    frame: Frame
    channels: Sequence[str]
    known: Known
    normalisation: Any

    def read(self, window: Window) -> np.ndarray:
        """Grey values (C, Y, X) of a window, scaled for the network."""
        return read_scaled(self.frame.cut(*window), self.channels, self.known, self.normalisation)[:, 0]  # fmt: skip

    def predict(self, ready: "Ready", pixels: np.ndarray, block: Block) -> np.ndarray:
        """Maps (heads, Y, X) of the block's answer, at the network's scale, or the image's where that is finer."""
        from ..models.whole import predict_zoomed

        window, answer = block
        finer = max(1.0, self.known.zoom)
        inner = (
            slice(round(a.start * finer), round(a.stop * finer)) for a in within(answer, window)
        )
        return predict_zoomed(ready, pixels, self.known.zoom)[(slice(None), *inner)]


@dataclass(frozen=True)
class PatchSource:
    """One time point of a patch set."""

    store: Patches
    t: int

    def read(self, window: Window) -> None:
        """Patches are read while they are predicted."""

    def predict(self, ready: "Ready", pixels: None, block: Block) -> np.ndarray:
        """Maps (heads, [Z,] Y, X) of the block's answer."""
        from ..models.predict import predict_store

        network, described, device = ready.network, ready.description, ready.device
        return predict_store(network, described, self.store, self.t, device, ready.batch_size, block[1])  # fmt: skip


def predict_blocks(
    ready: "Ready", source: ImageSource | PatchSource, blocks: Iterable[Block], threads: int
) -> Iterator[tuple[Block, np.ndarray]]:
    """Maps of one block after the other; the next one is read and looked at in the meantime, where there are cores."""
    from ..models.predict import use_threads

    on_gpu = ready.device.type == "cuda"
    parallel = on_gpu or threads > 1
    network_threads = threads if on_gpu else max(1, threads - 1)

    def predict(pixels: Any, block: Block) -> np.ndarray:
        use_threads(network_threads if parallel else threads)
        return source.predict(ready, pixels, block)

    read = ahead(((block, source.read(block[0])) for block in blocks), parallel)
    return ahead(((block, predict(pixels, block)) for block, pixels in read), parallel)


def read_scaled(
    frame: Frame, channels: Sequence[str], known: Known, normalisation: Any
) -> np.ndarray:
    """Channels of a frame (C, Z, Y, X), grey values scaled as the network wants them."""
    from ..models.predict import scale_grey_values

    pixels = np.stack([as_stack(frame.channel(name)) for name in channels])
    return scale_grey_values(pixels, known.percentiles, normalisation)


def measure_levels(frame: Frame, channels: Sequence[str]) -> tuple[tuple[float, ...], ...]:
    """Percentiles of each channel of the whole image, by its sample."""
    from ..examples import measure_percentiles

    return tuple(
        measure_percentiles(frame.sampled(lambda part, name=name: part.channel(name))[None])[0]
        for name in channels
    )


def fit_zoom(zoom: float) -> float:
    """The nearest zoom at which blocks begin and end at whole pixels of both scales."""
    steps = next(n for least, n in FITTING if zoom >= least)
    return max(1, round(zoom * steps)) / steps


def find_margin(ready: "Ready", zoom: float) -> tuple[int, int]:
    """Pixels of the image that the network looks at around a block, and the multiple at which blocks may begin.

    Blocks begin at whole pixels of the network's coarsest grid.
    """
    align = getattr(ready.network, "size_multiple", (1,))[-1] * find_step(zoom)
    looks = getattr(ready.network, "halo_px", 0) / zoom + (zoom != 1) * (2 + 2 / zoom)
    return round_up(looks, align), align


def zoom_to_pixel_size(frame: Frame, ready: "Ready", model: str) -> float:
    """How much larger a network that knows one pixel size has to see the image.

    Raises
    ------
    DataError
        MODEL_MISMATCH where the image cannot be brought to that size.
    """
    wanted, own = ready.description.pixel_size_um, frame.meta.pixel_size_um
    if not wanted:
        return 1.0
    if not own or own > FINEST * wanted:
        cause = f"model {model} is for pixels of {wanted:g} µm; this image has {own or 'an unknown size'}"
        raise DataError("MODEL_MISMATCH", f"{cause}; give pixel_size_um in the config or the sheet")
    if abs(own / wanted - 1) <= SCALE_TOLERANCE:
        return 1.0
    frame.note(f"rescaled from {own:.3g} to {wanted:.3g} µm a pixel for the model")
    return own / wanted


def round_up(value: float, step: int) -> int:
    """The next multiple of `step`."""
    return int(-(-value // step) * step)
