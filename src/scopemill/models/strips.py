"""Strips: a 2-D U-Net on a CPU -> what it gives undivided, made some rows at a time.

What one layer writes is still in the cache when the next one reads it: at full size, a level's layers do little work on many
values, and wait for memory otherwise.
"""

import torch
from torch import Tensor, nn

from .unet import UNet

STRIP_BYTES = 2**20  # of one layer's output; a core's cache holds a few of them
LEAST_ROWS = 32  # fewer would be spent on their margins
MARGIN = 2  # rows that two 3x3 convolutions look at beyond their own; even, as levels are halved


class Strips(nn.Module):
    """A U-Net that predicts strip by strip; takes (N, C, Y, X), channels last, of the network's multiples."""

    def __init__(self, network: UNet):
        super().__init__()
        self.network = network
        self.size_multiple, self.halo_px = network.size_multiple, network.halo_px

    def forward(self, x: Tensor) -> Tensor:
        """Logits, one channel a head."""
        return torch.cat([self._predict(one[None]) for one in x])

    def _predict(self, x: Tensor) -> Tensor:
        own, skipped = self.network, []
        for block, pool in zip(own.encoder, own.pools, strict=False):
            finer, x = self._encode(x, block, pool)
            skipped.append(finer)
        x = self._run(x, own.encoder[-1])
        for level in reversed(range(own.depth)):
            x = self._decode(x, skipped.pop(), level)
        return x

    def _encode(self, x, block, pool):
        n_channels, (height, width) = block.first[0].out_channels, x.shape[-2:]
        whole = self._empty(x, n_channels, height, width)
        halved = self._empty(x, n_channels, height // 2, width // 2)
        for top, bottom, y in self._strips(x, block, n_channels):
            whole[:, :, top:bottom] = y
            halved[:, :, top // 2 : bottom // 2] = halve(y)
        return whole, halved

    def _strips(self, x, block, n_channels):
        height, width = x.shape[-2:]
        rows = choose_rows(width * n_channels * x.element_size())
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            first, last = max(0, top - MARGIN), min(height, bottom + MARGIN)
            y = block(x[:, :, first:last])
            yield top, bottom, y[:, :, top - first : bottom - first]

    def _run(self, x, block):
        n = block.first[0].out_channels
        whole = self._empty(x, n, *x.shape[-2:])
        for top, bottom, y in self._strips(x, block, n):
            whole[:, :, top:bottom] = y
        return whole

    def _decode(self, x, skipped, level):
        own = self.network
        block, up = own.decoder[level], own.ups[level]
        n, height, width = skipped.shape[-3:]
        out = self._empty(x, own.head.out_channels if level == 0 else n, height, width)
        rows = choose_rows(width * n * x.element_size())
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            first, last = max(0, top - MARGIN), min(height, bottom + MARGIN)
            y = torch.cat([skipped[:, :, first:last], up(x[:, :, first // 2 : last // 2])], dim=1)
            y = block(y)[:, :, top - first : bottom - first]
            out[:, :, top:bottom] = own.head(y) if level == 0 else y
        return out

    def _empty(self, like, n, h, w):
        return torch.empty((1, n, h, w), dtype=like.dtype, memory_format=torch.channels_last)


def choose_rows(row_bytes: int) -> int:
    return max(LEAST_ROWS, STRIP_BYTES // row_bytes // 2 * 2)


def halve(x: Tensor) -> Tensor:
    v = x.view(torch.int16) if x.dtype == torch.bfloat16 else x
    v = torch.maximum(v[:, :, ::2], v[:, :, 1::2])
    return torch.maximum(v[..., ::2], v[..., 1::2]).view(x.dtype)
