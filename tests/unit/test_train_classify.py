"""Classifiers: examples of objects and images with classes, crops of them, a training, and what it says of itself."""

import csv
from argparse import Namespace
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopemill.collect import objects
from scopemill.collect.objects import Objects
from scopemill.collect.stage import Settings as CollectSettings
from scopemill.cutouts import cut_around, find_middles, mirror, take_planes
from scopemill.examples import Example, Examples, measure_percentiles, write_examples
from scopemill.models.classes import Decision, decide, to_probabilities
from scopemill.models.description import read_description
from scopemill.settings import ConfigError, load, load_stage
from scopemill.train import object_crops, stage, tuning_classes
from scopemill.train.crops import PLAIN

IMAGE = np.arange(20).reshape(1, 4, 5)
ABOUT = {"image": "i", "part": "train", "group": "g", "t": 3}


def boxes(*rows):
    return pd.DataFrame(rows, columns=["class", "y0", "x0", "y1", "x1"])


def test_a_crop_has_its_place_in_the_middle():
    assert cut_around(IMAGE, 2, 2, 2).tolist() == [[[6, 7], [11, 12]]]
    assert cut_around(IMAGE, 1.5, 2.5, 3).tolist() == [[[1, 2, 3], [6, 7, 8], [11, 12, 13]]]


def test_beyond_the_border_it_is_mirrored():
    assert cut_around(IMAGE, 0, 5, 4)[0].tolist() == [
        [13, 14, 13, 12], [8, 9, 8, 7], [3, 4, 3, 2], [8, 9, 8, 7]
    ]  # fmt: skip


@given(st.integers(2, 9), st.integers(-20, 20), st.integers(1, 30))
def test_mirrored_places_are_those_that_numpy_pads_with(size, start, count):
    far = np.pad(np.arange(size), 60, mode="reflect")
    assert mirror(start, count, size).tolist() == far[60 + start : 60 + start + count].tolist()


def test_the_middle_planes_are_taken():
    stack = np.arange(5).reshape(1, 5, 1, 1)
    assert take_planes(stack, 3).ravel().tolist() == [1, 2, 3]
    assert take_planes(stack[:, :1], 3).ravel().tolist() == [0, 0, 0]


def test_the_middle_of_a_box_and_of_a_point():
    assert find_middles(boxes(["a", 2, 0, 4, 6], ["b", 1.5, 1, 1.5, 1])).tolist() == [[3, 3], [1.5, 1]]  # fmt: skip


def cut(table, classes, zoom=(1.0, 1.0), **own):
    pixels = np.arange(2 * 40 * 40).reshape(2, 1, 40, 40)
    labels = np.zeros((1, 40, 40), np.uint8)
    labels[0, 10:14, 20:24] = 7
    return list(objects.cut_objects(table, pixels, labels, zoom, Objects(crop_px=16, **own), classes, ABOUT))  # fmt: skip


def test_each_object_is_an_example_with_its_class():
    table = boxes(["ana", 10, 20, 14, 24], ["", 0, 0, 4, 4], ["other", 0, 0, 4, 4], ["meta", 0, 0, 4, 4])  # fmt: skip
    (first, pixels, labels), (second, *_) = cut(table, ["ana", "meta"], margin=0.0)
    assert (first.classes, second.classes) == ((0,), (1,))
    assert first.origin == (3, 4, 14)
    assert (pixels.shape, pixels[0, 0, 0, 0]) == ((2, 1, 16, 16), 4 * 40 + 14)
    assert np.argwhere(labels[0] == 7).min(axis=0).tolist() == [6, 6]
    assert first.percentiles[0][-1] == pytest.approx(1599, abs=2)  # of the whole image


def test_the_margin_is_kept_around_the_object():
    ((example, pixels, _),) = cut(boxes(["a", 18, 18, 22, 22]), ["a"], margin=0.5)
    assert pixels.shape == (2, 1, 24, 24)
    assert example.origin == (3, 8, 8)


