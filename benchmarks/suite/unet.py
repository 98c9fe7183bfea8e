"""unet: the network of models/nuclei on fields of nuclei, by PyTorch as it is, and as Scopemill prepares it; one thread."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .harness import CHECKOUT, Benchmark, Goal

MODEL = CHECKOUT / "models" / "nuclei"
RADIUS_PX, AREA_PX = 14.0, 2000  # of a nucleus, as the model knows them; and of the field, for each
LEAST_DICE = 0.999
LARGEST_ERROR = 1e-3  # on average, of a probability: bf16 has 8 bits
CHANNELS, SIZES = (
    (64, 128, 256),
    (64, 128, 256),
)  # of the convolutions that the machine is measured by
ROUNDS = 4


def prepare(folder: Path, size: Mapping[str, Any]) -> Path:
    """Fields of nuclei (n, 1, Y, X) float32, scaled as the model wants them, in a file."""
    from scopemill.simulate.cytometry import nuclei_field

    rng = np.random.default_rng(0)
    shape, n_nuclei = (size["size_px"],) * 2, size["size_px"] ** 2 // AREA_PX
    fields = np.stack([nuclei_field(shape, n_nuclei, rng, RADIUS_PX)[0] for _ in range(size["n"])])
    low, high = np.percentile(fields, (1, 99.9))
    np.save(folder / "fields.npy", ((fields[:, None] - low) / (high - low)).astype(np.float32))
    return folder / "fields.npy"


def baseline(case: Path) -> np.ndarray:
    """What one writes: eval, inference_mode, a field after the other, fp32."""
    import torch

    torch.set_num_threads(1)
    network, _ = load_network()
    with torch.inference_mode():
        fields = torch.from_numpy(np.load(case))
        return np.concatenate([network(one[None]).sigmoid().numpy() for one in fields])


def ours(case: Path) -> np.ndarray:
    """Probabilities as the stage segment has them computed: in bf16, where the machine has it."""
    return predict(case, "auto")


def predict(case: Path, bf16: Any) -> np.ndarray:
    """Probabilities (n, heads, Y, X)."""
    import torch

    from scopemill.models.predict import predict_patches, prepare

    device, (network, described) = torch.device("cpu"), load_network()
    torch.set_num_threads(1)
    batches = [one[None] for one in np.load(case)]
    ready = prepare(network, device, bf16)
    return np.concatenate(list(predict_patches(ready, batches, device, described.activation)))


def load_network() -> tuple[Any, Any]:
    """The trained network and its description."""
    from scopemill.models.folder import load_model

    return load_model(MODEL)


def check(case: Path, theirs: np.ndarray, found: np.ndarray) -> list[str]:
    """The foreground is the same but for a thousandth, and no probability is far off on average."""
    if found.shape != theirs.shape:
        return [f"shape {found.shape} instead of {theirs.shape}"]
    objections = []
    if (dice := find_dice(theirs, found)) < LEAST_DICE:
        objections.append(f"Dice of the foreground is {dice:.5f}, below {LEAST_DICE}")
    for head in range(found.shape[1]):
        if not (error := np.abs(theirs - found)[:, head].mean()) <= LARGEST_ERROR:
            objections.append(f"probabilities of head {head} are {error:.2g} off on average")
    return objections


def spoil(found: np.ndarray) -> np.ndarray:
    """Moved by one pixel."""
    return np.roll(found, 1, axis=-1)


def find_dice(theirs: np.ndarray, found: np.ndarray) -> float:
    """Of what is foreground, the first head."""
    one, other = theirs[:, 0] > 0.5, found[:, 0] > 0.5
    return float(2 * (one & other).sum() / max(1, one.sum() + other.sum()))


def facts(case: Path, found: np.ndarray) -> dict[str, float]:
    """Rates by CPU seconds; the machine's best by a sweep of 3x3 convolutions, channels last."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    torch.set_num_threads(1)
    fields = np.load(case)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        load_network()[0](torch.from_numpy(fields[:1]))
    work = counter.get_total_flops() * len(fields) / 1e9
    eager, fp32, bf16 = (
        best_seconds(one)
        for one in (lambda: baseline(case), lambda: predict(case, False), lambda: ours(case))
    )
    best_fp32, best_bf16 = best_rate(torch.float32), best_rate(torch.bfloat16)
    return {
        "fp32 ratio": eager / fp32,
        "fp32 share of the best rate": work / fp32 / best_fp32,
        "bf16 share of the best rate": work / bf16 / best_bf16,
        "fp32 GFLOP/s": work / fp32, "bf16 GFLOP/s": work / bf16,
        "best fp32 GFLOP/s": best_fp32, "best bf16 GFLOP/s": best_bf16,
        "Mpx per CPU s": fields.size / 1e6 / bf16, "Mpx per CPU s, fp32": fields.size / 1e6 / fp32,
        "Dice": find_dice(predict(case, False), found),
        "largest error of fp32": float(np.abs(baseline(case) - predict(case, False)).max()),
    }  # fmt: skip


def best_rate(dtype: Any) -> float:
    """GFLOP a CPU second of the fastest convolution."""
    import torch
    from torch.nn.functional import conv2d

    def rate(channels: int, size: int) -> float:
        x, weight = (
            torch.rand(shape, dtype=dtype).to(memory_format=torch.channels_last)
            for shape in ((1, channels, size, size), (channels, channels, 3, 3))
        )
        with torch.inference_mode():
            seconds = best_seconds(lambda: conv2d(x, weight, padding=1))
        return 2 * 9 * channels**2 * size**2 / seconds / 1e9

    return max(rate(channels, size) for channels in CHANNELS for size in SIZES)


def best_seconds(work: Callable[[], Any]) -> float:
    """CPU seconds, the best of some rounds."""
    taken = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


BENCHMARK = Benchmark(
    name="unet",
    task="U-Net (16 channels, depth 4, trained) on 4 fields of 1024 x 1024 px, one thread",
    against="the same network in PyTorch, eager, fp32",
    prepare=prepare,
    baseline=baseline,
    ours=ours,
    check=check,
    spoil=spoil,
    full={"n": 4, "size_px": 1024},
    small={"n": 1, "size_px": 256},
    goals=(
        Goal("times faster than eager, bf16", lambda one: one.ratio(), at_least=4.5),
        Goal("times faster than eager, fp32", lambda one: one.facts["fp32 ratio"], at_least=2),
        Goal("share of the best rate, fp32", lambda one: one.facts["fp32 share of the best rate"], at_least=0.6),
        Goal("Dice of bf16", lambda one: one.facts["Dice"], at_least=LEAST_DICE),
    ),
    facts=facts,
)  # fmt: skip
