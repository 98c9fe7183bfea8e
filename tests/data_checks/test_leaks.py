"""What leaks between parts, in real data: neighbouring tiles of BBBC038, mirrored crops of dividing cells."""

from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scopemill.splits import (
    Leak,
    Split,
    find_groups,
    find_leaks,
    groups_of,
    make_split,
    mirror_hash,
)

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def nuclei(require_or_skip):
    """The sheet of BBBC038 (with groups made by matching edges) and what is found in its pixels."""
    folder = DATA / "dsb2018_nuclei"
    require_or_skip(folder.is_dir(), "the shared data folder is not beside the checkout")
    sheet = pd.read_csv(folder / "split.csv", dtype=str).set_index("id", drop=False)
    return sheet, find_leaks(
        (image, read(folder / "images" / f"{image}.png")) for image in sheet["id"]
    )


def read(path):
    """(1, Y, X) of a grey picture saved as colour, (3, Y, X) of another."""
    pixels = np.moveaxis(np.asarray(Image.open(path).convert("RGB")), -1, 0)
    return pixels[:1] if (pixels == pixels[0]).all() else pixels


def pairs_of(groups):
    """Pairs of images that are in one group."""
    members = {}
    for image, group in groups.items():
        members.setdefault(group, []).append(image)
    return {frozenset(pair) for one in members.values() for pair in combinations(one, 2)}


def test_neighbours_are_those_of_the_field_groups(nuclei):
    sheet, leaks = nuclei
    right = [sheet.field_group[leak.first] == sheet.field_group[leak.second] for leak in leaks]
    found, true = pairs_of(groups_of(leaks)), pairs_of(dict(sheet.field_group))
    # 410 edges and 796 pairs are found, all of them right; 882 pairs are known
    assert {leak.kind for leak in leaks} == {"neighbour"} and len(leaks) >= 400
    assert np.mean(right) >= 0.99
    assert len(found & true) / len(found) >= 0.99
    assert len(found & true) / len(true) >= 0.88


def test_the_split_that_comes_with_the_data_has_no_leak(nuclei):
    sheet, leaks = nuclei
    rows = [
        {"image": row.id, "split": row.split, "field": row.field_group}
        for row in sheet.itertuples()
    ]
    parts = make_split(rows, Split(column="split", group="field"), leaks)
    assert Counter(parts.values()) == Counter(sheet.split.replace("val", "validation"))


def test_a_drawn_split_keeps_fields_together_and_kinds_of_image_even(nuclei):
    sheet, leaks = nuclei
    rows = [
        {"image": row.id, "field": row.field_group, "modality": row.modality}
        for row in sheet.itertuples()
    ]
    settings = Split(group="field", stratify="modality")
    parts, groups = make_split(rows, settings, leaks), find_groups(rows, settings, leaks)
    assert len({(groups[image], part) for image, part in parts.items()}) == len(
        set(groups.values())
    )
    for kind in ("fluorescence", "histology_colour"):
        held = [parts[image] == "validation" for image in sheet.id[sheet.modality == kind]]
        assert np.mean(held) == pytest.approx(0.2, abs=0.02)


@pytest.fixture(scope="module")
def crops(require_or_skip):
    """576 crops (3, 64, 64) of dividing cells; the source's copies of them have been taken out."""
    folder = DATA / "mitosis_cellcognition"
    require_or_skip(folder.is_dir(), "the shared data folder is not beside the checkout")
    names = pd.read_csv(folder / "labels.csv").file
    return {name: np.moveaxis(np.asarray(Image.open(folder / name)), -1, 0) for name in names}


def test_crops_without_copies_have_no_leaks(crops):
    assert find_leaks(crops.items()) == []


MIRRORS = {"lr": np.s_[..., ::-1], "tb": np.s_[..., ::-1, :], "tblr": np.s_[..., ::-1, ::-1]}


def test_copies_as_the_source_had_them_are_all_found(crops):
    """The source had 573 mirrored copies (left-right, top-bottom, both) and 8 identical ones: made again here."""
    names, ways = list(crops), list(MIRRORS)
    copies = [
        ("mirrored", n, f"{n}_{ways[k % 3]}", crops[n][MIRRORS[ways[k % 3]]])
        for k, n in enumerate(names[:573])
    ]
    copies += [("identical", n, f"{n}_again", crops[n].copy()) for n in names[-8:]]
    found = find_leaks([*crops.items(), *((name, pixels) for _, _, name, pixels in copies)])
    assert set(found) == {Leak(kind, first, second) for kind, first, second, _ in copies}
    assert len({mirror_hash(pixels) for pixels in crops.values()}) == len(crops)