def test_annotations_are_of_the_image_before_it_was_rescaled():
    ((_, _, labels),) = cut(boxes(["a", 20, 40, 28, 48]), ["a"], zoom=(0.5, 0.5), margin=0.0)
    assert np.argwhere(labels[0] == 7).min(axis=0).tolist() == [6, 6]


def test_several_classes_or_none_of_an_object():
    table = boxes(["a|b", 0, 0, 4, 4], ["", 0, 0, 4, 4], [" b ", 0, 0, 4, 4])
    found = cut(table, ["a", "b"], labels="several")
    assert [one.classes for one, *_ in found] == [(0, 1), (), (1,)]
    assert objects.list_classes(table["class"], Objects(labels="several")) == ["a", "b"]
    assert objects.list_classes(table["class"], Objects()) == ["b", "a|b"][::-1]


def test_an_image_is_one_example_whole_or_its_middle():
    pixels = np.arange(20 * 40).reshape(1, 1, 20, 40).astype(np.float32)
    labels = np.zeros((1, 20, 40), np.uint8)
    own = Objects(per="image", column="phase", crop_px=16, margin=0.0)
    ((whole, small, _),) = objects.cut_image(pixels, labels, "a", True, own, ["a"], ABOUT)
    ((_, middle, _),) = objects.cut_image(pixels, labels, "a", False, own, ["a"], ABOUT)
    assert (small.shape, whole.classes, whole.origin) == ((1, 1, 16, 16), (0,), (3, 0, 0))
    assert small.mean() == pytest.approx(pixels.mean(), rel=0.01)
    np.testing.assert_array_equal(middle, pixels[..., 2:18, 12:28])
    assert list(objects.cut_image(pixels, labels, "", True, own, ["a"], ABOUT)) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"channels": ["DNA"]}, "collect.x: annotations: this key is required"),
        ({"channels": ["DNA"], "truth": "objects"}, "annotations: this key is required"),
        ({"channels": ["DNA"], "truth": "objects", "objects": {"per": "image"}}, "objects.column: this key is required"),
    ],
)  # fmt: skip
def test_what_says_the_truth_must_be_named(given, message):
    with pytest.raises(ConfigError, match=message):
        load(CollectSettings, given, "collect.x")


def test_a_column_of_the_sheet_needs_no_annotations():
    own = {"channels": ["DNA"], "truth": "objects", "objects": {"per": "image", "column": "phase"}}
    assert load(CollectSettings, own, "collect.x").reads_column
    row = SimpleNamespace(metadata={"phase": "x"})
    with pytest.raises(ConfigError, match="no column 'phases'; did you mean 'phase'"):
        objects.check_column([row], Objects(per="image", column="phases"))


def example(classes, part="train", n=24):
    return Example("i", part, "g", ((0.0,) * 7,), (1, 1, n, n), classes=classes)


def test_rare_classes_are_drawn_more_often():
    many = [example((0,))] * 3 + [example((1,))]
    assert object_crops.weigh(many, 0.0).tolist() == [0.25] * 4
    np.testing.assert_allclose(object_crops.weigh(many, 1.0), [1 / 6, 1 / 6, 1 / 6, 1 / 2])
    both = [example((0,)), example((0, 1)), example(()), example(())]
    np.testing.assert_allclose(object_crops.weigh(both, 1.0), [0.2, 0.4, 0.2, 0.2])


def test_classes_become_vectors():
    assert object_crops.to_vectors([(1,), (), (0, 2)], 3).tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 1]]  # fmt: skip


def test_examples_that_teach_nothing_are_refused():
    with pytest.raises(ConfigError, match="no training example is of class b, c; annotate more"):
        object_crops.check_examples([example((0,))], ["a", "b", "c"])
    with pytest.raises(ConfigError, match="all training examples are of one class"):
        object_crops.check_examples([example((0,))] * 3, ["a"])


def test_a_window_is_moved_and_keeps_its_middle_near():
    places = np.arange(24)
    for seed in range(20):
        _, ys, xs = object_crops.shift((24, 24), 3.0, np.random.default_rng(seed))
        for window in (ys, xs):
            assert abs(places[window].mean() - 11.5) <= 3
    assert object_crops.shift((24, 24), 0.0, np.random.default_rng(0)) == (..., slice(0, 24), slice(0, 24))  # fmt: skip


