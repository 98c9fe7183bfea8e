"""Calibration: what is found is held against the truth, cell by cell; and the command as a person types it."""

import json

import numpy as np
import pytest
import yaml

from scopemill.calibration import read_detection
from scopemill.commands import calibrate, simulate
from scopemill.commands._fields import dump_field, read_field
from scopemill.scoring.counting import describe_counts, score_counts, summarise_counts
from scopemill.settings import ConfigError
from scopemill.simulate.cytometry import Field
from scopemill.simulate.psf import Optics

CELLS = np.zeros((10, 30), np.uint32)
CELLS[2:8, 2:8], CELLS[2:8, 12:18], CELLS[2:8, 22:28] = 1, 2, 3
FOUND = np.zeros((10, 30), np.uint32)
FOUND[2:8, 2:8], FOUND[2:8, 12:18] = 7, 5  # the third cell is not found
CLASSES = {1: "T", 2: "B", 3: "T"}


def points(*rows):
    at = np.array([row[:3] for row in rows], float).reshape(-1, 3)
    return {"at": at, "cell": np.array([row[3] for row in rows], int)}


TRUE = points((0, 4, 4, 1), (2, 6, 6, 1), (0, 4, 14, 2), (0, 7, 17, 2), (0, 5, 25, 3), (0, 0, 0, 0))


def score(found, classes=CLASSES, **more):
    return score_counts(TRUE, found, (CELLS, FOUND), classes, 3.0, 4, **more)


def test_a_particle_counts_where_it_is_found_in_its_own_cell():
    # found; found in no cell; found in the other cell; not found; and one where there is none
    one = score(points((0, 4, 5, 7), (2, 6, 7, 0), (0, 4, 14, 7), (3, 2, 7, 5), (0, 0, 1, 0)))
    assert one.n_truth == {"T": 2, "B": 2}  # that of the cell that is not found is left out
    assert one.n_found == {"T": 1, "B": 0}
    assert one.n_elsewhere == 2
    assert one.n_false == {"": 0, "T": 0, "B": 1}
    assert one.megavoxels == pytest.approx({"": 0, "T": 36 * 4 / 1e6, "B": 36 * 4 / 1e6})
    assert (one.n_cells, one.n_cells_found) == (3, 2)


def test_what_is_found_between_the_cells_is_no_false_particle():
    assert not any(score(points((0, 9, 20, 0))).n_false.values())
    assert not any(score(points((0, 4, 4, 7))).n_false.values())
    assert score(points((0, 4, 4, 7), (0, 4, 4, 7))).n_false["T"] == 1  # one to one


def test_cells_that_are_cut_are_not_asked_about():
    one = score(points((0, 4, 4, 7), (0, 4, 14, 5)), {2: "B"})
    assert (one.n_truth, one.n_found, one.n_false) == ({"B": 2}, {"B": 1}, {"": 0, "B": 0})
    assert one.megavoxels == pytest.approx({"": 36 * 4 / 1e6, "B": 36 * 4 / 1e6})


def test_cells_in_three_dimensions_have_their_own_volume():
    solid = np.zeros((4, *FOUND.shape), np.uint32)
    solid[1:3] = FOUND
    one = score_counts(TRUE, points((0, 4, 4, 7)), (CELLS, solid), CLASSES, 3.0, 4)
    assert one.n_found == {"T": 1, "B": 0}
    assert one.megavoxels["T"] == pytest.approx(36 * 2 / 1e6)


def test_images_without_particles_are_nothing_to_find():
    one = score_counts(points(), points(), (CELLS, FOUND), CLASSES, 3.0, 1)
    assert one.n_truth == {"T": 0, "B": 0}
    assert not any(one.n_false.values())


def test_figures_are_of_all_images_together():
    good, bad = score(points((0, 4, 4, 7), (2, 6, 6, 7))), score(points((3, 2, 7, 5)))
    found = summarise_counts([good, bad], ["a", "b"])
    assert found["efficiency"].estimate == 2 / 8
    assert found["efficiency T"].estimate == 2 / 4
    assert found["efficiency B"].estimate == 0
    assert found["false T"].estimate == 0
    assert found["false B"].estimate == pytest.approx(1 / (2 * 36 * 4 / 1e6))
    assert found["false"].estimate == pytest.approx(1 / (2 * 2 * 36 * 4 / 1e6))
    assert (found["efficiency"].low, found["efficiency"].high) == (0, 0.5)


