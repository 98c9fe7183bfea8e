"""Classes: a network + crops -> logits, probabilities and the classes that these decide for."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import nn

from ..settings import Fraction, Positive, settings
from .memory import predict_in_parts

NONE = "none"  # of several classes that do not exclude each other
SEPARATOR = "|"


@settings
class Decision:
    """How logits become classes, as tuned on the validation examples."""

    temperature: Positive = 1.0
    """Logits are divided by it, so that probabilities tell how often they are right (Guo 2017)."""
    thresholds: dict[str, Fraction] = dataclasses.field(default_factory=dict)
    """Where classes do not exclude each other: the probability from which on each holds; else 0.5."""


@torch.inference_mode()
def predict_logits(
    network: nn.Module, batches: Iterable[np.ndarray], device: torch.device
) -> np.ndarray:
    """Batches (n, C, [Z,] Y, X) float32, scaled -> logits (N, outputs) float32 of all of them."""
    weights = next(network.parameters())

    def predict(batch: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(np.ascontiguousarray(batch)).to(device, weights.dtype)
        layout = torch.channels_last if x.ndim == 4 else torch.channels_last_3d
        return network(x.to(memory_format=layout)).float().cpu().numpy()

    found = [predict_in_parts(network, batch, predict) for batch in batches]
    return np.concatenate(found) if found else np.empty((0, 0), np.float32)


def to_probabilities(logits: np.ndarray, activation: str, temperature: float) -> np.ndarray:
    """Logits (N, K) -> probabilities (N, K)."""
    scaled = torch.from_numpy(np.asarray(logits, np.float64)) / temperature
    return (scaled.softmax(dim=1) if activation == "softmax" else scaled.sigmoid()).numpy()


def list_thresholds(names: Sequence[str], decision: Decision) -> np.ndarray:
    """The probability (K,) from which on each class holds."""
    return np.array([decision.thresholds.get(name, 0.5) for name in names])


def decide(
    probabilities: np.ndarray, names: Sequence[str], activation: str, decision: Decision
) -> list[str]:
    """Probabilities (N, K) -> a class each; several are joined by |, `none` where none holds."""
    if activation == "softmax":
        return [names[i] for i in probabilities.argmax(axis=1)] if len(probabilities) else []
    holds = probabilities >= list_thresholds(names, decision)
    return [join(names, one) for one in holds]


def join(names: Sequence[str], holds: np.ndarray) -> str:
    """Names of the classes that hold."""
    return SEPARATOR.join(name for name, yes in zip(names, holds, strict=True) if yes) or NONE
