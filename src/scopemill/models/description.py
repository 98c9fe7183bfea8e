"""Description: what a model folder's model.yaml says; read and written without torch."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field

from ..config import read_config
from ..patches import LEVELS
from ..settings import ConfigError, Percentile, Positive, load, settings

DESCRIPTION, WEIGHTS, CARD = "model.yaml", "weights.safetensors", "card.md"


@settings
class Channel:
    """A channel that the model takes: what it shows, or what it is called."""

    role: str = ""
    """What it shows, as in the config: nucleus, cytoplasm, membrane, ..."""
    name: str = ""
    """What it is called, where its role does not say enough."""

    def __str__(self) -> str:
        return self.name or self.role or "any"


@settings
class Normalisation:
    """Grey values at these percentiles of the image become 0 and 1, or are compared with those around them."""

    low: Percentile = 1.0
    """One of the percentiles that patch stores hold."""
    high: Percentile = 99.9
    """One of the percentiles that patch stores hold."""
    local_px: Positive | None = None
    """Instead: grey values less the background so far around, in units of its noise, for networks that find spots."""


@settings
class Classifier:
    """What a network decides that gives classes, not maps."""

    per: Literal["object", "image"] = "object"
    """One decision an object, or one an image (which may be a crop of one object)."""
    labels: Literal["one", "several"] = "one"
    """Whether its classes exclude each other (softmax) or not (sigmoid)."""
    crop_px: Annotated[int, Field(ge=1)] = 64
    """Width and height of what it sees."""
    planes: Annotated[int, Field(ge=1)] = 1
    """Planes that it sees: more than 1 in 3-D."""


@settings
class Description:
    """What a model is, wants and gives."""

    architecture: dict[str, Any]
    """{name: unet | densenet | forest | a plug-in, and the network's own settings}."""
    channels: list[Channel]
    """What it takes, in this order."""
    output: list[str]
    """What it gives: foreground, border, distance, ...; classes that begin with background exclude
    each other (softmax), all else is a probability of its own (sigmoid)."""
    classifier: Classifier | None = None
    """What it decides, where its output are classes of objects or images; nothing for networks that give maps."""
    features: list[str] | None = None
    """What it takes instead of pixels: measured columns of objects, in this order."""
    pixel_size_um: Positive | None = None
    """The scale that it was trained at."""
    object_diameter_px: Positive | None = None
    """The size that its objects had in training; others are found after rescaling."""
    normalisation: Normalisation = dataclasses.field(default_factory=Normalisation)
    """How grey values are scaled first."""
    postprocessing: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Settings of what follows, as tuned on the validation images."""
    weights_sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")] = ""
    """Hash of weights.safetensors."""
    scopemill: str = ""
    """Version that wrote the folder."""
    licence: str = ""
    """Under which the weights may be used (SPDX)."""
    purpose: str = ""
    """What it is for."""
    limits: str = ""
    """Where it fails, or was not tried."""
    training: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What it was trained on, how, and how long."""
    metrics: dict[str, Any] = dataclasses.field(default_factory=dict)
    """How well it does, and on what."""

    @property
    def activation(self) -> Literal["softmax", "sigmoid"]:
        """How outputs become probabilities."""
        exclusive = self.classifier.labels == "one" if self.classifier else False
        return "softmax" if exclusive or self.output[0] == "background" else "sigmoid"

    @property
    def wants(self) -> str:
        """Its channels, or measured columns, in words."""
        if self.features:
            return f"measured columns ({', '.join(self.features)})"
        count = len(self.channels)
        names = ", ".join(map(str, self.channels))
        return f"{count} channel{'s' if count > 1 else ''} ({names})"


def read_description(folder: Path) -> Description:
    """Read and check model.yaml.

    Raises
    ------
    ValueError
        Naming the file, the key and the cure.
    """
    path = Path(folder) / DESCRIPTION
    if not path.is_file():
        raise ValueError(f"{path}: no such file; a model folder holds {DESCRIPTION} and {WEIGHTS}")
    try:
        described = load(Description, read_config(path), "model")
    except ConfigError as error:
        lines = [line.removeprefix(f"{path}: ") for line in str(error).splitlines()]
        raise ValueError("\n".join(f"{path}: {line}" for line in lines)) from None
    check_description(described, path)
    return described


def check_description(described: Description, path: Path) -> None:
    """Raise ValueError where its parts do not fit together."""
    problems = []
    if not (described.channels or described.features) or not described.output:
        problems.append("channels (or features) and output must name at least one each")
    counts = {"in_channels": len(described.channels), "out_channels": len(described.output)}
    for key, count in counts.items():
        stated = described.architecture.get(key, count)
        if stated != count:
            problems.append(
                f"architecture.{key} is {stated}, but {count} are named; correct one of them"
            )
    scaling = described.normalisation
    for level in (scaling.low, scaling.high):
        if level not in LEVELS:
            problems.append(
                f"normalisation: percentile {level:g} is not kept; choose from {LEVELS}"
            )
    if scaling.low >= scaling.high:
        problems.append("normalisation: low must be below high")
    if problems:
        raise ValueError("\n".join(f"{path}: {problem}" for problem in problems))


class PlainDumper(yaml.SafeDumper):
    """YAML without aliases, which read_config refuses."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def format_description(described: Description) -> str:
    """Text of model.yaml; what is not set is left out."""
    plain = json.loads(json.dumps(drop_empty(dataclasses.asdict(described))))
    return yaml.dump(plain, Dumper=PlainDumper, sort_keys=False, allow_unicode=True)


def drop_empty(value: Any) -> Any:
    """Mappings without the keys that hold nothing."""
    if isinstance(value, Mapping):
        kept = {key: drop_empty(one) for key, one in value.items()}
        return {
            key: one for key, one in kept.items() if one is not None and one != "" and one != {}
        }
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [drop_empty(one) for one in value]
    return value
