"""Real slides: tissue is found on stained sections, not on pens and empty glass; stains are those that one would expect."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scopemill.config import Staining
from scopemill.convert.staining import find_stains
from scopemill.readers import open_raw
from scopemill.stains import PRESETS, angle_deg, estimate_white
from scopemill.tissue import PEN, TISSUE, Limits, find_tissue

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(
    not (DATA / "wsi").is_dir(), reason="the shared data folder is not beside the checkout"
)
TILES = DATA / "wsi" / "tiles"
PIECES = Limits(area_px=400, hole_px=200)  # of tiles of 512 x 512


def classify(path):
    """Shares of background, tissue, pen and debris."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    classes = find_tissue(np.moveaxis(pixels, -1, 0), estimate_white(pixels.reshape(-1, 3)), PIECES)
    return classes, np.bincount(classes.ravel(), minlength=4) / classes.size


@pytest.mark.parametrize("name", ["almost-white-1", "no-tissue", "no-tissue-red-pen"])
def test_pens_dust_and_empty_glass_are_no_tissue(name):
    _, shares = classify(TILES / f"{name}.png")
    assert shares[TISSUE] == 0


@pytest.mark.parametrize(
    ("path", "low", "high"),
    [
        ("wsi/tiles/low-nuclei-score-level0.png", 0.15, 0.3),  # fat: membranes only
        ("wsi/tiles/tissue-level0-4302-10273-4814-10785.png", 0.6, 0.8),
        ("wsi/thumbnails/tcga-lung-rgb.png", 0.75, 0.88),
        ("he_nuclei_brain/images/GBM40_01.png", 1.0, 1.0),
    ],
)
def test_stained_sections_are_tissue_and_no_ink(path, low, high):
    _, shares = classify(DATA / path)
    assert low <= shares[TISSUE] <= high and shares[PEN] < 0.001


def test_tissue_below_green_ink_is_left_out_and_that_beside_it_is_found():
    classes, _ = classify(TILES / "medium-nuclei-score-green-pen-level1.png")
    assert (classes[:230] == PEN).mean() > 0.9 and (classes[350:] == PEN).mean() < 0.04
    assert (classes[350:] == TISSUE).mean() > 0.75


@pytest.mark.parametrize(
    ("path", "white"),
    [
        ("wsi/CMU-1-Small-Region.svs", (246, 243, 243)),
        ("wsi/instanseg_HE_example.ome.tif", (229, 224, 230)),
        ("wsi/tiles/medium-nuclei-score-green-pen-level1.png", (234, 232, 237)),
        ("wsi/tiles/tissue-level0-4302-10273-4814-10785.png", (240, 238, 240)),
        ("wsi/thumbnails/tcga-lung-rgb.png", (236, 229, 236)),
    ],
)
def test_white_and_stains_of_sections_are_estimated(path, white):
    notes = []
    with open_raw(DATA / path, None, 10**9) as raw:
        found = find_stains(raw, Staining(method="he", estimate=True), notes.append)
    assert notes == []
    np.testing.assert_allclose(found.white, white, atol=1.5)
    for name, vector in zip(found.names, found.vectors, strict=True):
        assert angle_deg(vector, PRESETS["he"][name]) < 23
    hematoxylin, eosin = found.vectors
    assert hematoxylin[0] > 1.9 * eosin[0] and angle_deg(hematoxylin, eosin) > 14


def test_an_empty_tile_keeps_the_preset():
    notes = []
    with open_raw(TILES / "no-tissue.png", None, 10**9) as raw:
        found = find_stains(raw, Staining(method="he", estimate=True), notes.append)
    assert found.vectors == tuple(PRESETS["he"].values()) and "not estimated" in notes[0]
