"""Time series of stacks: each time point counts apart, and 3-D objects are 3-D to the end."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from workflow_tools import (
    assert_settled,
    make_config,
    manifests,
    results_of,
    run_study,
    write_config,
    write_image,
    write_sheet,
)

import scopemill

SHAPE = (2, 7, 2, 64, 64)  # T, Z, C, Y, X


def make_series(seed: int) -> np.ndarray:
    """Two balls one above the other at t = 0, one of them at t = 1; a point in the middle of the lower one."""
    rng = np.random.default_rng(seed)
    pixels = rng.poisson(20, SHAPE).astype(np.uint16)
    pixels[:, 0:3, 0, 20:32, 20:32] += 800
    pixels[0, 4:7, 0, 20:32, 20:32] += 800
    pixels[:, 1, 1, 25:28, 25:28] += 900
    return pixels


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("stacks")
    facts = {"PhysicalSizeZ": 1.0, "PhysicalSizeZUnit": "µm"}
    for n in range(2):
        write_image(place / "raw" / f"s{n}.tif", make_series(n), axes="TZCYX", **facts)
    write_sheet(place, [[f"s{n}", f"raw/s{n}.tif"] for n in range(2)])
    flat = {"method": {"name": "otsu", "channel": "DNA", "split_um": 0}}
    deep = {"method": {"name": "otsu", "channel": "DNA", "split_um": 0}, "z": "stack"}
    tasks = {
        "segment": {"nuclei": deep, "flat": flat},
        "detect": {
            "flat": {"method": {"name": "from-labels", "labels": "flat"}},
            "particles": {"method": {"sigma_z_um": 0.7}},
        },
        "quantify": {"flat": {"objects": "flat"}},
        "classify": {"size": {"method": {"rules": {"big": "volume_um3 > 90"}}}},
    }
    write_config(place, make_config(tasks))
    run_study(place)
    return place


def read(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(results_of(folder) / name)


def test_converted_images_keep_times_planes_and_channels(folder):
    facts = [record["facts"] for record in manifests(folder)["convert/b0000"]]
    assert [one["shape"] for one in facts] == [[2, 2, 7, 64, 64]] * 2
    assert [one["z_step_um"] for one in facts] == [1.0, 1.0]


def test_objects_have_their_time(folder):
    objects = read(folder, "objects.csv").query("object == 'nuclei'")
    assert objects.groupby(["image", "t"]).size().to_dict() == {
        ("s0", 0): 2, ("s0", 1): 1, ("s1", 0): 2, ("s1", 1): 1,
    }  # fmt: skip


def test_what_lies_one_above_the_other_is_two_objects_in_3_d_and_one_in_projection(folder):
    at_start = read(folder, "objects.csv").query("image == 's0' and t == 0")
    assert at_start["object"].value_counts().to_dict() == {"nuclei": 2, "flat": 1}
    labels = scopemill.load(results_of(folder)).labels("s0", "nuclei", t=0)
    assert labels.shape == (7, 64, 64) and labels.max() == 2


def test_volumes_are_in_cubic_micrometres(folder):
    volumes = read(folder, "objects.csv").query("object == 'nuclei'")["volume_um3"]
    assert volumes.between(0.6 * 108, 1.5 * 108).all()  # 3 planes x 1 um, 12 x 12 pixels of 0.5 um


def test_classes_are_joined_by_time_and_label(folder):
    objects = read(folder, "objects.csv").query("object == 'nuclei'")
    expected = np.where(objects["volume_um3"] > 90, "big", "unassigned")
    assert (objects["class"] == expected).all()


def test_spots_have_time_plane_and_owner(folder):
    spots = read(folder, "spots.csv")
    near = spots[(spots["y"] - 26).abs().lt(1) & (spots["x"] - 26).abs().lt(1)]
    assert near.groupby(["image", "t"]).size().to_dict() == {
        (image, t): 1 for image in ("s0", "s1") for t in (0, 1)
    }
    assert near["z"].between(0.5, 1.5).all() and (near["nuclei_label"] > 0).all()
    assert near["z_um"].to_numpy() == pytest.approx(near["z"].to_numpy())


def test_every_column_of_a_stack_is_explained(folder):
    dictionary = read(folder, "data_dictionary.csv")
    assert not dictionary["meaning"].isna().any(), dictionary[dictionary["meaning"].isna()]


def test_the_study_is_settled(folder):
    assert json.loads((results_of(folder) / "accounting.json").read_text())["ok"] == 2
    assert_settled(folder)
