"""The config: what config.yaml may hold, how it is read safely, and how it is laid over a recipe."""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field

from .settings import ConfigError, NonNegative, Positive, nearest, settings
from .sheet import ID
from .stains import APART_DEG, PRESETS, Vector, angle_deg

MAX_YAML_BYTES = 1_000_000
LARGEST = 2**63 - 1
PLAIN_TAGS = {
    None,  # what is unknown is refused
    *(
        f"tag:yaml.org,2002:{kind}"
        for kind in ("null", "bool", "int", "float", "str", "seq", "map")
    ),
}
Name = Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9_]{0,31}$")]


@settings
class Channel:
    """A channel that this study uses."""

    source: int | str
    """Its index in the file (from 0), its name there, or what stands for {channel} in the path."""
    role: Literal["nucleus", "cytoplasm", "membrane", "marker", "spots", "brightfield", "other"] = (
        "other"
    )
    """What it shows."""
    color: Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")] | None = None
    """Its colour in pictures, as #rrggbb; chosen by role when not given."""
    required: bool = True
    """Whether an image without it is quarantined; otherwise tasks that need it pass over the image."""


@settings
class Staining:
    """What sections are stained with; each stain is then a channel (its optical density), by its name."""

    method: Literal["he", "h-dab", "masson", "picrosirius", "given"]
    """he: hematoxylin, eosin. h-dab: hematoxylin, dab. masson: methyl_blue, ponceau_fuchsin. picrosirius: sirius_red, picric_acid. given: those of `vectors`."""
    vectors: dict[Name, tuple[NonNegative, NonNegative, NonNegative]] | None = None
    """With given: stain -> how much it absorbs of red, green and blue (any scale); one to three stains."""
    estimate: bool = False
    """Whether the vectors of two stains are estimated in each image, as scanners and laboratories differ."""
    white: tuple[Positive, Positive, Positive] | None = None
    """Grey values (red, green, blue) of the empty background; without it, they are estimated in each image."""

    def __post_init__(self):
        if (self.method == "given") != (self.vectors is not None):
            raise ValueError("vectors belong to method: given, and that needs them")
        vectors = list(self.expected.values())
        if not 1 <= len(vectors) <= 3:
            raise ValueError(f"three colours tell one to three stains apart, not {len(vectors)}")
        if not all(any(one) for one in vectors):
            raise ValueError("a stain must absorb some colour: its vector is 0")
        pairs = [(a, b) for i, a in enumerate(vectors) for b in vectors[:i]]
        if any(angle_deg(a, b) < APART_DEG for a, b in pairs):
            raise ValueError(
                f"stains must differ in hue: vectors at least {APART_DEG:g} degrees apart"
            )
        if self.estimate and len(vectors) != 2:
            raise ValueError("estimate: two stains can be estimated, no other number")

    @property
    def expected(self) -> Mapping[str, Vector]:
        """Stain -> its vector, before anything is estimated."""
        return PRESETS[self.method] if self.vectors is None else self.vectors


