"""Objections: what the sheet and the pixels say against a split -> sentences, and a refusal."""

import logging
import re
from collections.abc import Mapping, Sequence

from ..settings import ConfigError
from .duplicates import Leak
from .settings import Split

LOG = logging.getLogger("scopemill")
GROUPINGS = {
    "group", "subject", "patient", "donor", "animal", "mouse", "individual", "participant", "case", "specimen",
    "sample", "plate", "well", "slide", "field", "position", "experiment", "batch", "session", "stack", "movie",
}  # fmt: skip
NAMES = {
    "identical": "the same image",
    "mirrored": "the same image, mirrored or turned",
    "neighbour": "neighbours in one field",
}


def find_parted(
    rows: Sequence[Mapping[str, str]],
    parts: Mapping[str, str],
    settings: Split,
    findings: Sequence[Leak],
) -> list[str]:
    """What a given split has on two sides at once."""
    sides: dict[str, set[str]] = {}
    for row in rows if settings.group else ():
        sides.setdefault(row[settings.group], set()).add(parts[row["image"]])
    problems = [
        f"split.column: {settings.group} {group} is in {' and '.join(sorted(found))}"
        for group, found in sides.items()
        if len(found) > 1
    ]
    problems += [
        f"split.column: {one.first} ({parts[one.first]}) and {one.second} ({parts[one.second]}) are {NAMES[one.kind]}"
        for one in findings
        if one.first in parts and one.second in parts and parts[one.first] != parts[one.second]
    ]
    return problems


def find_ignored(rows: Sequence[Mapping[str, str]], settings: Split) -> list[str]:
    """Columns that say which images belong together, when no group was named."""
    if settings.group:
        return []
    suspects = [name for name in rows[0] if name != "image" and looks_like_grouping(name, rows)]
    if not suspects:
        return []
    named = " or ".join(f"'{name}'" for name in suspects)
    return [
        f"split: images would be drawn one by one, but column {named} says which belong together, and a model scored "
        f"on images of subjects it knows looks better than it is; set split.group to the column ({suspects[0]})"
    ]


def looks_like_grouping(name: str, rows: Sequence[Mapping[str, str]]) -> bool:
    """Whether a column is named like a subject, plate or field, and its values repeat."""
    words = {word.rstrip("s") for word in re.split(r"[^a-z]+", name.lower())}
    values = {row[name] for row in rows} - {""}
    return bool(words & GROUPINGS) and 1 < len(values) < sum(row[name] != "" for row in rows)


def object_or_warn(problems: Sequence[str], settings: Split, most: int = 8) -> None:
    """Raise ConfigError, or with `allow_random` say the same in the log."""
    if not problems:
        return
    more = [f"split: and {len(problems) - most} more"] if len(problems) > most else []
    if not settings.allow_random:
        cure = "split.allow_random: true splits all the same, and is written down"
        raise ConfigError("\n".join([*problems[:most], *more, cure]))
    LOG.warning("allowed by split.allow_random: %s", "\n".join([*problems[:most], *more]))