LOGITS = np.log([[8.0, 1, 1], [1, 2, 1]])


def test_probabilities_and_classes():
    p = to_probabilities(LOGITS, "softmax", 1.0)
    np.testing.assert_allclose(p, [[0.8, 0.1, 0.1], [0.25, 0.5, 0.25]])
    assert decide(p, "abc", "softmax", Decision()) == ["a", "b"]
    assert to_probabilities(LOGITS, "softmax", 2.0)[0, 0] == pytest.approx(8**0.5 / (8**0.5 + 2))


def test_several_classes_hold_from_their_thresholds_on():
    p = np.array([[0.8, 0.3, 0.5], [0.2, 0.1, 0.4]])
    assert decide(p, "abc", "sigmoid", Decision(thresholds={"b": 0.25})) == ["a|b|c", "none"]


def found(truth, logits):
    return tuning_classes.Found([example(())] * len(truth), np.array(truth, bool), np.array(logits))


def test_the_temperature_cools_a_network_that_is_too_sure():
    truth = [[1, 0], [1, 0], [1, 0], [0, 1]]
    decision = tuning_classes.tune(found(truth, [[8.0, 0]] * 4), ["a", "b"], "softmax")
    # at the best one it says 3/4, which is what is true: 8 / log(3) is 7.28
    assert decision.temperature == pytest.approx(7.28, rel=0.05)
    assert tuning_classes.tune(found(np.empty((0, 2)), []), ["a", "b"], "softmax") == Decision()


def test_thresholds_are_tuned_where_classes_do_not_exclude_each_other():
    truth, logits = [[1, 0], [1, 1], [0, 0]], [[-1.0, -3], [-1, 2], [-3, -3]]
    decision = tuning_classes.tune(found(truth, logits), ["a", "b"], "sigmoid")
    p = to_probabilities(np.array(logits), "sigmoid", decision.temperature)
    assert decide(p, ["a", "b"], "sigmoid", decision) == ["a", "a|b", "none"]
    assert decision.thresholds["a"] < 0.5


def draw_picture(kind, rng):
    """24 x 24 pixels of noise with a disc, or with a ring."""
    y, x = np.mgrid[:24, :24] - 11.5
    radius = np.hypot(y, x)
    shape = radius < 6 if kind == 0 else (radius > 5) & (radius < 8)
    return (50 * shape + rng.normal(10, 3, (24, 24))).astype(np.float32)


def write_set(path, several=False, parts=("train",) * 24 + ("validation",) * 8 + ("test",) * 8):
    """Discs and rings; with `several`, each also has the class `bright` where it is brighter."""
    rng = np.random.default_rng(0)
    made = []
    for i, part in enumerate(parts):
        kind, bright = i % 2, several and i % 4 < 2
        pixels = draw_picture(kind, rng)[None, None] * (2 if bright else 1)
        levels = measure_percentiles(draw_picture(0, rng)[None])  # of the image: brightness counts
        classes = (kind, 2) if bright else (kind,)
        one = Example(f"i{i}", part, f"g{i // 2}", levels, pixels.shape, classes=classes)
        made.append((one, pixels, np.zeros((1, 24, 24), np.uint8)))
    meta = {
        "channels": ["DNA"], "classes": ["disc", "ring", "bright"][: 3 if several else 2], "pixel_size_um": 0.5,
        "split": {}, "truth": "objects",
        "objects": {"per": "object", "labels": "several" if several else "one", "crop_px": 16},
    }  # fmt: skip
    write_examples(path, meta, made)
    path.with_name("split.csv").write_text("image,part\n", encoding="utf-8")


CONFIG = {
    "collect": {},
    "method": {"name": "classify"},
    "network": {"name": "densenet", "blocks": [2, 2], "growth": 4, "width": 8},
    "training": {"steps": 60, "batch_size": 8, "validate_every": 30, "learning_rate": 0.01, "average": 0.8},
    "augmentation": {"scale": [0.9, 1.1], "intensity": 0.1, "haze": 0.0, "noise": 0.02, "blur_px": 0.0},
}  # fmt: skip


