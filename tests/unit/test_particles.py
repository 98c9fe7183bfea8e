"""Particles: counted by hand; background, detection and the border are allowed for, and the truth lies in the intervals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from scopemill.calibration import Detection
from scopemill.columns import describe
from scopemill.gather import particle_columns
from scopemill.gather.cell_counts import Sample, estimate_rate, prepare_cells
from scopemill.gather.particle_comparisons import adjust, compare_groups
from scopemill.gather.particle_counts import bin_cells
from scopemill.gather.particles import Particles, count_particles, make_particles

FIGURES = Detection(
    efficiency=0.8, efficiency_low=0.8, efficiency_high=0.8, false_per_megavoxel=10.0, false_low=10.0, false_high=10.0,
    n_images=4,
)  # fmt: skip
IMAGES = pd.DataFrame({"image": list("abcd"), "group": ["control"] * 2 + ["drug"] * 2})
# image, class, particles (red and green of them), whether the border cuts the cell
CELLS = [
    ("a", "T", 1, 1, 0, False), ("a", "B", 2, 0, 2, False), ("b", "T", 3, 2, 1, False), ("b", "T", 9, 9, 0, True),
    ("c", "T", 6, 3, 3, False), ("c", "B", 2, 1, 1, False), ("d", "T", 10, 5, 5, False), ("d", "T", 8, 0, 8, False),
]  # fmt: skip
OBJECTS = pd.DataFrame(CELLS, columns=["image", "class", "n_beads", "n_beads_red", "n_beads_green", "touches_border"])  # fmt: skip
OBJECTS = OBJECTS.assign(object="cells", area=1000.0)
PLANES = dict.fromkeys("abcd", 5)


def count(objects=OBJECTS, images=IMAGES, kinds=(), group_by="group", **own):
    own = Particles(objects="cells", **own)
    return count_particles(objects, images, "beads", own, kinds, PLANES, group_by), own


def table(**more):
    counted, own = count(**more)
    return make_particles(counted, "beads", own).set_index(["group", "class", "kind"])


def test_cells_are_counted_by_group_class_and_kind():
    found = table(kinds=("red", "green"))
    assert found.loc[("drug", "T", "all"), ["n_images", "n_cells", "n_particles", "particles_per_cell"]].tolist() == [2, 3, 24, 8]  # fmt: skip
    assert found["n_particles"].xs("drug").to_dict() == {
        ("all", "all"): 26, ("all", "red"): 9, ("all", "green"): 17, ("B", "all"): 2, ("B", "red"): 1,
        ("B", "green"): 1, ("T", "all"): 24, ("T", "red"): 8, ("T", "green"): 16,
    }  # fmt: skip


def test_cells_that_the_border_cuts_are_left_out_and_it_is_said():
    row = table().loc[("control", "T", "all")]
    assert row[["n_cells", "n_cells_left_out", "n_particles"]].tolist() == [2, 1, 4]
    row = table(cells="all").loc[("control", "T", "all")]
    assert row[["n_cells", "n_cells_left_out", "n_particles"]].tolist() == [3, 0, 13]


def test_the_background_is_the_controls_and_is_subtracted():
    found = table(control={"group": "control"})
    drug, control = found.loc[("drug", "T", "all")], found.loc[("control", "T", "all")]
    assert (drug["background_per_cell"], drug["specific_per_cell"]) == (2, 6)
    assert drug["background_low"] == control["low"]
    assert drug["specific_low"] < 6 - (8 - drug["low"]) < 6 < drug["specific_high"]
    assert drug["correction"] == "background of 2 control cells subtracted"
    assert np.isnan(control["specific_per_cell"]) and control["correction"] == "the control itself"


def test_control_groups_are_put_together():
    images = IMAGES.assign(group=["c1", "c2", "drug", "drug"], treated=[0, 0, 1, 1])
    found = table(images=images, control={"treated": 0})
    row = found.loc[("drug", "T", "all")]
    assert row["background_per_cell"] == 2 and "of 2 control cells" in row["correction"]
    assert found["specific_per_cell"].drop("drug").isna().all()
    counted, own = count(images=images, control={"treated": 0})
    compared = compare_groups(counted, "beads", own, 0)
    assert compared["reference"].unique().tolist() == ["c1 + c2"]
    assert compared["group"].unique().tolist() == ["drug"]
    assert compared["compared"][0] == "2 and 2 images"


def test_without_a_control_nothing_is_called_specific():
    found = table()
    assert found[["background_per_cell", "specific_per_cell", "corrected_per_cell"]].isna().all(axis=None)  # fmt: skip
    assert set(found["correction"]) == {"all particles of a cell"}


def test_counts_are_corrected_for_what_is_missed_and_invented():
    row = table(figures=FIGURES).loc[("drug", "T", "all")]
    assert row["megavoxels_per_cell"] == 0.005  # 1000 px in 5 planes
    assert row["corrected_per_cell"] == pytest.approx((8 - 0.05) / 0.8)
    assert row["corrected_low"] == pytest.approx((row["low"] - 0.05) / 0.8)


def test_false_particles_cancel_against_a_control_of_cells_as_large():
    control = {"group": "control"}
    row = table(figures=FIGURES, control=control).loc[("drug", "T", "all")]
    assert row["corrected_per_cell"] == pytest.approx(6 / 0.8)
    larger = OBJECTS.assign(area=np.where(OBJECTS["image"].isin(["c", "d"]), 3000.0, 1000.0))
    row = table(objects=larger, figures=FIGURES, control=control).loc[("drug", "T", "all")]
    assert row["corrected_per_cell"] == pytest.approx((6 - 10 * 0.01) / 0.8)


def test_a_class_without_control_cells_has_no_specific_particles():
    objects = OBJECTS[(OBJECTS["image"] != "a") | (OBJECTS["class"] != "B")]
    row = table(objects=objects, control={"group": "control"}, figures=FIGURES).loc[("drug", "B", "all")]  # fmt: skip
    assert np.isnan([row["specific_per_cell"], row["corrected_per_cell"]]).all()
    assert row["correction"] == "no cells of this class in the control"


def test_figures_of_a_class_go_before_those_of_all():
    own = {"efficiency": 0.5, "efficiency_low": 0.5, "efficiency_high": 0.5, "false_per_megavoxel": 0.0, "false_low": 0.0, "false_high": 0.0}  # fmt: skip
    figures = Detection(**{name: getattr(FIGURES, name) for name in own}, by_class={"T": Detection(**own)})  # fmt: skip
    found = table(figures=figures)
    assert found["efficiency"].xs("drug").droplevel("kind").to_dict() == {"all": 0.8, "B": 0.8, "T": 0.5}  # fmt: skip
    assert found.loc[("drug", "T", "all"), "corrected_per_cell"] == 16


def sample(per_image, **more):
    counts = np.concatenate(per_image).astype(float)
    clusters = np.repeat(np.arange(len(per_image)), [len(one) for one in per_image])
    return Sample(counts, clusters, "image", len(per_image), 0, 0.01, **more)


def test_three_images_have_an_interval_between_them_not_narrower_than_chance():
    alike = estimate_rate(sample([[4, 4], [4, 4], [4, 4]]))
    assert alike.used == alike.poisson and alike.between == (4, 4, 4)
    differ = estimate_rate(sample([[1, 1], [4, 4], [7, 7]]))
    assert differ.used == differ.between
    assert differ.used.low < differ.poisson.low and differ.used.high > differ.poisson.high
    assert differ.interval == "between 3 images (t), at least exact Poisson"


def test_two_images_are_widened_by_how_cells_differ():
    rate = estimate_rate(sample([[0, 8, 0, 8], [0, 8, 8, 0]]))
    # variance 18.3 over mean 4, 8 cells; Poisson of 32 particles
    assert rate.interval.startswith(
        "quasi-Poisson, variance 4.57 times the mean (2 images: too few"
    )
    wide = np.log(rate.used.high / rate.used.low) / np.log(rate.poisson.high / rate.poisson.low)
    assert wide == pytest.approx(np.sqrt(4.57), rel=0.1)
    assert estimate_rate(sample([[4, 4, 3, 5]])).interval.startswith("exact Poisson (1 image:")


def test_two_images_are_widened_by_how_they_differ():
    rate = estimate_rate(sample([[1, 1, 1, 1], [9, 9, 9, 9]]))
    # images of 4 and 36, 20 expected: (256 + 256) / 20
    assert rate.interval.startswith("quasi-Poisson, variance 25.6 times the mean")


def test_joined_samples_keep_their_images_apart():
    one, other = sample([[1, 2], [3]]), replace(sample([[4]]), megavoxels=0.05)
    both = one.joined(other)
    assert [part.tolist() for part in both.sums] == [[3, 3, 4], [2, 1, 1]]
    assert both.n_images == 3 and both.megavoxels == pytest.approx(0.02)


def test_no_cells_are_not_zero_particles():
    rate = estimate_rate(sample([[]]))
    assert np.isnan([*rate.used, *rate.poisson, *rate.between]).all() and rate.interval == "no cells"  # fmt: skip


def test_subjects_go_before_images_where_every_image_has_one():
    one = IMAGES.assign(subject=["s", "s", "r", "q"])
    assert prepare_cells(OBJECTS, one, PLANES, True)["cluster"].tolist() == list("ssssrrqq")  # fmt: skip
    assert prepare_cells(OBJECTS, IMAGES.assign(subject=["s", "", "r", "q"]), PLANES, True)["cluster"].tolist() == list("aabbccdd")  # fmt: skip


def test_labels_of_planes_have_volumes_of_their_own():
    found = prepare_cells(OBJECTS.assign(volume=[100.0] * 7 + [np.nan]), IMAGES, PLANES, True)
    assert found["megavoxels"].tolist() == [1e-4] * 7 + [0.005]


def test_groups_are_compared_with_the_control():
    images = IMAGES.assign(group=["zero", "zero", "a", "a"])
    counted, own = count(images=images, control={"group": "zero"})
    found = compare_groups(counted, "beads", own, seed=0).set_index("class")
    assert found.loc["T", ["group", "reference"]].tolist() == ["a", "zero"]
    assert found.loc["T", ["difference", "ratio"]].tolist() == [6, 4]
    assert found.loc["T", "difference_low"] < 6 < found.loc["T", "difference_high"]
    assert found.loc["T", "p"] == pytest.approx(
        2 / 6
    )  # of 6 ways to deal out 4 images, 2 differ as much
    assert found.loc["T", "compared"] == "2 and 2 images" and np.isnan(found.loc["B", "p"])
    counted, own = count(images=images)
    assert compare_groups(counted, "beads", own, 0)["reference"].unique().tolist() == ["a"]


def test_p_is_adjusted_for_the_number_of_comparisons():
    assert adjust(np.array([0.01, np.nan, 0.04, 0.03])) == pytest.approx([0.03, np.nan, 0.04, 0.04], nan_ok=True)  # fmt: skip


def test_cells_are_binned_against_chance():
    counted, own = count()
    found = bin_cells(counted, "beads", own).query("group == 'drug' and `class` == 'T'")
    assert found["count_from"].tolist() == found["count_to"].tolist() == [6, 7, 8, 9, 10]
    assert found["n_cells"].tolist() == [1, 0, 1, 0, 1]
    # 3 cells, Poisson of mean 8
    assert found["n_cells_expected"].tolist() == pytest.approx([0.3664, 0.4188, 0.4188, 0.3722, 0.2978], abs=1e-3)  # fmt: skip
    counted, own = count(objects=OBJECTS.assign(n_beads=OBJECTS["n_beads"] * 100))
    wide = bin_cells(counted, "beads", own).query("group == 'drug' and `class` == 'all'")
    assert len(wide) <= 30 and wide["n_cells"].sum() == 4


def test_a_quantify_task_that_found_nothing_gives_no_rows():
    assert count(objects=OBJECTS[:0])[0] == []
    assert make_particles([], "beads", Particles(objects="cells")).empty


def test_every_column_is_described():
    counted, own = count(kinds=("red", "green"), control={"group": "control"}, figures=FIGURES)
    made = {
        "particles": make_particles(counted, "beads", own),
        "particle_comparisons": compare_groups(counted, "beads", own, 0),
        "particle_counts": bin_cells(counted, "beads", own),
    }
    for name, one in made.items():
        assert sorted(one) == sorted(particle_columns.TABLES[name])
    assert describe("n_beads_red") is not None


def simulate(rng, n_images=6, n_cells=12, differ=0.0):
    """Two arms, T and B; images differ by so much. Means: 3 nonspecific, and 9 specific on T of the drug."""
    rows, images = [], []
    for group, specific in (("control", {"T": 0, "B": 0}), ("drug", {"T": 9, "B": 1})):
        for n in range(n_images):
            name, factor = f"{group}{n}", rng.lognormal(-(differ**2) / 2, differ)
            images.append({"image": name, "group": group})
            for one in rng.choice(["T", "B"], n_cells):
                particles = rng.binomial(rng.poisson((3 + specific[one]) * factor), 0.8)
                rows.append({"image": name, "object": "cells", "class": one, "n_beads": particles + rng.poisson(0.05), "area": 1000.0})  # fmt: skip
    return pd.DataFrame(rows), pd.DataFrame(images)


@pytest.mark.parametrize("differ", [0.0, 0.2])
def test_the_truth_lies_in_the_corrected_interval(differ):
    rng, hits = np.random.default_rng(1), {"T": 0, "B": 0}
    for _ in range(40):
        objects, images = simulate(rng, differ=differ)
        own = Particles(objects="cells", control={"group": "control"}, figures=FIGURES)
        planes = dict.fromkeys(images["image"], 5)
        counted = count_particles(objects, images, "beads", own, (), planes, "group")
        found = make_particles(counted, "beads", own).set_index(["group", "class"]).loc["drug"]
        for name, truth in (("T", 9), ("B", 1)):
            hits[name] += found.loc[name, "corrected_low"] <= truth <= found.loc[name, "corrected_high"]  # fmt: skip
    assert min(hits.values()) >= 36  # of 40
