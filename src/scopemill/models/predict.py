"""Predict: network + patches -> probabilities, on the device that the caller chose.

On one device, with one number of threads, the same input gives the same output.
"""

import copy
import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..gpu_faults import is_granted
from ..patches import LEVELS, Patches
from ..tiling import Blend, Window
from .description import Description, Normalisation
from .memory import predict_in_parts
from .strips import Strips, can_be_cut

BF16_FLAGS = {"avx512_bf16", "amx_bf16"}
ONE_AT_A_TIME = threading.Lock()  # images that are in hand together share the memory of one batch
AMPERE = 8  # the first generation of NVIDIA GPUs that computes in bf16


def choose_device(name: Literal["auto", "cpu", "cuda"]) -> tuple[torch.device, str]:
    """The device, and a warning where it is not what one would hope for.

    Raises
    ------
    RuntimeError
        CUDA was asked for and is not there: `apptainer --nv` without a GPU says nothing. SLURM granted a GPU that
        does not answer: it may be broken, and another node's may not.
    """
    if name == "cpu":
        return torch.device("cpu"), ""
    if torch.cuda.is_available():
        return torch.device("cuda"), ""
    if torch.version.cuda is None:
        cause = (
            "this PyTorch is built for CPUs only (use the GPU container, or install a CUDA build)"
        )
    else:
        cause = "PyTorch sees no GPU (ask the scheduler for one; start Apptainer with --nv)"
    if is_granted() and torch.version.cuda is not None:
        raise RuntimeError(f"a GPU was granted by SLURM, but {cause}; or set device: cpu")
    if name == "cuda":
        raise RuntimeError(f"device cuda was asked for, but {cause}; or set device: cpu")
    return torch.device("cpu"), f"networks run on the CPU: {cause}"


def has_bf16(device: torch.device) -> bool:
    """Whether the device computes in bf16 itself; emulation would be slower than fp32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= AMPERE
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and not BF16_FLAGS.isdisjoint(cpuinfo.read_text().split())


def prepare(
    network: nn.Module, device: torch.device, bf16: bool | Literal["auto"] = "auto"
) -> nn.Module:
    """A copy that predicts fast: normalisation folded in, channels last, bf16 where it is native, in strips on a CPU.

    On a CPU with AMX this is 8 times faster than eager fp32 (benchmarks/suite/unet.py) and differs by 1e-3.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    fold_normalisation(network)
    dtype = (
        torch.bfloat16 if bf16 is True or (bf16 == "auto" and has_bf16(device)) else torch.float32
    )
    network.to(device, dtype)
    is_3d = any(isinstance(module, nn.Conv3d) for module in network.modules())
    network.to(memory_format=torch.channels_last_3d if is_3d else torch.channels_last)
    return Strips(network) if device.type == "cpu" and can_be_cut(network) else network


def fold_normalisation(network: nn.Module) -> None:
    """Fold each batch normalisation into the convolution before it, in place."""
    for parent in [one for one in network.modules() if isinstance(one, nn.Sequential)]:
        for i, (first, second) in enumerate(pairwise(list(parent))):
            if isinstance(first, nn.Conv2d | nn.Conv3d) and isinstance(
                second, nn.BatchNorm2d | nn.BatchNorm3d
            ):
                parent[i], parent[i + 1] = fuse_conv_bn_eval(first, second), nn.Identity()


@torch.inference_mode()
def predict_patches(
    network: nn.Module, batches: Iterable[np.ndarray], device: torch.device, activation: str
) -> Iterator[np.ndarray]:
    """Batches (n, C, [Z,] Y, X) float32, scaled -> probabilities (n, heads, [Z,] Y, X) float32."""
    weights = next(network.parameters())

    def predict(batch: np.ndarray) -> np.ndarray:
        padded = pad_to_multiple(batch, getattr(network, "size_multiple", ()))
        x = torch.from_numpy(padded).to(device, weights.dtype)
        layout = torch.channels_last if x.ndim == 4 else torch.channels_last_3d
        y = activate(network(x.to(memory_format=layout)).float(), activation)
        crop = (slice(None), slice(None), *(slice(n) for n in batch.shape[2:]))
        return y[crop].contiguous().cpu().numpy()

    for batch in batches:
        with ONE_AT_A_TIME:
            found = predict_in_parts(network, batch, predict)
        yield found


