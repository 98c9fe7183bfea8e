"""The runner: what is done is kept, what is damaged or outdated is made again, one bad image stops nobody."""

import errno
import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from scopemill import manifests, tables, usage
from scopemill.errors import DataError, Skip
from scopemill.manifests import Record
from scopemill.runner import Batch, run_batch
from scopemill.settings import settings
from scopemill.sheet import Row


@settings
class Plain:
    """Settings of the made-up stage."""

    size: int = 1


class Stage(SimpleNamespace):
    """A made-up stage: one small table an image; `faults` says what goes wrong with which image."""

    ARTIFACT = "made/{task}/{image}.parquet"

    def __init__(self, source, **more):
        super().__init__(__file__=str(source), calls=[], jobs={}, faults={}, **more)

    def carry(self, job, own, method):
        self.calls.append(job.image)
        self.jobs[job.image] = job
        if job.image in self.faults:
            raise self.faults[job.image]
        table = pd.DataFrame({"image": [job.image], "size": [own.size]})
        tables.write_table(job.output, table, fingerprint=job.fingerprint)
        return {"n": 1}


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "stage.py"
    path.write_text("VERSION = 1\n")
    return path


@pytest.fixture
def stage(source):
    return Stage(source)


@pytest.fixture
def batch(tmp_path, stage):
    """Three converted images."""
    manifest = tmp_path / "results" / "s" / "manifests" / "made.t" / "b0.jsonl"
    upstream = {"convert": {one: Record(one, "ok", f"c-{one}", artifact=f"images/{one}.ome.tif") for one in "abc"}}  # fmt: skip
    return Batch(stage, "t", Plain(), None, manifest, list("abc"), {}, upstream)


def artifact(batch, image):
    return batch.root / "made" / "t" / f"{image}.parquet"


def made_by(batch, **changes):
    """Images that a run makes."""
    calls = batch.stage.calls
    calls.clear()
    run_batch(replace(batch, **changes))
    return "".join(calls)


def can_forget():
    return os.access(usage.CLEAR, os.W_OK)


def leftovers(batch):
    return list(batch.root.rglob(".tmp-*"))


def test_every_image_has_an_artifact_and_a_record(batch):
    records = run_batch(batch)
    assert [(one.image, one.status, one.artifact) for one in records] == [
        (image, "ok", f"made/t/{image}.parquet") for image in "abc"
    ]
    assert list(manifests.read_manifest(batch.manifest).values()) == records
    assert all(manifests.is_whole(one, batch.root) for one in records)
    assert records[0].facts == {"n": 1} and records[0].repairs == 0
    assert not leftovers(batch)


def test_a_stage_sees_paths_of_what_was_made_before(batch):
    run_batch(batch)
    assert batch.stage.jobs["b"].inputs == {"convert": batch.root / "images" / "b.ome.tif"}


def test_artifact_and_record_have_one_fingerprint(batch):
    (first, *_) = run_batch(batch)
    assert tables.read_statement(artifact(batch, "a"))["fingerprint"] == first.fingerprint


def test_a_record_says_what_each_image_cost(batch):
    large = {"b": 200_000_000}  # bytes

    def carry(job, own, method):
        np.ones(large.get(job.image, 1), np.uint8).sum()
        return Stage.carry(batch.stage, job, own, method)

    batch.stage.carry = carry
    a, b, c = run_batch(batch)
    assert all(0 < one.cpu_seconds <= one.seconds + 0.5 for one in (a, b, c))
    assert b.peak_memory_mb > a.peak_memory_mb + 100
    # where the system lets a process forget its peak
    assert c.peak_memory_mb < b.peak_memory_mb - 100 or not can_forget()


def test_a_second_run_makes_nothing(batch):
    first = run_batch(batch)
    text = batch.manifest.read_bytes()
    batch.manifest.unlink()
    assert made_by(batch) == ""
    assert batch.manifest.read_bytes() == text
    assert run_batch(batch) == first


def test_a_bad_image_is_quarantined_and_the_others_go_on(batch):
    run_batch(batch)
    batch.stage.faults["b"] = DataError("EMPTY", "b.tif: has zero bytes")
    a, b, c = run_batch(replace(batch, settings=Plain(size=2)))
    assert (b.status, b.code, b.message) == ("quarantined", "EMPTY", "b.tif: has zero bytes")
    assert (b.artifact, b.size, a.status, c.status) == ("", 0, "ok", "ok")
    assert not artifact(batch, "b").exists()  # what was made from something else
    assert artifact(batch, "c").exists() and not leftovers(batch)