def test_intervals_are_never_narrower_than_counting_allows():
    perfect = score(points(*zip(*TRUE["at"].T, [7, 7, 5, 5, 0, 0], strict=True)))
    figures = describe_counts([perfect] * 5, list("abcde"))
    assert figures["efficiency"] == figures["efficiency_high"] == 1
    assert 0.8 < figures["efficiency_low"] < 0.9  # Clopper and Pearson, 20 of 20
    assert figures["false_per_megavoxel"] == 0
    assert figures["false_high"] == pytest.approx(3.689 / (5 * 288 / 1e6), rel=0.001)
    assert set(figures["by_class"]) == {"T", "B"}


def test_where_nothing_is_found_nothing_is_known_of_a_class():
    figures = describe_counts([score(points())] * 5, list("abcde"))
    assert (figures["efficiency"], figures["efficiency_low"], figures["by_class"]) == (0, 0, {})
    assert figures["n_particles"] == 20


def test_a_field_is_written_and_read_again(tmp_path):
    settings = Field(n_cells=7, optics=Optics(confocal=True), types={"T": (1.0, {"single": 3.0})}, markers={})  # fmt: skip
    dump_field(tmp_path / "field.yaml", settings)
    again = read_field(tmp_path / "field.yaml", {"shape_zyx": (3, 64, 64)})
    assert (again.n_cells, again.optics, again.shape_zyx) == (7, settings.optics, (3, 64, 64))
    assert again.mean_by_kind("T").tolist() == [3.0, 0.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n_cell: 3", "n_cell: unknown key; did you mean 'n_cells'"),
        ("optics: {apertur: 1}", "apertur"),
        ("particle_channels: {p: [blue]}", "choose from"),
    ],
)
def test_a_wrong_field_is_refused(tmp_path, text, message):
    (tmp_path / "field.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"field\.yaml") as error:
        read_field(tmp_path / "field.yaml", {})
    assert message in str(error.value)


@pytest.fixture
def study(tmp_path):
    arguments = ["cytometry", str(tmp_path), "--fields", "1", "--cells", "3", "--size", "160"]
    assert simulate.main(arguments) == 0
    return tmp_path


def test_a_simulated_study_says_what_was_asked_for(study):
    lines = [line.split(",") for line in (study / "truth/expected.csv").read_text().splitlines()]
    assert lines[0][:5] == ["group", "class", "channel", "specific_per_cell", "nonspecific_per_cell"]  # fmt: skip
    asked = [line[:5] for line in lines[1:]]
    assert asked == [
        ["control", "T", "particles", "0.0", "2.0"],
        ["control", "B", "particles", "0.0", "2.0"],
        ["treated", "T", "particles", "20.0", "2.0"],
        ["treated", "B", "particles", "8.0", "2.0"],
    ]
    sheet = (study / "images.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in sheet[1:]] == ["control-01", "treated-01"]


def test_a_channel_that_is_not_simulated_is_named(study):
    config = yaml.safe_load((study / "config.yaml").read_text())
    config["channels"]["dye"] = {"source": "CD3", "role": "marker"}
    config["detect"] = {"particles": {"method": {"name": "log-spots", "channel": "dye", "within": "cells"}}}  # fmt: skip
    (study / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ConfigError, match="needs the channel 'dye'"):
        calibrate.main([str(study), "--simulated", str(study / "field.yaml"), "--images", "4"])


def test_a_study_without_cells_cannot_be_calibrated(study):
    config = yaml.safe_load((study / "config.yaml").read_text())
    config["detect"] = {
        "particles": {"method": {"name": "log-spots", "channel": "particles", "within": None}}
    }
    config["gather"] = None
    (study / "config.yaml").write_text(yaml.safe_dump({k: v for k, v in config.items() if v}))
    with pytest.raises(ConfigError, match="within: <cells>"):
        calibrate.main([str(study), "--simulated", str(study / "field.yaml")])


@pytest.mark.slow
def test_the_command_writes_what_gather_reads(study, capsys):
    arguments = [str(study), "--simulated", str(study / "field.yaml"), "--images", "4"]
    assert calibrate.main(arguments) == 0
    path = study / "detection.json"
    loaded = json.loads(path.read_text())
    figures = read_detection(path, "gather.particles.particles.detection")
    assert 0.6 < figures["efficiency_low"] <= figures["efficiency"] <= figures["efficiency_high"]
    assert figures["n_images"] == loaded["n_images"] == 4
    assert loaded["n_particles"] > 20 and loaded["snr"] > 2
    assert "found in the right cell" in capsys.readouterr().out
