"""Models: networks see what they promise, folders come back as saved, and bad ones are refused."""

import hashlib
import io
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from scopemill.models import predict
from scopemill.models.description import Channel, Description, Normalisation, read_description
from scopemill.models.folder import load_model, save_model
from scopemill.models.unet import UNet
from scopemill.tiling import Blend, cut, tile_origins

TINY = {"in_channels": 2, "out_channels": 1, "width": 4, "depth": 1}
DESCRIPTION = Description(
    architecture={"name": "unet", **TINY},
    channels=[Channel(role="nucleus"), Channel(name="actin")],
    output=["foreground"],
    pixel_size_um=0.65,
    postprocessing={"foreground_threshold": 0.4},
    licence="CC-BY-4.0",
    metrics={"f1": 0.9, "interval": [0.8, 0.95], "again": [0.8, 0.95]},
)


def make(seed=0, **options):
    """A network that has seen a batch, so that no layer is dead and outputs differ."""
    torch.manual_seed(seed)
    network = UNet(**{**TINY, **options})
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.momentum = 1.0
    size = [4 * m for m in network.size_multiple]
    network.train()(torch.rand(2, network.encoder[0].first[0].in_channels, *size))
    return network.eval()


@pytest.fixture
def folder(tmp_path):
    save_model(tmp_path / "tiny", make(), DESCRIPTION)
    return tmp_path / "tiny"


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize(("dims", "flat_levels"), [(2, 0), (3, 0), (3, 1), (3, 3)])
def test_output_has_the_size_of_the_input(dims, flat_levels, residual):
    network = make(dims=dims, depth=2, residual=residual, flat_levels=flat_levels, out_channels=3)
    size = tuple(2 * m for m in network.size_multiple)
    assert network(torch.rand(1, 2, *size)).shape == (1, 3, *size)


def test_planes_far_apart_are_not_pooled():
    assert UNet(1, 1, dims=3, width=2, depth=3).size_multiple == (8, 8, 8)
    assert UNet(1, 1, dims=3, width=2, depth=3, flat_levels=2).size_multiple == (2, 8, 8)
    network = make(dims=3, depth=1, flat_levels=2)
    stack = torch.rand(1, 2, 3, 8, 8)
    other = stack.clone()
    other[:, :, 0] = 0
    assert torch.equal(network(stack)[:, :, 1:], network(other)[:, :, 1:])


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_nothing_farther_than_the_halo_changes_a_pixel(depth):
    network = make(depth=depth)
    for weight in network.parameters():  # no sum cancels, no ReLU hides
        weight.data.abs_()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.zero_()
    reach, farthest = network.halo_px, 0
    image = torch.rand(1, 2, 128, 128, requires_grad=True)
    for middle in range(64, 64 + 2**depth):
        (gradient,) = torch.autograd.grad(network(image)[0, 0, middle, middle], image)
        seen = gradient.abs().sum((0, 1)).nonzero()
        assert (seen - middle).abs().max() <= reach
        farthest = max(farthest, int((seen - middle).abs().max()))
    assert farthest == reach


@pytest.mark.parametrize("size", [(203, 177), (97, 300)])
@pytest.mark.parametrize("depth", [0, 2])
def test_tiles_give_what_the_whole_image_gives(size, depth):
    network, tile, overlap = make(depth=depth), 96, 48
    image = np.random.default_rng(0).random((2, *size), np.float32)
    (whole,) = predict.predict_patches(network, [image[None]], torch.device("cpu"), "sigmoid")
    origins = tile_origins(size, tile, overlap, network.size_multiple[0])
    blend = Blend(1, size, tile, overlap, network.halo_px)
    for origin in origins:
        batch = cut(image, origin, tile)[None]
        (part,) = predict.predict_patches(network, [batch], torch.device("cpu"), "sigmoid")
        blend.add([origin], part)
    assert whole.std() > 0.01
    assert np.abs(blend.result() - whole[0]).max() < 1e-5


@pytest.mark.parametrize("dims", [2, 3])
def test_preparing_changes_speed_only(dims):
    network, device = make(dims=dims, residual=True), torch.device("cpu")
    size = (4, 32, 32)[-dims:]
    batch = np.random.default_rng(0).random((2, 2, *size), np.float32)

    def run(ready):
        (result,) = predict.predict_patches(ready, [batch], device, "sigmoid")
        return result

    plain, folded = run(network), run(predict.prepare(network, device, bf16=False))
    assert np.abs(plain - folded).max() < 1e-5
    halved = run(predict.prepare(network, device, bf16=True))
    assert halved.dtype == np.float32
    assert np.abs(plain - halved).max() < 0.02
    assert any(isinstance(one, nn.BatchNorm2d | nn.BatchNorm3d) for one in network.modules())
    assert np.array_equal(folded, run(predict.prepare(network, device, bf16=False)))


def test_classes_that_exclude_each_other_sum_to_one():
    network, batch = make(out_channels=3), np.ones((1, 2, 15, 9), np.float32)
    (shares,) = predict.predict_patches(network, [batch], torch.device("cpu"), "softmax")
    assert shares.shape == (1, 3, 15, 9)
    assert np.allclose(shares.sum(1), 1)
    assert replace(DESCRIPTION, output=["background", "cell"]).activation == "softmax"
    assert DESCRIPTION.activation == "sigmoid"


