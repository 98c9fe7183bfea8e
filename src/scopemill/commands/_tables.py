"""Tables: JSON schema of settings -> Markdown."""

import json
from collections.abc import Iterator
from typing import Any


def table(schema: dict[str, Any], skip: set[str] = frozenset()) -> Iterator[str]:
    """Markdown table of a schema's properties."""
    rows = {name: one for name, one in schema["properties"].items() if name not in skip}
    if not rows:
        return
    yield from ("| key | default | meaning |", "|---|---|---|")
    for name, one in rows.items():
        required = name in schema.get("required", [])
        default = "required" if required else f"`{json.dumps(one.get('default'))}`"
        yield f"| `{name}` | {default} | {' '.join(one.get('description', choose(one)).split())}{words(one)} |"


def choose(one: dict[str, Any]) -> str:
    """What to say of a method: its choices."""
    return "one of " + ", ".join(
        f"`{each['properties']['name']['const']}`" for each in one.get("oneOf", [])
    )


def words(one: dict[str, Any]) -> str:
    """The choices of a setting that has words for values."""
    return f" One of {', '.join(f'`{word}`' for word in one['enum'])}." if "enum" in one else ""


def nested(schema: dict[str, Any], where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Settings that hold settings: 'collect.split' and its schema."""
    for name, one in schema["properties"].items():
        parts = [one, *one.get("anyOf", [])]
        for part in [each for each in parts if "properties" in each]:
            yield f"{where}{name}", part
            yield from nested(part, f"{where}{name}.")
        by_task = one.get("additionalProperties")
        if isinstance(by_task, dict) and "properties" in by_task:
            yield f"{where}{name}.<task>", by_task
