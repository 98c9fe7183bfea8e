"""GPU faults: known by their words; a node that lost a GPU is avoided while that helps."""

import json
import time

import pytest
import torch

from scopemill import gpu_faults
from scopemill.gpu_faults import FILE, is_lost, is_out_of_memory, nodes_to_avoid, report_lost
from scopemill.models.predict import choose_device

MADE = "manifests/segment.nuclei/b0000.jsonl"
GONE = RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might be reported")


@pytest.mark.parametrize(
    ("error", "lost", "full"),
    [
        (GONE, True, False),
        (RuntimeError("No CUDA-capable device is detected"), True, False),
        (RuntimeError("CUDA error: no CUDA-capable device is detected"), True, False),
        (RuntimeError("Found no NVIDIA driver on your system."), True, False),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), True, False),
        (RuntimeError("Unexpected error from cudaGetDeviceCount()."), True, False),
        (torch.AcceleratorError("CUDA error: device lost"), True, False),
        (torch.OutOfMemoryError("CUDA out of memory."), False, True),
        (RuntimeError("CUDA error: out of memory"), False, True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), False, True),
        (RuntimeError("shapes do not fit"), False, False),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), False, False),
        (MemoryError("CUDA error"), False, False),
    ],
)
def test_errors_are_known_by_their_words(error, lost, full):
    assert (is_lost(error), is_out_of_memory(error)) == (lost, full)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A study's results, in a job on node gpu07."""
    monkeypatch.setenv("SLURMD_NODENAME", "gpu07")
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    return tmp_path / "results" / "tiny"


def test_the_node_is_noted_and_avoided_from_the_second_attempt_on(root):
    sentence = report_lost(root / MADE, GONE)
    assert "node gpu07" in sentence and "no image is at fault" in sentence
    (line,) = (root / FILE).read_text().splitlines()
    found = json.loads(line)
    assert (found["made"], found["node"], found["slurm_job_id"]) == (MADE, "gpu07", "12")
    assert nodes_to_avoid(root, MADE, 1) == []
    assert nodes_to_avoid(root, MADE, 2) == ["gpu07"]


def test_where_the_second_attempt_was_refused_the_third_goes_anywhere(root, monkeypatch):
    report_lost(root / MADE, GONE)
    assert nodes_to_avoid(root, MADE, 3) == []
    monkeypatch.setenv("SLURMD_NODENAME", "gpu03")
    report_lost(root / MADE, GONE)
    assert nodes_to_avoid(root, MADE, 3) == ["gpu03", "gpu07"]


def test_a_job_that_failed_otherwise_or_long_after_avoids_nothing(root, monkeypatch):
    report_lost(root / MADE, GONE)
    assert nodes_to_avoid(root, "manifests/segment.nuclei/b0001.jsonl", 2) == []
    later = time.time() + gpu_faults.REMEMBERED_S + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert nodes_to_avoid(root, MADE, 2) == []


@pytest.mark.parametrize("node", ["", "a;touch canary", "$(id)", "-J", "a b", "a,b\n"])
def test_a_name_that_is_no_node_never_reaches_a_command(root, monkeypatch, node):
    monkeypatch.setenv("SLURMD_NODENAME", node)
    assert "lost or broken" in report_lost(root / MADE, GONE)
    assert not (root / FILE).exists()
    (root / "provenance").mkdir(parents=True)
    line = {"made": MADE, "node": node, "time": time.time()}
    (root / FILE).write_text(json.dumps(line) + "\n")
    assert nodes_to_avoid(root, MADE, 2) == []


def test_a_line_that_was_cut_is_passed_over(root):
    report_lost(root / MADE, GONE)
    with (root / FILE).open("a") as file:
        file.write('{"made": "x"}\n[]\n{"made": "manif')
    assert nodes_to_avoid(root, MADE, 2) == ["gpu07"]


def test_outside_of_a_study_it_is_only_said(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURMD_NODENAME", "gpu07")
    assert "node gpu07" in report_lost(tmp_path / "out.jsonl", GONE)
    assert not list(tmp_path.iterdir())


def test_a_granted_gpu_that_does_not_answer_is_not_replaced_by_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    assert choose_device("auto")[0].type == "cpu"
    monkeypatch.setenv("SLURM_JOB_GPUS", "0")
    assert choose_device("cpu")[0].type == "cpu"
    with pytest.raises(RuntimeError, match=r"granted by SLURM, but .*--nv.*device: cpu") as failed:
        choose_device("auto")
    assert is_lost(failed.value)
    monkeypatch.setattr(torch.version, "cuda", None)  # nothing wrong with the GPU then
    assert choose_device("auto")[0].type == "cpu"
