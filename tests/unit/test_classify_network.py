"""Network: objects of an image get the class that a model's network gives to their crops."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from scopemill.classify.methods import network as method
from scopemill.classify.stage import Settings as StageSettings
from scopemill.classify.stage import classify
from scopemill.columns import describe
from scopemill.cutouts import cut_around, find_middles
from scopemill.errors import DataError
from scopemill.frames import Frame
from scopemill.models.densenet import DenseNet
from scopemill.models.description import Channel, Classifier, Description
from scopemill.models.folder import save_model
from scopemill.models.ready import load_changed
from scopemill.settings import ConfigError, load_stage
from scopemill.tiling import list_cores

DESCRIPTION = Description(
    architecture={"name": "densenet", "in_channels": 1, "out_channels": 2, "blocks": [1], "growth": 1, "width": 2},
    channels=[Channel(name="DNA")],
    output=["dark", "bright one"],
    classifier=Classifier(crop_px=8),
)  # fmt: skip


def make(description=DESCRIPTION):
    """A network that weighs how bright its input is on average: logit of `bright one` is 8 * (mean - 0.5)."""

    class Mean(nn.Module):
        def forward(self, x):
            middle = 8 * (x.flatten(1).mean(dim=1) - 0.5)
            return torch.stack([torch.zeros_like(middle), middle], dim=1)

    return Mean()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model folder; what its network says is replaced by something that can be reckoned."""

    def write(description=DESCRIPTION, name="m"):
        count = len(description.channels)
        architecture = {**description.architecture, "in_channels": count}
        described = replace(description, architecture=architecture)
        options = {key: value for key, value in architecture.items() if key != "name"}
        save_model(tmp_path / name, DenseNet(**options), described)
        return str(tmp_path / name)

    def prepare(network, device):
        ready = make()
        ready.register_parameter("one", nn.Parameter(torch.ones(1)))
        return ready

    monkeypatch.setattr("scopemill.models.predict.prepare", prepare)
    load_changed.cache_clear()
    yield write
    load_changed.cache_clear()


def picture():
    """40 x 40, dark at the left and bright at the right; the percentiles 1 and 99.9 are 0 and 100."""
    image = np.zeros((40, 40), np.float32)
    image[:, 20:] = 100
    return image


TABLE = pd.DataFrame({"label": [1, 2, 3], "y0": [8, 20, 0], "x0": [4, 28, 18], "y1": [12, 24, 4], "x1": [8, 32, 22]})  # fmt: skip


def run(model, table=TABLE, frame=None, **options):
    frame = frame or Frame.of({"DNA": picture()}, device="cpu")
    return method.classify(table, frame, method.Settings(model=model, **options))


def test_objects_get_the_class_of_their_crop(folder):
    found = run(folder())
    assert found["class"].tolist() == ["dark", "bright one", "dark"]
    sure = 1 / (1 + np.exp(-4))
    np.testing.assert_allclose(found["probability"], [sure, sure, 0.5], atol=1e-6)
    np.testing.assert_allclose(found["probability_bright_one"], [1 - sure, sure, 0.5], atol=1e-6)
    np.testing.assert_allclose(found["probability_dark"] + found["probability_bright_one"], 1)


def test_what_is_not_probable_enough_is_uncertain(folder):
    assert run(folder(), certain_from=0.9)["class"].tolist() == ["dark", "bright one", "uncertain"]


def test_the_models_temperature_and_thresholds_hold(folder):
    cool = replace(DESCRIPTION, postprocessing={"temperature": 4.0})
    np.testing.assert_allclose(run(folder(cool))["probability"][0], 1 / (1 + np.exp(-1)), atol=1e-6)
    several = replace(
        DESCRIPTION,
        classifier=Classifier(crop_px=8, labels="several"),
        postprocessing={"thresholds": {"dark": 0.6, "bright one": 0.4}},
    )
    found = run(folder(several, "s"), certain_from=1.0)["class"]
    assert found.tolist() == ["none", "bright one", "bright one"]


def test_no_objects_no_classes(folder):
    found = run(folder(), TABLE[:0])
    assert {name: len(values) for name, values in found.items()} == dict.fromkeys(
        ["class", "probability", "probability_dark", "probability_bright_one"], 0
    )


def test_batches_change_nothing(folder):
    one, all_ = run(folder(), batch_size=1), run(folder(), batch_size=64)
    np.testing.assert_array_equal(one["probability"], all_["probability"])


class Watched:
    """A source that remembers the largest window that was asked for."""

    def __init__(self, source):
        self.source, self.largest = source, 0

    def channel(self, name, y, x):
        found = self.source.channel(name, y, x)
        self.largest = max(self.largest, found.size)
        return found