def test_a_task_that_does_not_apply_is_skipped(batch):
    batch.stage.faults["b"] = Skip("NO_CHANNEL", "no CD3")
    assert [one.status for one in run_batch(batch)] == ["ok", "skipped", "ok"]
    assert manifests.read_manifest(batch.manifest)["b"].code == "NO_CHANNEL"


def test_a_quarantined_image_is_not_tried_again_until_something_changes(batch):
    batch.stage.faults["b"] = DataError("EMPTY", "zero bytes")
    run_batch(batch)
    assert made_by(batch) == ""
    assert made_by(batch, settings=Plain(size=2)) == "abc"


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(errno.ENOSPC, "No space left on device"), RuntimeError("bug")]
)
def test_what_is_not_the_images_fault_ends_the_job_without_a_manifest(batch, error):
    batch.stage.faults["c"] = error
    with pytest.raises(type(error)):
        run_batch(batch)
    assert not batch.manifest.exists() and not leftovers(batch)


def test_images_done_before_a_crash_are_kept(batch):
    batch.stage.faults["c"] = MemoryError()
    with pytest.raises(MemoryError):
        run_batch(batch)
    batch.stage.faults.clear()
    assert made_by(batch) == "c"
    assert [one.repairs for one in manifests.read_manifest(batch.manifest).values()] == [0, 0, 0]


def test_other_settings_make_everything_again(batch):
    run_batch(batch)
    assert made_by(batch, settings=Plain(size=2)) == "abc"
    assert tables.read_table(artifact(batch, "a"))["size"].tolist() == [2]


def test_a_changed_image_is_made_again_alone(batch):
    run_batch(batch)
    changed = {**batch.upstream["convert"], "b": replace(batch.upstream["convert"]["b"], fingerprint="new")}  # fmt: skip
    assert made_by(batch, upstream={"convert": changed}) == "b"


def test_changed_code_makes_everything_again(batch, source):
    run_batch(batch)
    source.write_text("VERSION = 2\n")
    assert made_by(batch) == "abc"


def test_a_changed_raw_file_is_made_again_alone(batch, tmp_path):
    for image in "abc":
        (tmp_path / f"{image}.tif").write_bytes(b"1")
    rows = {image: Row(image, str(tmp_path / f"{image}.tif"), 2) for image in "abc"}
    converting = replace(batch, rows=rows, upstream={})
    run_batch(converting)
    assert made_by(converting) == ""
    (tmp_path / "b.tif").write_bytes(b"12")
    assert made_by(converting) == "b"
    rows["c"] = replace(rows["c"], pixel_size_um="0.5")
    assert made_by(converting) == "c"
    rows["a"] = replace(rows["a"], metadata={"group": "new"}, line=9)  # says nothing of the pixels
    assert made_by(converting) == ""


@pytest.mark.parametrize("damage", ["deleted", "emptied", "edited"])
def test_a_damaged_artifact_is_made_again_and_counted(batch, damage):
    before = run_batch(batch)[1]
    path = artifact(batch, "b")
    content = path.read_bytes()
    if damage == "deleted":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "emptied" else content[:50] + bytes([content[50] ^ 1]) + content[51:])  # fmt: skip
    assert made_by(batch) == "b"
    after = manifests.read_manifest(batch.manifest)
    assert [after[image].repairs for image in "abc"] == [0, 1, 0]
    assert path.read_bytes() == content and after["b"].sha256 == before.sha256


def test_what_snakemake_was_told_of_a_loss_stays_true_after_the_repair(batch):
    run_batch(batch)
    artifact(batch, "b").unlink()
    planned = manifests.repairs(batch.manifest)
    run_batch(batch)
    assert planned == "b:1" == manifests.repairs(batch.manifest)


def test_artifacts_survive_the_loss_of_the_journal(batch):
    before = run_batch(batch)
    manifests.journal_of(batch.manifest).unlink()
    batch.manifest.unlink()
    assert made_by(batch) == ""
    after = manifests.read_manifest(batch.manifest)
    assert [after[one.image].sha256 for one in before] == [one.sha256 for one in before]


