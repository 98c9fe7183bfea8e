"""Whole images: tiles give what the whole image gives, objects come back at the image's size and place, and analytic
maps are cut into the objects that they were made of."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from scopemill.instances import Settings, find_instances
from scopemill.models import whole
from scopemill.models.description import Channel, Description
from scopemill.models.diameter import estimate_diameter
from scopemill.models.unet import UNet
from scopemill.models.whole import Ready, find_objects, predict_image
from scopemill.train.targets import make_targets

CPU = torch.device("cpu")


def discs(places, radius, size=(96, 120)):
    """Labels (Y, X) of discs."""
    y, x = np.indices(size)
    labels = np.zeros(size, np.int32)
    for i, (row, column) in enumerate(places, 1):
        labels[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = i
    return labels


class Level(nn.Module):
    """Foreground is what is brighter than a half; it looks at single pixels."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(40.0))

    def forward(self, x):
        return self.factor * (x[:, :1] - 0.5)


class OfOneSize(Level):
    """Sees objects of about 20 pixels only: larger ones are hollow, smaller ones are lost."""

    def forward(self, x):
        disc = torch.from_numpy(discs([(10, 10)], 10, (21, 21))).float()[None, None]
        share = nn.functional.conv2d(x[:, :1], disc / disc.sum(), padding=10)
        fits = (share.amax(dim=(1, 2, 3), keepdim=True) > 0.8).float()
        return self.factor * (x[:, :1] * fits - 0.5)


def ready(network, output=("foreground",), diameter=None, channels=1):
    described = Description(
        architecture={"name": "unet"}, channels=[Channel(role="nucleus")] * channels,
        output=list(output), object_diameter_px=diameter,
    )  # fmt: skip
    return Ready(network.eval(), described, CPU)


@pytest.mark.parametrize("size", [(100, 75), (64, 130), (33, 47)])
def test_tiles_give_what_the_whole_image_gives(monkeypatch, size):
    torch.manual_seed(0)
    one = ready(UNet(1, 2, width=4, depth=1), ("foreground", "border"))
    image = np.random.default_rng(0).normal(size=(1, *size)).astype(np.float32)
    undivided = predict_image(one, image)
    monkeypatch.setattr(whole, "TILE", 64)
    tiled = predict_image(one, image)
    assert tiled.shape == (2, *size)
    inner = (
        slice(None),
        slice(9, -9),
        slice(9, -9),
    )  # at the border the two are padded differently
    np.testing.assert_allclose(tiled[inner], undivided[inner], atol=1e-4)


def test_a_stack_keeps_its_planes():
    torch.manual_seed(0)
    one = ready(UNet(1, 2, dims=3, width=2, depth=1), ("foreground", "border"))
    assert predict_image(one, np.zeros((1, 4, 20, 24), np.float32)).shape == (2, 4, 20, 24)


def centroids(labels):
    from scipy import ndimage

    return np.array(ndimage.center_of_mass(labels > 0, labels, np.unique(labels)[1:]))


PLACES = [(20, 25), (30, 80), (70, 40), (75, 100)]


@pytest.mark.parametrize("zoom", [0.4, 0.75, 1.0, 1.5, 2.5])
def test_objects_are_found_at_the_images_own_size_and_place(zoom):
    truth = discs(PLACES, 9)
    found = find_objects(
        ready(Level()), (truth > 0)[None].astype(np.float32), zoom, Settings(seeds="shape")
    )
    assert found.shape == truth.shape and found.max() == 4
    np.testing.assert_allclose(centroids(found), centroids(truth), atol=0.6)
    assert np.mean((found > 0) != (truth > 0)) < 0.02


def test_limits_in_pixels_are_those_of_the_networks_scale():
    truth = discs(PLACES, 9)  # 253 pixels each, 63 of them at half the size
    image = (truth > 0)[None].astype(np.float32)
    for min_area, n in ((50, 4), (80, 0)):
        own = Settings(seeds="shape", min_area_px=min_area)
        assert find_objects(ready(Level()), image, 0.5, own).max() == n


@pytest.mark.parametrize("diameter", [10, 21, 42])
def test_the_diameter_is_estimated_by_what_the_network_recognises(diameter):
    places = [(60, 60), (60, 180), (180, 60), (180, 180)]
    truth = discs(places, diameter / 2, (240, 240))
    one = ready(OfOneSize(), diameter=21.0)
    found = estimate_diameter(one, (truth > 0)[None].astype(np.float32), Settings(seeds="shape"))
    assert found == pytest.approx(diameter, rel=0.15)


def test_without_objects_the_diameter_is_the_networks_own():
    one = ready(OfOneSize(), diameter=21.0)
    assert estimate_diameter(one, np.zeros((1, 64, 64), np.float32), Settings()) == 21.0


TOUCHING = [(30, 30), (30, 49), (49, 40), (70, 90)]


@pytest.mark.parametrize(
    ("seeds", "heads"),
    [
        ("border", ("foreground", "border")),
        ("distance", ("foreground", "distance")),
        ("flow", ("foreground", "flow_y", "flow_x")),
        ("shape", ("foreground",)),
    ],
)
def test_perfect_maps_are_cut_into_the_objects_they_were_made_of(seeds, heads):
    truth = discs(TOUCHING, 10)
    maps = dict(zip(heads, make_targets(truth[None], heads)[:, 0], strict=True))
    for chosen in (seeds, "auto"):
        own = replace(Settings(seed_threshold=0.5), seeds=chosen, min_distance_px=6.0)
        found = find_instances(maps, own)
        assert found.max() == 4 and ((found > 0) == (truth > 0)).all()
        for i in range(1, 5):  # each true object is one found object, but for a few pixels
            inside = found[truth == i]
            assert np.mean(inside == np.bincount(inside).argmax()) > 0.9


def test_small_objects_are_dropped_and_the_others_numbered_anew():
    truth = discs([(20, 20)], 2) + 2 * discs([(60, 60)], 10)
    maps = {"foreground": (truth > 0).astype(np.float32)}
    found = find_instances(maps, Settings(seeds="shape", min_area_px=100))
    assert found.max() == 1 and ((found > 0) == (truth == 2)).all()
