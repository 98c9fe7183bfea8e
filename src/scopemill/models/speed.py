"""Speed: the reference network on this machine -> seconds for a megapixel; what forecasts are scaled by."""

import time
from collections.abc import Callable

import numpy as np
import torch

from .predict import choose_device, predict_patches, prepare
from .unet import UNet

TILE = 512
BATCH = 4
ROUNDS = 3  # the first one warms up


def measure_on_cpu(n_batches: int = 3) -> float:
    """CPU seconds a megapixel, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return measure(torch.device("cpu"), n_batches, time.process_time)
    finally:
        torch.set_num_threads(threads)


def measure_on_gpu(n_batches: int = 50) -> float | None:
    """Seconds a megapixel, results brought back included; None where there is no GPU."""
    device, _ = choose_device("auto")
    return measure(device, n_batches, time.perf_counter) if device.type == "cuda" else None


def measure(device: torch.device, n_batches: int, clock: Callable[[], float]) -> float:
    """The network of models/nuclei without its weights, which do not matter for time; the best of some rounds."""
    torch.manual_seed(0)
    network = prepare(UNet(1, 2, width=16, depth=4), device)
    batch = np.random.default_rng(0).random((BATCH, 1, TILE, TILE), np.float32)
    best = np.inf
    for number in range(ROUNDS):
        start = clock()
        for _ in predict_patches(network, [batch] * n_batches, device, "sigmoid"):
            pass
        if number:
            best = min(best, clock() - start)
    return best / (n_batches * batch.size / 1e6)
