"""The correctness half of every benchmark, at a small size: both sides agree, and a slight error is found."""

import pytest
from benchmarks.suite.__main__ import NAMES, available, load


@pytest.mark.parametrize("name", available())
def test_both_sides_agree_and_an_error_would_be_found(name, tmp_path):
    benchmark = load(name)
    if reason := benchmark.unavailable():
        pytest.skip(reason)
    case = benchmark.prepare(tmp_path, benchmark.small)
    theirs = benchmark.baseline(case) if benchmark.baseline else None
    ours = benchmark.ours(case)
    assert benchmark.check(case, theirs, ours) == []
    assert benchmark.check(case, theirs, benchmark.spoil(ours)) != []


def test_a_benchmark_has_the_name_of_its_module():
    assert [load(name).name for name in available()] == available()
    assert set(available()) <= set(NAMES)
