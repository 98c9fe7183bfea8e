"""Suspicion: what is unlike the others comes first and says why; what is like them does not."""

import numpy as np
import pandas as pd
import pytest

from scopemill import outliers, suspicion
from scopemill.gather import suspects
from scopemill.manifests import Record
from scopemill.settings import ConfigError

NO_FLAGS = {}


def series(*values):
    return pd.Series(values, dtype=float)


def test_a_modified_z_is_in_units_of_the_scaled_median_deviation():
    z, _ = outliers.robust_z(series(1, 2, 3, 4, 100), [series(0, 0, 0, 0, 0)], 5)
    assert z.tolist() == pytest.approx([-2 / 1.4826, -1 / 1.4826, 0, 1 / 1.4826, 97 / 1.4826])


def test_where_most_are_equal_the_mean_deviation_serves():
    z, _ = outliers.robust_z(series(5, 5, 5, 5, 10), [series(0, 0, 0, 0, 0)], 5)
    assert z.tolist() == pytest.approx([0, 0, 0, 0, 5 / 1.2533])


def test_values_are_compared_with_the_first_key_that_has_enough():
    values = pd.Series([1.0, 2, 3, 10, 20, 30, 40, 50])
    fine = pd.Series(list("aaabbbbb"))
    whole = pd.Series("all", index=values.index)
    z, used = outliers.robust_z(values, [fine, whole], 5)
    assert used.tolist() == ["all"] * 3 + ["b"] * 5
    assert z[5] == 0 and z[7] == pytest.approx(20 / 14.826)
    assert z[0] == pytest.approx(-14 / (1.4826 * 13.5))  # deviations 14 13 12 5 5 15 25 35


def test_too_few_or_missing_values_are_not_suspicious():
    z, _ = outliers.robust_z(series(1, 2, 3, 900), [series(0, 0, 0, 0)], 5)
    assert z.tolist() == [0, 0, 0, 0]
    z, _ = outliers.robust_z(series(1, np.nan, 3, 2, np.inf, 9), [series(*[0] * 6)], 4)
    assert z[1] == 0 and z[4] == 0 and z[5] > 3


def test_with_tails_the_fewer_of_two_kinds_are_no_outliers():
    values = pd.Series([1.0, 1.1, 0.9, 1.05, 0.95] * 6 + [5.0, 5.1, 4.9, 5.05, 4.95] * 2)
    keys = [pd.Series(0, index=values.index)]
    assert outliers.robust_z(values, keys, 20)[0].max() > 20
    assert outliers.robust_z(values, keys, 20, tails=True)[0].max() < 3.5
    values[39] = 60.0
    assert outliers.robust_z(values, keys, 20, tails=True)[0].idxmax() == 39
    assert outliers.robust_z(values, keys, 20, tails=True)[0][39] > 20


def test_a_z_of_the_cut_scores_a_half():
    # deviations 2 1 0 1 2 and the last: median 1.5; a z of 3.5 is 3.5 * 1.4826 * 1.5 away
    values = series(-2, -1, 0, 0, 1, 2, 3.5 * 1.4826)
    check = outliers.compare("x", values, values, [series(*[0] * 7)], 5)
    assert check.score[-1] == pytest.approx(0.5) and check.words.iloc[-1] == "x high: 5.19, usually 0"  # fmt: skip
    assert check.score[2] == 0 and check.words.iloc[2] == ""


def test_scores_add_up_and_the_worst_is_named_first():
    table = pd.DataFrame({"image": ["a", "b"]})
    checks = [
        outliers.flag(np.array([True, False]), 0.5, "half", table.index),
        outliers.flag(np.array([True, False]), 0.8, "most", table.index),
        outliers.flag(np.array([True, True]), 0.1, "little", table.index),
    ]
    found = outliers.join_checks(checks, table)
    assert found["suspicion"].tolist() == [pytest.approx(1 - 0.5 * 0.2 * 0.9), pytest.approx(0.1)]
    assert found["suspicion_reason"].tolist() == ["most; half", ""]


