"""benchmarks/suite/harness.py: turns, checks and intervals."""

import math

import numpy as np
import pytest
from benchmarks.suite.__main__ import make_row
from benchmarks.suite.harness import Benchmark, Goal, Outcome, Run, measure, write_result


def prepare(folder, size):
    return size["n"]


def slow(n):
    return sum(i * i for i in range(n))


def quick(n):
    return (n - 1) * n * (2 * n - 1) // 6


def broken(n):
    raise ValueError(f"cannot count to {n}")


def check(case, theirs, ours):
    return [] if theirs == ours else [f"{theirs} and {ours}"]


def make(**changes):
    values = {
        "name": "sums", "task": "sum of squares", "against": "a loop", "prepare": prepare, "baseline": slow,
        "ours": quick, "check": check, "spoil": slow, "full": {"n": 300_000}, "small": {"n": 10},
        "goals": (Goal("ratio", lambda one: one.ratio(), at_least=2),), "pairs": 3,
    }  # fmt: skip
    return Benchmark(**(values | changes))


def outcome(theirs, ours):
    return Outcome("a", [Run(one, 1, 1) for one in ours], [Run(one, 1, 1) for one in theirs], {})


def test_both_are_timed_in_turns_and_the_slow_one_takes_longer():
    found = measure(make(), {"n": 300_000}, 3)
    assert (len(found.ours), len(found.baseline), found.objections) == (3, 3, [])
    assert found.ratio() > 2
    assert found.median("peak_mb") > 5


def test_results_that_differ_give_no_ratio():
    found = measure(make(ours=lambda_like), {"n": 10}, 3)
    assert found.objections == ["285 and 286"]
    assert found.ours == [] and math.isnan(found.ratio())


def lambda_like(n):
    return quick(n) + 1


def test_what_goes_wrong_in_a_worker_is_raised_here():
    with pytest.raises(ValueError, match="cannot count to 10"):
        measure(make(baseline=broken), {"n": 10}, 1)


def test_the_ratio_is_the_median_of_the_pairs():
    found = outcome([10, 20, 90], [5, 5, 10])
    assert found.ratio() == 4.0  # of 2, 4 and 9
    low, _, high = found.interval()
    assert (low, high) == (2.0, 9.0)


def test_without_a_baseline_there_is_no_ratio():
    assert np.isnan(outcome([], [1.0]).interval()).all()


@pytest.mark.parametrize(
    ("goal", "value", "text"),
    [
        (Goal("a", float, at_least=2), 2.0, "a 2 (>= 2: met)"),
        (Goal("a", float, at_least=2), 1.99, "a 1.99 (>= 2: missed)"),
        (Goal("a", float, at_most=0.1), 0.2, "a 0.2 (<= 0.1: missed)"),
        (Goal("a", float, at_most=0.1), math.nan, "a nan (<= 0.1: missed)"),
    ],
)
def test_a_goal_says_whether_it_is_met(goal, value, text):
    assert goal.text(value) == text


def test_a_result_is_written_and_becomes_a_row(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.suite.harness.RESULTS", tmp_path / "results")
    found = write_result(make(), outcome([10, 20, 90], [5, 5, 10]))
    assert (tmp_path / "results" / "sums.json").exists()
    row = make_row(found)
    assert "4 (2 to 9) | 20, 5 | 1, 1 | ratio 4 (>= 2: met)" in row


def test_a_row_of_results_that_differ_has_no_ratio(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.suite.harness.RESULTS", tmp_path)
    row = make_row(write_result(make(), Outcome("sums", [], [], {}, ["285 and 286"])))
    assert "results differ: 285 and 286" in row and "to 9" not in row


def test_a_baseline_that_did_a_tenth_counts_ten_times():
    whole = measure(make(), {"n": 300_000}, 1)
    tenth = measure(make(share=lambda case: 0.001), {"n": 300_000}, 1)
    assert tenth.median("cpu_s", "baseline") > 100 * whole.median("cpu_s", "baseline")
