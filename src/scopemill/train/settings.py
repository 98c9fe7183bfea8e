"""Settings of a training: how a network learns, and what is varied in what it sees."""

from typing import Annotated, Literal

from pydantic import Field

from ..settings import Fraction, Positive, settings


@settings
class Training:
    """How a network is trained."""

    steps: Annotated[int, Field(ge=1)] = 3000
    """Batches that it learns from."""
    epochs: Positive | None = None
    """Instead of steps: how often each training image is drawn, on average."""
    batch_size: Annotated[int, Field(ge=1)] = 8
    """Crops that it learns from at once: fewer need less memory."""
    learning_rate: Positive = 1e-3
    """Greatest step size; it rises in the first twentieth and falls to 0 along a cosine."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    """Pulls weights towards 0 (AdamW)."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0.998
    """The result is a moving average of the weights, so much of it from the step before."""
    validate_every: Annotated[int, Field(ge=1)] = 200
    """Steps between two looks at the validation images, and two checkpoints."""
    patience: Annotated[int, Field(ge=1)] | None = None
    """Stop after so many looks without a better one."""
    mixed_precision: Literal["auto", "on", "off"] = "auto"
    """bf16 where the device computes in it."""
    freeze: Literal["none", "encoder"] = "none"
    """Parts that keep the weights they start from."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Another one gives another order, other crops, other first weights."""


@settings
class Crop:
    """What a network sees at once."""

    patch_size_px: Annotated[int, Field(ge=16, le=4096)] = 256
    """Width and height of the crops, a multiple of what the network halves; `classify` takes `crop_px` of `collect: objects`."""
    planes: Annotated[int, Field(ge=1)] = 1
    """Planes of a crop: more than 1 for networks in 3-D."""
    min_foreground: Fraction = 0.02
    """Crops that show a smaller share of objects are mostly passed over."""
    balance: Fraction = 0.5
    """Images are drawn by how many objects they show (0), all alike (1), or between."""


@settings
class Augmentation:
    """What is varied; a network learns to look past it."""

    scale: tuple[Positive, Positive] = (0.7, 1.4)
    """Crops are enlarged by a factor between these."""
    rotate: bool = True
    """Any angle; otherwise none."""
    flip: bool = True
    """Mirror images."""
    stretch: Fraction = 0.15
    """Height against width, at most so much more or less."""
    intensity: Fraction = 0.5
    """Brightness, contrast and gamma: 0 for none, 1 for a lot."""
    colour: Fraction = 0.0
    """Brightness of each channel by itself: stains and cameras differ."""
    blur_px: Annotated[float, Field(ge=0)] = 1.5
    """At most so much out of focus (sigma)."""
    noise: Fraction = 0.1
    """At most so much noise, as a share of the brightest."""
    haze: Fraction = 0.5
    """Share of crops seen through light from above and below the focus."""
    uneven: Fraction = 0.3
    """Share of crops whose objects differ in brightness, or whose light falls unevenly."""
    crowd: Fraction = 0.25
    """Share of crops onto which objects of another one are laid."""
