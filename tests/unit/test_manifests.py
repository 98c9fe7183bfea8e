"""Manifests: written whole or not at all; a journal that a kill cut short is still read."""

import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from scopemill import manifests
from scopemill.manifests import Record, is_whole, looks_whole, replacing


@pytest.fixture
def root(tmp_path):
    return tmp_path / "results" / "s"


@pytest.fixture
def made(root):
    """An image's artifact and its record."""
    path = root / "images" / "a.ome.tif"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"pixels")
    return Record(
        "a", "ok", "f1", artifact="images/a.ome.tif", size=6, sha256=manifests.sha256(path)
    )


def test_a_manifest_is_read_as_it_was_written(tmp_path):
    records = [
        Record("b", "ok", "f1", artifact="x/b.tif", size=3, sha256="00", facts={"n": [1, 2]}),
        Record("a", "quarantined", "f2", "EMPTY", "Zellé: größe \"0\"\tµm"),
    ]  # fmt: skip
    path = tmp_path / "m" / "b0.jsonl"
    manifests.write_manifest(path, records)
    assert list(manifests.read_manifest(path).values()) == records


def test_a_manifest_knows_its_study_task_and_journal(root):
    manifest = root / "manifests" / "segment.nuclei" / "b0001.jsonl"
    assert manifests.results_root(manifest) == root
    assert manifests.key_of(manifest) == "segment.nuclei"
    assert manifests.journal_of(manifest) == root / "provenance" / "segment.nuclei" / "b0001.jsonl"


def note(image, fingerprint):
    return Record(image, "ok", fingerprint, run={"host": "here"})


def test_a_journal_gives_the_last_record_of_each_image(tmp_path):
    path = tmp_path / "p" / "b0.jsonl"
    for image, fingerprint in (("a", "f1"), ("b", "f1"), ("a", "f2")):
        manifests.append_journal(path, note(image, fingerprint))
    found = manifests.read_journal(path)
    assert {image: record.fingerprint for image, record in found.items()} == {"a": "f2", "b": "f1"}


def test_a_journal_that_is_not_there_is_empty(tmp_path):
    assert manifests.read_journal(tmp_path / "none.jsonl") == {}


def test_a_line_cut_by_a_kill_loses_only_itself(tmp_path):
    path = tmp_path / "b0.jsonl"
    manifests.append_journal(path, note("a", "f1"))
    manifests.append_journal(path, note("b", "f1"))
    path.write_bytes(path.read_bytes()[:-20])
    assert list(manifests.read_journal(path)) == ["a"]
    manifests.append_journal(path, note("c", "f1"))
    assert list(manifests.read_journal(path)) == ["a", "c"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xfe\x00", b"\0\0\0\0", b"[1, 2]", b"{}", b"3", b"null", b"",
        b'{"image": "a", "unheard": 1}',
    ],
)  # fmt: skip
def test_garbage_in_a_journal_is_passed_over(tmp_path, garbage):
    path = tmp_path / "b0.jsonl"
    lines = [
        json.dumps(asdict(note("a", "f1"))).encode(),
        garbage,
        json.dumps(asdict(note("b", "f1"))).encode(),
    ]
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert list(manifests.read_journal(path)) == ["a", "b"]
    assert manifests.read_journal(path)["a"].fingerprint == "f1"


def test_replacing_puts_the_new_file_in_the_old_ones_place(tmp_path):
    path = tmp_path / "new" / "x.txt"
    for text in ("old", "new"):
        with replacing(path) as temporary:
            temporary.write_text(text)
            assert temporary.parent == path.parent and temporary != path
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_the_old_file_stays_when_the_block_raises(tmp_path, error):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_replaced_file_has_the_rights_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "x.txt") as temporary:
            temporary.write_text("a")
    finally:
        os.umask(before)
    assert (tmp_path / "x.txt").stat().st_mode & 0o777 == 0o640


def test_an_untouched_artifact_is_whole(made, root):
    assert looks_whole(made, root) and is_whole(made, root)


@pytest.mark.parametrize(
    ("content", "looks"), [(None, False), (b"", False), (b"pixel", False), (b"Pixels", True)]
)
def test_a_damaged_artifact_is_not_whole(made, root, content, looks):
    path = root / made.artifact
    path.unlink() if content is None else path.write_bytes(content)
    assert looks_whole(made, root) is looks
    assert not is_whole(made, root)


@pytest.mark.parametrize("status", ["quarantined", "skipped"])
def test_who_has_no_artifact_cannot_lose_it(root, status):
    assert is_whole(Record("a", status, "f1", "EMPTY"), root)


def test_a_lost_artifact_counts_as_repaired_before_and_after_the_repair(made, root):
    manifest = root / "manifests" / "convert" / "b0.jsonl"
    other = replace(made, image="b", artifact="images/b.ome.tif", repairs=2)
    (root / other.artifact).write_bytes(b"pixels")
    manifests.write_manifest(manifest, [other, made])
    assert manifests.repairs(manifest) == "b:2"
    (root / made.artifact).unlink()
    planned = manifests.repairs(manifest)
    assert planned == "a:1 b:2"
    (root / made.artifact).write_bytes(b"pixels")
    manifests.write_manifest(manifest, [other, replace(made, repairs=1)])
    assert manifests.repairs(manifest) == planned


def test_no_manifest_no_repairs(root):
    assert manifests.repairs(root / "manifests" / "convert" / "b0.jsonl") == ""


def test_a_digest_knows_values_but_not_the_order_of_keys():
    assert manifests.digest({"a": 1, "b": 2}) == manifests.digest({"b": 2, "a": 1})
    different = [({"a": 1},), ({"a": "1"},), ({"a": 1}, ""), ([1, 2],), ([2, 1],)]
    assert len({manifests.digest(*one) for one in different}) == len(different)


def test_a_process_that_ended_runs_no_more_though_its_parent_has_not_looked():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert manifests.is_running(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
    assert not manifests.is_running(child.pid)
    child.wait()
    assert not manifests.is_running(child.pid)


def test_leftovers_of_dead_writers_are_removed(tmp_path):
    here = platform.node()
    gone = tmp_path / f".tmp-{here}-999999999-x.tif"
    ours = tmp_path / f".tmp-{here}-{os.getpid()}-x.tif"
    elsewhere = tmp_path / ".tmp-other-host-12-x.tif"
    old = tmp_path / ".tmp-other-host-13-x.tif"
    not_ours = tmp_path / ".tmp-notes-of-a-user"
    for path in (gone, ours, elsewhere, old, not_ours):
        path.touch()
    for path in (old, not_ours):
        os.utime(path, (0, 0))
    with manifests.replacing(tmp_path / "a.txt"):
        pass
    assert sorted(tmp_path.iterdir()) == sorted([ours, elsewhere, not_ours, tmp_path / "a.txt"])
