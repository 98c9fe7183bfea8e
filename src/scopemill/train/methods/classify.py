"""Classify: crops of objects, or images, + their classes -> a DenseNet that gives a probability of each class."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...settings import ConfigError, Fraction, Positive, settings
from ..goal import Outcome

if TYPE_CHECKING:
    from torch import Tensor

    from ...examples import Examples
    from ...models.whole import Ready
    from ..crops import View
    from ..object_crops import ObjectCrops

USES_GPU = True
TRUTH = "objects"


@settings
class Settings:
    """What the network learns of classes; what they are of stands in `collect: objects`."""

    class_weights: dict[str, Positive] | None = None
    """How much an example of a class counts; without it, all alike: `crop.balance` draws rare ones more often."""
    shift: Fraction = 0.05
    """Objects are moved off the middle by at most so much of the crop's width."""


def make_goal(settings: Settings, meta: Mapping[str, Any]) -> "Classify":
    """What `loop.fit` and the last steps need; `meta` is that of the training set.

    Raises
    ------
    ConfigError
        When weights are given for classes that there are not.
    """
    names, given = list(meta["classes"]), settings.class_weights or {}
    unknown = sorted(given.keys() - set(names))
    if unknown:
        raise ConfigError(
            f"class_weights: no class is called {', '.join(unknown)}; there are {names}"
        )
    weights = np.array([given.get(name, 1.0) for name in names])
    weights = tuple(weights / weights.mean()) if names else ()
    return Classify(settings, names, meta["objects"]["labels"] == "one", weights)


@dataclass(frozen=True)
class Classify:
    """Classes of an example, one or several."""

    settings: Settings
    outputs: list[str]
    exclusive: bool
    weights: tuple[float, ...]

    def make_crops(self, examples: "Examples", view: "View") -> "ObjectCrops":
        """The problem that `loop.fit` solves."""
        from ..object_crops import ObjectCrops

        return ObjectCrops(examples, view, self)

    def targets(self, truth: np.ndarray) -> np.ndarray:
        """Targets come from `Example.classes`; pixels have none."""
        raise NotImplementedError

    def loss(self, output: "Tensor", target: "Tensor") -> "Tensor":
        """Cross entropy, of classes that exclude each other or of each on its own."""
        import torch
        from torch.nn import functional

        if output.ndim != 2:
            raise ConfigError(
                "network: this one gives maps, no classes; set network: {name: densenet}"
            )
        weights = torch.tensor(self.weights).to(output)
        if self.exclusive:
            return functional.cross_entropy(output, target.argmax(dim=1), weights)
        return functional.binary_cross_entropy_with_logits(output, target, weights)

    def try_out(self, ready: "Ready", examples: "Examples", pictures: Path) -> Outcome:
        """Tune temperature and thresholds on validation, score on test."""
        from ..tuning_classes import try_classifier

        return try_classifier(ready, examples, pictures)
