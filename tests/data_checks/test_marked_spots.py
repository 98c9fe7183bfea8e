"""Spots in real images: models/particles finds most of those that people marked, where they are."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from scopemill import metrics
from scopemill.detect.methods import unet3d_spots
from scopemill.frames import Frame

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT.parent / "shared" / "data" / "spots_smfish_3d"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the shared data folder is not beside the checkout"
)


@pytest.mark.parametrize("name", ["img2", "img3"])
def test_most_marked_spots_of_a_stack_are_found(name):
    stack = tifffile.imread(FOLDER / f"{name}.tif")[:, 0]
    columns = np.genfromtxt(FOLDER / f"{name}_spots.csv", delimiter=",", names=True)
    truth = np.stack([columns[axis] for axis in "zyx"], axis=1)
    settings = unet3d_spots.Settings(model=str(CHECKOUT / "models" / "particles"), channel="a")
    table = unet3d_spots.detect(Frame.of({"a": stack}, device="cpu"), settings)
    found = metrics.match_points(truth, table[["z", "y", "x"]].to_numpy(), 3.0)
    assert found.recall > 0.6
