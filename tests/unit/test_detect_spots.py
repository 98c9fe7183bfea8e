"""Detect spots: by a network's heat map, in whole images and in blocks, at other scales; and the cells they belong to."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from scopemill.detect import spots as shared
from scopemill.detect import stage
from scopemill.detect.methods import log_spots, unet3d_spots
from scopemill.frames import Frame
from scopemill.models.description import Channel, Description, Normalisation
from scopemill.models.folder import save_model
from scopemill.models.heat import read_peaks
from scopemill.models.unet import UNet
from scopemill.models.whole import Ready
from scopemill.settings import ConfigError, load_method
from scopemill.tiling import list_cores

DESCRIBED = Description(
    architecture={"name": "unet"}, channels=[Channel(role="spots")], output=["spots"],
    normalisation=Normalisation(local_px=10),
    postprocessing={"threshold": 0.5, "planes": 4, "sigma_px": [0.8, 2.5]},
)  # fmt: skip


class Bump(nn.Module):
    """A stand-in: the mean of what is seen under a Gaussian, above a level."""

    size_multiple, halo_px = (1, 4, 4), 3

    def __init__(self):
        super().__init__()
        grid = torch.stack(torch.meshgrid(*[torch.arange(-3.0, 4)] * 3, indexing="ij"))
        kernel = torch.exp(-(grid**2).sum(0) / 2 / 1.5**2)
        self.weight = nn.Parameter((kernel / kernel.sum())[None, None])

    def forward(self, x):
        return 8 * (nn.functional.conv3d(x, self.weight, padding=3) - 0.5)


@pytest.fixture(autouse=True)
def network(monkeypatch):
    ready = Ready(Bump(), DESCRIBED, torch.device("cpu"))
    monkeypatch.setattr(unet3d_spots, "load_network", lambda frame, settings: ready)


def picture(shape, centres, sigma=1.5, height=100.0, width=3.0):
    grid = np.indices(shape).reshape(len(shape), -1).T
    image = np.random.default_rng(0).normal(100, width, shape)
    for centre in centres:
        image += height * np.exp(-((grid - centre) ** 2).sum(1) / 2 / sigma**2).reshape(shape)
    return image.astype(np.float32)


def find(image, labels=None, um_per_px=0.1, z_step_um=0.1, **more):
    frame = Frame.of({"red": image}, {"cells": labels}, um_per_px, z_step_um)
    settings = unet3d_spots.Settings(model="m", **{"channel": "red", **more})
    return unet3d_spots.detect(frame, settings)


@pytest.mark.parametrize("centre", [(4.0, 20.0, 30.0), (4.3, 20.4, 29.6)])
def test_a_spot_of_a_stack_is_found_to_a_part_of_a_voxel(centre):
    table = find(picture((9, 40, 60), [centre]))
    assert len(table) == 1
    assert np.abs(table[["z", "y", "x"]].to_numpy()[0] - centre).max() < 0.25
    assert list(table) == [
        "z", "y", "x", "channel", "intensity", "background", "snr", "probability"
    ]  # fmt: skip
    assert 0.5 < table["probability"][0] <= 1 and table["channel"][0] == "red"


def test_a_spot_of_a_single_plane_is_found():
    table = find(picture((40, 60), [(20.3, 29.6)]))
    assert list(table)[:3] == ["y", "x", "channel"]
    assert np.hypot(table["y"][0] - 20.3, table["x"][0] - 29.6) < 0.25


def test_intensity_background_and_snr_are_those_of_the_picture():
    table = find(picture((9, 40, 60), [(4, 20, 30)], height=300))
    assert table["background"][0] == pytest.approx(100, abs=3)
    # the shell holds a little of the spot's own light
    assert table["snr"][0] == pytest.approx(300 / 3, rel=0.3)
    assert 150 < table["intensity"][0] < 300


def test_an_empty_picture_has_no_spots_but_columns():
    table = find(picture((9, 40, 60), []), np.zeros((40, 60), np.uint32), within="cells")
    assert len(table) == 0
    assert list(table)[-3:] == ["probability", "cells_label", "cells_distance_um"]


@pytest.mark.parametrize("side", [16, 24, 50])
def test_spots_do_not_depend_on_the_blocks_in_which_they_are_found(monkeypatch, side):
    rng = np.random.default_rng(1)
    centres = rng.uniform(0, 1, (30, 3)) * [5, 119, 149] + [0, 0, 0]
    image = picture((6, 120, 150), [*centres, (3, 15.5, 15.5), (3, 16, 47.6)])
    whole = find(image)
    assert len(whole) >= 20
    monkeypatch.setattr(unet3d_spots, "list_blocks", lambda size, _: list_cores(size, side))
    pd.testing.assert_frame_equal(find(image), whole, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("sigma", [0.4, 6.0])
@pytest.mark.parametrize("blocks", [False, True])
def test_spots_of_another_width_are_found_at_another_scale(monkeypatch, sigma, blocks):
    centres = [(20.0, 30.0), (70.0, 90.0)]
    image = picture((100, 131), centres, sigma, height=600)
    if blocks:
        monkeypatch.setattr(unet3d_spots, "list_blocks", lambda size, _: list_cores(size, 32))
    table = find(image, spot_sigma_um=0.1 * sigma)
    near = [np.hypot(table["y"] - y, table["x"] - x).min() for y, x in centres]
    assert max(near) < max(0.3, 0.2 * sigma)


def test_a_higher_threshold_finds_fewer():
    image = picture((9, 40, 60), [(4, 20, 15), (4, 20, 45)])
    image += picture((9, 40, 60), [(4, 8, 30)], height=10, width=0) - 100
    assert [len(find(image, threshold=one)) for one in (0.3, 0.999)] == [3, 2]


def test_dim_spots_can_be_left_out():
    image = picture((9, 40, 60), [(4, 20, 15)], height=300)
    image += picture((9, 40, 60), [(4, 20, 45)], height=60, width=0) - 100
    assert len(find(image)) == 2
    assert find(image, min_snr=50)["x"].round().tolist() == [15]


def test_spots_nearer_than_the_distance_are_one():
    image = picture((9, 40, 60), [(4, 20, 20), (4, 20, 28)])
    assert len(find(image)) == 2
    assert len(find(image, min_distance_um=1.0)) == 1


def test_each_channel_is_looked_at_by_itself():
    red, green = picture((40, 60), [(20, 15)]), picture((40, 60), [(20, 45)])
    frame = Frame.of({"red": red, "green": green}, {}, 0.1)
    settings = unet3d_spots.Settings(model="m", channels=["red", "green"])
    table = unet3d_spots.detect(frame, settings)
    assert list(zip(table["channel"], table["x"].round(), strict=True)) == [
        ("red", 15), ("green", 45)
    ]  # fmt: skip
    found = log_spots.detect(frame, log_spots.Settings(channels=["red", "green"], sigma_um=0.15))
    assert found["channel"].tolist() == ["red", "green"]


@pytest.mark.parametrize("method", [log_spots, unet3d_spots])
@pytest.mark.parametrize("given", [{}, {"channel": "a", "channels": ["b"]}, {"channels": ["a", "a"]}])  # fmt: skip
def test_channels_are_named_in_one_way(method, given):
    model = {"model": "m"} if method is unet3d_spots else {}
    with pytest.raises(ConfigError, match="channel"):
        method.check(method.Settings(**model, **given), {})


def test_models_that_find_no_spots_are_refused():
    for wrong in (
        replace(DESCRIBED, output=["foreground"]),
        replace(DESCRIBED, normalisation=Normalisation()),
        replace(DESCRIBED, channels=[Channel(), Channel()]),
    ):
        with pytest.raises(ConfigError, match="model m"):
            read_peaks(wrong, "m")


# cells: square 1 over x 10 to 19, square 2 over x 30 to 39, both over y 10 to 19
CELLS = np.zeros((40, 60), np.uint32)
CELLS[10:20, 10:20], CELLS[10:20, 30:40] = 1, 2


def place(points, labels=CELLS, max_distance_um=0.0, step=(0.5, 0.1, 0.1)):
    frame = Frame.of({"a": np.zeros((5, 40, 60))}, {"cells": labels}, step[1], step[0])
    return shared.place_in_objects(frame, np.array(points, float), "cells", max_distance_um)


def test_distance_is_positive_inside_and_negative_outside():
    labels, distance = place([[2, 14, 12], [2, 14, 7], [2, 14, 22.5]])
    assert labels.tolist() == [1, 0, 0]
    # the outline lies at x 9.5 and 19.5
    np.testing.assert_allclose(distance, [0.25, -0.25, -0.3], atol=1e-9)


def test_points_just_outside_belong_to_the_nearest_object_within_the_distance():
    points = [[2, 14, 7], [2, 14, 22], [2, 14, 28], [2, 30, 30]]
    assert place(points, max_distance_um=0.3)[0].tolist() == [1, 1, 2, 0]
    assert place(points)[0].tolist() == [0, 0, 0, 0]


def test_distance_in_a_stack_of_labels_counts_its_thick_planes():
    labels = np.zeros((5, 40, 60), np.uint32)
    labels[1:4, 10:20, 10:20] = 1
    owners, distance = place([[2, 14, 14], [4, 14, 14]], labels, step=(0.2, 0.1, 0.1))
    assert owners.tolist() == [1, 0]
    # 1.5 planes of 0.2 um from z = 2 to the face at 3.5, half a plane beyond it from z = 4
    np.testing.assert_allclose(distance, [0.3, -0.1], atol=1e-9)


def test_cells_that_touch_have_an_outline_between_them():
    labels = np.zeros((40, 60), np.uint32)
    labels[:, :30], labels[:, 30:] = 1, 2
    owners, distance = place([[0, 20, 28], [0, 20, 33]], labels)
    assert owners.tolist() == [1, 2]
    np.testing.assert_allclose(distance, [0.15, 0.35], atol=1e-9)


def test_without_objects_all_are_unbound_at_no_distance():
    labels, distance = place([[2, 14, 12]], np.zeros((40, 60), np.uint32), 5.0)
    assert labels.tolist() == [0] and np.isnan(distance).all()


@pytest.mark.parametrize("side", [7, 16])
def test_objects_are_the_same_in_blocks(monkeypatch, side):
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 1, (50, 3)) * [4, 39, 59]
    whole = place(points, max_distance_um=0.3)
    monkeypatch.setattr(shared, "list_blocks", lambda size, _: list_cores(size, side))
    for one, other in zip(whole, place(points, max_distance_um=0.3), strict=True):
        np.testing.assert_allclose(one, other)


def test_snr_counts_noises_around_the_spot():
    image = np.random.default_rng(0).normal(50, 2, (60, 60))
    image[30, 30] = 90
    measured = shared.measure_spots(image, np.array([[30, 30]]), (2, 2))
    assert measured["background"][0] == pytest.approx(50, abs=1)
    assert measured["snr"][0] == pytest.approx(20, rel=0.3)


def test_a_background_without_noise_has_no_snr():
    measured = shared.measure_spots(np.full((20, 20), 7.0), np.array([[5, 5]]), (1, 1))
    assert np.isnan(measured["snr"][0]) and measured["intensity"][0] == 0


def test_the_stage_takes_a_model_folder(tmp_path, monkeypatch):
    monkeypatch.undo()
    torch.manual_seed(0)
    architecture = {"name": "unet", "in_channels": 1, "out_channels": 1, "dims": 3, "width": 2,
                    "depth": 1, "keep_planes": True}  # fmt: skip
    network = UNet(**{key: one for key, one in architecture.items() if key != "name"})
    save_model(tmp_path / "m", network, replace(DESCRIBED, architecture=architecture))
    method = load_method(
        "detect",
        {"name": "unet3d-spots", "model": str(tmp_path / "m"), "channel": "red", "threshold": 0.01},
        "m",
    )
    frame = Frame.of({"red": picture((5, 33, 45), [(2, 20, 30)])}, {}, 0.1, 0.3, device="cpu")
    table = stage.detect(frame, method)
    assert {"t", "z", "z_um", "y_um", "x_um", "probability"} <= set(table)


@pytest.mark.parametrize("planes", [1, 2, 5])
def test_a_network_that_keeps_planes_takes_any_number(planes):
    network = UNet(1, 1, 3, width=2, depth=2, flat_levels=1, keep_planes=True)
    assert network.size_multiple == (1, 4, 4)
    assert network(torch.zeros(1, 1, planes, 8, 12)).shape == (1, 1, planes, 8, 12)
