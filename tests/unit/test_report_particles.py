"""Particles in the report: numbers with their intervals, plain words, and nothing from a file that runs."""

import numpy as np
import pandas as pd
import pytest
from test_report import EVIL, VALUES, stage

from scopemill import tables
from scopemill.calibration import Detection
from scopemill.gather.particle_comparisons import compare_groups
from scopemill.gather.particle_counts import bin_cells
from scopemill.gather.particles import Particles, count_particles, make_particles
from scopemill.report import particle_plots

FIGURES = Detection(
    efficiency=0.8, efficiency_low=0.7, efficiency_high=0.9, false_per_megavoxel=1.0, false_low=0.0, false_high=2.0
)  # fmt: skip


def write_study(root, names=("control", "drug"), classes=("T", "B"), kinds=("red", "green"), **own):
    """The tables of two groups of 3 images, as gather writes them."""
    rng = np.random.default_rng(0)
    images = pd.DataFrame({"image": list("abcdef"), "group": np.repeat(names, 3)})
    cells = pd.DataFrame({"image": np.repeat(list("abcdef"), 20), "object": "cells", "area": 500.0})
    cells["class"] = np.resize(classes, len(cells))
    mean = np.where(cells["image"].isin(list("def")) & (cells["class"] == classes[0]), 9, 2)
    for kind in kinds:
        cells[f"n_beads_{kind}"] = rng.poisson(mean / len(kinds))
    cells["n_beads"] = cells[[f"n_beads_{kind}" for kind in kinds]].sum(axis=1)
    own = Particles(objects="cells", **own)
    counted = count_particles(
        cells, images, "beads", own, kinds, dict.fromkeys("abcdef", 3), "group"
    )
    made = {
        "particles": make_particles(counted, "beads", own),
        "particle_comparisons": compare_groups(counted, "beads", own, 0),
        "particle_counts": bin_cells(counted, "beads", own),
    }
    for name, table in made.items():
        tables.write_csv(root / f"{name}.csv", table)
    return made


def test_the_section_shows_what_is_known(tmp_path):
    made = write_study(tmp_path, control={"group": "control"}, figures=FIGURES)
    section = particle_plots.make_section(tmp_path)
    assert len(section["rows"]) == section["n_rows"] == 2 * 3 * 3
    titles = [figure["title"] for figure in section["figures"]]
    assert titles[:3] == [
        "beads: particles a cell, found, with 95 % intervals",
        "beads: particles a cell, less background, with 95 % intervals",
        "beads: particles a cell, corrected, with 95 % intervals",
    ]
    assert len(titles) == 3 * 3 + 2  # and a histogram of each class
    page = stage.render(**(VALUES | {"particles": section}))
    row = made["particles"].query("group == 'drug' and `class` == 'T' and kind == 'all'").iloc[0]
    for column in ("particles_per_cell", "low", "high", "specific_per_cell", "corrected_per_cell", "corrected_high"):  # fmt: skip
        assert stage.format_number(float(row[column])) in page
    assert "more variable than chance" in page  # all classes together
    assert "Groups compared" in page and "particle_comparisons.csv" in page


def test_columns_that_say_nothing_are_left_out(tmp_path):
    write_study(tmp_path, classes=("T",), kinds=("red",))
    page = stage.render(**(VALUES | {"particles": particle_plots.make_section(tmp_path)}))
    assert "<th>specific</th>" not in page and "<th>corrected</th>" not in page


def test_a_study_without_particles_has_no_such_section(tmp_path):
    assert particle_plots.make_section(tmp_path) is None
    assert 'id="particles"' not in stage.render(**VALUES)


@pytest.mark.parametrize("place", ["names", "classes", "kinds"])
def test_nothing_from_a_sheet_or_a_config_can_run(tmp_path, place):
    write_study(tmp_path, **{place: (EVIL, "b")})
    section = particle_plots.make_section(tmp_path)
    if place == "kinds":
        section["rows"][0]["kind"] = EVIL  # channels have safe names
    page = stage.render(**(VALUES | {"particles": section}))
    assert "<script>alert" not in page and "alert(1)" in page


ROW = {"index_of_dispersion": 1.1, "dispersion_p": 0.4, "zero_inflation": 0.2, "zero_inflation_p": 0.5}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "no more than by chance"),
        ({"dispersion_p": np.nan}, "too little to tell"),
        ({"dispersion_p": 0.01, "index_of_dispersion": 0.3}, "less variable than chance (0.3 times)"),
        ({"dispersion_p": 0.01, "index_of_dispersion": 2.5}, "more variable than chance (2.5 times): cells differ"),
        (
            {"dispersion_p": 0.01, "index_of_dispersion": 2.5, "zero_inflation_p": 0.001},
            "more variable than chance (2.5 times): cells differ; 20% too many have none",
        ),
    ],
)  # fmt: skip
def test_how_cells_differ_is_said_in_words(changes, words):
    assert particle_plots.describe_spread(ROW | changes) == words


def test_groups_that_are_not_known_are_not_drawn(tmp_path):
    made = write_study(tmp_path, control={"group": "control"})
    figures = particle_plots.make_figures(made["particles"], made["particle_counts"])
    svg = {one["title"].split(", ")[1]: one["svg"] for one in list(figures)[:2]}
    assert ">control<" in svg["found"]
    assert ">control<" not in svg["less background"] and ">drug<" in svg["less background"]
