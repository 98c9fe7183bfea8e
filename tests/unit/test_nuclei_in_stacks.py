"""Nuclei in stacks, by the model that ships: blurred, noisy, and one above the other, against the truth in 3-D."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from scopemill import metrics
from scopemill.frames import Frame
from scopemill.segment.methods import unet

MODEL = Path(__file__).parents[2] / "models/nuclei"
STEP_UM, PIXEL_UM = 1.0, 0.3
# middles and half axes in um (z, y, x): the second lies above the first, half a micrometre away
NUCLEI = [
    ((4, 9, 9), (2.5, 4.5, 4)), ((9.5, 9.5, 8.5), (2.5, 4, 5)), ((7, 9, 21), (3, 4.5, 4.5)), ((6, 21, 15), (2.5, 5, 4.5))
]  # fmt: skip


def make_stack(seed):
    """Image (14, 96, 96) as through a confocal microscope, and labels."""
    rng = np.random.default_rng(seed)
    shape = (14, 96, 96)
    places = np.indices(shape).T * [STEP_UM, PIXEL_UM, PIXEL_UM]
    labels, light = np.zeros(shape, np.uint32), np.zeros(shape)
    for label, (middle, half) in enumerate(NUCLEI, 1):
        inside = ((((places - middle) / half) ** 2).sum(-1) <= 1).T
        labels[inside], light[inside] = label, rng.uniform(0.7, 1.3)
    light *= 1 + 0.2 * ndimage.gaussian_filter(rng.normal(size=shape), (0.5, 2, 2)) / 0.1
    light = ndimage.gaussian_filter(light.clip(0), (0.7, 0.45, 0.45))
    return (100 + 10 * rng.poisson(3 + 60 * light)).astype(np.uint16), labels


@pytest.mark.parametrize("seed", [0, 1])
def test_nuclei_one_above_the_other_are_apart_in_3_d_and_one_in_projection(seed):
    image, truth = make_stack(seed)
    own = unet.Settings(model=str(MODEL), channels=["DNA"])
    stack = Frame.of({"DNA": image}, um_per_px=PIXEL_UM, z_step_um=STEP_UM)
    found = metrics.match(truth, unet.segment(stack, own))
    assert (found.tp, found.fp, found.fn) == (4, 0, 0) and found.mean_matched_iou > 0.7
    flat = Frame.of({"DNA": image.max(axis=0)}, um_per_px=PIXEL_UM)
    assert unet.segment(flat, own).max() == 3
