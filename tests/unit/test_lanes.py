"""Lanes: images of a network's batch are in hand at once, and what comes of them is what comes of one after the other."""

import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from test_runner import Plain, Stage
from test_unet_method import describe, discs, threshold_network

from scopemill import images, manifests
from scopemill.errors import DataError
from scopemill.lanes import LARGE, count_lanes, in_lanes
from scopemill.manifests import Record
from scopemill.models.folder import save_model
from scopemill.runner import Batch, run_batch
from scopemill.segment import stage as segment
from scopemill.settings import load_method

NETWORK = SimpleNamespace(module=SimpleNamespace(USES_GPU=True))
PLAIN = SimpleNamespace(module=SimpleNamespace())
SMALL, EDGE = (1, 2, 1, 520, 696), (1, 1, 1, 4096, 4096)
PATIENCE_S = 20


@pytest.mark.parametrize(
    ("method", "threads", "shapes", "lanes"),
    [
        (NETWORK, 4, [SMALL, SMALL], 4),
        (NETWORK, 1, [SMALL], 1),
        (PLAIN, 4, [SMALL], 1),
        (None, 4, [SMALL], 1),
        (NETWORK, 4, [SMALL, EDGE], 1),
        (NETWORK, 4, [SMALL, None], 1),
    ],
)
def test_small_images_of_a_network_have_a_lane_for_each_thread(method, threads, shapes, lanes):
    assert np.prod(EDGE) == LARGE
    assert count_lanes(method, threads, shapes) == lanes


def test_results_come_in_the_order_of_the_items():
    def work(i):
        time.sleep(0.02 * (3 - i))
        return i * i

    assert list(in_lanes(work, range(4), 3)) == [0, 1, 4, 9]
    assert list(in_lanes(work, range(4), 1)) == [0, 1, 4, 9]


def test_no_more_are_in_hand_than_there_are_lanes():
    in_hand, most, lock = 0, 0, threading.Lock()

    def work(_):
        nonlocal in_hand, most
        with lock:
            in_hand += 1
            most = max(most, in_hand)
        time.sleep(0.01)
        with lock:
            in_hand -= 1

    assert list(in_lanes(work, range(12), 3)) == [None] * 12
    assert most == 3


class Together(Stage):
    """A made-up stage whose first two images wait for each other."""

    def carry(self, job, own, method):
        if job.image in "ab":
            self.barrier.wait(PATIENCE_S)
        return super().carry(job, own, method)


@pytest.fixture
def batch(tmp_path):
    """Four small images, a method with a network, two threads."""
    (tmp_path / "stage.py").write_text("VERSION = 1\n")
    stage = Together(tmp_path / "stage.py", barrier=threading.Barrier(2))
    method = SimpleNamespace(
        module=SimpleNamespace(USES_GPU=True, __file__=None), settings=Plain(), as_dict=dict
    )
    manifest = tmp_path / "results" / "s" / "manifests" / "made.t" / "b0.jsonl"
    converted = {one: Record(one, "ok", f"c-{one}", artifact="i", facts={"shape": SMALL}) for one in "abcd"}  # fmt: skip
    return Batch(stage, "t", Plain(), method, manifest, list("abcd"), {}, {"convert": converted}, threads=2)  # fmt: skip


def test_two_images_are_in_hand_at_once(batch):
    records = run_batch(batch)
    assert [(one.image, one.status) for one in records] == [(one, "ok") for one in "abcd"]
    assert list(manifests.read_manifest(batch.manifest).values()) == records
    journal = manifests.read_journal(manifests.journal_of(batch.manifest))
    assert {image: record.sha256 for image, record in journal.items()} == {
        one.image: one.sha256 for one in records
    }


def test_images_in_hand_together_share_what_they_took(batch):
    start, cpu = time.perf_counter(), time.process_time()
    records = run_batch(batch)
    assert 0 < sum(one.seconds for one in records) <= time.perf_counter() - start + 0.01
    assert sum(one.cpu_seconds for one in records) <= time.process_time() - cpu + 0.01


def test_a_bad_image_does_not_stop_the_other_lane(batch):
    batch.stage.faults["b"] = DataError("EMPTY", "b.tif: has zero bytes")
    assert [one.status for one in run_batch(batch)] == ["ok", "quarantined", "ok", "ok"]


def test_what_was_in_hand_beside_a_crash_is_kept(batch):
    batch.stage.faults["a"] = MemoryError()
    with pytest.raises(MemoryError):
        run_batch(batch)
    assert not batch.manifest.exists() and not list(batch.root.rglob(".tmp-*"))
    batch.stage.faults.clear()
    batch.stage.barrier = threading.Barrier(1)
    done = set(manifests.read_journal(manifests.journal_of(batch.manifest)))
    batch.stage.calls.clear()
    run_batch(batch)
    assert "b" in done and set(batch.stage.calls) == set("abcd") - done
    records = manifests.read_manifest(batch.manifest)
    assert list(records) == list("abcd") and {one.repairs for one in records.values()} == {0}


@pytest.fixture
def fields(tmp_path):
    """Six fields of discs and a network that finds them, as a batch of `segment`."""
    save_model(tmp_path / "model", threshold_network(), describe())
    root, image = tmp_path / "results" / "s", discs()[0][None, None, None]
    converted = {}
    for i in range(6):
        pixels = np.roll(image, 7 * i, axis=-1)
        meta = images.Meta(pixels.shape, ("DNA",), 0.5, 1.0, False, f"c{i}")
        path = root / "images" / f"i{i}.ome.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        images.write_image(path, meta, pixels.dtype, images.reader_of(pixels))
        converted[f"i{i}"] = Record(f"i{i}", "ok", f"c{i}", artifact=f"images/i{i}.ome.tif", facts={"shape": pixels.shape})  # fmt: skip
    chosen = {"name": "unet", "model": str(tmp_path / "model"), "channels": ["DNA"]}
    method = load_method("segment", chosen, "segment.nuclei.method")
    own = segment.Settings(method=chosen)
    manifest = root / "manifests" / "segment.nuclei" / "b0.jsonl"
    return Batch(segment, "nuclei", own, method, manifest, list(converted), {}, {"convert": converted}, "cpu")  # fmt: skip


def test_a_network_finds_the_same_in_one_lane_and_in_three(fields):
    found = {}
    for threads in (1, 3):
        records = run_batch(replace(fields, threads=threads))
        found[threads] = [(one.image, one.sha256, one.facts) for one in records]
        for one in records:
            (fields.root / one.artifact).unlink()
        manifests.journal_of(fields.manifest).unlink()
    assert found[1] == found[3]
    assert found[1][0][2]["n_objects"] == [5]
