"""Learning curve: scores of trainings with few images -> a table and a picture."""

from argparse import Namespace

import pytest

from scopemill.curve import stage
from scopemill.models.description import Channel, Description, format_description
from scopemill.settings import ConfigError

SCORE = "mean AP@0.5:0.95 per image"


def write_model(folder, images, value, name=SCORE):
    folder.mkdir()
    described = Description(
        architecture={"name": "unet"}, channels=[Channel(name="DNA")], output=["foreground"],
        metrics={"images": "test", name: [value, 0.0, 1.0]}, training={"images": {"train": images}},
    )  # fmt: skip
    (folder / "model.yaml").write_text(format_description(described))
    return folder / "model.yaml"


def run(paths, out):
    stage.run(stage.Settings(), None, Namespace(inputs=paths, out=out))
    return out.read_text().splitlines()


def test_a_line_is_a_number_of_images(tmp_path):
    points = [(16, 0.8), (4, 0.5), (4, 0.7)]
    paths = [write_model(tmp_path / f"m{i}", *point) for i, point in enumerate(points)]
    lines = run(paths, tmp_path / "learning_curve.csv")
    assert lines[0] == "images,trainings,score,mean,low,high"
    assert lines[1] == f"4,2,{SCORE},0.6000,0.5000,0.7000"
    assert lines[2] == f"16,1,{SCORE},0.8000,nan,nan"
    assert (tmp_path / "learning_curve.png").read_bytes().startswith(b"\x89PNG")


def test_models_without_a_shared_score_make_no_curve(tmp_path):
    paths = [
        write_model(tmp_path / "a", 2, 0.5),
        write_model(tmp_path / "b", 4, 0.5, "mean Dice"),
    ]
    with pytest.raises(ConfigError, match="no score to draw"):
        run(paths, tmp_path / "learning_curve.csv")
