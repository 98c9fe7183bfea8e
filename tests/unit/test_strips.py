"""Strips: a network cut into strips gives what it gives undivided; memory that is kept is never handed out."""

import pytest
import torch

from scopemill.models import strips
from scopemill.models.strips import Strips, can_be_cut, halve
from scopemill.models.unet import UNet, rectify


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("depth", "residual"), [(1, False), (3, False), (2, True)])
def test_strips_give_what_the_network_gives(monkeypatch, dtype, depth, residual):
    monkeypatch.setattr(strips, "WHOLE_BYTES", 0)
    monkeypatch.setattr(strips, "STRIP_BYTES", 0)
    monkeypatch.setattr(strips, "LEAST_ROWS", 6)
    torch.manual_seed(0)
    network = UNet(2, 3, width=4, depth=depth, residual=residual).eval().requires_grad_(False)
    network.to(dtype, memory_format=torch.channels_last)
    cut = Strips(network)
    with torch.inference_mode():
        for size in ((40, 24), (16, 48)):  # the second one borrows what the first one left
            x = torch.randn(2, 2, *size).to(dtype, memory_format=torch.channels_last)
            found = cut(x)
            kept = found.clone()
            torch.testing.assert_close(found, network(x), atol=1e-6, rtol=1e-5)
            cut(torch.zeros_like(x))
            assert torch.equal(found, kept)


def test_only_plain_unets_of_planes_are_cut():
    assert can_be_cut(UNet(1, 1, width=2, depth=1))
    assert not can_be_cut(UNet(1, 1, width=2, depth=0))
    assert not can_be_cut(UNet(1, 1, dims=3, width=2, depth=1))


def test_bf16_as_whole_numbers_is_rectified_and_halved():
    values = torch.tensor([[-3.0, -0.0, 0.5, 2.0], [1.5, -1e-3, 0.25, 7.0]]).bfloat16()
    rectified = rectify(values[None, None].clone())
    assert rectified.tolist() == [[[[0, 0, 0.5, 2], [1.5, 0, 0.25, 7]]]]
    assert halve(rectified).tolist() == [[[[1.5, 7]]]]
