"""Simulated slides: the same however they are cut into blocks, and true to their tables."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from scopemill.commands import simulate
from scopemill.simulate import slides
from scopemill.simulate.histology import BACKGROUND, FIBROSIS, Histology, HistologySlide
from scopemill.simulate.lung import AIR_SPACE, MACROPHAGE, TISSUE, Lung, LungSlide

LUNG = Lung(shape_yx=(400, 360), seed=4, macrophages_per_mm2=1500, airways_per_mm2=0.01)
HISTOLOGY = Histology(shape_yx=(400, 360), seed=4, nodule_um=150, scarring=0.9)
SLIDES = {"lung": (LungSlide, LUNG), "histology": (HistologySlide, HISTOLOGY)}


def assemble(slide):
    """Nuclei, pixels (Y, X, ...), classes and labels of a whole slide."""
    nuclei = slides.list_nuclei(slide)
    classes, labels = np.zeros(slide.shape_yx, np.uint8), np.zeros(slide.shape_yx, np.uint32)
    pixels = np.zeros((*slide.shape_yx, 3), np.uint16)
    for block in slides.draw_blocks(slide, nuclei):
        height, width = block.classes.shape
        window = slice(block.y, block.y + height), slice(block.x, block.x + width)
        pixels[window] = block.pixels if slide.rgb else np.moveaxis(block.pixels, 0, -1)
        classes[window], labels[window] = block.classes, block.labels
    return nuclei, pixels, classes, labels


def centres(nuclei, shape):
    """Pixels that hold the centres."""
    at = (np.rint(one).astype(int) for one in (nuclei.y, nuclei.x))
    return tuple(np.minimum(one, n - 1) for one, n in zip(at, shape, strict=True))


@pytest.fixture(scope="module", params=SLIDES)
def whole(request):
    make, settings = SLIDES[request.param]
    return request.param, make(settings), assemble(make(settings))


def test_a_slide_is_the_same_in_blocks_of_another_size(whole, monkeypatch):
    name, _, (nuclei, pixels, classes, labels) = whole
    make, settings = SLIDES[name]
    monkeypatch.setattr(slides, "BLOCK_PX", 128)
    nuclei2, pixels2, classes2, labels2 = assemble(make(settings))
    order, order2 = (np.lexsort((one.y, one.x)) for one in (nuclei, nuclei2))
    assert nuclei.y[order] == pytest.approx(nuclei2.y[order2])
    assert nuclei.kind[order].tolist() == nuclei2.kind[order2].tolist()
    assert (classes == classes2).mean() > 0.9999
    renumbered = np.zeros(len(nuclei.y) + 1, np.uint32)
    renumbered[nuclei2.label[order2]] = nuclei.label[order]
    assert (renumbered[labels2] == labels).mean() > 0.9999
    # light differs by the camera's noise alone: no step at the borders of blocks
    step = pixels2.astype(float) - pixels
    assert np.abs(step.mean(axis=(0, 1))).max() < 1


def test_every_nucleus_has_its_label_and_its_pixels(whole):
    _, slide, (nuclei, _, _, labels) = whole
    assert np.unique(labels).tolist() == list(range(len(nuclei.y) + 1))
    assert (labels[centres(nuclei, slide.shape_yx)] == nuclei.label).all()


def test_classes_are_those_that_are_named(whole):
    _, slide, (_, _, classes, _) = whole
    assert np.unique(classes).tolist() == [0, 1, 2]
    assert len(slide.class_names) == 3


def test_macrophages_lie_in_the_air_and_all_else_in_tissue():
    nuclei, _, classes, _ = assemble(LungSlide(LUNG))
    at = centres(nuclei, classes.shape)
    free = nuclei.kind == MACROPHAGE
    assert free.sum() > 5
    assert set(classes[at][free]) == {AIR_SPACE}
    assert set(classes[at][~free]) == {TISSUE}


def test_tissue_of_the_lung_is_brighter_than_air_and_air_than_the_dark():
    _, pixels, classes, _ = assemble(LungSlide(LUNG))
    means = [pixels[classes == one].mean() for one in range(3)]
    assert 100 < means[0] < means[1] < means[2]  # 100: what the camera adds


def test_more_scarring_means_more_fibrosis():
    shares = []
    for scarring in (0.1, 0.9):
        _, _, classes, _ = assemble(HistologySlide(replace(HISTOLOGY, scarring=scarring)))
        shares.append((classes == FIBROSIS).mean())
    assert shares[1] > shares[0] + 0.1


def test_glass_is_white_and_nuclei_are_dark_and_blue():
    _, pixels, classes, labels = assemble(HistologySlide(replace(HISTOLOGY, noise=0.0)))
    deep = classes == BACKGROUND
    assert np.median(pixels[deep], axis=0).tolist() == [243, 242, 244]
    red, green, blue = pixels[labels > 0].mean(axis=0)
    assert red < 150 and green < blue


def test_a_pen_mark_and_a_fold_darken_but_change_no_truth():
    plain, marked = (HistologySlide(replace(HISTOLOGY, pen=on, fold=on)) for on in (False, True))
    (_, before, truth, _), (_, after, same, _) = assemble(plain), assemble(marked)
    assert (truth == same).all()
    assert after.mean() < before.mean() - 2


def test_unknown_stains_are_refused():
    with pytest.raises(ValueError, match="masson"):
        Histology(stain="mason")


@pytest.mark.parametrize("kind", ["lung", "histology"])
def test_the_command_writes_a_study(tmp_path, kind, capsys):
    import tifffile

    arguments = [kind, str(tmp_path), "--slides", "2", "--size", "300", "--seed", "7"]
    assert simulate.main(arguments) == 0
    with (tmp_path / "images.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["subject"] for row in rows] == ["s01", "s01"]
    names = sorted(one.relative_to(tmp_path).as_posix() for one in tmp_path.rglob("*.*"))
    assert names[:2] == ["config.yaml", "images.tsv"]
    assert "raw/slide-01.ome.tif" in names and "truth/slide-02.nuclei.csv" in names
    labels = tifffile.imread(tmp_path / "truth/slide-01.nuclei.tif")
    classes = tifffile.imread(tmp_path / "truth/slide-01.classes.tif")
    with (tmp_path / "truth/slide-01.nuclei.csv").open() as file:
        nuclei = list(csv.DictReader(file))
    second, objects, task = {
        "lung": ("tissue", "cells", "lung"), "histology": ("fibrosis", "nuclei", "section"),
    }[kind]  # fmt: skip
    share = (classes == 2).sum() / (classes > 0).sum()
    assert float(rows[0][f"expected_fraction_{task}_{second}"]) == pytest.approx(share, abs=1e-5)
    counted = sum(one["region"] == second for one in nuclei)
    assert counted == int(rows[0][f"expected_n_{objects}_{second}"])
    assert len(nuclei) == labels.max()
    first = (tmp_path / "raw/slide-01.ome.tif").read_bytes()
    simulate.main(arguments)
    again = tifffile.imread(tmp_path / "raw/slide-01.ome.tif")
    (tmp_path / "first.tif").write_bytes(first)
    assert (tifffile.imread(tmp_path / "first.tif") == again).all()