def pad_to_multiple(batch: np.ndarray, multiple: Sequence[int]) -> np.ndarray:
    """Mirror what a network that halves its input needs, behind the last pixel of each axis."""
    if not multiple:  # a plug-in's network that takes any size
        return np.ascontiguousarray(batch)
    missing = [-n % m for n, m in zip(batch.shape[-len(multiple) :], multiple, strict=True)]
    if not any(missing):
        return np.ascontiguousarray(batch)
    before = [(0, 0)] * (batch.ndim - len(missing))
    return np.pad(batch, before + [(0, n) for n in missing], mode="reflect")


def activate(logits: Tensor, activation: str) -> Tensor:
    """Logits -> probabilities."""
    return logits.softmax(dim=1) if activation == "softmax" else logits.sigmoid()


def scale_grey_values(
    patches: np.ndarray, percentiles: Sequence[Sequence[float]], normalisation: Normalisation
) -> np.ndarray:
    """Patches ([N,] C, Z, Y, X) -> float32, 0 and 1 at the two percentiles of each channel."""
    low, high = (
        np.array([one[LEVELS.index(level)] for one in percentiles], np.float32)
        for level in (normalisation.low, normalisation.high)
    )
    width = np.where(high > low, high - low, 1)
    shape = (-1, 1, 1, 1)
    return (patches.astype(np.float32) - low.reshape(shape)) / width.reshape(shape)


def use_threads(n: int) -> None:
    """Let networks that this thread calls use n cores: OpenMP counts for each thread apart."""
    torch.set_num_threads(max(1, n))


def predict_store(
    network: nn.Module,
    description: Description,
    store: Patches,
    t: int,
    device: torch.device,
    batch_size: int = 8,
    window: Window | None = None,
) -> np.ndarray:
    """A window (all, where none is given) of one time point of a patch store -> probabilities (heads, [Z,] Y, X).

    At the store's scale. A 2-D network sees the brightest of each pixel's planes. Where there is no patch, all is 0.
    """
    meta = store.meta
    is_3d = len(getattr(network, "size_multiple", (1, 1))) == 3
    shape = (len(description.output), *((meta.image_shape[2],) if is_3d else ()))
    size, halo = meta.image_shape[-2:], getattr(network, "halo_px", 0)
    blend = Blend(int(np.prod(shape)), size, meta.patch_size_px, meta.overlap_px, halo, window)
    places = find_places(store, t, blend.window)
    chunks = [places[i : i + batch_size] for i in range(0, len(places), batch_size)]
    batches = (read_scaled(store, chunk, description.normalisation, is_3d) for chunk in chunks)
    predictions = predict_patches(network, batches, device, description.activation)
    for chunk, prediction in zip(chunks, predictions, strict=True):
        planes = prediction.reshape(len(prediction), -1, *prediction.shape[-2:])
        blend.add(store.origins[chunk, 1:], planes)
    result = blend.result()
    return result.reshape(*shape, *result.shape[-2:])


def find_places(store: Patches, t: int, window: Window) -> np.ndarray:
    """Numbers of the patches of one time point that show something of a window."""
    chosen = store.origins[:, 0] == t
    for axis, limits in enumerate(window):
        start = store.origins[:, 1 + axis]
        chosen &= (start < limits.stop) & (start + store.meta.patch_size_px > limits.start)
    return np.flatnonzero(chosen)


def read_scaled(
    store: Patches, places: np.ndarray, normalisation: Normalisation, is_3d: bool
) -> np.ndarray:
    """Patches as a network sees them: (n, C, [Z,] P, P)."""
    patches = np.concatenate([store.read(slice(int(i), int(i) + 1)) for i in places])
    patches = patches if is_3d else patches.max(axis=2, keepdims=True)
    scaled = scale_grey_values(patches, store.meta.percentiles, normalisation)
    return scaled if is_3d else scaled[:, :, 0]
