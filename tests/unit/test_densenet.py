"""DenseNet: the published network, at any size, in 2-D and 3-D, and the same after it is made ready to predict."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from scopemill.models.classes import predict_logits
from scopemill.models.densenet import DenseNet
from scopemill.models.description import Channel, Classifier, Description, read_description
from scopemill.models.folder import load_model, save_model
from scopemill.models.predict import prepare

TINY = {"in_channels": 2, "out_channels": 3, "blocks": [2, 2], "growth": 4, "width": 8}
DESCRIPTION = Description(
    architecture={"name": "densenet", **TINY},
    channels=[Channel(name="DNA"), Channel(name="actin")],
    output=["meta", "ana", "inter"],
    classifier=Classifier(crop_px=32),
)


def make(**options):
    """A network that has seen a batch, so that its normalisation does something."""
    torch.manual_seed(0)
    network = DenseNet(**{**TINY, **options})
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.momentum = 1.0
    size = (4, 24, 24)[-options.get("dims", 2) :]
    network.train()(torch.rand(4, 2, *size))
    return network.eval()


def count(network):
    return sum(one.numel() for one in network.parameters())


def test_the_default_is_the_published_densenet_121():
    network = DenseNet(3, 1000)
    assert count(network) == 7978856
    assert count(network.encoder) == 6953856
    assert sum(isinstance(one, nn.Conv2d) for one in network.modules()) == 120  # and one linear


def test_in_3d_its_convolutions_have_depth():
    network = DenseNet(3, 1000, dims=3)
    flat = DenseNet(3, 1000)
    # 58 3x3 convolutions 128 -> 32 gain 18 weights for each pair of channels, the 7x7 stem becomes 3x7x7
    assert count(network) - count(flat) == 58 * 128 * 32 * 18 + 2 * 3 * 64 * 49


@pytest.mark.parametrize("size", [(16, 16), (17, 33), (1, 5), (64, 40)])
def test_one_vector_an_image_of_any_size(size):
    assert make(blocks=[1, 1, 1, 1])(torch.rand(2, 2, *size)).shape == (2, 3)


def test_a_stack_of_one_plane_will_do_in_3d():
    assert make(dims=3)(torch.rand(2, 2, 1, 20, 20)).shape == (2, 3)


@pytest.mark.parametrize("dims", [2, 3])
def test_what_is_made_ready_to_predict_gives_the_same(dims):
    network = make(dims=dims)
    x = torch.rand(4, 2, *(3, 20, 20)[-dims:])
    ready = prepare(network, torch.device("cpu"), bf16=False)
    kept = [type(one).__name__ for one in ready.modules()]
    assert kept.count("Identity") == 1 + 4  # the stem's and each layer's second normalisation
    assert (
        kept.count(f"BatchNorm{dims}d") == 4 + 1 + 1
    )  # layers', transition's and last: nothing to fold into
    with torch.no_grad():
        expected = network(x).numpy()
    (found,) = predict_logits(ready, [x.numpy()], torch.device("cpu"))[None]
    assert expected.std(axis=0).min() > 1e-4  # it is not the same for every input
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_model_folder_keeps_it_and_what_it_decides(tmp_path):
    network = make()
    save_model(tmp_path / "m", network, DESCRIPTION)
    loaded, described = load_model(tmp_path / "m")
    x = torch.rand(1, 2, 32, 32)
    assert torch.equal(loaded(x), network(x))
    assert described.classifier == Classifier(per="object", labels="one", crop_px=32, planes=1)
    assert described.activation == "softmax"


@pytest.mark.parametrize(
    ("output", "classifier", "activation"),
    [
        (["foreground"], None, "sigmoid"),
        (["background", "a"], None, "softmax"),
        (["a", "b"], Classifier(labels="one"), "softmax"),
        (["a", "b"], Classifier(labels="several"), "sigmoid"),
    ],
)
def test_how_outputs_become_probabilities(output, classifier, activation):
    assert replace(DESCRIPTION, output=output, classifier=classifier).activation == activation


def test_a_description_without_the_key_is_of_maps(tmp_path):
    text = "architecture: {name: unet}\nchannels: [{role: nucleus}]\noutput: [foreground]\n"
    (tmp_path / "model.yaml").write_text(text, encoding="utf-8")
    assert read_description(tmp_path).classifier is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dims": 4}, "dims: expected a whole number from 2 to 3, found 4"),
        ({"growth": 0}, "growth: expected a whole number from 1 to 256, found 0"),
        ({"blocks": [2, 0]}, r"blocks\[1\]: expected a whole number from 1 to 64, found 0"),
        ({"blocks": []}, "blocks: expected 1 to 6 numbers of layers, found 0"),
    ],
)
def test_settings_that_make_no_network_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)
