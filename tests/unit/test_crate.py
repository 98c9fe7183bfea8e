"""The RO-Crate: files with size and sha256, nothing that points nowhere, equal bytes for equal results."""

import hashlib
import json
import os

import pytest

from scopemill import manifests
from scopemill.account import stage as account
from scopemill.crate import write_crate
from scopemill.manifests import Record
from scopemill.verify.described import check_crate

RUN = {"scopemill": "0.1.0", "python": "3.11.7", "revision": "abc", "environment": "e1"}
IMAGE = {"path": "/images/scopemill-cpu.sif", "recipe": "r", "sha256": "9" * 64}
T0 = 1_790_000_000  # 2026-09-21 14:13:20 UTC


@pytest.fixture
def study(tmp_path):
    """What was run, and the results of two jobs, one of them in a container."""
    (tmp_path / "config.yaml").write_text("study: s\n")
    (tmp_path / "images.tsv").write_text("id\tpath\n")
    (tmp_path / "Snakefile").write_text("rule all:\n")
    rules = tmp_path / "workflow" / "rules"
    rules.mkdir(parents=True)
    (rules / "convert.smk").write_text("rule convert:\n")
    root = tmp_path / "results" / "s"
    for number, run in enumerate((RUN, RUN | {"container": IMAGE})):
        path = root / "manifests" / "convert" / f"b000{number}.jsonl"
        manifests.write_manifest(path, [Record(f"i{number}", "ok", "f", run=run)])
        os.utime(path, (T0 + 60 * number, T0 + 60 * number))
    manifests.write_manifest(root / "manifests" / "of-another-config" / "b0000.jsonl", [])
    (root / "images.csv").write_text("image,status,code\ni0,ok,\n")
    (root / "report.html").write_text("<p>")
    (root / "accounting.json").write_text("{}")
    (root / "decisions.sqlite").write_text("may change later")
    return tmp_path


def write(study):
    return write_crate(study / "results/s", ["convert"], study / "config.yaml", study / "images.tsv", study / "Snakefile")  # fmt: skip


@pytest.fixture
def graph(study):
    entities = json.loads(write(study).read_text())["@graph"]
    found = {one["@id"]: one for one in entities}
    assert len(found) == len(entities)
    return found


def test_files_stand_there_with_size_and_hash(graph):
    files = {name: one for name, one in graph.items() if "contentSize" in one}
    assert sorted(files) == [
        "accounting.json", "images.csv", "manifests/convert/b0000.jsonl", "manifests/convert/b0001.jsonl",
        "provenance/run/Snakefile", "provenance/run/config.yaml", "provenance/run/images.tsv",
        "provenance/run/workflow/rules/convert.smk", "report.html",
    ]  # fmt: skip
    assert files["images.csv"]["contentSize"] == "25"
    assert (
        files["images.csv"]["sha256"] == hashlib.sha256(b"image,status,code\ni0,ok,\n").hexdigest()
    )
    assert {one["@id"] for one in graph["./"]["hasPart"]} == set(files)


def test_the_run_says_when_with_what_and_what_came_of_it(graph):
    run = graph["#run"]
    assert (run["startTime"], run["endTime"]) == ("2026-09-21T14:13:20+00:00", "2026-09-21T14:14:20+00:00")  # fmt: skip
    assert run["instrument"] == {"@id": "provenance/run/Snakefile"} == graph["./"]["mainEntity"]
    assert [one["@id"] for one in run["result"]] == ["accounting.json", "images.csv", "report.html"]
    assert graph[run["containerImage"]["@id"]]["sha256"] == "9" * 64
    assert graph["#scopemill-1"]["softwareVersion"] == "0.1.0"


def test_nothing_points_nowhere(graph):
    def targets(value):
        if isinstance(value, list):
            return [target for one in value for target in targets(one)]
        return [value["@id"]] if isinstance(value, dict) else []

    pointed = {target for one in graph.values() for value in one.values() for target in targets(value)}  # fmt: skip
    assert {one for one in pointed - graph.keys() if not one.startswith("https://")} == set()


def test_equal_results_give_equal_bytes(study):
    first = write(study).read_bytes()
    assert write(study).read_bytes() == first


def close(study, **changes):
    given = {"config": str(study / "config.yaml"), "snakefile": str(study / "Snakefile"), **changes}
    root = study / "results" / "s"
    account.run(account.Settings(tasks=("convert",), **given), root / "accounting.json", study / "images.tsv", 50)  # fmt: skip
    return root / "ro-crate-metadata.json"


def test_account_writes_it_last(study):
    (study / "images.tsv").write_text("id\tpath\ni0\ti0.tif\n")
    assert close(study).is_file()
    assert list(check_crate(study / "results" / "s")) == []


def test_where_the_workflow_cannot_be_seen_the_study_ends_well_without_it(study):
    (study / "images.tsv").write_text("id\tpath\ni0\ti0.tif\n")
    close(study)
    assert not close(study, snakefile="/elsewhere/Snakefile").exists()


def test_over_the_limit_no_old_crate_is_left(study):
    (study / "images.tsv").write_text("id\tpath\ni0\ti0.tif\n")
    crate = close(study)
    (study / "results/s/images.csv").write_text("image,status,code\ni0,quarantined,EMPTY\n")
    with pytest.raises(SystemExit):
        close(study)
    assert not crate.exists()


def test_a_file_that_changed_is_found(study):
    root = write(study).parent
    assert list(check_crate(root)) == []
    (root / "images.csv").write_text("image,status\ni0,no\n")
    (root / "report.html").unlink()
    assert {(one.file, one.cause) for one in check_crate(root)} == {
        ("images.csv", "is not the file that ro-crate-metadata.json describes"),
        ("report.html", "is not there"),
    }


def test_the_validator_of_ro_crates_finds_nothing_that_must_be_mended(study, monkeypatch):
    """Needs `pip install roc-validator`; contexts come from here, so that nothing is downloaded."""
    pytest.importorskip("rocrate_validator", reason="roc-validator is not installed")
    from rocrate_validator import models, services
    from rocrate_validator.utils import document_loader

    bio, terms = "https://bioschemas.org/", "https://w3id.org/ro/terms/workflow-run#"
    own = {
        "@vocab": "http://schema.org/", "conformsTo": "http://purl.org/dc/terms/conformsTo",
        "File": "http://schema.org/MediaObject", "sha256": f"{terms}sha256", "containerImage": f"{terms}containerImage",
        "ContainerImage": f"{terms}ContainerImage", "ComputationalWorkflow": f"{bio}ComputationalWorkflow",
        "FormalParameter": f"{bio}FormalParameter", "input": f"{bio}ComputationalWorkflow#input",
        "output": f"{bio}ComputationalWorkflow#output",
    }  # fmt: skip
    monkeypatch.setattr(document_loader, "_fetch_json_ld", lambda url: {"@context": own})
    settings = services.ValidationSettings(
        rocrate_uri=str(write(study).parent), profile_identifier="workflow-run-crate-0.5",
        requirement_severity=models.Severity.REQUIRED,
    )  # fmt: skip
    result = services.validate(settings)
    assert len(result.executed_checks) > 50
    # these two ask the network for the contexts
    needs_network = {"ro-crate-1.1_3.1", "ro-crate-1.1_3.2"}
    assert [one.message for one in result.get_issues() if one.check.identifier not in needs_network] == []  # fmt: skip
