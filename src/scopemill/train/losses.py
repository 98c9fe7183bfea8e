"""Losses: logits (N, heads, ...) and target maps -> how far off."""

import torch
from torch import Tensor
from torch.nn import functional


def map_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross entropy of a map (N, ...) of values from 0 to 1, less the least that it can be."""
    least = -(truth.xlogy(truth) + (1 - truth).xlogy(1 - truth)).mean()
    return functional.binary_cross_entropy_with_logits(logits, truth) - least


def weighted_map_loss(logits: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """The same, where voxels count by weights."""
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    least = -(truth.xlogy(truth) + (1 - truth).xlogy(1 - truth))
    return ((entropy - least) * weights).mean()


def dice_loss(probability: Tensor, truth: Tensor) -> Tensor:
    """1 - Dice of a batch."""
    return 1 - (2 * (probability * truth).sum() + 1) / (probability.sum() + truth.sum() + 1)


def classes_loss(logits: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Cross entropy and Dice of classes that exclude each other; truth (N, classes, ...) is 0 or 1."""
    numbers = truth.argmax(dim=1)
    entropy = functional.cross_entropy(logits, numbers, weights.to(logits))
    probability = logits.softmax(dim=1)
    dices = [dice_loss(probability[:, i], truth[:, i]) for i in range(1, truth.shape[1])]
    return entropy + torch.stack(dices).mean()