def make_objects(n=40):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "image": "a", "group": np.where(np.arange(n) % 2, "control", "treated"), "object": "cells",
            "area_um2": 100 * np.exp(rng.normal(0, 0.1, n)), "solidity": 0.95 + rng.normal(0, 0.01, n),
            "intensity_mean_DNA": 500 * np.exp(rng.normal(0, 0.1, n)), "n_particles": rng.poisson(20, n),
            "touches_border": False, "class": "T", "probability": 0.98,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("area_um2", 400.0, "area_um2 high: 400, usually "),
        ("area_um2", 20.0, "area_um2 low: 20, usually "),
        ("solidity", 0.6, "solidity low: 0.6, usually "),
        ("intensity_mean_DNA", 50.0, "intensity_mean_DNA low: 50"),
        ("n_particles", 90, "n_particles high: 90, usually "),
        ("class", "uncertain", "class uncertain"),
        ("probability", 0.4, "probability only 0.40"),
    ],
)
def test_an_object_unlike_the_others_is_first_and_says_why(column, value, words):
    objects = make_objects()
    objects.loc[7, column] = value
    found = suspicion.rate_objects(objects, objects.get("group"))
    assert found["suspicion"].idxmax() == 7 and found["suspicion"][7] > 0.5
    assert found["suspicion_reason"][7].startswith(words)
    assert (found["suspicion"].drop(7) < 0.5).all() and found["suspicion"].between(0, 1).all()


def test_a_round_object_is_not_suspicious_and_one_at_the_border_is_a_little():
    objects = make_objects()
    objects.loc[3, "solidity"] = 1.0
    objects.loc[4, "touches_border"] = True
    found = suspicion.rate_objects(objects, objects.get("group"))
    assert "solidity" not in found["suspicion_reason"][3]
    assert found["suspicion_reason"][4] == "cut by the image's border"
    assert found["suspicion"][4] == pytest.approx(0.25, abs=0.1)


def test_objects_are_compared_within_their_group():
    objects = make_objects(80)
    treated = objects["group"] == "treated"
    objects.loc[treated, "n_particles"] = np.random.default_rng(1).poisson(200, treated.sum())
    objects["n_particles"] = objects["n_particles"].where(objects.index != 0, 20)  # a treated one
    found = suspicion.rate_objects(objects, objects.get("group"))
    assert found["suspicion"].idxmax() == 0
    assert found["suspicion_reason"][0].startswith("n_particles low: 20, usually ")
    assert found["suspicion"].drop(0).max() < 0.9


def make_images(n=12, **columns):
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "image": [f"i{k}" for k in range(n)], "status": "ok", "group": np.where(np.arange(n) % 2, "c", "t"),
            "focus_DNA": -1 + rng.normal(0, 0.05, n), "contrast_DNA": 800 * np.exp(rng.normal(0, 0.1, n)),
            "saturated_DNA": 1e-5, "n_cells": rng.poisson(50, n).astype(float), "cells_n_particles_mean": 20 + rng.normal(0, 0.6, n),
        }
        | columns
    )  # fmt: skip


def rate(images, flags=NO_FLAGS, areas=None):
    areas = pd.Series(1000.0, index=images.index) if areas is None else areas
    quality = [name for name in images if name.endswith("_DNA")]
    return suspicion.rate_images(images, quality, ["cells"], "group", areas, flags)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("focus_DNA", -2.5, "focus_DNA low: -2.5, usually -"),
        ("contrast_DNA", 60.0, "contrast_DNA low: 60, usually "),
        ("contrast_DNA", 0.0, "DNA has one value only"),
        ("saturated_DNA", 0.02, "DNA saturated in 2.00% of the pixels"),
        ("n_cells", 300.0, "n_cells high: 300, usually "),
        ("n_cells", 2.0, "n_cells low: 2, usually "),
        ("cells_n_particles_mean", 40.0, "cells_n_particles_mean high: 40, usually "),
    ],
)
def test_an_image_unlike_the_others_is_first_and_says_why(column, value, words):
    images = make_images()
    images.loc[5, column] = value
    found = rate(images)
    assert found["suspicion"].idxmax() == 5 and found["suspicion"][5] > 0.6
    assert found["suspicion_reason"][5].startswith(words)
    assert (found["suspicion"].drop(5) < 0.5).all()


def test_counts_are_compared_for_their_area():
    images = make_images()
    images.loc[5, "n_cells"] = 200.0
    areas = pd.Series(1000.0, index=images.index)
    assert rate(images, areas=areas)["suspicion"][5] > 0.9
    areas[5] = 4000.0
    assert rate(images, areas=areas)["suspicion"][5] < 0.5


def test_counts_are_compared_within_the_plate():
    images = make_images(20, plate=["p"] * 10 + ["q"] * 10)
    images.loc[10:, "n_cells"] = 400.0 + np.arange(10)
    images.loc[3, "n_cells"] = 404.0
    found = rate(images)
    assert found["suspicion"].idxmax() == 3 and (found["suspicion"][10:] < 0.5).all()


