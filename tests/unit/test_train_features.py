"""Train on measured features: a table of objects with classes -> a forest, its scores and its card."""

import json
from argparse import Namespace

import numpy as np
import pandas as pd
import pytest

from scopemill.measured import read_measured, write_measured
from scopemill.models.description import read_description
from scopemill.models.forest import load_forest
from scopemill.settings import ConfigError, load_stage
from scopemill.splits import write_split
from scopemill.train import stage

META = {
    "features": ["brightness", "noise"], "channels": ["CD3"], "roles": {"CD3": "membrane"}, "classes": ["B", "T"],
    "split": {"how": "column part"}, "truth": "features", "learnt_from": "labelled cells (cells.csv)",
}  # fmt: skip


def make_table(n_images=6, tests=1, per_image=10):
    """Objects of images i0, i1, ...: T cells are brighter than 5; the last images are those of the test."""
    n = n_images * per_image
    brightness = np.tile([2.0, 8.0], n // 2) + np.linspace(-1, 1, n)
    image = np.repeat(np.arange(n_images), per_image)
    return pd.DataFrame(
        {
            "image": [f"i{k}" for k in image], "part": np.where(image < n_images - tests, "train", "test"),
            "group": [f"g{k}" for k in image], "t": 0, "label": np.arange(n) + 1,
            "class": np.where(brightness > 5, "T", "B"), "brightness": brightness,
            "noise": np.random.default_rng(0).random(n),
        }
    )  # fmt: skip


@pytest.fixture
def train(tmp_path):
    """Table -> the folder of the model that learnt from it."""

    def do(table, meta=META, **more):
        write_measured(tmp_path / "examples.h5", meta, table)
        parts = dict(zip(table["image"], table["part"], strict=True))
        write_split(tmp_path / "split.csv", parts)
        mapping = {"collect": {}, "method": {"name": "features", "trees": 20}, **more}
        settings, method = load_stage("train", mapping, "train.types")
        out = tmp_path / "model/model.yaml"
        stage.run(settings, method, Namespace(inputs=[tmp_path / "examples.h5"], out=out, threads=1))  # fmt: skip
        return out.parent

    return do


def test_a_measured_set_comes_back_as_it_was(tmp_path):
    table = make_table(3)
    digest = write_measured(tmp_path / "a.h5", META, table)
    meta, found = read_measured(tmp_path / "a.h5")
    assert meta == {**META, "sha256": digest}
    pd.testing.assert_frame_equal(found[list(table)], table, check_dtype=False)
    assert write_measured(tmp_path / "b.h5", META, table) == digest
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert write_measured(tmp_path / "b.h5", META, table.assign(noise=0.0)) != digest


def test_a_forest_is_scored_on_the_test_images(train):
    folder = train(make_table())
    described = read_description(folder)
    assert described.metrics["images"] == "test"
    assert described.metrics["accuracy"][0] == 1.0
    assert described.training["images"] == {"train": 5}
    assert described.training["objects"] == {"B": 25, "T": 25}
    assert len(pd.read_csv(folder / "scores.csv")) == 10
    assert (folder / "confusion.csv").read_text() == "true,B,T\nB,5,0\nT,0,5\n"
    assert "- classes from: labelled cells (cells.csv)" in (folder / "card.md").read_text()
    forest, _ = load_forest(folder)
    assert forest.predict(np.array([[2.0, 0.5], [8.0, 0.5]])).argmax(axis=1).tolist() == [0, 1]


def test_without_test_images_each_group_is_judged_by_a_forest_that_has_not_seen_it(train):
    folder = train(make_table(tests=0))
    described = read_description(folder)
    assert described.metrics["images"] == "cross-validation by groups of images"
    assert len(pd.read_csv(folder / "scores.csv")) == 60
    assert described.metrics["accuracy"] == [1.0, 1.0, 1.0]


def test_what_only_its_own_group_knows_is_not_scored_as_known(train):
    # the class is that of the image, and the only feature is the image's number
    table = make_table(tests=0)
    number = table["image"].str[1:].astype(float)
    table = table.assign(brightness=number, noise=number, **{"class": np.where(number % 2, "T", "B")})  # fmt: skip
    assert read_description(train(table)).metrics["accuracy"][0] < 0.6


def test_one_group_of_images_gives_a_model_without_scores(train):
    folder = train(make_table(1, tests=0))
    assert read_description(folder).metrics == {"images": "none: all objects are of one group of images"}  # fmt: skip


def test_equal_seeds_give_equal_models(train):
    first = read_description(train(make_table())).weights_sha256
    assert read_description(train(make_table())).weights_sha256 == first
    other = train(make_table(), training={"seed": 1})
    assert read_description(other).weights_sha256 != first


def test_fewer_images_may_be_asked_for_but_not_more_than_there_are(train):
    assert read_description(train(make_table(), images=2)).training["images"] == {"train": 2}
    with pytest.raises(ConfigError, match="6 training images were asked for, there are 5"):
        train(make_table(), images=6)


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (["B", "NK", "T"], "no training object is of class NK"),
        (["T"], "all training objects are of one class"),
    ],
)
def test_there_must_be_something_to_tell_apart(train, classes, words):
    table = make_table()
    with pytest.raises(ConfigError, match=words):
        train(table[table["class"].isin(classes)], {**META, "classes": classes})


def test_missing_values_are_learnt_around(train):
    table = make_table()
    table.loc[::7, "brightness"] = np.nan
    table.loc[1, "noise"] = np.inf
    described = read_description(train(table))
    assert described.metrics["accuracy"][0] >= 0.8
    assert json.dumps(described.metrics)  # plain numbers
