"""A real stack of crowded nuclei with labels (StarDist's example): plane by plane and linked, most are found."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from scopemill import metrics
from scopemill.frames import Frame
from scopemill.segment.methods import otsu, unet

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "stardist_samples"
MODEL = Path(__file__).parents[2] / "models/nuclei"
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        not DATA.is_dir(), reason="the shared data folder is not beside the checkout"
    ),
]


def test_linked_planes_find_more_nuclei_than_otsu_does_in_3_d():
    image = tifffile.imread(DATA / "img3d.tif")
    truth = tifffile.imread(DATA / "mask3d.tif").astype(np.uint32)
    frame = Frame.of({"DNA": image})
    # 51 nuclei about 10 pixels wide; the voxel size is not stated
    own = unet.Settings(model=str(MODEL), channels=["DNA"], diameter_um=10.0)
    linked = metrics.match(truth, unet.segment(frame, own))
    classic = otsu.Settings(channel="DNA", smooth_um=1.0, split_um=4.0)
    assert linked.f1 > 0.8 > metrics.match(truth, otsu.segment(frame, classic)).f1
