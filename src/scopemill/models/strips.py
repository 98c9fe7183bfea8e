"""Strips: a 2-D U-Net on a CPU -> what it gives undivided, made some rows at a time.

At full size a layer does little work on many values: done whole, it waits for memory. What one layer makes of some rows is
still in the cache when the next one reads it. Memory is kept from one image to the next, as fresh pages cost as much again.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from .unet import Block, UNet

STRIP_BYTES = 2**20  # of a layer's output; a core's cache holds two of them
WHOLE_BYTES = (
    12 * 2**20
)  # a layer with less is not cut: each shape of a strip has to be prepared for once
LEAST_ROWS = 64  # with fewer, too much is spent on their margins
MARGIN = 2  # rows that two 3x3 convolutions look at beyond their own

Shelf = dict[str, Tensor]


class Strips(nn.Module):
    """A U-Net that predicts strip by strip: (N, C, Y, X), of multiples of `size_multiple` -> the same logits."""

    def __init__(self, network: UNet):
        super().__init__()
        self.network = network
        self.size_multiple, self.halo_px = network.size_multiple, network.halo_px
        self._shelves: list[Shelf] = []  # one for each thread that predicts at the same time

    def forward(self, x: Tensor) -> Tensor:
        """Logits, one channel a head."""
        shelf = self._shelves.pop() if self._shelves else {}
        logits = torch.cat([self._predict(x[i : i + 1], shelf) for i in range(len(x))])
        self._shelves.append(shelf)
        return logits

    def _predict(self, x: Tensor, shelf: Shelf) -> Tensor:
        """Logits of one image."""
        skipped = []
        for level in range(self.network.depth):
            whole, x = self._encode(x, level, shelf)
            skipped.append(whole)
        x = self.network.encoder[-1](x)
        for level in reversed(range(self.network.depth)):
            x = self._decode(x, skipped.pop(), level, shelf)
        return x

    def _encode(self, x: Tensor, level: int, shelf: Shelf) -> tuple[Tensor, Tensor]:
        """What a level makes of its input, and the same halved."""
        block, size = self.network.encoder[level], x.shape[-2:]
        n_channels = count_channels(block)
        whole = borrow(shelf, f"whole {level}", size, n_channels, x)
        halved = borrow(shelf, f"halved {level}", [n // 2 for n in size], n_channels, x)
        for rows, looked_at, inner in cut_rows(whole):
            y = block(x[:, :, looked_at])[:, :, inner]
            whole[:, :, rows] = y
            halved[:, :, rows.start // 2 : rows.stop // 2] = halve(y)
        return whole, halved

    def _decode(self, x: Tensor, skipped: Tensor, level: int, shelf: Shelf) -> Tensor:
        """What a level makes of the coarser one and of what was skipped; at the finest, the logits."""
        up, block, head = self.network.ups[level], self.network.decoder[level], self.network.head
        # logits are handed out: they lie in memory of their own
        n_channels, lender = (count_channels(block), shelf) if level else (head.out_channels, {})
        made = borrow(lender, f"made {level}", skipped.shape[-2:], n_channels, x)
        for rows, looked_at, inner in cut_rows(skipped):
            finer = up(x[:, :, looked_at.start // 2 : looked_at.stop // 2])
            y = block(torch.cat([skipped[:, :, looked_at], finer], dim=1))[:, :, inner]
            made[:, :, rows] = y if level else head(y)
        return made


def borrow(shelf: Shelf, name: str, size: Sequence[int], n_channels: int, like: Tensor) -> Tensor:
    """Memory (1, n_channels, Y, X), channels last; what it held before is lost."""
    n = math.prod(size) * n_channels
    if name not in shelf or len(shelf[name]) < n:
        shelf[name] = like.new_empty(n)
    return shelf[name][:n].view(1, *size, n_channels).permute(0, 3, 1, 2)


def can_be_cut(network: nn.Module) -> bool:
    """Whether it is a U-Net that halves planes; a network derived from it may do anything."""
    return type(network) is UNet and network.dims == 2 and network.depth > 0


def count_channels(block: Block) -> int:
    """Channels that a block gives."""
    return block.second[0].out_channels


def cut_rows(whole: Tensor) -> Iterator[tuple[slice, slice, slice]]:
    """Rows of a strip, those that are looked at for them, and the rows among these; all begin at even ones."""
    _, n_channels, height, width = whole.shape
    row_bytes = n_channels * width * whole.element_size()
    rows = max(LEAST_ROWS, STRIP_BYTES // row_bytes // 2 * 2)
    step = height if height * row_bytes <= WHOLE_BYTES else rows
    for top in range(0, height, step):
        bottom = min(top + step, height)
        first, last = max(0, top - MARGIN), min(height, bottom + MARGIN)
        yield slice(top, bottom), slice(first, last), slice(top - first, bottom - first)


def halve(x: Tensor) -> Tensor:
    """The greatest of each 2 x 2 values, none of which is negative."""
    # as whole numbers, such values in bf16 have the same order, and are compared many at once
    y = x.view(torch.int16) if x.dtype == torch.bfloat16 else x
    y = torch.maximum(y[:, :, ::2], y[:, :, 1::2])
    return torch.maximum(y[..., ::2], y[..., 1::2]).view(x.dtype)
