"""Artifacts that are lost or damaged are made again, they alone; what is whole is kept, to the nanosecond."""

import shutil
from pathlib import Path

import pytest
from workflow_tools import (
    assert_settled,
    changed,
    manifests,
    results_of,
    run_study,
    table_bytes,
    times,
)


def restore(folder: Path, name: str, harm) -> None:
    """Harm one artifact, run, and see that it alone was made, and that all is as before."""
    before, tables = times(folder), table_bytes(folder)
    artifact = results_of(folder) / name
    harm(artifact)
    run_study(folder)
    assert changed(before, times(folder)) == {name}
    assert table_bytes(folder) == tables
    records = [record for found in manifests(folder).values() for record in found]
    assert {one["artifact"]: one["repairs"] for one in records if one["repairs"]} == {name: 1}
    assert_settled(folder)


@pytest.mark.parametrize(
    "name", ["labels/nuclei/i1.ome.tif", "features/nuclei/i0.parquet", "images/i2.ome.tif"]
)
def test_a_deleted_artifact_is_made_again_and_nothing_else_is(study, name):
    restore(study, name, Path.unlink)


@pytest.mark.slow
def test_an_emptied_artifact_is_made_again_and_nothing_else_is(study):
    restore(study, "labels/nuclei/i1.ome.tif", lambda path: path.write_bytes(b""))


def test_an_artifact_with_a_changed_byte_is_made_again_when_its_batch_runs(study):
    before = times(study)
    artifact = results_of(study) / "labels/nuclei/i1.ome.tif"
    data = bytearray(artifact.read_bytes())
    data[len(data) // 2] ^= 1
    artifact.write_bytes(data)
    (results_of(study) / "manifests/segment.nuclei/b0000.jsonl").unlink()
    run_study(study, "--force", "results/tiny/manifests/segment.nuclei/b0000.jsonl")
    assert changed(before, times(study)) == {"labels/nuclei/i1.ome.tif"}


def test_without_snakemakes_memory_all_artifacts_are_kept(study):
    before, tables = times(study), table_bytes(study)
    shutil.rmtree(study / ".snakemake")
    run_study(study)
    assert not changed(before, times(study)) and table_bytes(study) == tables
    # also when every job must run
    run_study(study, "--forceall")
    assert not changed(before, times(study)) and table_bytes(study) == tables
    assert_settled(study)


@pytest.mark.slow
def test_without_manifests_and_journals_the_tables_are_the_same(study):
    before, tables = times(study), table_bytes(study)
    results = results_of(study)
    for folder in (study / ".snakemake", results / "manifests", results / "provenance"):
        shutil.rmtree(folder)
    (results / "images.csv").unlink()
    (results / "accounting.json").unlink()
    run_study(study)
    assert not changed(before, times(study))
    assert table_bytes(study) == tables