def test_grey_values_are_scaled_by_the_images_percentiles():
    percentiles = [(0, 10, 50, 90, 110), (5, 5, 5, 5, 5)]
    patches = np.array([[10, 110], [5, 7]], np.uint16).reshape(1, 2, 1, 1, 2)
    scaled = predict.scale_grey_values(patches, percentiles, Normalisation())
    assert scaled.ravel().tolist() == [0, 1, 0, 2]


def test_a_device_that_is_not_there_is_said_in_words(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # proves nothing
    assert predict.choose_device("cpu") == (torch.device("cpu"), "")
    device, warning = predict.choose_device("auto")
    assert device.type == "cpu"
    assert "CPU" in warning
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    with pytest.raises(RuntimeError, match="--nv"):
        predict.choose_device("cuda")
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(RuntimeError, match="GPU container"):
        predict.choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert predict.choose_device("auto") == (torch.device("cuda"), "")


def test_a_saved_model_comes_back(folder):
    before = torch.random.get_rng_state()
    network, described = load_model(folder)
    assert torch.equal(before, torch.random.get_rng_state())
    assert not network.training
    image = torch.rand(1, 2, 16, 16)
    assert torch.equal(network(image), make()(image))
    assert re.fullmatch("[0-9a-f]{64}", described.weights_sha256)
    assert described.scopemill
    assert described == replace(
        DESCRIPTION, weights_sha256=described.weights_sha256, scopemill=described.scopemill
    )
    card = (folder / "card.md").read_text(encoding="utf-8")
    assert "2 channels (nucleus, actin), pixel size 0.65 µm" in card
    assert "f1: 0.9" in card


def test_the_same_network_gives_the_same_folder(folder, tmp_path):
    save_model(tmp_path / "other", make(), DESCRIPTION)
    for name in ("model.yaml", "weights.safetensors"):
        assert (folder / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def flip_byte(folder):
    data = bytearray((folder / "weights.safetensors").read_bytes())
    data[-3] ^= 1
    (folder / "weights.safetensors").write_bytes(data)


def cut_short(folder):
    data = (folder / "weights.safetensors").read_bytes()[:-100]
    (folder / "weights.safetensors").write_bytes(data)


def write_zip(folder):
    torch.save(make().state_dict(), folder / "weights.safetensors")


def write_pickle(folder):
    buffer = io.BytesIO()
    torch.save(make().state_dict(), buffer, _use_new_zipfile_serialization=False)
    (folder / "weights.safetensors").write_bytes(buffer.getvalue())


def edit(old, new):
    def do(folder):
        path = folder / "model.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return do


def with_state(change):
    """Weights that are whole by their hash, but not those of the network."""

    def do(folder):
        state = make().state_dict()
        change(state)
        path = folder / "weights.safetensors"
        old = read_description(folder).weights_sha256
        save_file(state, path)
        edit(old, hashlib.sha256(path.read_bytes()).hexdigest())(folder)

    return do


REFUSED = {
    "no folder": (lambda f: f.rename(f.parent / "moved"), "no such file"),
    "no description": (lambda f: (f / "model.yaml").unlink(), "model.yaml: no such file"),
    "no weights": (lambda f: (f / "weights.safetensors").unlink(), "safetensors: no such file"),
    "flipped byte": (flip_byte, "sha256 differs.*copy the model folder again"),
    "cut short": (cut_short, "sha256 differs"),
    "zip": (write_zip, "a pickle, which could run any code"),
    "pickle": (write_pickle, "a pickle, which could run any code"),
    "no hash": (edit("weights_sha256: ", "metrics: {} #"), "weights_sha256|twice"),
    "NaN": (with_state(lambda s: s["head.bias"].fill_(float("nan"))), "head.bias"),
    "missing": (with_state(lambda s: s.pop("head.bias")), "lacks: head.bias"),
    "unexpected": (with_state(lambda s: s.update(x=torch.ones(1))), "does not know: x"),
    "shape": (
        with_state(lambda s: s.update({"head.bias": torch.ones(7)})),
        r"\(7,\) instead of \(1,\)",
    ),
    "another width": (edit("width: 4", "width: 8"), "has another shape"),
    "wrong channels": (
        edit("in_channels: 2", "in_channels: 3"),
        "in_channels is 3, but 2 are named",
    ),
    "huge": (edit("width: 4", "width: 1000000"), "width: expected a whole number from 1 to 1024"),
    "architecture": (
        edit("name: unet", "name: unett"),
        "unknown network 'unett'; did you mean 'unet'",
    ),
    "option": (edit("width: 4", "widht: 4"), "widht"),
    "key": (edit("licence:", "license:"), "unknown key; did you mean 'licence'"),
    "percentile": (edit("low: 1.0", "low: 2.0"), "percentile 2 is not kept"),
    "tag": (edit("f1: 0.9", "f1: !!python/object/apply:os.system [ls]"), "not valid YAML"),
    "alias": (edit("f1: 0.9", "f1: &a [1]\n  f2: *a"), "aliases"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_folders_are_refused_in_words(folder, case):
    spoil, message = REFUSED[case]
    spoil(folder)
    with pytest.raises(ValueError, match=message) as caught:
        load_model(folder)
    assert str(folder) in str(caught.value)


def test_what_does_not_fit_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="another shape"):
        save_model(tmp_path / "m", make(width=2), DESCRIPTION)
    with pytest.raises(ValueError, match="in_channels is 2, but 1 are named"):
        save_model(tmp_path / "m", make(), replace(DESCRIPTION, channels=[Channel(role="nucleus")]))
    assert not (tmp_path / "m").exists()
