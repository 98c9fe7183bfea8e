"""scopemill compare: scores side by side, over the images that both have; simulated crowds, what they are made of."""

import numpy as np
import pytest
import tifffile

from scopemill.commands import compare, simulate
from scopemill.settings import ConfigError
from scopemill.simulate.crowd import Crowd, simulate_crowd


def write(folder, rows):
    folder.mkdir()
    lines = ["image,group,f1", *(f"{image},{group},{f1}" for image, group, f1 in rows)]
    (folder / "scores.csv").write_text("\n".join(lines) + "\n")
    return str(folder / "scores.csv")


def test_only_images_that_both_score_count(tmp_path, capsys):
    first = write(tmp_path / "a", [("1", "s", 0.5), ("2", "t", 0.7), ("3", "u", 0.0)])
    second = write(tmp_path / "b", [("2", "t", 0.9), ("1", "s", 0.6)])
    assert compare.main([first, second]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("2 images")
    assert "0.600 (0.500 to 0.700)" in lines[1]
    assert "0.750 (0.600 to 0.900), +0.150 (+0.100 to +0.200) to the first" in lines[2]


def test_parts_of_an_image_count_once(tmp_path, capsys):
    first = write(tmp_path / "a", [("1", "s", 0.0), ("1", "s", 1.0), ("2", "t", 0.9)])
    compare.main([first])
    assert "0.700 (0.500 to 0.900)" in capsys.readouterr().out


def test_scores_of_different_images_are_not_compared(tmp_path):
    first, second = (write(tmp_path / n, [(n, "s", 1.0)]) for n in "ab")
    with pytest.raises(ConfigError, match="no image in common"):
        compare.main([first, second])
    with pytest.raises(ConfigError, match="no such file"):
        compare.main([str(tmp_path / "none.csv")])


SMALL = Crowd(shape_yx=(128, 128), n_nuclei=15)


def test_a_crowd_is_a_function_of_its_seed_and_its_labels_have_no_gap():
    image, labels = simulate_crowd(SMALL, np.random.default_rng(0))
    again, _ = simulate_crowd(SMALL, np.random.default_rng(0))
    other, _ = simulate_crowd(SMALL, np.random.default_rng(1))
    assert image.tobytes() == again.tobytes() != other.tobytes()
    assert image.shape == labels.shape == (128, 128)
    assert image.dtype == np.uint16 and labels.dtype == np.uint32
    assert np.unique(labels).tolist() == list(range(labels.max() + 1)) and labels.max() >= 13


def test_nuclei_are_brighter_than_what_lies_between_and_some_touch():
    image, labels = simulate_crowd(SMALL, np.random.default_rng(2))
    light = image - 100.0  # of darkness
    assert light[labels > 0].mean() > 2 * light[labels == 0].mean() > 0
    sides = [(labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])]
    assert sum(((a != b) & (a > 0) & (b > 0)).sum() for a, b in sides) > 10


def test_images_of_a_subject_are_two_and_the_sheet_says_what_is_known(tmp_path, capsys):
    simulate.main([str(tmp_path), "--nuclei", "3"])
    lines = (tmp_path / "images.tsv").read_text().splitlines()
    assert lines[0] == "id\tpath\tsubject\texpected_n_nuclei"
    rows = [line.split("\t") for line in lines[1:]]
    assert [row[2] for row in rows] == ["s01", "s01", "s02"]
    for name, path, _, number in rows:
        assert tifffile.imread(tmp_path / path).dtype == np.uint16
        assert tifffile.imread(tmp_path / f"truth/{name}.tif").max() == int(number)
    assert "study: train-demo" in (tmp_path / "config.yaml").read_text()