@settings
class Config:
    """What config.yaml may hold."""

    study: Annotated[str, Field(pattern=f"^{ID.pattern}$")]
    """Name of the study: its results lie in results/<study>."""
    recipe: str | None = None
    """A file of config/recipes (by name), or a path: settings that this config starts from."""
    images: str = "images.tsv"
    """The image sheet, relative to the config."""
    channels: dict[Name, Any]
    """Channel name -> source (index or name in the file) or {source, role, color, required}."""
    stains: Staining | None = None
    """For colour pictures of stained sections: the stains that they are taken apart into."""
    pixel_size_um: Positive | Literal["unknown"] | None = None
    """Width of a pixel in micrometres, for files that do not say it; 'unknown' works in pixels."""
    z_step_um: Positive | None = None
    """Distance of two planes of a stack in micrometres, for files that do not say it."""
    checksums: bool = False
    """Tell a replaced raw file by its content, not by size and time; each run then reads all of them."""
    images_per_batch: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """Images that one job handles: 1 for slides, 50 to 200 for small fields."""
    max_quarantined: Annotated[float, Field(ge=0, le=1)] = 0.05
    """The study fails when a larger share of its images cannot be used."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where networks run; 'cuda' fails when there is no GPU, 'auto' falls back to the CPU."""
    convert: dict[str, Any] = dataclasses.field(default_factory=dict)
    annotate: dict[str, Any] = dataclasses.field(default_factory=dict)
    patch: dict[str, Any] = dataclasses.field(default_factory=dict)
    segment: dict[str, Any] = dataclasses.field(default_factory=dict)
    detect: dict[str, Any] = dataclasses.field(default_factory=dict)
    quantify: dict[str, Any] = dataclasses.field(default_factory=dict)
    classify: dict[str, Any] = dataclasses.field(default_factory=dict)
    qc: dict[str, Any] = dataclasses.field(default_factory=dict)
    gather: dict[str, Any] = dataclasses.field(default_factory=dict)
    report: dict[str, Any] = dataclasses.field(default_factory=dict)
    evaluate: dict[str, Any] = dataclasses.field(default_factory=dict)
    train: dict[str, Any] = dataclasses.field(default_factory=dict)


def read_config(path: Path) -> dict[str, Any]:
    """A YAML mapping, read safely; no aliases, no double keys."""
    if not path.is_file():  # a pipe would be waited for
        raise ConfigError(f"{path}: no such file")
    if path.stat().st_size > MAX_YAML_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_YAML_BYTES} bytes; this is no config")
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=StrictLoader)
    except RecursionError:
        raise ConfigError(f"{path}: nested too deep; this is no config") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no text, or no such date or number
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(loaded, dict):
        raise ConfigError(f"{path}: expected keys with values")
    return loaded


class StrictLoader(yaml.SafeLoader):
    """YAML of plain values; refuses aliases (they can expand without bound) and double keys; dates stay text."""

    yaml_constructors = {
        tag: make for tag, make in yaml.SafeLoader.yaml_constructors.items() if tag in PLAIN_TAGS
    }
    yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"aliases (*name) are not allowed, {self.peek_event().start_mark}")
        return super().compose_node(parent, index)

    def construct_yaml_int(self, node: Any) -> int:
        value = super().construct_yaml_int(node)
        if abs(value) > LARGEST:
            raise yaml.YAMLError(f"a number is too large, {node.start_mark}")
        return value

    def construct_mapping(self, node: Any, deep: bool = False) -> dict:
        keys = Counter(str(key.value) for key, _ in node.value)
        for key in (key for key, times in keys.items() if times > 1):
            raise yaml.YAMLError(f"the key '{key}' stands twice, {node.start_mark}")
        return super().construct_mapping(node, deep)


StrictLoader.yaml_constructors["tag:yaml.org,2002:int"] = StrictLoader.construct_yaml_int


def merge(base: Any, over: Any, key: str = "") -> Any:
    """Lay a config over a recipe: mappings merge, null removes, another method replaces the whole method."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    if key == "method" and over.get("name", base.get("name")) != base.get("name"):
        return over
    merged = {name: merge(base.get(name), value, name) for name, value in over.items()}
    return {name: value for name, value in {**base, **merged}.items() if value is not None}


def find_recipe(name: str, folders: list[Path]) -> Path:
    """A recipe's file, by name or by path."""
    candidates = [folder / f"{name}.yaml" for folder in folders] + [
        Path(name),
        *(folder / name for folder in folders),
    ]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    known = {path.stem for folder in folders for path in folder.glob("*.yaml")}
    raise ConfigError(f"recipe: there is no recipe '{name}'{nearest(name, known)}")


def recipe_folders(config_path: Path) -> list[Path]:
    """Where recipes are looked for: the working directory, this checkout, beside the config."""
    checkout = Path(__file__).parents[2]
    return [Path("config/recipes"), checkout / "config" / "recipes", config_path.parent]
