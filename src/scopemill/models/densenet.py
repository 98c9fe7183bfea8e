"""DenseNet (Huang 2017): (N, C, [Z,] Y, X) of any size -> logits (N, outputs), one decision an image."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

CONVOLUTIONS = {2: nn.Conv2d, 3: nn.Conv3d}
NORMS = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
MAX_POOLS = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
MEAN_POOLS = {2: functional.avg_pool2d, 3: functional.avg_pool3d}


class DenseNet(nn.Module):
    """DenseNet-121 with its default settings; each layer of a block sees all layers before it.

    The stem and each of the `len(blocks) - 1` steps between blocks halve the size.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        dims: int = 2,
        blocks: Sequence[int] = (6, 12, 24, 16),
        growth: int = 32,
        width: int = 64,
        bottleneck: int = 4,
        dropout: float = 0.0,
    ):
        super().__init__()
        check_settings(dims, blocks, growth, width, bottleneck)
        parts: list[nn.Module] = [make_stem(in_channels, width, dims)]
        for i, layers in enumerate(blocks):
            if i:
                parts.append(make_transition(width, width // 2, dims))
                width //= 2
            parts.append(make_block(width, layers, growth, bottleneck, dims))
            width += layers * growth
        parts += [NORMS[dims](width), nn.ReLU()]
        self.encoder = nn.Sequential(*parts)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, out_channels)
        self.size_multiple = (1,) * dims
        for module in self.modules():
            if isinstance(module, CONVOLUTIONS[dims]):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, one an output."""
        features = self.encoder(x).flatten(2).mean(dim=2)
        return self.head(self.dropout(features))


class Layer(nn.Module):
    """Adds `growth` channels to those that it is given; a 1x1 convolution first narrows what a 3x3 sees."""

    def __init__(self, before: int, growth: int, bottleneck: int, dims: int):
        super().__init__()
        conv, norm, narrow = CONVOLUTIONS[dims], NORMS[dims], bottleneck * growth
        self.layers = nn.Sequential(
            norm(before), nn.ReLU(), conv(before, narrow, 1, bias=False),
            norm(narrow), nn.ReLU(), conv(narrow, growth, 3, padding=1, bias=False),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.layers(x)], dim=1)


class Halve(nn.Module):
    """Mean of two pixels along each axis; a last odd one, or an only one, stays: small images do not vanish."""

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[2:]
        return MEAN_POOLS[len(size)](x, [min(2, n) for n in size], ceil_mode=True)


def make_block(before: int, layers: int, growth: int, bottleneck: int, dims: int) -> nn.Sequential:
    """Layers one after the other."""
    return nn.Sequential(
        *(Layer(before + i * growth, growth, bottleneck, dims) for i in range(layers))
    )


def make_stem(in_channels: int, width: int, dims: int) -> nn.Sequential:
    """A quarter of the size, in the plane; of planes, which are few, none is passed over."""
    kernel, stride, padding = (
        (flat, plane, plane)[-dims:] for flat, plane in ((3, 7), (1, 2), (1, 3))
    )
    conv = CONVOLUTIONS[dims](in_channels, width, kernel, stride, padding, bias=False)
    small, step, border = ((flat, plane, plane)[-dims:] for flat, plane in ((1, 3), (1, 2), (0, 1)))
    return nn.Sequential(conv, NORMS[dims](width), nn.ReLU(), MAX_POOLS[dims](small, step, border))


def make_transition(before: int, after: int, dims: int) -> nn.Sequential:
    """Half the channels, half the size."""
    conv = CONVOLUTIONS[dims](before, after, 1, bias=False)
    return nn.Sequential(NORMS[dims](before), nn.ReLU(), conv, Halve())


def check_settings(
    dims: int, blocks: Sequence[int], growth: int, width: int, bottleneck: int
) -> None:
    """Raise ValueError in words where a setting makes no network."""
    limits = {"dims": (2, 3), "growth": (1, 256), "width": (2, 1024), "bottleneck": (1, 16)}
    values = {"dims": dims, "growth": growth, "width": width, "bottleneck": bottleneck}
    values |= {f"blocks[{i}]": layers for i, layers in enumerate(blocks)}
    for name, value in values.items():
        low, high = limits.get(name, (1, 64))
        if not isinstance(value, int) or not low <= value <= high:
            raise ValueError(
                f"{name}: expected a whole number from {low} to {high}, found {value!r}"
            )
    if not 1 <= len(blocks) <= 6:
        raise ValueError(f"blocks: expected 1 to 6 numbers of layers, found {len(blocks)}")