def train(folder, config=CONFIG, several=False):
    write_set(folder / "examples.h5", several)
    settings, method = load_stage("train", config, "train.x")
    out = folder / "model" / "model.yaml"
    stage.run(settings, method, Namespace(out=out, inputs=[folder / "examples.h5"], device="cpu", threads=1))  # fmt: skip
    return out.parent


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return train(tmp_path_factory.mktemp("one"))


def test_discs_are_told_from_rings(model):
    described = read_description(model)
    assert described.output == ["disc", "ring"]
    assert (described.activation, described.classifier.crop_px) == ("softmax", 16)
    assert described.metrics["accuracy"][0] == 1.0
    assert described.metrics["images"] == "test"
    assert described.metrics["macro F1"] == [1.0, 1.0, 1.0]
    assert set(described.postprocessing) == {"temperature"}  # there are no thresholds to keep


def test_a_training_says_what_was_taken_for_what(model):
    assert read(model / "confusion.csv") == [
        {"true": "disc", "disc": "4", "ring": "0"}, {"true": "ring", "disc": "0", "ring": "4"}
    ]  # fmt: skip
    scores = read(model / "scores.csv")
    assert [one["image"] for one in scores] == [f"i{i}" for i in range(32, 40)]
    assert [one["predicted"] for one in scores] == ["disc", "ring"] * 4
    assert [one["n"] for one in read(model / "classes.csv")] == ["4", "4"]


def test_classes_that_do_not_exclude_each_other(tmp_path):
    folder = train(tmp_path, several=True)
    described = read_description(folder)
    assert described.activation == "sigmoid"
    assert set(described.postprocessing["thresholds"]) == {"disc", "ring", "bright"}
    assert described.metrics["macro F1"][0] > 0.85
    assert {"truth": "disc|bright"}.items() <= read(folder / "scores.csv")[0].items()


def test_a_frozen_encoder_keeps_its_weights(model, tmp_path):
    from scopemill.models.folder import load_model

    training = {**CONFIG["training"], "freeze": "encoder", "steps": 5}
    config = {**CONFIG, "training": training, "init_from": str(model)}
    before, after = (load_model(one)[0].state_dict() for one in (model, train(tmp_path, config)))
    same = {name: bool((before[name] == after[name]).all()) for name in before}
    assert all(one for name, one in same.items() if name.startswith("encoder."))
    assert not same["head.weight"]


def test_a_network_that_gives_maps_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"this one gives maps, no classes; set network: \{name: densenet\}"):  # fmt: skip
        train(tmp_path, {**CONFIG, "network": {"name": "unet", "width": 2, "depth": 1}})


def test_weights_of_unknown_classes_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="class_weights: no class is called rings"):
        train(tmp_path, {**CONFIG, "method": {"name": "classify", "class_weights": {"rings": 2.0}}})


def test_unvaried_crops_are_those_that_validation_sees(tmp_path):
    write_set(tmp_path / "e.h5")
    settings, method = load_stage("train", CONFIG, "train.x")
    with Examples(tmp_path / "e.h5") as examples:
        goal = method.module.make_goal(method.module.Settings(shift=0.0), examples.meta)
        described = stage.describe(settings, method, goal.outputs, examples)
        plain = replace(settings, augmentation=PLAIN)
        crops = stage.make_problem(plain, method, goal, described, examples)
        varied = crops.draw(3, np.random.default_rng(0))
        np.testing.assert_allclose(varied, crops.read(3), atol=1e-5)
        x, y = crops.batch(0)
        assert (x.shape, y.shape, y.dtype) == ((8, 1, 16, 16), (8, 2), np.float32)
        assert (y.sum(axis=1) == 1).all()
        again, _ = crops.batch(0)
        np.testing.assert_array_equal(x, again)
        assert sum(len(x) for x, _ in crops.validation()) == 8
