"""Training: the loss falls, the best weights are kept, a killed training goes on to the same weights, bit for bit."""

import itertools
import logging
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from scopemill.examples import Example, measure_objects, measure_percentiles, write_examples
from scopemill.manifests import sha256
from scopemill.models.description import Channel, Description, read_description
from scopemill.models.folder import load_model, save_model
from scopemill.models.unet import UNet
from scopemill.settings import ConfigError, load_stage
from scopemill.train import checkpoint, loop, stage
from scopemill.train.network import make_network
from scopemill.train.settings import Crop, Training

CPU = torch.device("cpu")
OWN = Training(
    steps=12, batch_size=2, learning_rate=0.01, validate_every=4, average=0.5, mixed_precision="off"
)


class Bright:
    """What is brighter than 0 is foreground; a batch depends on its step alone."""

    def __init__(self, validation_losses=None, stop_at=None):
        self.losses = itertools.cycle(validation_losses) if validation_losses else None
        self.stop_at, self.looks = stop_at, 0

    def batch(self, step):
        if step == self.stop_at:
            raise KeyboardInterrupt
        x = np.random.default_rng([7, step]).normal(size=(2, 1, 16, 16)).astype(np.float32)
        return x, (x > 0).astype(np.float32)

    def validation(self):
        self.looks += 1
        yield self.batch(10_000)

    def loss(self, output, target):
        if self.losses is not None and not torch.is_grad_enabled():
            return torch.tensor(float(next(self.losses)))
        return nn.functional.binary_cross_entropy_with_logits(output, target)


def make(seed=0, **more):
    torch.manual_seed(seed)
    return UNet(1, 1, **{"width": 2, "depth": 1, **more})


def fit(folder, problem=None, own=OWN, network=None, fingerprint="f"):
    torch.set_num_threads(1)
    network = network or make()
    state = loop.fit(problem or Bright(), network, own, CPU, folder / "checkpoint.pt", fingerprint)
    return network, state


def same(first, second):
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


def test_the_loss_falls(tmp_path):
    _, state = fit(tmp_path, own=replace(OWN, steps=30, validate_every=5))
    losses = [one["validation"] for one in state.history]
    assert [one["step"] for one in state.history] == [5, 10, 15, 20, 25, 30]
    assert losses[-1] < 0.9 * losses[0]


def test_the_best_weights_are_kept(tmp_path):
    network, state = fit(tmp_path, Bright([0.9, 0.1, 0.5]))
    after_eight = UNet(1, 1, width=2, depth=1)
    half = tmp_path / "half"
    half.mkdir()
    with pytest.raises(KeyboardInterrupt):
        fit(half, Bright([0.9, 0.1], stop_at=11))
    kept = checkpoint.read_checkpoint(half / "checkpoint.pt", "f", CPU)
    after_eight.load_state_dict(kept.average)
    assert kept.step == 8 and same(network, after_eight)
    assert [one["validation"] for one in state.history] == pytest.approx([0.9, 0.1, 0.5])


def test_it_stops_when_patience_is_over(tmp_path):
    _, state = fit(tmp_path, Bright([0.5, 0.4, 0.6, 0.7, 0.1]), replace(OWN, steps=40, patience=2))
    assert state.step == 16 and len(state.history) == 4


def test_one_seed_gives_one_network(tmp_path):
    results = []
    for name in "ab":
        (tmp_path / name).mkdir()
        results.append(fit(tmp_path / name)[0])
    assert same(*results) and not same(results[0], make())


@pytest.mark.parametrize("stop_at", [5, 9, 11])
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path, caplog, stop_at):
    (tmp_path / "undisturbed").mkdir()
    undisturbed, whole = fit(tmp_path / "undisturbed")
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, Bright(stop_at=stop_at))
    caplog.set_level(logging.INFO)
    network, state = fit(tmp_path, network=make(seed=5))  # whatever it started from
    assert f"goes on from step {stop_at // 4 * 4} of 12" in caplog.text
    assert same(network, undisturbed)
    assert state.history == whole.history


def test_without_validation_images_a_killed_training_chooses_the_same_weights(tmp_path):
    class Alone(Bright):
        def validation(self):
            return iter(())

    (tmp_path / "undisturbed").mkdir()
    undisturbed, whole = fit(tmp_path / "undisturbed", Alone())
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, Alone(stop_at=6))
    network, state = fit(tmp_path, Alone())
    assert same(network, undisturbed) and state.history == whole.history


