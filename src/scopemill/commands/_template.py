"""The config that `scopemill init` writes: an example's copy, or a recipe with the channels of the first image."""

import argparse
import re
from collections.abc import Iterable
from pathlib import Path

from ..config import find_recipe, read_config, recipe_folders
from ..errors import DataError
from ..readers import open_raw


def make_config(folder: Path, options: argparse.Namespace, first: Path) -> str:
    """A config to edit: a copy of an example file, or a recipe's name with the channels of the first image."""
    recipe = find_recipe(options.recipe, recipe_folders(folder / "config.yaml"))
    known = read_config(recipe)
    if "study" in known:
        return recipe.read_text(encoding="utf-8")
    found = describe_first(first)
    channels = "".join(
        f"  {name}\n" for name in suggest_channels(found["channels"], known.get("channels", {}))
    )
    return TEMPLATE.format(
        study=re.sub(r"[^A-Za-z0-9_-]+", "-", folder.resolve().name), recipe=options.recipe, first=first.name,
        channels=channels, pixel_size=found["pixel_size"], names=found["channels"],
    )  # fmt: skip


def describe_first(path: Path) -> dict:
    """What the first image says of its channels and pixel size."""
    try:
        with open_raw(path) as raw:
            size = f"{raw.pixel_size_um[0]:g} um a pixel" if raw.pixel_size_um else "not stated"
            return {"channels": list(raw.channel_names), "pixel_size": size}
    except DataError as error:
        return {"channels": [], "pixel_size": f"unknown ({error.code})"}


def suggest_channels(names: list[str], wanted: dict) -> Iterable[str]:
    """One line a channel that the recipe wants, or a channel of the file where it wants none."""
    for i, channel in enumerate(wanted):
        same = [name for name in names if name.lower() == channel.lower()]
        source = f'"{same[0]}"' if same else str(min(i, max(len(names) - 1, 0)))
        role = (
            wanted[channel].get("role", "other") if isinstance(wanted[channel], dict) else "other"
        )
        yield f"{channel}: {{source: {source}, role: {role}}}{'' if same else '  # check: which channel is this?'}"
    if not wanted:
        for i, name in enumerate(names):
            yield f"{re.sub('[^A-Za-z0-9_]', '_', name) if name[:1].isalpha() else f'C{i}'}: {i}"


TEMPLATE = """\
# Written by `scopemill init`. What can stand here: docs/settings.md
study: {study}

# Settings that this study starts from (config/recipes/{recipe}.yaml); what you write below goes over them.
recipe: {recipe}

# One row an image; add columns such as group, subject or dose: they are in every result table.
images: images.tsv

# Name -> where it is in the file: an index from 0, or the file's own name for it.
# {first} has {names}
channels:
{channels}
# Width of a pixel; {first}: {pixel_size}. Needed only where files do not say it, or say it wrong.
# pixel_size_um: 0.325
"""
