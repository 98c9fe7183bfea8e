"""Model folder: model.yaml + weights.safetensors + card.md <-> a network ready to predict.

Weights are never unpickled: loading a model runs no code of its author's.
"""

from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_weights
from safetensors.torch import save as format_weights
from torch import Tensor, nn

from ..settings import nearest
from .densenet import DenseNet
from .description import DESCRIPTION, WEIGHTS, Description, read_description
from .files import describe_weights, read_bytes, write_folder
from .unet import UNet

ARCHITECTURES = {"densenet": DenseNet, "unet": UNet}
SHOWN = 3  # of many problems of one kind


def save_model(folder: Path, network: nn.Module, description: Description) -> Description:
    """Write a model folder; returns the description with hash and version filled in."""
    folder = Path(folder)
    state = {name: one.detach().cpu().contiguous() for name, one in network.state_dict().items()}
    weights = format_weights(state)
    described = describe_weights(folder, weights, description)
    check_tensors(
        build_network(described.architecture, folder / DESCRIPTION), state, folder / WEIGHTS
    )
    write_folder(folder, weights, described)
    return described


def load_model(folder: Path, device: torch.device | str = "cpu") -> tuple[nn.Module, Description]:
    """The network, in eval mode on `device`, and its description.

    Raises
    ------
    ValueError
        Naming the file, what is wrong with it and the cure.
    """
    folder = Path(folder)
    described = read_description(folder)
    network = build_network(described.architecture, folder / DESCRIPTION)
    state = read_weights(folder / WEIGHTS, described.weights_sha256)
    check_tensors(network, state, folder / WEIGHTS)  # before memory is taken for the weights
    with torch.random.fork_rng(devices=[]):  # first weights are drawn; that is nobody's business
        network = build_network(described.architecture, folder / DESCRIPTION, "cpu")
    network.load_state_dict(state)
    return network.eval().to(device), described


def build_network(architecture: Mapping[str, Any], path: Path, device: str = "meta") -> nn.Module:
    """The network that a description names; on "meta" it has shapes, but no memory."""
    options = dict(architecture)
    name = options.pop("name", None)
    cls = ARCHITECTURES.get(name)
    for point in () if cls else entry_points(group="scopemill.models", name=str(name)):
        cls = point.load()
    if cls is None:
        plugins = [point.name for point in entry_points(group="scopemill.models")]
        hint = nearest(str(name), [*ARCHITECTURES, *plugins])
        raise ValueError(f"{path}: architecture.name: unknown network '{name}'{hint}")
    try:
        with torch.device(device):
            return cls(**options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: architecture: {error}") from None


def read_weights(path: Path, sha256: str) -> dict[str, Tensor]:
    """Tensors by name, from bytes that are those that were saved."""
    data = read_bytes(path, sha256)
    try:
        return parse_weights(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ValueError(f"{path}: no safetensors ({error}); copy the model folder again") from None


def check_tensors(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Raise ValueError unless names, shapes and values can be those of the network."""
    expected = {name: one.shape for name, one in network.state_dict().items()}
    ill = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(shape)}"
        for name, shape in expected.items()
        if name in state and state[name].shape != shape
    ]
    values = [name for name, one in state.items() if not torch.isfinite(one).all()]
    problems = {
        "lacks": sorted(expected.keys() - state.keys()),
        "does not know": sorted(state.keys() - expected.keys()),
        "has another shape": ill,
        "has values that are no numbers (NaN or infinite)": values,
    }
    found = [f"{what}: {enumerate_few(names)}" for what, names in problems.items() if names]
    if found:
        cure = f"take weights and {DESCRIPTION} from the same model, or train it again"
        raise ValueError(f"{path}: does not fit the network: {'; '.join(found)}; {cure}")


def enumerate_few(names: list[str]) -> str:
    """The first few names and how many more."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
