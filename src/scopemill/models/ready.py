"""Ready: a model folder -> its network, prepared to predict; kept from one image to the next."""

import functools
import threading
from pathlib import Path

import torch
from torch import nn

from . import predict
from .description import Description
from .folder import load_model

LOADING = threading.Lock()  # lanes of a job share one network


def load_ready(folder: Path, device: str) -> tuple[nn.Module, Description, torch.device, str]:
    """Network, description, device and a warning about it, from the last call where nothing changed since."""
    files = sorted(folder.glob("*"))
    with LOADING:
        return load_changed(folder, device, tuple(file.stat().st_mtime_ns for file in files))


@functools.lru_cache(maxsize=1)
def load_changed(folder: Path, device: str, changed: tuple[int, ...]):
    """The same, once for each state of the folder."""
    chosen, warning = predict.choose_device(device)
    network, description = load_model(folder)
    return predict.prepare(network, chosen), description, chosen, warning