def scattered(shape, n, seed=0):
    """A noisy image with brighter and darker parts, and boxes in any order, at its borders too."""
    rng = np.random.default_rng(seed)
    image = np.kron(rng.random((6, 6)), np.ones([-(-m // 6) for m in shape[-2:]]))
    image = (1000 * image[: shape[-2], : shape[-1]] + rng.normal(0, 20, shape)).astype(np.float32)
    y, x = (rng.integers(0, m - 4, n) for m in shape[-2:])
    height, width = rng.integers(1, 5, (2, n))
    return image, pd.DataFrame({"label": range(n), "y0": y, "x0": x, "y1": y + height, "x1": x + width})  # fmt: skip


@pytest.mark.parametrize("shape", [(90, 70), (3, 60, 80)])
@pytest.mark.parametrize("um_per_px", [1.0, 0.6, 1.7])
@pytest.mark.parametrize("per", ["object", "image"])
def test_blocks_change_nothing(folder, monkeypatch, shape, um_per_px, per):
    model = folder(replace(DESCRIPTION, pixel_size_um=1.0, classifier=Classifier(crop_px=8, per=per)))  # fmt: skip
    image, table = scattered(shape, 60)
    frame = Frame.of({"DNA": image}, um_per_px=um_per_px, device="cpu")
    whole = run(model, table, frame)
    assert whole["probability_dark"].std() > 0.01
    monkeypatch.setattr(method, "list_blocks", lambda size, _: list_cores(size, 16))
    cut = run(model, table, frame)
    assert cut["class"].tolist() == whole["class"].tolist()
    np.testing.assert_allclose(cut["probability_dark"], whole["probability_dark"], atol=1e-6)


def test_of_a_slide_only_what_lies_around_objects_is_read(folder):
    image, table = scattered((2600, 2500), 40)
    frame = Frame.of({"DNA": image}, device="cpu")
    frame = replace(frame, source=Watched(frame.source))
    found = run(folder(), table, frame)
    assert 0 < frame.source.largest <= (2048 + 2 * 8) ** 2 < image.size
    low, high = np.percentile(image, (1, 99.9))
    middles = find_middles(table)
    for row in range(len(table)):
        crop = (cut_around(image, *middles[row], 8) - low) / (high - low)
        bright = 1 / (1 + np.exp(-8 * (crop.mean() - 0.5)))
        # the percentiles are those of a sample
        assert found["probability_bright_one"][row] == pytest.approx(bright, abs=0.02)


def test_the_image_is_brought_to_the_models_pixel_size(folder):
    model = folder(replace(DESCRIPTION, pixel_size_um=1.0))
    frame = Frame.of({"DNA": np.kron(picture(), np.ones((2, 2), np.float32))}, um_per_px=0.5, device="cpu")  # fmt: skip
    doubled = TABLE.assign(**{name: 2 * TABLE[name] for name in ("y0", "x0", "y1", "x1")})
    assert run(model, doubled, frame)["class"].tolist()[:2] == ["dark", "bright one"]


def test_planes_are_put_together_as_is_asked(folder):
    stack = np.stack([picture(), np.full((40, 40), 100, np.float32), picture()])
    assert run(folder(), frame=Frame.of({"DNA": stack}, device="cpu"), z="mean")["class"].tolist()[:2] == ["dark", "bright one"]  # fmt: skip
    constant = run(folder(), frame=Frame.of({"DNA": stack}, device="cpu"), z="max")
    assert len(set(constant["probability"].tolist())) == 1


def test_a_model_of_whole_images_sees_the_light_of_the_crop_only(folder):
    model = folder(replace(DESCRIPTION, classifier=Classifier(crop_px=8, per="image")))
    gradient = Frame.of({"DNA": np.add.outer(np.zeros(40), np.arange(40.0)).astype(np.float32)}, device="cpu")  # fmt: skip
    found = run(model, frame=gradient)["probability_dark"]
    np.testing.assert_allclose(found, found[0], atol=0.02)  # every crop is a gradient
    assert run(folder(name="o"), frame=gradient)["probability_dark"].std() > 0.2


def test_channels_are_found_by_the_models_names(folder):
    frame = Frame.of({"actin": np.zeros((40, 40), np.float32), "DNA": picture()}, device="cpu")
    assert run(folder(), frame=frame)["class"].tolist() == ["dark", "bright one", "dark"]
    assert len(set(run(folder(), frame=frame, channels=["actin"])["class"])) == 1


def test_channels_that_do_not_fit_are_refused_in_words(folder):
    frame = Frame.of({"actin": picture()}, device="cpu")
    with pytest.raises(DataError, match=r"takes 1 channel \(DNA\); the image has no channel 'DNA', but actin; choose them, in this order, with method: channels") as caught:  # fmt: skip
        run(folder(), frame=frame)
    assert caught.value.code == "MODEL_MISMATCH"
    with pytest.raises(DataError, match=r"takes 1 channel \(DNA\); method: channels names 2 \(actin, DNA\)"):  # fmt: skip
        run(folder(), frame=frame, channels=["actin", "DNA"])


def test_a_model_that_finds_objects_gives_no_classes(folder):
    maps = replace(DESCRIPTION, output=["foreground", "border"], classifier=None)
    with pytest.raises(ConfigError, match=r"gives no classes, but \['foreground', 'border'\]; choose a model"):  # fmt: skip
        run(folder(maps))


def test_a_classifier_finds_no_objects(folder):
    from scopemill.segment.methods import unet

    with pytest.raises(ConfigError, match=r"finds no objects: its output is \['dark', 'bright one'\]"):  # fmt: skip
        unet.load_finder(Frame.of({"a": np.zeros((4, 4))}, device="cpu"), unet.Settings(model=str(folder()), channels=["a"]))  # fmt: skip


def test_the_stage_joins_them_to_the_objects(folder):
    own, chosen = load_stage("classify", {"objects": "cells", "method": {"name": "network", "model": folder()}}, "classify.x")  # fmt: skip
    assert isinstance(own, StageSettings)
    table = TABLE.assign(image="i", t=0)
    frame = Frame.of({"DNA": picture()}, device="cpu", tables={"quantify.cells": table}.__getitem__)
    found = classify(frame, own, chosen)
    assert found.columns.tolist() == [
        "image", "t", "label", "class", "probability", "probability_dark", "probability_bright_one"
    ]  # fmt: skip
    assert all(describe(name) for name in found)
