"""Usage: what making one artifact costs."""

import threading
import time

import numpy as np
import pytest

from scopemill import usage
from scopemill.usage import Usage, forget_peak, peak_memory_mb


def burn(seconds):
    """Keep one core busy for so long."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        np.ones(1000).sum()


def test_cpu_seconds_are_those_of_work_not_of_waiting():
    start = Usage.start()
    burn(0.1)
    time.sleep(0.2)
    found = start.so_far()
    assert found["seconds"] >= 0.3
    assert 0.1 <= found["cpu_seconds"] < 0.25


def test_threads_count_too():
    start = Usage.start()
    threads = [threading.Thread(target=burn, args=(0.1,)) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert start.so_far()["cpu_seconds"] >= 0.2


def test_the_peak_is_of_what_was_freed_too():
    forget_peak()  # of the tests before
    before = peak_memory_mb()
    np.ones(300_000_000, np.uint8).sum()  # freed at once
    assert peak_memory_mb() >= before + 100


def test_a_peak_that_is_forgotten_is_gone():
    np.ones(300_000_000, np.uint8).sum()
    high = peak_memory_mb()
    forget_peak()
    if peak_memory_mb() == high:
        pytest.skip("this system does not let a process reset its peak")
    assert peak_memory_mb() < high - 200


def test_where_the_peak_cannot_be_reset_it_is_that_of_the_process(tmp_path, monkeypatch):
    monkeypatch.setattr(usage, "CLEAR", tmp_path / "none" / "clear_refs")
    monkeypatch.setattr(usage, "STATUS", tmp_path / "none")
    forget_peak()
    found = peak_memory_mb()
    monkeypatch.undo()
    assert found == pytest.approx(peak_memory_mb(), rel=0.1)
