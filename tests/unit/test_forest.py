"""Forest: arrays in a model folder that predict as scikit-learn does, and refuse what cannot be a forest."""

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from scopemill.models.description import Channel, Description
from scopemill.models.forest import LEAF, Forest, from_sklearn, load_forest, save_forest

DESCRIBED = Description(
    architecture={"name": "forest"},
    channels=[Channel(name="CD3")],
    features=["area_um2", "intensity_mean_CD3"],
    output=["B cell", "T cell"],
)
# one tree: intensity above 5 is a T cell, else by area at most 2 (0.75 : 0.25) or above (0.5 : 0.5); missing goes right
HAND = Forest(
    roots=np.array([0], np.int32),
    left=np.array([1, 3, LEAF, LEAF, LEAF], np.int32),
    right=np.array([2, 4, LEAF, LEAF, LEAF], np.int32),
    feature=np.array([1, 0, 0, 0, 0], np.int32),
    threshold=np.array([5.0, 2.0, 0, 0, 0]),
    missing_left=np.array([False, False, False, False, False]),
    value=np.array([[0.5, 0.5], [0.6, 0.4], [0.0, 1.0], [0.75, 0.25], [0.5, 0.5]]),
)


def test_a_tree_is_gone_down_to_its_leaves():
    objects = np.array([[1.0, 9.0], [1.0, 5.0], [2.5, 1.0], [1.0, np.nan], [np.nan, 1.0]])
    expected = [[0, 1], [0.75, 0.25], [0.5, 0.5], [0, 1], [0.5, 0.5]]
    np.testing.assert_array_equal(HAND.predict(objects), expected)


def test_no_objects_give_no_probabilities():
    assert HAND.predict(np.empty((0, 2))).shape == (0, 2)


@given(
    seed=st.integers(0, 2**16),
    n_classes=st.integers(2, 4),
    leaf=st.integers(1, 5),
    missing=st.booleans(),
)
@settings(max_examples=15, deadline=None)
def test_probabilities_are_those_of_scikit_learn(seed, n_classes, leaf, missing):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(60, 3)) * [1, 100, 1e4]
    if missing:
        x[rng.random(x.shape) < 0.1] = np.nan
    y = np.append(rng.integers(n_classes, size=60 - n_classes), range(n_classes))
    fitted = RandomForestClassifier(
        7, min_samples_leaf=leaf, class_weight="balanced", random_state=0
    )
    fitted.fit(x, y)
    unseen = rng.normal(size=(40, 3)) * [1, 100, 1e4]
    np.testing.assert_allclose(
        from_sklearn(fitted).predict(unseen), fitted.predict_proba(unseen), atol=1e-12
    )
    np.testing.assert_allclose(from_sklearn(fitted).predict(x), fitted.predict_proba(x), atol=1e-12)


def test_a_model_folder_keeps_forest_and_features(tmp_path):
    save_forest(tmp_path / "m", HAND, DESCRIBED)
    forest, described = load_forest(tmp_path / "m")
    assert described.features == ["area_um2", "intensity_mean_CD3"]
    assert described.output == ["B cell", "T cell"] and len(described.weights_sha256) == 64
    np.testing.assert_array_equal(forest.value, HAND.value)
    card = (tmp_path / "m/card.md").read_text()
    assert "- takes: measured columns (area_um2, intensity_mean_CD3)\n" in card


def test_exchanged_weights_are_refused(tmp_path):
    save_forest(tmp_path / "m", HAND, DESCRIBED)
    other = dataclasses.replace(HAND, threshold=HAND.threshold + 1)
    save_forest(tmp_path / "other", other, DESCRIBED)
    (tmp_path / "other/weights.safetensors").replace(tmp_path / "m/weights.safetensors")
    with pytest.raises(ValueError, match="its sha256 differs"):
        load_forest(tmp_path / "m")


def test_a_pickle_is_refused_unread(tmp_path):
    save_forest(tmp_path / "m", HAND, DESCRIBED)
    (tmp_path / "m/weights.safetensors").write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(ValueError, match="a pickle, which could run any code"):
        load_forest(tmp_path / "m")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"left": [1, 0, LEAF, LEAF, LEAF]}, id="goes in a circle"),
        pytest.param({"right": [2, 9, LEAF, LEAF, LEAF]}, id="goes out of the forest"),
        pytest.param({"right": [2, LEAF, LEAF, LEAF, LEAF]}, id="half a leaf"),
        pytest.param({"feature": [2, 0, 0, 0, 0]}, id="a feature that it does not have"),
        pytest.param({"roots": [5]}, id="a root that is not there"),
        pytest.param({"roots": []}, id="no tree"),
        pytest.param({"threshold": [np.nan, 2.0, 0, 0, 0]}, id="no number"),
        pytest.param({"value": np.ones((5, 3))}, id="other classes"),
        pytest.param({"threshold": [1.0]}, id="other nodes"),
    ],
)
def test_what_is_no_forest_is_refused(tmp_path, change):
    arrays = {name: np.asarray(value, getattr(HAND, name).dtype) for name, value in change.items()}
    with pytest.raises(ValueError, match="is no forest of 2 features"):
        save_forest(tmp_path / "m", dataclasses.replace(HAND, **arrays), DESCRIBED)
    assert not (tmp_path / "m").exists()


def test_a_network_is_not_taken_for_a_forest(tmp_path):
    save_forest(tmp_path / "m", HAND, DESCRIBED)
    text = (tmp_path / "m/model.yaml").read_text()
    (tmp_path / "m/model.yaml").write_text(text.replace("name: forest", "name: unet"))
    with pytest.raises(ValueError, match=re.escape("method: {name: features}")):
        load_forest(tmp_path / "m")
