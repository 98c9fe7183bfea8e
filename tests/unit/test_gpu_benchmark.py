"""The benchmark of the GPU: where there is none, its functions run on the CPU; what they measure means nothing there."""

import math

from benchmarks.suite import gpu


def test_it_runs_on_a_cpu_and_finds_an_error(tmp_path):
    case = gpu.prepare(tmp_path, {**gpu.BENCHMARK.small, "device": "cpu", "threads": 1})
    ours = gpu.run_both(case)
    assert gpu.check(case, None, ours) == []
    assert gpu.check(case, None, gpu.spoil(ours)) == ["fields: 2 of 3 images"]
    assert len(gpu.check({**case, "device": "cuda"}, None, ours)) == 2
    one_more = {**ours, "slide": {**ours["slide"], "objects": ours["slide"]["objects"] + 1}}
    assert len(gpu.check(case, None, one_more)) == 1
    found = gpu.facts(case, ours)
    assert all(found[name] > 0 for name in ("loader_mpx_per_s", "network_mpx_per_s", "slide_mpx_per_s", "network_share"))  # fmt: skip


def test_a_gpu_is_busy_between_the_first_and_the_last_image():
    assert gpu.find_busy([0, 0, 100, 0, 80, 0]) == 0.6
    assert math.isnan(gpu.find_busy([0, 0])) and math.isnan(gpu.find_busy([]))