def test_a_checkpoint_of_another_training_is_not_used(tmp_path, caplog):
    fit(tmp_path, fingerprint="other")
    caplog.set_level(logging.INFO)
    problem = Bright()
    fit(tmp_path, problem)
    assert "is of other settings or data; the training starts again" in caplog.text
    assert problem.looks == 3


@pytest.mark.parametrize("harm", ["cut", "garbage"])
def test_a_damaged_checkpoint_is_said_and_the_training_starts_again(tmp_path, caplog, harm):
    undisturbed, _ = fit(tmp_path)
    path = tmp_path / "checkpoint.pt"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] if harm == "cut" else b"no checkpoint")
    network, _ = fit(tmp_path)
    assert "unreadable" in caplog.text and same(network, undisturbed)


def test_a_finished_training_is_taken_as_it_is(tmp_path):
    first, _ = fit(tmp_path)
    problem = Bright()
    second, _ = fit(tmp_path, problem, network=make(seed=3))
    assert problem.looks == 0 and same(first, second)


def test_a_frozen_encoder_keeps_its_weights_and_its_normalisation(tmp_path):
    before, (after, _) = make(), fit(tmp_path, own=replace(OWN, freeze="encoder"))
    assert same(before.encoder, after.encoder)  # running means and variances too
    assert not same(before.decoder, after.decoder) and not same(before.head, after.head)


def test_the_rate_rises_and_falls_to_nothing():
    rates = [loop.rate(step, 100) for step in range(100)]
    assert rates[0] == 0.2 and max(rates) > 0.99 and rates[-1] < 0.001
    assert np.argmax(rates) == 4 and (np.diff(rates[4:]) < 0).all()


def test_the_average_is_of_weights_and_counters_are_copied():
    average, network = make(0), make(1)
    expected = 0.75 * average.head.weight + 0.25 * network.head.weight
    network.encoder[0].first[1].num_batches_tracked += 5
    loop.update_average(average, network, 0.75)
    torch.testing.assert_close(average.head.weight, expected)
    assert int(average.encoder[0].first[1].num_batches_tracked) == 5


# --- first weights


def describe(width=2, output=("foreground", "border")):
    return Description(
        architecture={
            "name": "unet", "width": width, "depth": 1, "in_channels": 1, "out_channels": len(output)
        },
        channels=[Channel(name="DNA")], output=list(output),
    )  # fmt: skip


def save(folder, described):
    torch.manual_seed(9)
    architecture = {key: v for key, v in described.architecture.items() if key != "name"}
    network = UNet(**architecture)
    save_model(folder, network, described)
    return network


CROP = Crop(patch_size_px=16)


def test_all_weights_are_taken_from_the_same_network(tmp_path):
    theirs = save(tmp_path / "m", describe())
    network, notes = make_network(describe(), str(tmp_path / "m"), CROP)
    assert same(network, theirs) and "new weights: none" in notes[0]


def test_outputs_are_taken_by_name(tmp_path):
    theirs = save(tmp_path / "m", describe())
    described = describe(output=("border", "distance", "foreground"))
    network, _ = make_network(described, str(tmp_path / "m"), CROP)
    assert same(network.encoder, theirs.encoder) and same(network.decoder, theirs.decoder)
    assert torch.equal(network.head.weight[0], theirs.head.weight[1])
    assert torch.equal(network.head.weight[2], theirs.head.weight[0])


def test_a_network_that_does_not_fit_at_all_is_refused(tmp_path):
    save(tmp_path / "m", describe(width=3))
    with pytest.raises(ConfigError, match="no weight fits this network"):
        make_network(describe(), str(tmp_path / "m"), CROP)


@pytest.mark.parametrize(
    ("crop", "words"),
    [
        (Crop(patch_size_px=17), "patch_size_px must be a multiple of 2"),
        (Crop(patch_size_px=16, planes=4), "4 planes are for networks in 3-D"),
    ],
)
def test_crops_that_the_network_cannot_take_are_refused(crop, words):
    with pytest.raises(ConfigError, match=words):
        make_network(describe(), None, crop)


# --- the stage


