"""File names: a folder and a pattern -> images, each of one file or of several, and what their names say of them."""

import re
from pathlib import Path

from ..settings import ConfigError
from ..sheet import COLUMN, TAKEN

SUFFIXES = {
    ".tif", ".tiff", ".btf", ".png", ".jpg", ".jpeg", ".bmp", ".svs", ".czi", ".nd2", ".lif", ".stk",
    ".ndpi", ".scn", ".mrxs", ".bif", ".vms", ".qptiff",
}  # fmt: skip
IN_ONE_IMAGE = ("channel", "z", "t")  # groups of the pattern that tell apart files of one image
AGAIN = "_again"  # ends a group of the pattern that repeats one of these


def find_images(folder: Path, pattern: str | None) -> dict[Path, dict[str, str]]:
    """Path of each image (with {channel}, {z}, {t} where files belong together) -> its metadata."""
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder")
    files = sorted(
        path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")
    )
    expression = compile_pattern(pattern) if pattern else None
    images: dict[Path, dict[str, str]] = {}
    for path in files:
        name = path.relative_to(folder).as_posix()
        found = expression.search(name) if expression else None
        if (expression and not found) or (not expression and path.suffix.lower() not in SUFFIXES):
            continue
        groups = found.groupdict(default="") if found else {}
        metadata = {
            key: value
            for key, value in groups.items()
            if key.removesuffix(AGAIN) not in IN_ONE_IMAGE
        }
        images.setdefault(folder / join_files(name, found), metadata)
    if not images:
        matching = f" whose path matches {pattern}" if pattern else ""
        raise ConfigError(f"{folder}: no image files{matching} among {len(files)} files")
    return images


def compile_pattern(pattern: str) -> re.Pattern:
    """The user's expression, its groups fit to be columns."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"--pattern {pattern}: {error}") from None
    for name in expression.groupindex:
        if name not in IN_ONE_IMAGE and (not COLUMN.fullmatch(name) or name in {*TAKEN, "path"}):
            raise ConfigError(f"--pattern: a group cannot be called '{name}'; choose another name")
    return expression


def join_files(name: str, found: re.Match | None) -> str:
    """The name with {channel}, {z} and {t} in the place of what those groups matched."""
    folder = name.rfind("/") + 1
    groups = found.groupdict() if found else {}
    keys = {key: key.removesuffix(AGAIN) for key, text in groups.items() if text}
    spans = [(found.span(key), one) for key, one in keys.items() if one in IN_ONE_IMAGE]
    for (start, end), key in sorted(spans, reverse=True):
        if start < folder:
            raise ConfigError(
                f"--pattern: group '{key}' matches in a folder's name; it must in the file's: {name}"
            )
        name = f"{name[:start]}{{{key}}}{name[end:]}"
    return name
