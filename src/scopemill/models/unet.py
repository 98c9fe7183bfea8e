"""U-Net (Ronneberger 2015; Çiçek 2016 in 3-D): (N, C, [Z,] Y, X) -> logits (N, heads, [Z,] Y, X)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

CONVOLUTIONS = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
NORMS = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
POOLS = {2: nn.MaxPool2d, 3: nn.MaxPool3d}


class UNet(nn.Module):
    """`depth` halvings, `width` channels at full size, twice as many after each halving.

    Batch normalisation, never instance normalisation: a tile must give what the whole image gives.
    In 3-D, the first `flat_levels` levels neither look nor halve along z (planes far apart); with `keep_planes` none
    halves along z, so that any number of planes will do.
    Sizes must be multiples of `size_multiple`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        dims: int = 2,
        width: int = 32,
        depth: int = 4,
        residual: bool = False,
        flat_levels: int = 0,
        keep_planes: bool = False,
    ):
        super().__init__()
        check_settings(dims=dims, width=width, depth=depth, flat_levels=flat_levels)
        self.dims, self.depth, self.flat_levels = dims, depth, flat_levels if dims == 3 else 0
        self.keep_planes = bool(keep_planes)
        widths = [width * 2**level for level in range(depth + 1)]
        before = [in_channels, *widths[:-1]]
        self.encoder = nn.ModuleList(
            Block(before[i], widths[i], dims, residual, self._is_flat(i)) for i in range(depth + 1)
        )
        self.pools = nn.ModuleList(POOLS[dims](self._factor(i)) for i in range(depth))
        self.ups = nn.ModuleList(
            TRANSPOSED[dims](widths[i + 1], widths[i], self._factor(i), self._factor(i))
            for i in range(depth)
        )
        self.decoder = nn.ModuleList(
            Block(2 * widths[i], widths[i], dims, residual, self._is_flat(i)) for i in range(depth)
        )
        self.head = CONVOLUTIONS[dims](width, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, one channel a head."""
        skipped = []
        for block, pool in zip(self.encoder, self.pools, strict=False):
            skipped.append(block(x))
            x = pool(skipped[-1])
        x = self.encoder[-1](x)
        for i in reversed(range(self.depth)):
            # what is no longer needed is let go, for the finest levels fill the memory
            x = torch.cat([skipped.pop(), self.ups[i](x)], dim=1)
            x = self.decoder[i](x)
        return self.head(x)

    def _is_flat(self, level: int) -> bool:
        return level < self.flat_levels

    def _factor(self, level: int) -> tuple[int, ...]:
        """How much the step below a level halves along each axis."""
        flat = self.keep_planes or self._is_flat(level)
        return (1, 2, 2)[-self.dims :] if flat else (2,) * self.dims

    @property
    def size_multiple(self) -> tuple[int, ...]:
        """What the input's size must be a multiple of, per axis."""
        along_z = 1 if self.keep_planes else 2 ** max(0, self.depth - self.flat_levels)
        return (along_z, 2**self.depth, 2**self.depth)[-self.dims :]

    @property
    def halo_px(self) -> int:
        """How far (in y and x) from a pixel the input can change its output."""
        # two 3x3 convolutions a block, down and up, and the coarsest grid that the pixel lies in
        return 7 * 2**self.depth - 5


class Block(nn.Module):
    """Two convolutions, each normalised; `residual` adds the input before the last ReLU."""

    def __init__(self, before: int, after: int, dims: int, residual: bool, flat: bool):
        super().__init__()
        kernel = (1, 3, 3) if flat else (3,) * dims
        self.first = convolution(before, after, dims, kernel)
        self.second = convolution(after, after, dims, kernel)
        self.shortcut = convolution(before, after, dims, (1,) * dims) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(rectify(self.first(x)))
        return rectify(y if self.shortcut is None else y + self.shortcut(x))


def convolution(before: int, after: int, dims: int, kernel: Sequence[int]) -> nn.Sequential:
    """A convolution that keeps the size, and its normalisation."""
    padding = tuple(size // 2 for size in kernel)
    conv = CONVOLUTIONS[dims](before, after, tuple(kernel), padding=padding, bias=False)
    return nn.Sequential(conv, NORMS[dims](after))


def rectify(x: Tensor) -> Tensor:
    """ReLU in place."""
    if x.dtype == torch.bfloat16 and not x.is_cuda and not x.requires_grad:
        # both types begin with the sign; as whole numbers, five times as fast
        torch.relu_(x.view(torch.int16))
        return x
    return torch.relu_(x)


def check_settings(**values: Any) -> None:
    """Raise ValueError in words where a setting makes no network."""
    limits = {"dims": (2, 3), "width": (1, 1024), "depth": (0, 8), "flat_levels": (0, 8)}
    for name, value in values.items():
        low, high = limits[name]
        if not isinstance(value, int) or not low <= value <= high:
            raise ValueError(
                f"{name}: expected a whole number from {low} to {high}, found {value!r}"
            )
