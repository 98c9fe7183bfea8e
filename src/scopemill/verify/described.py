"""Described: the study's RO-Crate -> files that are not as it describes them."""

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ..crate import METADATA
from ..manifests import sha256
from .findings import ENDS, REPAIR, RUN, Finding


def check_crate(root: Path) -> Iterator[Finding]:
    """Hash every file that the crate describes."""
    if not (root / METADATA).is_file():
        cause = "is not there: the study has not run to its end, or too many images are quarantined"
        yield Finding("CRATE", METADATA, cause, RUN, note=True)
        return
    try:
        described = read_described(root / METADATA)
    except (ValueError, KeyError, TypeError) as error:
        cause = f"cannot be read ({error})"
        yield Finding("CRATE", METADATA, cause, REPAIR, set_aside=(METADATA, *ENDS))
        return
    for name, expected in described.items():
        path = root / name
        aside = (name, *ENDS)
        if not path.is_file():
            yield Finding("CRATE", name, "is not there", REPAIR, set_aside=aside)
        elif sha256(path) != expected:
            cause = f"is not the file that {METADATA} describes"
            yield Finding("CRATE", name, cause, REPAIR, set_aside=aside)


def read_described(path: Path) -> dict[str, str]:
    """File below the results folder -> its sha256.

    Raises
    ------
    ValueError, KeyError, TypeError
        When it is no crate, or speaks of files elsewhere.
    """
    graph = json.loads(path.read_text(encoding="utf-8"))["@graph"]
    described = {str(one["@id"]): str(one["sha256"]) for one in graph if "contentSize" in one}
    for name in described:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise ValueError(f"it speaks of a file elsewhere: {name}")
    return described
