"""scopemill docs: write again what follows from the code: schemas, docs/settings.md and docs/errors.md."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from .. import errors
from ..config import Channel, Config
from ..settings import find_method, method_names
from ..tasks import BATCH_STAGES, STUDY_STAGES, WITH_TASKS
from ._described import Described
from ._tables import nested, table

GIVEN = {
    "tasks",
    "channels",
    "stains",
    "max_quarantined",
}  # set by the workflow from elsewhere in the config
IN_CONFIG = [stage for stage in (*BATCH_STAGES, *STUDY_STAGES) if stage != "account"] + ["train"]
SHEET = {
    "id": "Name of the image: 1 to 64 letters, digits, - and _. Becomes file names.",
    "path": "Raw file, relative to the sheet; {channel}, {z} and {t} stand for what differs between files of one image.",
    "batch": "Images with the same batch are handled by one job. Empty: consecutive rows.",
    "scene": "Which image of a file that holds several.",
    "pixel_size_um": "Width of a pixel in um, or `unknown`; goes over the config and the file.",
    "z_step_um": "Distance of two planes in um; goes over the config and the file.",
    "exclude": "Any text: the image is skipped, for this reason.",
}


def main(arguments: Sequence[str]) -> int:
    """Write the files below the working directory, which is a checkout."""
    argparse.ArgumentParser("scopemill docs", description=__doc__).parse_args(arguments)
    for path, text in generate().items():
        Path(path).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path}\n")
    return 0


def generate() -> dict[str, str]:
    """Path below the checkout -> text."""
    return {
        "workflow/schemas/config.schema.yaml": as_yaml(config_schema()),
        "workflow/schemas/images.schema.yaml": as_yaml(sheet_schema()),
        "docs/settings.md": settings_page(),
        "docs/errors.md": errors_page(),
    }


def as_yaml(schema: dict[str, Any]) -> str:
    """YAML with a word on where it is from."""
    # through JSON: YAML would mark shared parts with aliases
    plain = json.loads(json.dumps(schema))
    return "# Generated from the Settings classes by `make docs`.\n" + yaml.safe_dump(
        plain, sort_keys=False, width=110
    )


def stage_module(stage: str) -> Any:
    """The stage's module."""
    import importlib

    return importlib.import_module(f"scopemill.{stage}.stage")


def inline(cls: type) -> dict[str, Any]:
    """JSON schema of a settings class, nested classes written out."""
    schema = TypeAdapter(cls).json_schema(schema_generator=Described)
    parts = schema.pop("$defs", {})

    def resolve(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return resolve(parts[node["$ref"].split("/")[-1]])
            return {
                key: resolve(value)
                for key, value in node.items()
                if key != "title" or isinstance(value, dict)
            }
        return [resolve(one) for one in node] if isinstance(node, list) else node

    return resolve(schema)


def stage_schema(stage: str) -> dict[str, Any]:
    """Schema of one task of a stage, with each method's own settings."""
    schema = inline(stage_module(stage).Settings)
    # tasks choose their channels themselves
    given = GIVEN - {"channels"} if stage in WITH_TASKS else GIVEN
    for name in given & set(schema["properties"]):
        del schema["properties"][name]
        schema["required"] = [one for one in schema.get("required", []) if one != name]
    if stage == "train":
        schema["properties"]["collect"] |= collect_schema()
    if "method" in schema["properties"]:
        schema["properties"]["method"] = {
            "oneOf": [*map(lambda name: method_schema(stage, name), own_methods(stage))]
        }
    return schema


def collect_schema() -> dict[str, Any]:
    """Schema of the training set, without what the workflow fills in."""
    schema = inline(stage_module("collect").Settings)
    for name in ("truth", "roles"):
        del schema["properties"][name]
    return {
        key: schema[key]
        for key in ("properties", "required", "additionalProperties")
        if key in schema
    }


def own_methods(stage: str) -> list[str]:
    """Methods that ship with Scopemill; plug-ins differ from place to place."""
    return [
        name
        for name in method_names(stage)
        if find_method(stage, name).__name__.startswith("scopemill.")
    ]


def method_schema(stage: str, name: str) -> dict[str, Any]:
    """Schema of `{name: ..., settings}`."""
    schema = inline(find_method(stage, name).Settings)
    schema["properties"] = {"name": {"const": name}, **schema["properties"]}
    return schema | {"required": ["name", *schema.get("required", [])]}


def config_schema() -> dict[str, Any]:
    """Schema of config.yaml."""
    schema = inline(Config)
    channel = {"anyOf": [{"type": ["integer", "string"]}, inline(Channel)]}
    schema["properties"]["channels"]["additionalProperties"] = channel
    for stage in IN_CONFIG:
        one = stage_schema(stage)
        schema["properties"][stage] = (
            {"type": "object", "additionalProperties": one} if stage in WITH_TASKS else one
        )
    schema["required"] = ["study"]  # the rest may come from a recipe
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "config.yaml",
        **schema,
    }


def sheet_schema() -> dict[str, Any]:
    """Schema of a row of the image sheet."""
    properties = {name: {"type": "string", "description": text} for name, text in SHEET.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "images.tsv", "type": "object",
        "properties": properties, "required": ["id", "path"], "additionalProperties": {"type": "string"},
    }  # fmt: skip


def settings_page() -> str:
    """docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Everything that `config.yaml` may hold; what is not given has the default. Lengths are in micrometres (um),",
        "or in pixels where the pixel size is `unknown`. Generated from the code by `make docs`.",
        "",
        "## config.yaml",
        "",
        *table(config_schema(), skip=set(IN_CONFIG)),
        "",
        "## images.tsv",
        "",
        "Columns; any further ones are metadata and appear in every result table.",
        "",
        *(f"- `{name}`: {text}" for name, text in SHEET.items()),
        "- `expected_<column>`: what is known of a column of images.csv; the report compares.",
    ]
    for stage in IN_CONFIG:
        title = f"`{stage}: {{<task>: ...}}`" if stage in WITH_TASKS else f"`{stage}:`"
        lines += [
            "",
            f"## {title}",
            "",
            stage_module(stage).__doc__.strip(),
            "",
            *table(stage_schema(stage)),
        ]
        for name in own_methods(stage) if hasattr(stage_module(stage), "Settings") else ():
            module = find_method(stage, name)
            lines += [
                "",
                f"### method `{name}`",
                "",
                module.__doc__.strip(),
                "",
                *table(method_schema(stage, name), {"name"}),
            ]
        for key, part in nested(stage_schema(stage)) if stage in ("train", "gather") else ():
            lines += ["", f"### `{key}:`", "", *table(part)]
    return "\n".join(lines) + "\n"


def errors_page() -> str:
    """docs/errors.md."""
    lines = [
        "# Why an image is quarantined",
        "",
        "An image that cannot be used is set aside with a code and a sentence; the others go on. `quarantine.tsv` and the",
        "report list them. Mend or replace the file (or correct the sheet or config) and run the same command again.",
        "Generated from the code by `make docs`.",
        "",
        "| code | meaning | what to do |",
        "|---|---|---|",
        *(f"| `{code}` | {meaning} | {cure} |" for code, (meaning, cure) in errors.CODES.items()),
    ]
    return "\n".join(lines) + "\n"
