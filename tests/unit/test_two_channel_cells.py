"""Cells by a U-Net that sees cytoplasm and DNA: trained on both, it needs both, in their order."""

import dataclasses
from argparse import Namespace

import numpy as np
import pytest

from scopemill import metrics
from scopemill.errors import DataError
from scopemill.examples import Example, measure_objects, measure_percentiles, write_examples
from scopemill.frames import Frame
from scopemill.models.description import read_description
from scopemill.segment.methods import unet
from scopemill.settings import load_stage
from scopemill.simulate.cytometry import nuclei_field
from scopemill.train import stage

SETTINGS = {
    "collect": {},
    "method": {"name": "instances", "heads": ["foreground", "border"]},
    "network": {"name": "unet", "width": 3, "depth": 1},
    "crop": {"patch_size_px": 32},
    "training": {"steps": 60, "batch_size": 2, "validate_every": 30, "learning_rate": 0.01, "average": 0.5},
}  # fmt: skip


def make_cells(seed):
    """Pixels (2, 1, 64, 64) of cytoplasm (which shows the cells) and DNA (which shows their middles), and labels."""
    rng = np.random.default_rng(seed)
    cytoplasm, labels = nuclei_field((64, 64), 5, rng, radius_px=8.0)
    y, x = np.indices(labels.shape)
    dna = rng.poisson(20, labels.shape)
    for label in np.unique(labels)[1:]:
        middle = [np.mean(one[labels == label]) for one in (y, x)]
        dna += 200 * ((y - middle[0]) ** 2 + (x - middle[1]) ** 2 < 9)
    return np.stack([cytoplasm, dna.astype(np.uint16)])[:, None], labels


def make_examples(n):
    for seed in range(n):
        pixels, labels = make_cells(seed)
        part = "train" if seed < n - 2 else "validation"
        count, diameter = measure_objects(labels)
        levels = measure_percentiles(pixels)
        about = Example(f"i{seed}", part, f"i{seed}", levels, pixels.shape, count, diameter)
        yield about, pixels, labels[None]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a model that learnt for a moment."""
    folder = tmp_path_factory.mktemp("cells")
    meta = {"channels": ["cytoplasm", "DNA"], "roles": {}, "classes": [], "pixel_size_um": None, "split": {}}  # fmt: skip
    write_examples(folder / "examples.h5", meta, make_examples(8))
    (folder / "split.csv").write_text("image,split,group,sha256\n")
    settings, method = load_stage("train", SETTINGS, "train.cells")
    out = folder / "model/model.yaml"
    options = Namespace(inputs=[folder / "examples.h5"], out=out, threads=1, device="cpu")
    stage.run(settings, method, options)
    return out.parent


def test_a_model_of_two_channels_finds_cells_by_both(model):
    described = read_description(model)
    assert [one.name for one in described.channels] == ["cytoplasm", "DNA"]
    pixels, labels = make_cells(99)
    frame = Frame.of({"DNA": pixels[1, 0], "cytoplasm": pixels[0, 0]})
    own = unet.Settings(model=str(model), channels=["cytoplasm", "DNA"])
    found = unet.segment(frame, own)
    assert metrics.dice(labels > 0, found > 0) > 0.7
    turned = unet.segment(frame, dataclasses.replace(own, channels=["DNA", "cytoplasm"]))
    assert (turned != found).any()


def test_one_channel_is_not_enough(model):
    pixels, _ = make_cells(99)
    own = unet.Settings(model=str(model), channels=["DNA"])
    with pytest.raises(DataError, match=r"takes 2 channels \(cytoplasm, DNA\)") as caught:
        unet.segment(Frame.of({"DNA": pixels[1, 0]}), own)
    assert caught.value.code == "MODEL_MISMATCH"
