"""A config or sheet that is wrong is refused before anything runs: file, key or line, and cure; nothing is written."""

import pytest
import yaml
from workflow_tools import (
    canaries,
    make_config,
    said,
    snakemake,
    write_config,
    write_sheet,
)

ROW = ["a", "raw/a.tif"]
OTSU = {"name": "otsu", "channel": "DNA"}


def refuse(folder) -> str:
    """Ask for a dry run; what was said against it."""
    before = sorted(folder.parent.rglob("*"))
    done = snakemake(folder, "--dry-run")
    text = said(done)
    assert done.returncode != 0 and "Traceback" not in text, text
    after = [path for path in folder.parent.rglob("*") if ".snakemake" not in path.parts]
    assert sorted(after) == before
    return text


@pytest.fixture
def folder(tmp_path):
    inside = tmp_path / "deep" / "study"
    inside.mkdir(parents=True)
    write_sheet(inside, [ROW])
    write_config(inside, make_config())
    return inside


@pytest.mark.parametrize(
    ("changes", "key", "cure"),
    [
        pytest.param(
            {"segment": {"nuclei": {"method": {"smoth_um": 1}}}},
            "segment.nuclei.method.smoth_um: unknown key",
            "did you mean 'smooth_um'?",
            id="typing error",
        ),
        pytest.param(
            {"images_per_batch": "many"},
            "images_per_batch",
            "valid integer",
            id="wrong type",
        ),
        pytest.param(
            {"segment": {"nuclei": {"method": {"name": "otzu"}}}},
            "segment.nuclei.method.name: unknown method 'otzu'",
            "did you mean 'otsu'?",
            id="unknown method",
        ),
        pytest.param(
            {"segment": {"nuclei": {"method": {"channel": "DNB"}}}},
            "segment.nuclei.channel: there is no channel 'DNB'",
            "did you mean 'DNA'?",
            id="unknown channel",
        ),
        pytest.param(
            {"segment": {"$(touch canary)": {"method": OTSU}}},
            "segment.$(touch canary): a task's name has letters, digits, - and _ only",
            "",
            id="task that is a command",
        ),
        pytest.param({"study": "../../x"}, "study: '../../x'", "", id="study outside"),
    ],
)
def test_a_wrong_config_is_refused(folder, changes, key, cure):
    write_config(folder, make_config(changes))
    text = refuse(folder)
    assert f"{folder / 'config.yaml'}: {key}" in text and cure in text
    assert not canaries(folder)


def test_every_fault_of_the_config_is_said_at_once(folder):
    faults = {"segment": {"nuclei": {"z": "maxx"}}, "quantify": {"nuclei": {"objcts": "nuclei"}}}
    write_config(folder, make_config(faults))
    text = refuse(folder)
    assert "segment.nuclei.z: expected" in text and "did you mean 'max'?" in text
    assert "quantify.nuclei.objcts: unknown key; did you mean 'objects'?" in text


def test_a_config_that_is_no_yaml_is_refused(folder):
    (folder / "config.yaml").write_text("study: [tiny\n")
    assert "not valid JSON or YAML" in refuse(folder)


def test_a_key_that_stands_twice_is_refused(folder):
    text = yaml.safe_dump(make_config())
    (folder / "config.yaml").write_text(text + "max_quarantined: 0.1\nmax_quarantined: 0.9\n")
    assert "stands twice" in refuse(folder)


def test_a_missing_sheet_is_refused(folder):
    (folder / "images.tsv").unlink()
    text = refuse(folder)
    assert f"{folder / 'images.tsv'}: no such image sheet" in text and "scopemill init" in text


def test_ids_that_could_do_harm_are_refused_line_by_line(folder):
    ids = [
        "good",
        "GOOD",
        "NA",
        "../../x",
        "$(touch canary)",
        "a b",
        "-rf",
        "",
        "{batch}",
        "a" * 65,
    ]
    write_sheet(folder, [[one, "raw/a.tif"] for one in ids])
    text = refuse(folder)
    sheet = folder / "images.tsv"
    assert f"{sheet}, line 3, column id: 'GOOD' is taken by line 2" in text
    assert f"{sheet}, line 4, column id: 'NA' is read as 'no value' by other programs" in text
    for line, one in enumerate(ids[3:], start=5):
        assert f"{sheet}, line {line}, column id: {one!r}: use 1 to 64 letters" in text
    assert not canaries(folder.parent)


@pytest.mark.parametrize("id_", ["$(touch canary)", "../../x"])
def test_one_such_id_is_enough(folder, id_):
    write_sheet(folder, [ROW, [id_, "raw/a.tif"]])
    assert f"line 3, column id: {id_!r}" in refuse(folder)
    assert not canaries(folder.parent)


@pytest.mark.parametrize("batch", ["../x", "$(touch canary)", "a.b"])
def test_batches_become_file_names_too(folder, batch):
    write_sheet(folder, [[*ROW, batch]], "id path batch")
    assert f"line 2, column batch: {batch!r}: use letters, digits, - and _" in refuse(folder)
    assert not canaries(folder.parent)
