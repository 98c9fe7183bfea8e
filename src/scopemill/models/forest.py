"""Forest: a fitted scikit-learn random forest <-> arrays in a model folder; measured features -> probabilities.

Kept as arrays (safetensors), not as a pickled object: loading it runs no code of its author's, and it does not depend
on the version of scikit-learn. NumPy alone predicts.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from .description import DESCRIPTION, WEIGHTS, Description, read_description
from .files import describe_weights, read_bytes, write_folder

NAME = "forest"
LEAF = -1
AT_ONCE = 20_000_000  # objects times trees that are looked at together
TYPES = {
    "roots": np.int32, "left": np.int32, "right": np.int32, "feature": np.int32,
    "threshold": np.float64, "missing_left": np.bool_, "value": np.float64,
}  # fmt: skip


@dataclass(frozen=True)
class Forest:
    """Nodes of all trees, one after the other; a leaf has LEAF as its children."""

    roots: np.ndarray  # (trees,) first node of each tree
    left: np.ndarray  # (nodes,) where a feature is at most the threshold
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray  # where the feature is missing
    value: np.ndarray  # (nodes, classes) share of each class

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Features (n, k) -> probabilities (n, classes), as scikit-learn gives them."""
        x = features.astype(np.float32)  # scikit-learn compares such with its thresholds
        step = max(1, AT_ONCE // len(self.roots))
        parts = [self._predict(x[i : i + step]) for i in range(0, len(x), step)]
        return np.concatenate([np.empty((0, self.value.shape[1])), *parts])

    def _predict(self, x: np.ndarray) -> np.ndarray:
        nodes = np.broadcast_to(self.roots, (len(x), len(self.roots))).copy()
        rows = np.arange(len(x))[:, None]
        while (inner := self.left[nodes] != LEAF).any():
            values = x[rows, self.feature[nodes]]
            goes_left = values <= self.threshold[nodes]
            goes_left |= np.isnan(values) & self.missing_left[nodes]
            nodes = np.where(inner, np.where(goes_left, self.left[nodes], self.right[nodes]), nodes)
        return self.value[nodes].mean(axis=1)


def from_sklearn(fitted: Any) -> Forest:
    """A fitted RandomForestClassifier -> its trees."""
    trees = [one.tree_ for one in fitted.estimators_]
    starts = np.cumsum([0, *(tree.node_count for tree in trees)])

    def children(name: str) -> np.ndarray:
        own = [getattr(tree, f"children_{name}") for tree in trees]
        moved = (np.where(one == LEAF, LEAF, one + start) for one, start in zip(own, starts[:-1], strict=True))  # fmt: skip
        return np.concatenate(list(moved))

    def nodes(name: str) -> np.ndarray:
        return np.concatenate([getattr(tree, name) for tree in trees])

    value = nodes("value")[:, 0]
    arrays = {
        "roots": starts[:-1], "left": children("left"), "right": children("right"),
        "feature": np.maximum(nodes("feature"), 0), "threshold": nodes("threshold"),
        "missing_left": nodes("missing_go_to_left"), "value": value / value.sum(axis=1, keepdims=True),
    }  # fmt: skip
    return Forest(**{name: one.astype(TYPES[name]) for name, one in arrays.items()})


def save_forest(folder: Path, forest: Forest, description: Description) -> Description:
    """Write a model folder; returns the description with hash and version filled in."""
    weights = save({name: np.ascontiguousarray(getattr(forest, name)) for name in TYPES})
    described = describe_weights(folder, weights, description)
    check_forest(forest, described, folder / WEIGHTS)
    write_folder(folder, weights, described)
    return described


def load_forest(folder: Path) -> tuple[Forest, Description]:
    """The forest and its description.

    Raises
    ------
    ValueError
        Naming the file, what is wrong with it and the cure.
    """
    described = read_description(folder)
    if described.architecture.get("name") != NAME or not described.features:
        cause = (
            f"gives no classes of measured features: it is a {described.architecture.get('name')}"
        )
        cure = "choose a model that was trained with method: {name: features}"
        raise ValueError(f"{folder / DESCRIPTION}: {cause}; {cure}")
    path = folder / WEIGHTS
    data = read_bytes(path, described.weights_sha256)
    try:
        arrays = load(data)
        forest = Forest(**arrays)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: no forest ({error}); copy the model folder again") from None
    check_forest(forest, described, path)
    return forest, described


def check_forest(forest: Forest, described: Description, path: Path) -> None:
    """Raise ValueError unless every way through the trees ends, and the numbers are those of the description."""
    nodes, k = forest.left.size, len(described.features or ())
    number = np.arange(nodes)
    shapes = dict.fromkeys(TYPES, (nodes,)) | {
        "roots": (forest.roots.size,), "value": (nodes, len(described.output))
    }  # fmt: skip
    sound = all(
        getattr(forest, name).dtype == dtype and getattr(forest, name).shape == shapes[name]
        for name, dtype in TYPES.items()
    )
    if sound:
        leaf = forest.left == LEAF
        children = np.stack([forest.left, forest.right])
        sound = (
            forest.roots.size > 0 and 0 <= forest.roots.min() and forest.roots.max() < nodes
            and (leaf == (forest.right == LEAF)).all()
            and (leaf | ((children > number) & (children < nodes))).all()  # on and on, to a leaf
            and ((forest.feature >= 0) & (forest.feature < k)).all()
            and np.isfinite(forest.value).all() and not np.isnan(forest.threshold).any()
        )  # fmt: skip
    if not sound:
        cure = f"take weights and {DESCRIPTION} from the same model, or train it again"
        raise ValueError(f"{path}: is no forest of {k} features; {cure}")
