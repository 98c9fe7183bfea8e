"""Loop: batches -> a trained network, with checkpoints from which a killed training goes on.

What a step sees depends on the seed and the step's number alone, so that a training that was killed and one that
was not see the same, and end with the same weights on a CPU with the same number of threads.
"""

import copy
import logging
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..models.predict import has_bf16
from .checkpoint import State, read_checkpoint, write_checkpoint
from .settings import Training

LOG = logging.getLogger(__name__)
AHEAD = 4  # batches made while the network is busy
SMOOTH = 0.05  # of the loss that is shown


class Problem(Protocol):
    """What is learnt; `method.make_problem` gives one."""

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Input (N, C, [Z,] Y, X) and target of a step, always the same ones."""

    def validation(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The same for validation."""

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """How far off."""


def fit(
    problem: Problem, network: nn.Module, own: Training, device: torch.device,
    checkpoint: Path, fingerprint: str,
) -> State:  # fmt: skip
    """Train `network` in place; it ends with the best averaged weights."""
    layout = torch.channels_last if has_planes(network) else torch.channels_last_3d
    network.to(device, memory_format=layout)
    trained = choose_trained(network, own.freeze)
    optimizer = torch.optim.AdamW(trained, own.learning_rate, weight_decay=own.weight_decay)
    state = read_checkpoint(checkpoint, fingerprint, device) or State(fingerprint=fingerprint)
    average = copy.deepcopy(network)
    if state.step:
        LOG.info("goes on from step %s of %s: %s", state.step, own.steps, checkpoint)
        network.load_state_dict(state.network)
        average.load_state_dict(state.average)
        optimizer.load_state_dict(state.optimizer)
    bf16 = own.mixed_precision == "on" or (own.mixed_precision == "auto" and has_bf16(device))
    shown = state.history[-1]["loss"] if state.history else 0.0
    start = time.perf_counter() - state.seconds
    for step, x, y in batches(problem, state.step, own.steps, device, layout):
        if is_exhausted(state.history, own.patience):
            break
        for group in optimizer.param_groups:
            group["lr"] = own.learning_rate * rate(step, own.steps)
        set_train(network, own.freeze)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            output = network(x)
        loss = problem.loss(output.float(), y)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 5.0)
        optimizer.step()
        update_average(average, network, min(own.average, (1 + step) / (10 + step)))
        shown = (
            float(loss.detach()) if not shown else shown + SMOOTH * (float(loss.detach()) - shown)
        )
        if (step + 1) % own.validate_every == 0 or step + 1 == own.steps:
            state.seconds = time.perf_counter() - start
            look(problem, average, state, step + 1, shown, device, layout, bf16)
            state.step, state.network = step + 1, network.state_dict()
            state.average, state.optimizer = average.state_dict(), optimizer.state_dict()
            write_checkpoint(checkpoint, state)
            report(state, own)
    network.load_state_dict(state.best)
    return state


def has_planes(network: nn.Module) -> bool:
    """Whether a network works in 2-D."""
    return not any(isinstance(module, nn.Conv3d) for module in network.modules())


def choose_trained(network: nn.Module, freeze: str) -> list[nn.Parameter]:
    """Parameters that learn."""
    if freeze == "encoder":
        network.encoder.requires_grad_(False)
    return [one for one in network.parameters() if one.requires_grad]


def set_train(network: nn.Module, freeze: str) -> None:
    """Training mode; a frozen encoder also keeps its normalisation."""
    network.train()
    if freeze == "encoder":
        network.encoder.eval()


def rate(step: int, steps: int) -> float:
    """Share of the learning rate: a short rise, then a cosine."""
    rise = max(1, steps // 20)
    return min((step + 1) / rise, 0.5 * (1 + math.cos(math.pi * step / steps)))


def batches(
    problem: Problem, first: int, steps: int, device: torch.device, layout: torch.memory_format
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Steps with their batches, made ahead in a thread of their own."""
    with ThreadPoolExecutor(1) as pool:
        waiting = {
            step: pool.submit(problem.batch, step)
            for step in range(first, min(first + AHEAD, steps))
        }
        try:
            for step in range(first, steps):
                x, y = waiting.pop(step).result()
                if step + AHEAD < steps:
                    waiting[step + AHEAD] = pool.submit(problem.batch, step + AHEAD)
                yield step, *to_device(x, y, device, layout)
        finally:
            pool.shutdown(cancel_futures=True)


def to_device(
    x: np.ndarray, y: np.ndarray, device: torch.device, layout: torch.memory_format
) -> tuple[Tensor, Tensor]:
    """Arrays -> tensors where the network is."""
    image = torch.from_numpy(np.ascontiguousarray(x, np.float32))
    return image.to(device, memory_format=layout), torch.from_numpy(y).to(device)


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, share: float) -> None:
    """Make average = share * average + (1 - share) * network; counters are copied."""
    for mean, one in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(one, 1 - share)
        else:
            mean.copy_(one)


@torch.no_grad()
def look(problem, average, state, step, shown, device, layout, bf16) -> None:
    """Validate the averaged network; keep it where it is the best so far."""
    average.eval()
    losses = []
    for arrays in problem.validation():
        x, y = to_device(*arrays, device, layout)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            output = average(x)
        losses.append(float(problem.loss(output.float(), y)))
    validation = float(np.mean(losses)) if losses else shown
    if all(validation < one["validation"] for one in state.history):
        state.best = {name: one.clone() for name, one in average.state_dict().items()}
    state.history.append({"step": step, "loss": shown, "validation": validation})


def is_exhausted(history: list[dict[str, float]], patience: int | None) -> bool:
    """Whether the last `patience` looks brought nothing better."""
    if patience is None or not history:
        return False
    best = min(range(len(history)), key=lambda i: history[i]["validation"])
    return len(history) - 1 - best >= patience


def report(state: State, own: Training) -> None:
    """The progress line."""
    left = state.seconds / state.step * (own.steps - state.step) / 60
    last = state.history[-1]
    LOG.info(
        "step %s/%s, loss %.4f, validation %.4f, %.0f min left",
        state.step, own.steps, last["loss"], last["validation"], left,
    )  # fmt: skip
