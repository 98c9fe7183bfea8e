"""Make: rows of a sheet + what the pixels say -> train, validation or test for each image."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..settings import ConfigError, nearest
from .draw import draw
from .duplicates import Leak, join
from .objections import find_ignored, find_parted, object_or_warn
from .settings import PARTS, WORDS, Split


def make_split(
    rows: Sequence[Mapping[str, str]], settings: Split, findings: Sequence[Leak] = ()
) -> dict[str, str]:
    """Image -> train, validation or test; `rows` have the column image, `findings` are of `find_leaks`.

    Copies and neighbours among the findings are kept together, whatever else is asked for.

    Raises
    ------
    ConfigError
        When there are too few groups; when images would be drawn one by one although a column looks like a grouping; and
        when the given column parts a group, copies or neighbours. `allow_random` overrides the last two.
    """
    check_columns(rows, settings)
    groups = find_groups(rows, settings, findings)
    if settings.column:
        parts = read_parts(rows, settings.column)
        object_or_warn(find_parted(rows, parts, settings, findings), settings)
    else:
        object_or_warn(find_ignored(rows, settings), settings)
        parts = draw(rows, groups, settings)
    return parts


def check_columns(rows: Sequence[Mapping[str, str]], settings: Split) -> None:
    """Refuse columns that are not there, double images and shares that leave nothing to learn from."""
    if not rows:
        raise ConfigError("split: no images")
    names = [name for name in rows[0] if name != "image"]
    problems = [
        f"split.{key}: the sheet has no column '{name}'{nearest(name, names)}"
        for key in ("column", "group", "stratify")
        if (name := getattr(settings, key)) and name not in names
    ]
    if settings.validation + settings.test >= 1:
        problems.append("split: validation + test must be below 1: nothing is left to learn from")
    double = [image for image, n in Counter(row["image"] for row in rows).items() if n > 1]
    if double:
        problems.append(f"split: image {double[0]} stands in several rows")
    if problems:
        raise ConfigError("\n".join(problems))


def find_groups(
    rows: Sequence[Mapping[str, str]], settings: Split, findings: Sequence[Leak]
) -> dict[str, str]:
    """Image -> group: images of one subject, and all that copies and neighbours tie to them."""
    there = {row["image"] for row in rows}
    ties = [(row["image"], row["image"]) for row in rows]
    ties += [(one.first, one.second) for one in findings if {one.first, one.second} <= there]
    if settings.group:
        empty = [row["image"] for row in rows if not row[settings.group]]
        if empty:
            raise ConfigError(
                f"split.group: {len(empty)} images have no value in column '{settings.group}', such as {empty[0]}"
            )
        first: dict[str, str] = {}
        ties += [
            (first.setdefault(row[settings.group], row["image"]), row["image"]) for row in rows
        ]
    joined = join(ties)
    if not settings.group:
        return joined
    values = {row["image"]: row[settings.group] for row in rows}
    return {image: values[name] for image, name in joined.items()}


def read_parts(rows: Sequence[Mapping[str, str]], column: str) -> dict[str, str]:
    """The split that a column of the sheet gives."""
    unknown = sorted({row[column] for row in rows if row[column].lower() not in WORDS})
    if unknown:
        raise ConfigError(
            f"split.column: '{column}' must say train, validation or test, found {unknown}"
        )
    parts = {row["image"]: WORDS[row[column].lower()] for row in rows}
    if "train" not in parts.values():
        raise ConfigError(f"split.column: no image has train in column '{column}'")
    return parts


def describe_split(
    settings: Split, parts: Mapping[str, str], findings: Sequence[Leak] = ()
) -> dict[str, Any]:
    """How the images were split, for a model's card: plain values."""
    how = (
        f"column {settings.column}"
        if settings.column
        else f"groups of {settings.group or 'single images'}"
    )
    inside = [leak for leak in findings if {leak.first, leak.second} <= parts.keys()]
    return {
        "how": how,
        "seed": settings.seed,
        "images": {part: n for part in PARTS if (n := list(parts.values()).count(part))},
        "found": dict(Counter(leak.kind for leak in inside)),
        "found_across_parts": sum(parts[leak.first] != parts[leak.second] for leak in inside),
        "allow_random": settings.allow_random,
    }
