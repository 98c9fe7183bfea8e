"""Calibration: the JSON that `scopemill calibrate` writes -> how well particles are found, checked."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import field, fields
from pathlib import Path
from typing import Any

from .settings import ConfigError, Fraction, NonNegative, load, settings


@settings
class Found:
    """How many of the particles are found, and how many are found that are none."""

    efficiency: Fraction
    """Share of the true particles of cells that are found, and given to the right cell."""
    efficiency_low: Fraction
    """Lower end of its 95 % interval."""
    efficiency_high: Fraction
    """Upper end."""
    false_per_megavoxel: NonNegative
    """False particles in a million voxels within cells."""
    false_low: NonNegative
    """Lower end of its 95 % interval."""
    false_high: NonNegative
    """Upper end."""

    def __post_init__(self):
        if not 0 < self.efficiency_low <= self.efficiency <= self.efficiency_high:
            raise ValueError("efficiency must lie in its interval, above 0")
        if not self.false_low <= self.false_per_megavoxel <= self.false_high:
            raise ValueError("false_per_megavoxel must lie in its interval")


@settings
class Detection(Found):
    """The same for all cells, and by class where it differs."""

    by_class: dict[str, Found] = field(default_factory=dict)
    """Class -> its own figures."""
    n_images: int = 0
    """Simulated images that were looked at."""
    made_by: str = ""
    """The command that found this."""

    def of(self, name: str) -> Found:
        """Figures of a class; those of all cells where it has none of its own."""
        return self.by_class.get(name, self)


def read_detection(path: Path, where: str) -> dict[str, Any]:
    """The figures of a file as plain values; what else it says is for people.

    Raises
    ------
    ConfigError
        When there is no such file, or a figure is missing or impossible; `where` is the key that names it.
    """
    if not path.is_file():
        raise ConfigError(f"{where}: there is no file {path}; `scopemill calibrate` writes one")
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{where}: {path} is no JSON: {error}") from None
    if not isinstance(loaded, dict):
        raise ConfigError(f"{where}: {path} holds no figures by name")
    own = choose(Detection, loaded)
    if isinstance(loaded.get("by_class"), dict):
        own["by_class"] = {
            name: choose(Found, one) if isinstance(one, dict) else one
            for name, one in loaded["by_class"].items()
        }
    return dataclasses.asdict(load(Detection, own, where))


def choose(cls: type, mapping: dict[str, Any]) -> dict[str, Any]:
    """Entries that are fields of a class, with a value."""
    known = [one.name for one in fields(cls)]
    return {name: value for name, value in mapping.items() if name in known and value is not None}


def with_figures(gather: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The section `gather` of a config, with what the files named as `detection` hold beside their names.

    So a job needs no file, and reruns when a figure changes.
    """
    wanted = gather.get("particles")
    if not isinstance(wanted, Mapping):
        return dict(gather)
    filled = {}
    for task, own in wanted.items():
        filled[task] = own
        if isinstance(own, Mapping) and isinstance(own.get("detection"), str):
            where = f"gather.particles.{task}.detection"
            filled[task] = {**own, "figures": read_detection(folder / own["detection"], where)}
    return {**gather, "particles": filled}
