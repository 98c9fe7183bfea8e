"""A finished study: every image accounted for, every job recorded, every number described and reproducible."""

import csv
import shutil
import time

import pandas as pd
import pytest
from workflow_tools import (
    ARTIFACTS,
    HOSTILE_NOTE,
    IDS,
    TABLES,
    assert_settled,
    canaries,
    changed,
    manifests,
    run_study,
    sha256,
    snakemake,
    table_bytes,
    times,
)

import scopemill

TASKS = {
    "convert", "segment.nuclei", "detect.nuclei", "detect.particles", "quantify.nuclei",
    "classify.size", "qc",
}  # fmt: skip
COSTS = {"seconds": 0, "cpu_seconds": 0, "peak_memory_mb": 0}
JOBS = {f"{task}/{batch}" for task in TASKS for batch in ("b0000", "b0001")}


def read(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_image_stands_once_in_images_csv(finished):
    rows = read(finished.results / "images.csv")
    assert [(row["image"], row["status"]) for row in rows] == [(one, "ok") for one in IDS]
    assert {row["pixel_size_um"] for row in rows} == {"0.5"}


def test_tables_report_and_pictures_are_there(finished):
    for name in (
        *TABLES,
        "objects.parquet",
        "data_dictionary.csv",
        "report.html",
        "accounting.json",
    ):
        assert (finished.results / name).stat().st_size > 0, name
    assert {path.stem for path in (finished.results / "qc").iterdir()} == set(IDS)


def test_a_manifest_says_what_each_job_made(finished):
    found = manifests(finished.folder)
    assert set(found) == JOBS
    for job, records in found.items():
        assert [record["image"] for record in records] == list(
            IDS[:2] if "b0000" in job else IDS[2:]
        )
        for record in records:
            artifact = finished.results / record["artifact"]
            assert record["status"] == "ok" and record["repairs"] == 0
            assert len(record["fingerprint"]) == 64
            assert record["size"] == artifact.stat().st_size
            assert record["sha256"] == sha256(artifact)


def test_artifacts_lie_one_folder_a_kind_and_nothing_else_is_there(finished):
    named = {
        record["artifact"] for records in manifests(finished.folder).values() for record in records
    }
    assert set(times(finished.folder)) == named
    assert not list(finished.results.rglob(".tmp-*"))
    assert {path.name for path in finished.results.iterdir() if path.is_dir()} == {
        *ARTIFACTS, "manifests", "provenance", "logs", "benchmarks",
    }  # fmt: skip


@pytest.mark.parametrize(("kind", "suffix"), [("logs", "log"), ("benchmarks", "tsv")])
def test_each_job_leaves_a_log_and_a_benchmark(finished, kind, suffix):
    names = {*JOBS, "gather", "report"} | ({"account"} if kind == "logs" else set())
    files = [finished.results / kind / f"{name}.{suffix}" for name in names]
    assert not [file for file in files if not file.stat().st_size]


def test_a_log_begins_with_version_and_settings_and_ends_with_what_was_written(finished):
    first, *_, last = (finished.results / "logs/segment.nuclei/b0000.log").read_text().splitlines()
    assert f"scopemill {scopemill.__version__} segment " in first and '"split_um": 4' in first
    assert last.endswith("2 made, 0 kept, wrote results/tiny/manifests/segment.nuclei/b0000.jsonl")


def test_the_last_line_printed_has_counts_and_the_reports_path(finished):
    assert finished.printed.splitlines()[-1] == "3 ok; report: results/tiny/report.html"


def test_raw_names_with_shell_words_run_nothing(finished):
    assert not canaries(finished.folder)


def test_a_second_run_has_nothing_to_do_and_is_quick(study):
    start = time.perf_counter()
    before = times(study)
    done = snakemake(study)
    assert done.returncode == 0 and "Nothing to be done" in done.stdout + done.stderr
    assert not changed(before, times(study))
    assert time.perf_counter() - start < 30


def test_metadata_of_the_sheet_are_in_the_tables(finished):
    for name in ("images.csv", "objects.csv", "spots.csv"):
        rows = [row for row in read(finished.results / name) if row["image"] == "i2"]
        assert rows and all((row["dose"], row["note"]) == ("2.5", HOSTILE_NOTE) for row in rows)


def test_measured_is_compared_with_what_is_expected(finished):
    rows = read(finished.results / "comparison.csv")
    assert [(row["image"], row["column"], float(row["expected"])) for row in rows] == [
        (one, "n_nuclei", 6.0) for one in IDS
    ]
    assert all(abs(float(row["measured"]) - 6) <= 1 for row in rows)
    assert "Measured against known" in (finished.results / "report.html").read_text()


@pytest.mark.parametrize("table", ["objects", "images", "summary", "spots"])
def test_the_dictionary_explains_every_column(finished, table):
    columns = pd.read_csv(finished.results / f"{table}.csv", nrows=1).columns
    dictionary = read(finished.results / "data_dictionary.csv")
    meanings = {row["column"]: row["meaning"] for row in dictionary if row["table"] == table}
    assert list(meanings) == list(columns)
    assert not [column for column, meaning in meanings.items() if not meaning]


def test_the_tables_load_in_a_notebook(finished):
    loaded = scopemill.load(finished.results)
    big = loaded.objects.query("`class` == 'big'")
    assert len(big) and (big["area_um2"] > 50).all()
    assert set(loaded.objects["image"]) == set(IDS)
    assert loaded.labels("i0", "nuclei").max() == (loaded.objects["image"] == "i0").sum()
    assert loaded.image("i0", "DNA").shape[-2:] == (96, 96)
    assert len(loaded.spots) and len(loaded.summary) and len(loaded.dictionary)


def test_another_run_in_another_folder_gives_the_same_bytes(finished, tmp_path):
    # copies keep the files' times, which are part of what an artifact states it was made from
    for name in ("raw", "images.tsv", "config.yaml"):
        copy = shutil.copytree if (finished.folder / name).is_dir() else shutil.copy2
        copy(finished.folder / name, tmp_path / name)
    run_study(tmp_path)
    assert table_bytes(tmp_path) == table_bytes(finished.folder)
    without_time = [
        {job: [{**record, **COSTS} for record in records] for job, records in found.items()}
        for found in (manifests(tmp_path), manifests(finished.folder))
    ]
    assert without_time[0] == without_time[1]
    assert_settled(tmp_path)
