"""Network: settings -> the network that is trained, with its first weights; what does not fit is refused."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..settings import ConfigError
from .settings import Crop

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..models.description import Description


def make_network(
    described: "Description", init_from: str | None, crop: Crop
) -> "tuple[nn.Module, list[str]]":
    """The network with its first weights, and what is to be said about them."""
    from ..models.folder import build_network, load_model

    network = build_network(described.architecture, Path("train.network"), "cpu")
    if described.classifier is None and not hasattr(network, "size_multiple"):
        name = described.architecture["name"]
        raise ConfigError(
            f"train: network: {name} gives classes, no maps; set network: {{name: unet}}"
        )
    check_crop(crop, network)
    if init_from is None:
        return network, []
    source, theirs = load_model(Path(init_from))
    own, new = network.state_dict(), []
    for name, first in own.items():
        second = source.state_dict().get(name)
        if second is not None and name.startswith("head.") and first.shape[1:] == second.shape[1:]:
            copy_outputs(first, described.output, second, theirs.output)
        elif second is not None and first.shape == second.shape:
            first.copy_(second)
        else:
            new.append(name)
    # counters and single biases fit any network: they are no beginning
    if not any(
        one.ndim > 1 and not name.startswith("head.")
        for name, one in own.items()
        if name not in new
    ):
        cure = f"it is {theirs.architecture}, this is {described.architecture}; give both the same network"
        raise ConfigError(f"init_from {init_from}: no weight fits this network; {cure}")
    return network, [f"starts from {init_from}; new weights: {', '.join(new) or 'none'}"]


def check_crop(crop: Crop, network: "nn.Module") -> None:
    """Refuse crops that the network cannot halve, and planes that it does not take."""
    multiple = getattr(network, "size_multiple", (1, 1))
    sizes = (crop.planes, crop.patch_size_px, crop.patch_size_px)[-len(multiple) :]
    if crop.planes > 1 and len(multiple) == 2:
        raise ConfigError(
            f"train: crop.planes: {crop.planes} planes are for networks in 3-D; set network: {{dims: 3}}, or planes: 1"
        )
    if any(size % one for size, one in zip(sizes, multiple, strict=True)):
        raise ConfigError(
            f"train: crop: patch_size_px must be a multiple of {multiple[-1]} for this network"
            + (f", planes of {multiple[0]}" if len(multiple) == 3 else "")
        )


def copy_outputs(own: "Tensor", names: list[str], theirs: "Tensor", their_names: list[str]) -> None:
    """Weights of the outputs that both networks have."""
    for i, name in enumerate(names):
        if name in their_names:
            own[i] = theirs[their_names.index(name)]
