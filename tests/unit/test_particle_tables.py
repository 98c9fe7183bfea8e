"""Particle tables: what the manifests and the statements of tables say of channels, planes and measured images."""

import pandas as pd
import pytest

from scopemill import tables
from scopemill.gather.particle_tables import make_tables
from scopemill.gather.particles import Particles
from scopemill.manifests import Record

WANTED = {"beads": Particles(objects="cells")}
IMAGES = pd.DataFrame({"image": ["a", "b", "c"], "status": ["ok", "ok", "quarantined"], "group": "x"})  # fmt: skip
OBJECTS = pd.DataFrame(
    {"image": "a", "object": "cells", "label": [1, 2], "area": 100.0, "n_beads": [3, 5], "n_beads_red": [1, 2], "n_beads_green": [2, 3]}
)  # fmt: skip


@pytest.fixture
def gathered(tmp_path):
    """Channels of the detect task -> the tables of a study whose second image was passed over by quantify."""

    def run(channels=("red", "green"), objects=OBJECTS, wanted=WANTED):
        tables.write_table(tmp_path / "a.parquet", pd.DataFrame({"x": [1.0]}), channels=channels)
        shape = {"shape": [1, 3, 4, 10, 10]}
        records = {
            "convert": {"a": Record("a", "ok", "f", facts=shape), "b": Record("b", "ok", "f", facts=shape), "c": Record("c", "quarantined", "f")},
            "detect.beads": {"a": Record("a", "ok", "f", artifact="a.parquet"), "b": Record("b", "skipped", "f")},
            "quantify.cells": {"a": Record("a", "ok", "f"), "b": Record("b", "skipped", "f"), "c": Record("c", "skipped", "f")},
        }  # fmt: skip
        return make_tables(wanted, objects, IMAGES, tmp_path, records, "group", 0)

    return run


def test_kinds_are_the_channels_that_were_looked_at(gathered):
    found = gathered()["particles"].set_index("kind")
    assert found["n_particles"].to_dict() == {"all": 8, "red": 3, "green": 5}
    assert found["megavoxels_per_cell"].unique().tolist() == [0.0004]  # 100 px in 4 planes


@pytest.mark.parametrize("channels", [None, [], ["red"]])
def test_one_channel_is_no_kind(gathered, channels):
    assert gathered(channels)["particles"]["kind"].tolist() == ["all"]


def test_an_image_that_was_passed_over_is_not_one_without_particles(gathered):
    assert gathered()["particles"]["n_images"].unique().tolist() == [1]


def test_nothing_measured_or_nothing_wanted_gives_empty_tables(gathered):
    for found in (gathered(objects=pd.DataFrame(columns=["image", "object"])), gathered(wanted={})):
        assert list(found) == ["particles", "particle_comparisons", "particle_counts"]
        assert all(table.empty for table in found.values())