@pytest.mark.parametrize("damage", ["other settings", "garbage", "no statement"])
def test_without_a_journal_only_the_right_artifacts_are_kept(batch, damage):
    run_batch(batch)
    manifests.journal_of(batch.manifest).unlink()
    path = artifact(batch, "b")
    if damage == "garbage":
        path.write_bytes(b"no parquet")
    elif damage == "no statement":
        pd.DataFrame({"a": [1]}).to_parquet(path)
    else:
        tables.write_table(path, pd.DataFrame({"a": [1]}), fingerprint="of another run")
    assert made_by(batch) == "b"


def set_aside(batch, key, status, image="b"):
    """Upstream in which a task has nothing of an image."""
    upstream = {**batch.upstream, "segment.n": {one: Record(one, "ok", "s", artifact="l") for one in "abc"}}  # fmt: skip
    upstream[key] = {**upstream[key], image: Record(image, status, "q", "EMPTY")}
    return upstream


@pytest.mark.parametrize("status", ["quarantined", "skipped"])
@pytest.mark.parametrize("key", ["convert", "segment.n"])
def test_who_was_set_aside_before_is_skipped(batch, key, status):
    upstream = set_aside(batch, key, status)
    assert made_by(batch, upstream=upstream) == "ac"
    record = manifests.read_manifest(batch.manifest)["b"]
    assert (record.status, record.code) == ("skipped", "UPSTREAM")
    assert record.message == f"{key} has nothing of this image ({status}, EMPTY)"


def test_a_stage_that_takes_what_there_is_gets_what_there_is(batch, source):
    modest = replace(batch, stage=Stage(source, TAKES_WHAT_THERE_IS=True))
    assert made_by(modest, upstream=set_aside(batch, "segment.n", "skipped")) == "abc"
    assert set(modest.stage.jobs["b"].inputs) == {"convert"}
    assert set(modest.stage.jobs["a"].inputs) == {"convert", "segment.n"}


def test_without_an_image_nobody_works(batch, source):
    modest = replace(batch, stage=Stage(source, TAKES_WHAT_THERE_IS=True))
    assert made_by(modest, upstream=set_aside(batch, "convert", "quarantined")) == "ac"


def test_an_excluded_row_is_skipped_with_its_reason(batch, tmp_path):
    rows = {image: Row(image, str(tmp_path / image), 2) for image in "abc"}
    run_batch(replace(batch, rows=rows, upstream={}))
    rows["b"] = replace(rows["b"], exclude="out of focus")
    assert made_by(batch, rows=rows, upstream={}) == ""
    record = manifests.read_manifest(batch.manifest)["b"]
    assert (record.status, record.code) == ("skipped", "EXCLUDED")
    assert record.message.endswith("out of focus")
    assert not artifact(batch, "b").exists()
    rows["b"] = replace(rows["b"], exclude="")
    assert made_by(batch, rows=rows, upstream={}) == "b"


def test_the_journal_says_who_made_it(batch):
    run_batch(batch)
    assert '"run": {"scopemill": ' in manifests.journal_of(batch.manifest).read_text()


def lift(batch, image):
    """As `scopemill retry` does."""
    records = manifests.read_manifest(batch.manifest)
    records[image] = replace(records[image], status=manifests.LIFTED)
    manifests.append_journal(manifests.journal_of(batch.manifest), records[image])
    manifests.write_manifest(batch.manifest, records.values())


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_lifted_image_is_tried_again_alone_and_once(batch, comes_back):
    batch.stage.faults["b"] = DataError("UNREADABLE", "b.tif: may not be read")
    run_batch(batch)
    assert manifests.repairs(batch.manifest) == ""
    lift(batch, "b")
    planned = manifests.repairs(batch.manifest)
    if comes_back:
        batch.stage.faults.clear()
    assert made_by(batch) == "b"
    after = manifests.read_manifest(batch.manifest)
    assert [one.status for one in after.values()] == ["ok", "ok" if comes_back else "quarantined", "ok"]  # fmt: skip
    assert planned == "b:1" == manifests.repairs(batch.manifest)
    assert made_by(batch) == ""


def test_what_follows_an_image_that_came_back_is_made_too(batch):
    # tried again, it has the fingerprint that it had
    aside = {**batch.upstream["convert"], "b": Record("b", "quarantined", "c-b", "UNREADABLE")}
    assert made_by(batch, upstream={"convert": aside}) == "ac"
    assert made_by(batch) == "b"
    assert made_by(batch, upstream={"convert": aside}) == ""
    assert manifests.read_manifest(batch.manifest)["b"].status == "skipped"
    assert not artifact(batch, "b").exists()
