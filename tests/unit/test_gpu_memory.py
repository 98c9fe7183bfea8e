"""GPU memory: a batch that does not fit is halved, to the same result; a training is never changed by it."""

import gc
import logging
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from scopemill.frames import Frame
from scopemill.gpu_faults import is_lost, is_out_of_memory
from scopemill.models import memory, ready
from scopemill.models.classes import predict_logits
from scopemill.models.description import Channel, Description
from scopemill.models.predict import predict_patches
from scopemill.segment.finder import load_network

CPU = torch.device("cpu")
FULL = "CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has a total capacity of 8 GiB"


class Narrow(nn.Module):
    """Doubles what it sees; has memory for so many patches at once."""

    def __init__(self, most: int, error: Exception | None = None):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0))
        self.most, self.error = most, error or torch.OutOfMemoryError(FULL)
        self.seen = []

    def forward(self, x):
        self.seen.append(len(x))
        if len(x) > self.most:
            raise self.error
        return x * self.factor


def patches(n: int, size: int = 4) -> np.ndarray:
    return np.arange(n * size * size, dtype=np.float32).reshape(n, 1, size, size) / 100


def predict(network, *batches):
    return list(predict_patches(network, batches, CPU, "sigmoid"))


def test_a_batch_that_does_not_fit_is_halved_and_the_size_is_remembered():
    network, roomy = Narrow(2), Narrow(99)
    small, large = predict(network, patches(8), patches(5)), predict(roomy, patches(8), patches(5))
    assert network.seen == [8, 4, 2, 2, 2, 2, 2, 2, 1]
    assert roomy.seen == [8, 5]
    for one, other in zip(small, large, strict=True):
        assert one.shape == other.shape and np.array_equal(one, other)


def test_what_fits_counts_in_pixels():
    network = Narrow(4)
    predict(network, patches(8, 4), patches(4, 8), patches(8, 2))
    # four times, then a quarter of the pixels of a patch
    assert network.seen == [8, 4, 4, *(1, 1, 1, 1), *(8, 4, 4)]


def test_logits_of_crops_are_halved_too():
    narrow, roomy = Narrow(3), Narrow(99)
    found = predict_logits(narrow, [patches(7), patches(2)], CPU)
    assert narrow.seen == [7, 3, 3, 1, 2]
    assert np.array_equal(found, predict_logits(roomy, [patches(7), patches(2)], CPU))


def test_nothing_is_done_otherwise_where_there_is_room():
    network = Narrow(8)
    assert [one.shape for one in predict(network, patches(8), patches(0))] == [(8, 1, 4, 4), (0, 1, 4, 4)]  # fmt: skip
    assert network.seen == [8, 0]


def test_one_patch_that_does_not_fit_is_an_error_that_says_what_to_do():
    network = Narrow(0)
    with pytest.raises(RuntimeError, match=r"single patch of 4 x 4 pixels.*patch_size_px.*device: cpu") as failed:  # fmt: skip
        predict(network, patches(4))
    assert network.seen == [4, 2, 1]
    assert "Tried to allocate 2.00 GiB" in str(failed.value) and not is_lost(failed.value)


def test_it_is_noted_for_the_image_in_hand_and_for_those_after_it(caplog):
    network, first, second, other = Narrow(2), [], [], []
    memory.tell(network, first.append)
    assert first == []
    with caplog.at_level(logging.WARNING):
        predict(network, patches(8))
    assert "8 patches at once; 4 from now on" in caplog.text
    memory.tell(network, second.append)
    predict(network, patches(8))
    memory.tell(Narrow(2), other.append)
    assert len(set(first)) == 1 and "batch_size" in first[0]
    assert second == first[:1] and other == []


def test_a_method_tells_the_image_whose_batch_was_halved(monkeypatch):
    network, notes = Narrow(1), []
    described = Description(architecture={}, channels=[Channel(name="a")], output=["foreground"])
    monkeypatch.setattr(ready, "load_ready", lambda *_: (network, described, CPU, ""))
    frame = Frame.of({"a": np.ones((8, 8), np.uint16)}, note=notes.append)
    found = load_network(frame, SimpleNamespace(model="m", batch_size=2))
    assert notes == ["networks run on cpu"]
    predict(found.network, patches(2))
    assert len(notes) == 2 and "memory was too small" in notes[1]


def test_what_failed_is_let_go_before_the_next_try():
    kept = []

    def run(part):
        assert not any(one() is not None for one in kept), (
            "tensors of the failed try are still there"
        )
        x = torch.from_numpy(part.copy())
        kept.append(weakref.ref(x))
        if len(part) > 1:
            raise torch.OutOfMemoryError(FULL)
        return x.numpy().copy()

    gc.disable()  # a cycle would be kept, as it is on a GPU
    try:
        memory.predict_in_parts(Narrow(1), patches(4), run)
    finally:
        gc.enable()
    assert len(kept) == 6


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: Error code 12"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        MemoryError(),
        ValueError("out of memory"),
    ],
)
def test_other_errors_end_the_job_as_they_are(error):
    network = Narrow(0, error)
    with pytest.raises(type(error)) as failed:
        predict(network, patches(4))
    assert failed.value is error and network.seen == [4]
    with pytest.raises(type(error)) as failed, memory.explain_memory("cure"):
        raise error
    assert failed.value is error


@pytest.mark.parametrize("words", [FULL, "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED"])
def test_a_training_says_what_to_do_and_changes_nothing(words):
    with pytest.raises(RuntimeError, match=r"too small .*; take a larger one") as failed, memory.explain_memory("take a larger one"):  # fmt: skip
        raise RuntimeError(words)
    assert is_out_of_memory(failed.value.__cause__) and not is_lost(failed.value)
