"""Files of a model folder: bytes of weights + description <-> weights.safetensors, model.yaml, card.md. Without torch."""

import dataclasses
import hashlib
from pathlib import Path

from .. import __version__
from ..manifests import replacing
from .card import format_card
from .description import (
    CARD,
    DESCRIPTION,
    WEIGHTS,
    Description,
    check_description,
    format_description,
)

PICKLES = (b"\x80", b"PK\x03\x04")  # pickle, and the zip that torch.save writes


def describe_weights(folder: Path, weights: bytes, description: Description) -> Description:
    """The description with the hash of the weights and this version filled in, checked."""
    digest = hashlib.sha256(weights).hexdigest()
    described = dataclasses.replace(description, weights_sha256=digest, scopemill=__version__)
    check_description(described, folder / DESCRIPTION)
    return described


def write_folder(folder: Path, weights: bytes, described: Description) -> None:
    """Write the three files, each whole or not at all; model.yaml, which others wait for, comes last."""
    texts = {CARD: format_card(folder.name, described), DESCRIPTION: format_description(described)}
    with replacing(folder / WEIGHTS) as temporary:
        temporary.write_bytes(weights)
    for name, text in texts.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def read_bytes(path: Path, sha256: str) -> bytes:
    """Weights that are those that were saved.

    Raises
    ------
    ValueError
        Naming the file, what is wrong with it and the cure.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file; copy the whole model folder again")
    data = path.read_bytes()
    if data.startswith(PICKLES) and data[8:9] != b"{":  # safetensors: 8 bytes of length, then JSON
        cure = "ask its author for safetensors, or convert it where you trust it"
        raise ValueError(f"{path}: a pickle, which could run any code when it is loaded; {cure}")
    if not sha256:
        raise ValueError(f"{path.parent / DESCRIPTION}: weights_sha256: this key is required")
    if hashlib.sha256(data).hexdigest() != sha256:
        cause = f"is not what {DESCRIPTION} describes (its sha256 differs)"
        raise ValueError(f"{path}: {cause}: damaged or exchanged; copy the model folder again")
    return data
