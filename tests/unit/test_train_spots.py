"""Training on points: a few steps of a small network through the stage, then a detection with its model folder."""

from argparse import Namespace

import numpy as np
import pandas as pd
import pytest

from scopemill.detect import stage as detect_stage
from scopemill.detect.methods import unet3d_spots
from scopemill.examples import Example, measure_percentiles, write_examples
from scopemill.frames import Frame
from scopemill.models.description import read_description
from scopemill.points import pack_points
from scopemill.settings import load_method, load_stage
from scopemill.tiling import list_cores
from scopemill.train import stage

PARTS = ("train", "train", "train", "validation", "test")


def stack(seed, shape=(5, 48, 48), n=12):
    """Bright spots over noise, and where they are."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 1, (n, 3)) * (np.array(shape) - 1)
    grid = np.stack(np.indices(shape), -1)
    image = rng.normal(100, 4, shape)
    for point in points:
        image += 120 * np.exp(-((grid - point) ** 2).sum(-1) / 2 / 1.3**2)
    return image.astype(np.float32), points


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder, rows = tmp_path_factory.mktemp("spots"), []
    for n, part in enumerate(PARTS):
        image, points = stack(n)
        about = measure_percentiles(image[None]), (1, *image.shape), len(points)
        rows.append((Example(f"i{n}", part, f"g{n}", *about), image[None], pack_points(points, image.shape)))  # fmt: skip
    meta = {"channels": ["red"], "pixel_size_um": None, "classes": [], "split": {}, "truth": "points"}  # fmt: skip
    write_examples(folder / "examples.h5", meta, rows)
    (folder / "split.csv").write_text("image,split\n")
    settings = {
        "collect": {}, "method": {"name": "spots"}, "crop": {"patch_size_px": 32, "planes": 4},
        "network": {"name": "unet", "dims": 3, "width": 4, "depth": 1, "keep_planes": True},
        "training": {"steps": 60, "batch_size": 2, "validate_every": 30, "learning_rate": 0.02, "average": 0.5, "mixed_precision": "off"},
    }  # fmt: skip
    own, method = load_stage("train", settings, "train.t")
    options = Namespace(inputs=[folder / "examples.h5"], out=folder / "m" / "model.yaml", device="cpu", threads=1)  # fmt: skip
    stage.run(own, method, options)
    return folder / "m"


def test_the_model_says_how_its_heat_map_is_read_and_how_well_it_does(model):
    described = read_description(model)
    assert described.output == ["spots"] and described.normalisation.local_px == 10
    assert described.postprocessing["planes"] == 4
    assert 0.1 <= described.postprocessing["threshold"] <= 0.95
    assert described.metrics["images"] == "test" and described.metrics["F1"][0] > 0.6
    assert "| F1 |" in (model / "card.md").read_text()


def find(model, image, **more):
    options = {"name": "unet3d-spots", "model": str(model), "channel": "red", **more}
    method = load_method("detect", options, "m")
    frame = Frame.of({"red": image}, {}, 0.1, 0.3, device="cpu")
    return detect_stage.detect(frame, method)


def test_most_spots_of_another_stack_are_found_where_they_are(model):
    image, points = stack(99)
    table = find(model, image)
    near = np.linalg.norm(table[["z", "y", "x"]].to_numpy()[:, None] - points, axis=2)
    assert (near.min(axis=0) < 1.5).mean() > 0.6
    assert table["probability"].between(0, 1).all()


def test_blocks_of_a_large_image_give_what_the_whole_gives(model, monkeypatch):
    image, _ = stack(7, (4, 150, 170), 80)
    whole = find(model, image)
    assert len(whole) > 20
    monkeypatch.setattr(unet3d_spots, "list_blocks", lambda size, _: list_cores(size, 64))
    # bf16, where the device has it, rounds sums in another order
    pd.testing.assert_frame_equal(find(model, image), whole, atol=0.05, rtol=0.02)


def test_a_single_plane_is_no_error(model):
    image, _ = stack(5)
    assert "z" not in find(model, image[2])
