"""The two-arm study through the whole workflow: particles per cell and type, corrected by a calibration of its own."""

import pandas as pd
import pytest
from workflow_tools import run_study

from scopemill.commands import calibrate, simulate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=[11, 12])
def study(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(f"two-arms-{request.param}")
    sizes = ["--fields", "2", "--cells", "8", "--size", "256", "--seed", str(request.param)]
    assert simulate.main(["cytometry", str(folder), *sizes]) == 0
    given = ["--simulated", str(folder / "field.yaml"), "--images", "4"]
    assert calibrate.main([str(folder), *given]) == 0
    run_study(folder)
    return folder


def test_both_arms_and_types_have_their_row(study):
    table = pd.read_csv(study / "results" / "two-arms" / "particles.csv")
    rows = table[(table["kind"] == "all") & table["class"].isin(["T", "B"])]
    assert sorted(zip(rows["group"], rows["class"], strict=True)) == [
        ("control", "B"), ("control", "T"), ("treated", "B"), ("treated", "T"),
    ]  # fmt: skip
    rows = rows.set_index(["group", "class"])
    # few cells and wide intervals; benchmarks/cytometry.py asks how often they hold the truth
    for cell_type, truth in (("T", 20), ("B", 8)):
        one = rows.loc[("treated", cell_type)]
        assert one["corrected_low"] < one["corrected_per_cell"] < one["corrected_high"]
        assert one["corrected_low"] < truth < one["corrected_high"]
        assert rows.loc[("control", cell_type), "particles_per_cell"] < 6
    assert rows.loc["treated", "corrected_per_cell"].idxmax() == "T"
