"""Settings: a mapping from the config -> one frozen, checked dataclass a stage and a method.

A stage's `Settings` is the only place where a default is written; schema, checks and docs come from it.
"""

import dataclasses
import difflib
import importlib
import json
import pkgutil
import typing
from collections.abc import Iterator, Mapping
from dataclasses import fields
from importlib.metadata import entry_points
from typing import Annotated, Any, get_args, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import dataclass_transform


class ConfigError(Exception):
    """The study's config or sheet is wrong; the message names file, key and cure."""


@dataclasses.dataclass(frozen=True)
class Reference:
    """Marks a setting that names something else of the study: a channel, a model or a stage's task."""

    kind: str


ChannelName = Annotated[str, Reference("channel")]
PatchSet = Annotated[str, Reference("patch")]
SegmentTask = Annotated[str, Reference("segment")]  # one that gives labels
ClassTask = Annotated[str, Reference("classes")]  # a segment task that gives classes
SegmentedTask = Annotated[str, Reference("segmented")]  # a segment task of either kind
DetectTask = Annotated[str, Reference("detect")]
QuantifyTask = Annotated[str, Reference("quantify")]
ClassifyTask = Annotated[str, Reference("classify")]
AnnotateTask = Annotated[str, Reference("annotate")]
ModelFolder = Annotated[str, Reference("model")]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Percentile = Annotated[float, Field(ge=0, le=100)]


@dataclass_transform(kw_only_default=True, frozen_default=True)
def settings(cls: type) -> type:
    """Make a frozen dataclass whose types are checked and whose unknown keys are refused."""
    config = ConfigDict(extra="forbid", strict=True)
    return pydantic_dataclass(frozen=True, kw_only=True, config=config)(cls)


def load(cls: type, mapping: Mapping[str, Any], where: str) -> Any:
    """Build `cls` from a mapping of the config; `where` is the key path that messages name."""
    if not isinstance(mapping, Mapping):
        raise ConfigError(f"{where}: expected keys with values, found {mapping!r}")
    known = [field.name for field in fields(cls)]
    problems = [
        f"{'.'.join(filter(None, (where, key)))}: unknown key{nearest(key, known)}"
        for key in mapping
        if key not in known
    ]
    try:
        loaded = TypeAdapter(cls).validate_json(
            json.dumps({k: v for k, v in mapping.items() if k in known}, default=str)
        )
    except ValidationError as error:
        problems += [explain(one, where) for one in error.errors()]
    if problems:
        raise ConfigError("\n".join(problems))
    return loaded


def explain(error: Mapping[str, Any], where: str) -> str:
    """One pydantic error -> one sentence with the key path."""
    path = ".".join(filter(None, [where, *(str(part) for part in error["loc"])]))
    if error["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return f"{path}: this key is required"
    if error["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"{path}: unknown key"
    if error["loc"] and error["loc"][-1] == "[key]":
        return f"{path.removesuffix('.[key]')}: a name has letters, digits and _ only, and starts with a letter"
    if error["type"] == "string_pattern_mismatch":
        return f"{path}: {error['input']!r} is not of the form {error['ctx']['pattern']}"
    if error["type"] == "value_error":
        return f"{path}: {error['ctx']['error']}"
    hint = ""
    if error["type"] == "literal_error":
        hint = nearest(str(error["input"]), get_words(error["ctx"]["expected"]))
    message = error["msg"].removeprefix("Input should be ")
    return f"{path}: expected {message}, found {error['input']!r}{hint}"


def get_words(expected: str) -> list[str]:
    """'a', 'b' or 'c' -> [a, b, c]."""
    return [word.strip("' ") for word in expected.replace(" or ", ",").split(",")]


def nearest(name: str, known: typing.Iterable[str]) -> str:
    """A hint with the nearest known name, or the choice there is."""
    known = sorted(map(str, known))
    close = difflib.get_close_matches(str(name), known, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; choose from {known}" if known else ""


def method_names(stage: str) -> list[str]:
    """Names of the methods of a stage: its own files, then the plug-ins that are installed."""
    try:
        package = importlib.import_module(f"scopemill.{stage}.methods")
    except ModuleNotFoundError:
        return []
    own = [module.name.replace("_", "-") for module in pkgutil.iter_modules(package.__path__)]
    return sorted({*own, *(point.name for point in entry_points(group=f"scopemill.{stage}"))})


def find_method(stage: str, name: str) -> Any:
    """Import the one method that the config names: a file of methods/ or an entry point."""
    package = importlib.import_module(f"scopemill.{stage}.methods")
    if name.replace("-", "_") in {module.name for module in pkgutil.iter_modules(package.__path__)}:
        return importlib.import_module(f"{package.__name__}.{name.replace('-', '_')}")
    for point in entry_points(group=f"scopemill.{stage}", name=name):
        return point.load()
    raise ConfigError(f"unknown method '{name}'{nearest(name, method_names(stage))}")


@dataclasses.dataclass(frozen=True)
class Method:
    """A method of a stage, chosen by the config's `method: {name: ...}`, with its own settings."""

    name: str
    module: Any
    settings: Any

    def as_dict(self) -> dict[str, Any]:
        """The mapping that would choose this method with these settings."""
        return {"name": self.name, **dataclasses.asdict(self.settings)}


def load_method(stage: str, mapping: Mapping[str, Any], where: str) -> Method:
    """`{name: otsu, smooth_um: 1}` -> the method, its settings checked."""
    if not isinstance(mapping, Mapping) or "name" not in mapping:
        raise ConfigError(f"{where}: expected {{name: ...}}; choose from {method_names(stage)}")
    try:
        module = find_method(stage, str(mapping["name"]))
    except ConfigError as error:
        raise ConfigError(f"{where}.name: {error}") from None
    rest = {key: value for key, value in mapping.items() if key != "name"}
    return Method(mapping["name"], module, load(module.Settings, rest, where))


def load_stage(stage: str, mapping: Mapping[str, Any], where: str) -> tuple[Any, Method | None]:
    """A task's mapping -> the stage's settings and, where the stage offers a choice, the method."""
    cls = importlib.import_module(f"scopemill.{stage}.stage").Settings
    loaded = load(cls, mapping or {}, where)
    if "method" not in {field.name for field in fields(cls)}:
        return loaded, None
    method = load_method(stage, loaded.method, f"{where}.method")
    return dataclasses.replace(loaded, method=method.as_dict()), method


def output_of(method: Method | None) -> str:
    """What a segment method gives: 'labels' or 'classes'."""
    return getattr(method.module, "OUTPUT", "labels") if method else "labels"


def references(loaded: Any) -> Iterator[tuple[str, str, str]]:
    """What these settings refer to: (kind, name, key of the setting); nested settings too."""
    hints = get_type_hints(type(loaded), include_extras=True)
    for field in fields(loaded):
        kind, value = find_reference(hints[field.name]), getattr(loaded, field.name)
        for one in value if isinstance(value, (list, tuple, dict)) else [value]:
            if dataclasses.is_dataclass(one):
                yield from references(one)
            elif kind is not None and one is not None:
                yield kind, one, field.name
        for one in value.values() if isinstance(value, dict) else ():
            if dataclasses.is_dataclass(one):
                yield from references(one)


def find_reference(hint: Any) -> str | None:
    """The kind of Reference inside a type hint such as `list[ChannelName] | None`."""
    for part in get_args(hint):
        if isinstance(part, Reference):
            return part.kind
        if (kind := find_reference(part)) is not None:
            return kind
    return None