def test_particles_a_cell_are_compared_with_the_fields_of_the_well():
    images = make_images(12, plate="p", well=["A01"] * 6 + ["A02"] * 6, group="g")
    images["cells_n_particles_mean"] = [20.0] * 5 + [32.0] + [60.0, 60.4, 59.6, 60.2, 59.8, 60.1]
    found = rate(images)
    assert found["suspicion"].idxmax() == 5 and (found["suspicion"].drop(5) < 0.5).all()


def test_where_white_ground_is_usual_it_is_not_suspicious():
    images = make_images(saturated_DNA=0.3)
    images.loc[5, "saturated_DNA"] = 1.0
    assert (rate(images)["suspicion"] < 0.5).drop(5).all()


def test_images_that_are_not_ok_are_neither_rated_nor_compared_with():
    images = make_images()
    images.loc[[0, 1, 2], "status"] = ["quarantined", "skipped", "quarantined"]
    images.loc[[0, 1, 2], "n_cells"] = np.nan
    found = rate(images)
    assert found["suspicion"][:3].isna().all() and found["suspicion"][3:].notna().all()


def test_what_is_known_of_single_images_counts():
    found = rate(make_images(), {"segment.cells": {"i4": (0.9, "seams")}})
    assert found["suspicion"].idxmax() == 4 and found["suspicion_reason"][4] == "seams"


def records_of(n=8, **changes):
    facts = {
        "shape": [1, 1, 1, 100, 100], "pixel_size_um": 0.5,
        "quality": {"focus": {"DNA": -1.0}, "saturated": {"DNA": 0.0}, "contrast": {"DNA": 500.0}},
    }  # fmt: skip
    found = {f"i{k}": Record(f"i{k}", "ok", "f", facts=facts) for k in range(n)}
    noted = {
        image: Record(image, "ok", "f", facts={"notes": ["usual"], **changes.get(image, {})})
        for image in found
    }
    return {"convert": found, "segment.cells": noted}


OBJECTS = pd.DataFrame({"object": ["cells"]})
PLAIN = pd.DataFrame({"image": [f"i{k}" for k in range(8)], "status": "ok", "n_cells": 9.0})


def test_facts_of_the_manifests_become_columns_of_images():
    records = records_of(
        i2={"seams": {"passed": False}}, i3={"notes": ["usual", "odd"]}, i4={"seams": {"passed": True}}
    )  # fmt: skip
    found = suspects.mark_images(PLAIN, OBJECTS, records, "group").set_index("image")
    assert found["focus_DNA"].tolist() == [-1.0] * 8 and found["contrast_DNA"].iloc[0] == 500
    assert found["suspicion"].to_dict() == {"i0": 0, "i1": 0, "i2": 0.9, "i3": 0.5, "i4": 0, "i5": 0, "i6": 0, "i7": 0}  # fmt: skip
    assert found["suspicion_reason"]["i2"] == "objects change at the borders of blocks"
    assert found["suspicion_reason"]["i3"] == "segment.cells: odd"


def test_a_quarantined_image_without_facts_is_kept():
    records = records_of()
    records["convert"]["i1"] = Record("i1", "quarantined", "f", "EMPTY", "no bytes")
    images = PLAIN.assign(status=["ok", "quarantined", *["ok"] * 6])
    found = suspects.mark_images(images, OBJECTS, records, "group")
    assert len(found) == 8 and np.isnan(found["suspicion"][1]) and np.isnan(found["focus_DNA"][1])


def test_a_column_of_the_sheet_is_not_written_over():
    with pytest.raises(ConfigError, match=r"'suspicion'.*rename"):
        suspects.mark_images(PLAIN.assign(suspicion="mine"), OBJECTS, records_of(), "group")


def test_tables_without_anything_to_compare_are_no_error():
    objects = pd.DataFrame({"image": ["a"], "object": ["x"]})
    assert suspicion.rate_objects(objects, objects.get("group"))["suspicion"].tolist() == [0]
    assert suspects.mark_objects(objects[:0], pd.DataFrame(), "group").empty


def test_what_the_sheet_says_is_not_taken_for_a_measurement():
    sheet = pd.DataFrame({"group": ["g", "h"], "n_doses": ["many", "few"], "area": ["x", "y"]}, index=["a", "b"])  # fmt: skip
    objects = pd.DataFrame({"image": ["a", "b"], "object": "cells", "label": [1, 1]})
    assert list(suspects.mark_objects(objects, sheet, "group")) == ["image", "object", "label", "suspicion", "suspicion_reason"]  # fmt: skip
    images = PLAIN.assign(focus_um="far", contrast_agent="none", saturated_salt=3)
    found = suspects.mark_images(images, OBJECTS, records_of(), "group")
    assert (found["suspicion"] == 0).all()
