"""Verify: harm of any kind is found and named, a repair makes the harmed again and nothing else."""

import json
import shutil

import pytest
from workflow_tools import (
    assert_settled,
    changed,
    results_of,
    run_study,
    table_bytes,
    times,
)

from scopemill import manifests
from scopemill.commands import verify

LABELS = "labels/nuclei/i1.ome.tif"
MANIFEST = "manifests/segment.nuclei/b0000.jsonl"


@pytest.fixture
def verified(study, monkeypatch, capsys):
    """Verify the study with these flags -> exit status and findings."""
    monkeypatch.chdir(study)
    capsys.readouterr()

    def run(*flags):
        status = verify.main(["config.yaml", "--json", *flags])
        told = json.loads(capsys.readouterr().out)
        assert told["holds"] == (status == 0) == (not [one for one in told["findings"] if not one["note"]])  # fmt: skip
        return status, told

    return run


def found(told):
    """(kind, task, image, file) of what does not hold."""
    return {
        (one["kind"], one["task"], one["image"], one["file"])
        for one in told["findings"]
        if not one["note"]
    }


def flip(path, at=0.5):
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 1
    path.write_bytes(data)


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def swap(one, other):
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)


def edit_record(results, of_journal=True, **changes):
    """Change what is recorded of i1's labels, as a person with an editor could."""
    path = results / MANIFEST
    for one in (path, manifests.journal_of(path)) if of_journal else (path,):
        lines = [json.loads(line) for line in one.read_text().splitlines()]
        lines = [line | changes if line["image"] == "i1" else line for line in lines]
        one.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_finished_study_holds_and_its_images_are_computed_again(verified):
    status, told = verified("--sample", "2", "--seed", "1")
    assert (status, told["findings"]) == (0, [])
    assert (told["images"], told["artifacts"], len(told["sample"])) == (3, 21, 2)


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        (lambda r: flip(r / LABELS), {("ARTIFACT", "segment.nuclei", "i1", LABELS)}),
        (lambda r: (r / LABELS).write_bytes(b""), {("ARTIFACT", "segment.nuclei", "i1", LABELS)}),
        (lambda r: (r / LABELS).unlink(), {("MISSING", "segment.nuclei", "i1", LABELS)}),
        (
            lambda r: swap(r / LABELS, r / "labels/nuclei/i0.ome.tif"),
            {("ARTIFACT", "segment.nuclei", f"i{n}", f"labels/nuclei/i{n}.ome.tif") for n in (0, 1)},
        ),
        (
            lambda r: edit_record(r, of_journal=False, status="quarantined", artifact=""),
            {("MANIFEST", "segment.nuclei", "i1", MANIFEST)},
        ),
        (
            lambda r: edit_record(r, fingerprint="0" * 64),
            {("ARTIFACT", "segment.nuclei", "i1", LABELS), ("CRATE", "", "", MANIFEST)},
        ),
        (lambda r: (r / MANIFEST).unlink(), {("MANIFEST", "segment.nuclei", "", MANIFEST)}),
        (
            lambda r: (r / MANIFEST).write_text("not JSON"),
            {("MANIFEST", "segment.nuclei", "", MANIFEST)},
        ),
        (
            lambda r: manifests.journal_of(r / MANIFEST).unlink(),
            {("JOURNAL", "segment.nuclei", image, MANIFEST) for image in ("i0", "i1")},
        ),
        (
            lambda r: shutil.copy(r / LABELS, r / "labels/nuclei/i9.ome.tif"),
            {("ORPHAN", "", "", "labels/nuclei/i9.ome.tif")},
        ),
        (lambda r: edit(r / "images.csv", "i1,", "i7,"), {("TABLE", "", "", "images.csv")}),
        (lambda r: flip(r / "objects.parquet"), {("TABLE", "", "", "objects.parquet")}),
        (lambda r: (r / "fits.csv").touch(), {("ORPHAN", "", "", "fits.csv")}),
        (lambda r: edit(r / "report.html", "<h1", "<h2"), {("CRATE", "", "", "report.html")}),
        (
            lambda r: edit(r / "provenance/run/config.yaml", "otsu", "otso"),
            {("CRATE", "", "", "provenance/run/config.yaml")},
        ),
        (
            lambda r: edit(r / "ro-crate-metadata.json", '"report.html"', '"../../images.tsv"'),
            {("CRATE", "", "", "ro-crate-metadata.json")},
        ),
    ],
    ids=[
        "flipped byte", "emptied", "deleted", "swapped", "edited manifest", "edited manifest and journal",
        "manifest deleted", "manifest no JSON", "journal deleted", "orphan", "edited table", "edited parquet",
        "table of another config", "edited report", "edited copy of the config", "crate that points elsewhere",
    ],
)  # fmt: skip
def test_harm_is_found(study, verified, harm, expected):
    harm(results_of(study))
    status, told = verified()
    assert status == 1
    # what was made from a forged fingerprint is named too
    assert {one for one in found(told) if one[0] != "OTHER"} == expected
    assert all(one["cause"] and one["cure"] for one in told["findings"])


