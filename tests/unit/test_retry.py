"""Retry: quarantine is lifted where it was asked for, in journal and manifest, and nowhere else."""

import pytest
import yaml

from scopemill import manifests
from scopemill.commands import retry
from scopemill.manifests import Record, read_journal, read_manifest
from scopemill.settings import ConfigError

CONFIG = {"study": "s", "channels": {"DNA": 0}, "images_per_batch": 2}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Four images in two batches: a is good, b and d are quarantined, c is skipped."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    (tmp_path / "images.tsv").write_text("id\tpath\n" + "".join(f"{i}\t{i}.tif\n" for i in "abcd"))
    records = [
        Record("a", "ok", "fa", artifact="images/a.ome.tif", size=3),
        Record("b", "quarantined", "fb", "UNREADABLE", "b.tif: may not be read"),
        Record("c", "skipped", "fc", "EXCLUDED", "excluded in the sheet: blurred"),
        Record("d", "quarantined", "fd", "EMPTY", "d.tif: zero bytes", repairs=2),
    ]
    root = tmp_path / "results" / "s"
    (root / "images").mkdir(parents=True)
    (root / "images" / "a.ome.tif").write_bytes(b"123")
    for number in range(2):
        path = root / "manifests" / "convert" / f"b000{number}.jsonl"
        manifests.write_manifest(path, records[2 * number : 2 * number + 2])
        for record in records[2 * number : 2 * number + 2]:
            manifests.append_journal(manifests.journal_of(path), record)
    return root


def statuses(root):
    """Of all images, from manifests and from journals, which must say the same."""
    paths = sorted((root / "manifests").glob("*/*.jsonl"))
    by_manifest = {k: v.status for path in paths for k, v in read_manifest(path).items()}
    journals = [read_journal(manifests.journal_of(path)) for path in paths]
    assert by_manifest == {k: v.status for one in journals for k, v in one.items()}
    return "".join(by_manifest[image][0] for image in "abcd")  # o, q, s, l


@pytest.mark.parametrize(
    ("asked", "then"),
    [
        ([], "olsl"),
        (["--code", "EMPTY"], "oqsl"),
        (["--image", "b"], "olsq"),
        (["--code", "EMPTY", "--code", "UNREADABLE"], "olsl"),
        (["--code", "EMPTY", "--image", "b"], "oqsq"),
        (["--image", "a"], "oqsq"),
    ],
)
def test_what_was_asked_for_is_lifted(study, asked, then):
    assert retry.main(["config.yaml", *asked]) == 0
    assert statuses(study) == then


def test_only_batches_of_lifted_images_run_again(study):
    batches = [study / "manifests" / "convert" / f"b000{number}.jsonl" for number in range(2)]
    assert [manifests.repairs(path) for path in batches] == ["", "d:2"]
    retry.main(["config.yaml", "--image", "b"])
    assert [manifests.repairs(path) for path in batches] == ["b:1", "d:2"]


def test_it_says_what_was_lifted_and_what_to_do(study, capsys):
    retry.main([".", "--code", "UNREADABLE"])
    assert capsys.readouterr().out.splitlines() == [
        "convert: b (UNREADABLE: b.tif: may not be read)",
        "still quarantined: 1 x EMPTY",
        "1 image will be tried again. Run: snakemake --cores all --configfile config.yaml",
    ]


def test_lifting_again_changes_nothing(study, capsys):
    retry.main(["."])
    before = [path.read_bytes() for path in sorted(study.rglob("*.jsonl"))]
    capsys.readouterr()
    assert retry.main(["."]) == 0
    assert [path.read_bytes() for path in sorted(study.rglob("*.jsonl"))] == before
    assert capsys.readouterr().out == "config.yaml: nothing to try again\n"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["--image", "e"], "--image e: there is no such image; choose from"),
        (["--code", "EMPTI"], "--code EMPTI: there is no such code; did you mean 'EMPTY'?"),
    ],
)
def test_what_cannot_be_meant_is_refused(study, asked, message):
    with pytest.raises(ConfigError) as caught:
        retry.main([".", *asked])
    assert message in str(caught.value)
    assert statuses(study) == "oqsq"


def test_while_a_run_holds_the_folder_nothing_is_lifted(study, tmp_path):
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").touch()
    with pytest.raises(ConfigError, match="snakemake --unlock"):
        retry.main(["."])
    assert statuses(study) == "oqsq"