def squares(seed):
    """An image (1, 1, Y, X) of bright squares, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((1, 40, 40), np.uint8)
    for i, (y, x) in enumerate(itertools.product((3, 16, 29), repeat=2), 1):
        size = 7 + rng.integers(3)
        labels[0, y : y + size, x : x + size] = i
    pixels = rng.poisson(np.where(labels > 0, 200, 20)).astype(np.uint16)
    return pixels[None], labels


@pytest.fixture
def examples(tmp_path):
    """A training set of six images, by labels or classes."""

    def write(truth="labels"):
        rows, parts = [], ["train"] * 3 + ["validation", "test", "test"]
        for n, part in enumerate(parts):
            pixels, labels = squares(n)
            if truth == "classes":
                labels = np.where(labels > 5, 2, np.minimum(labels, 1)).astype(np.uint8)
            shape = measure_percentiles(pixels), pixels.shape
            about = Example(f"i{n}", part, f"g{n}", *shape, *measure_objects(labels))
            rows.append((about, pixels, labels))
        meta = {
            "channels": ["DNA"], "roles": {"DNA": "nucleus"}, "pixel_size_um": None,
            "classes": ["left", "right"] if truth == "classes" else [],
            "split": {"how": "typed"}, "truth": truth,
        }  # fmt: skip
        write_examples(tmp_path / "examples.h5", meta, rows)
        (tmp_path / "split.csv").write_text("image,split\n")
        return tmp_path / "examples.h5"

    return write


def train(path, out, **changes):
    settings = {
        "collect": {}, "method": {"name": "instances", "heads": ["foreground", "border"]},
        "network": {"name": "unet", "width": 2, "depth": 1}, "crop": {"patch_size_px": 32},
        "training": {"steps": 6, "batch_size": 2, "validate_every": 3, "mixed_precision": "off"},
        **changes,
    }  # fmt: skip
    own, method = load_stage("train", settings, "train.t")
    options = Namespace(inputs=[path], out=out / "model.yaml", device="cpu", threads=1)
    stage.run(own, method, options)
    return read_description(out)


def test_a_model_folder_is_complete_and_the_same_from_the_same_seed(examples, tmp_path):
    path = examples()
    first, again = (train(path, tmp_path / name) for name in "ab")
    names = {one.name for one in (tmp_path / "a").iterdir()}
    assert names == {
        "model.yaml", "weights.safetensors", "card.md", "split.csv", "scores.csv", "history.csv",
        "loss.png", "checkpoint.pt",
    }  # fmt: skip
    assert first.weights_sha256 == again.weights_sha256 == sha256(tmp_path / "b/weights.safetensors")  # fmt: skip
    assert first.training["images"] == {"test": 2, "train": 3, "validation": 1}
    assert first.metrics["images"] == "test" and len(first.metrics["F1@0.5"]) == 3
    assert set(first.postprocessing) >= {"foreground_threshold", "seeds", "min_area_px"}
    assert first.channels == [Channel(name="DNA", role="nucleus")]
    card = (tmp_path / "a/card.md").read_text()
    assert "| F1@0.5 |" in card and "foreground, border" in card
    load_model(tmp_path / "a")


def test_another_seed_gives_other_weights(examples, tmp_path):
    path = examples()
    training = {"steps": 2, "batch_size": 2, "validate_every": 2}
    hashes = {
        train(path, tmp_path / str(seed), training={**training, "seed": seed}).weights_sha256
        for seed in (0, 1)
    }
    assert len(hashes) == 2


def test_it_learns_from_as_many_images_as_it_is_told(examples, tmp_path):
    described = train(examples(), tmp_path / "m", images=2)
    assert described.training["images"] == {"test": 2, "train": 2, "validation": 1}
    with pytest.raises(ConfigError, match="9 training images were asked for, there are 3"):
        train(tmp_path / "examples.h5", tmp_path / "n", images=9)


def test_one_training_goes_on_from_anothers_weights(examples, tmp_path):
    path = examples()
    train(path, tmp_path / "base")
    described = train(path, tmp_path / "m", init_from=str(tmp_path / "base"))
    assert f"starts from {tmp_path / 'base'}" in described.training["notes"][0]


def test_classes_of_pixels_are_learnt(examples, tmp_path):
    described = train(examples("classes"), tmp_path / "m", method={"name": "semantic"})
    assert described.output == ["background", "left", "right"]
    assert described.activation == "softmax" and "mean Dice" in described.metrics
    weights = {"left": 2.0, "rihgt": 1.0}
    method = {"name": "semantic", "class_weights": weights}
    with pytest.raises(ConfigError, match=r"no class 'rihgt'; did you mean 'right'"):
        train(tmp_path / "examples.h5", tmp_path / "n", method=method)


@pytest.mark.parametrize(
    ("heads", "words"),
    [
        (("border",), "foreground must be among them"),
        (("foreground", "flow_y"), "flow_y and flow_x go together"),
        (("foreground", "foreground"), "each at most once"),
    ],
)
def test_heads_that_make_no_objects_are_refused(heads, words):
    from scopemill.train.methods import instances

    with pytest.raises(ConfigError, match=words):
        instances.check(instances.Settings(heads=heads), {})


def test_stacks_are_learnt_by_networks_in_3d(tmp_path):
    rows = []
    for n, part in enumerate(["train", "train", "validation"]):
        pixels, labels = squares(n)
        pixels, labels = pixels.repeat(4, axis=1), labels.repeat(4, axis=0)
        shape = measure_percentiles(pixels), pixels.shape
        rows.append((Example(f"i{n}", part, f"g{n}", *shape, *measure_objects(labels)), pixels, labels))  # fmt: skip
    meta = {"channels": ["DNA"], "pixel_size_um": None, "classes": [], "split": {}, "truth": "labels"}  # fmt: skip
    write_examples(Path(tmp_path / "examples.h5"), meta, rows)
    (tmp_path / "split.csv").write_text("image,split\n")
    described = train(
        tmp_path / "examples.h5", tmp_path / "m",
        network={"name": "unet", "width": 2, "depth": 1, "dims": 3},
        crop={"patch_size_px": 16, "planes": 4},
        training={"steps": 2, "batch_size": 1, "validate_every": 2},
    )  # fmt: skip
    assert described.metrics["images"] == "validation"


# --- the card


def test_the_card_is_read_by_people():
    from scopemill.models.card import format_card

    described = replace(
        describe(),
        metrics={"images": "test", "mean |count error|": [0.031, 0.0, 0.075], "F1@0.5": [1, float("nan"), 1]},
        training={
            "split": {"how": "groups of subject", "images": {"test": 6, "train": 14}, "found": {}},
            "notes": ["starts from a model"], "steps": 500, "settings": {"hidden": 1},
        },
    )  # fmt: skip
    lines = format_card("m", described).splitlines()
    assert r"| mean \|count error\| | 0.031 | 0.000 to 0.075 |" in lines
    assert "| F1@0.5 | 1.000 | one group only |" in lines
    assert "- split: how groups of subject, images (test 6, train 14)" in lines
    assert "- notes: starts from a model" in lines and "- steps: 500" in lines
    assert "hidden" not in "".join(lines)


def test_thresholds_are_tuned_where_that_helps():
    from types import SimpleNamespace

    from scopemill.train.tuning_semantic import tune_thresholds

    names = ["background", "a"]
    truth = np.array([[0, 0, 1, 1, 1, 1]])
    a = np.array([[0.1, 0.2, 0.35, 0.4, 0.45, 0.9]])
    timid = SimpleNamespace(truth=truth, maps=np.stack([1 - a, a]).astype(np.float16))
    # a is chosen where 0.5 p / 0.3 > 1 - p, so from 0.375 on; 0.2: from 0.286 on
    assert tune_thresholds([timid], names) == {"a": 0.2}
    sure = SimpleNamespace(truth=truth, maps=np.stack([1 - truth, truth]).astype(np.float16))
    assert tune_thresholds([sure], names) == {}
    assert tune_thresholds([], names) == {}


def test_a_training_that_the_gpu_has_no_memory_for_is_not_made_smaller(
    examples, tmp_path, monkeypatch
):
    seen = []

    def run_out(network, x):
        seen.append(len(x))
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(UNet, "forward", run_out)
    with pytest.raises(RuntimeError, match=r"too small \(CUDA out of memory.*below 2 or `crop"):
        train(examples(), tmp_path / "a")
    assert seen == [2], "tried once"
    assert not (tmp_path / "a" / "model.yaml").exists()