def test_a_replaced_raw_file_is_found(study, verified):
    (study / "raw" / "i0.ome.tif").touch()
    status, told = verified()
    assert status == 1
    assert found(told) == {("INPUT", "convert", "i0", str(study / "raw" / "i0.ome.tif"))}


def test_other_settings_are_found(study, verified):
    edit(study / "config.yaml", "split_um: 4", "split_um: 5")
    _, told = verified()
    assert ("OTHER", "segment.nuclei", "", "manifests/segment.nuclei") in found(told)


def forge(study):
    """Labels of one image replaced by another's, with a record that fits: only the pixels tell."""
    results = results_of(study)
    other = results / "labels/nuclei/i0.ome.tif"
    data = other.read_bytes()
    lines = [json.loads(line) for line in (results / MANIFEST).read_text().splitlines()]
    prints = {line["image"]: line["fingerprint"].encode() for line in lines}
    assert prints["i0"] in data
    (results / LABELS).write_bytes(data.replace(prints["i0"], prints["i1"]))
    path = results / LABELS
    edit_record(results, size=path.stat().st_size, sha256=manifests.sha256(path))


def test_what_was_forged_with_its_record_is_found_in_the_pixels(study, verified):
    forge(study)
    _, told = verified()
    assert not [one for one in told["findings"] if one["file"] == LABELS]
    _, told = verified("--sample", "3")
    (one,) = [one for one in told["findings"] if one["kind"] == "RECOMPUTED"]
    assert (one["task"], one["image"], one["file"]) == ("segment.nuclei", "i1", LABELS)
    assert "of 9216 pixel values" in one["cause"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "remade"),
    [
        (lambda r: flip(r / LABELS), {LABELS}),
        (lambda r: edit_record(r, of_journal=False, sha256="0" * 64), set()),
        (lambda r: edit(r / "summary.csv", "treated", "healed"), set()),
        (lambda r: edit(r / "report.html", "<h1", "<h2"), set()),
    ],
    ids=["artifact", "manifest", "table", "report"],
)
def test_a_repair_makes_the_harmed_again_and_nothing_else(study, verified, harm, remade):
    before, tables = times(study), table_bytes(study)
    harm(results_of(study))
    status, told = verified("--repair")
    assert status == 1 and told["set_aside"]
    run_study(study)
    assert changed(before, times(study)) == remade
    assert table_bytes(study) == tables
    assert verified()[0] == 0
    assert_settled(study)


def test_a_repair_keeps_what_it_takes_away(study, verified):
    results = results_of(study)
    flip(results / LABELS)
    harmed = (results / LABELS).read_bytes()
    manifests.journal_of(results / MANIFEST).unlink()
    _, told = verified("--repair")
    assert told["set_aside"] == [LABELS]
    assert (results / "set_aside" / LABELS).read_bytes() == harmed
    # the journal is written again from the manifest
    _, told = verified()
    assert found(told) == {("MISSING", "segment.nuclei", "i1", LABELS)}
