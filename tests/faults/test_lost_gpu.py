"""A GPU that is lost while a job runs: the job goes back to the queue, to another node, with twice the memory; nothing is lost."""

import re
from collections import Counter

import pytest
from workflow_tools import (
    SHORT,
    assert_settled,
    environment,
    make_config,
    manifests,
    read_lines,
    results_of,
    said,
    snakemake,
    write_config,
    write_study,
)

MODULE = '''"""Flaky: one channel -> labels; the GPU is lost at the second image, as often as `losses` says."""

from pathlib import Path

import numpy as np

from scopemill.settings import ChannelName, settings

USES_GPU = True
COUNT = Path("tries")


@settings
class Settings:
    """What is lost."""

    channel: ChannelName
    """The channel that shows the objects."""
    losses: int = 1
    """How often."""


def segment(frame, settings):
    """Labels of the frame's shape."""
    with COUNT.open("a") as file:
        file.write(".")
    if 1 < len(COUNT.read_text()) < 2 + settings.losses:
        raise RuntimeError("CUDA error: unspecified launch failure\\nCUDA kernel errors might be reported later")
    return (frame.channel(settings.channel) > 1000).astype(np.uint32)
'''
PROFILE = """
default-resources:
  mem_mb: 1000
  slurm_extra: "'--signal=B:TERM@60'"
  gpu_jobs: slurm_partition=gpu gres=gpu:a100:1
retries: 2
"""


@pytest.fixture
def env(tmp_path_factory):
    """The plug-in is installed, and jobs run on a node of SLURM."""
    site = tmp_path_factory.mktemp("site")
    (site / "flaky_method.py").write_text(MODULE)
    info = site / "flaky-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: flaky\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[scopemill.segment]\nflaky = flaky_method\n")
    return environment(site, SLURMD_NODENAME="gpu07", SLURM_JOB_ID="12")


def run(folder, env, losses: int):
    """A study of three images in one batch; what snakemake said."""
    write_study(folder)
    method = {"name": "flaky", "channel": "DNA", "losses": losses}
    chosen = {"images_per_batch": 3, "segment": {"nuclei": {"method": method}}}
    write_config(folder, make_config(SHORT, chosen))
    (folder / "profile").mkdir()
    (folder / "profile" / "config.yaml").write_text(PROFILE)
    one_by_one = ("--set-threads", "segment=1")
    return snakemake(folder, "--profile", str(folder / "profile"), *one_by_one, env=env)


def asked(text: str, what: str) -> list[str]:
    """A resource of the segment job, attempt by attempt."""
    jobs = re.findall(r"rule segment:.*?resources: (.*?)\n", text, re.DOTALL)
    return [(re.findall(rf"\b{what}=([^,\s]+(?: --[^,\s]+)*)", one) or [""])[0] for one in jobs]


def test_a_job_that_lost_its_gpu_ends_well_elsewhere(tmp_path, env):
    done = run(tmp_path, env, losses=2)
    assert done.returncode == 0, said(done)
    records = manifests(tmp_path)
    assert {one["status"] for found in records.values() for one in found} == {"ok"}
    journal = read_lines(results_of(tmp_path) / "provenance" / "segment.nuclei" / "b0000.jsonl")
    assert Counter(one["image"] for one in journal) == {"i0": 1, "i1": 1, "i2": 1}
    assert len((tmp_path / "tries").read_text()) == 3 + 2
    lost = read_lines(results_of(tmp_path) / "provenance" / "lost_gpus.jsonl")
    assert [(one["made"], one["node"]) for one in lost] == [("manifests/segment.nuclei/b0000.jsonl", "gpu07")] * 2  # fmt: skip
    own = "--signal=B:TERM@60"
    assert asked(said(done), "slurm_extra") == [own, *[f"{own} --exclude=gpu07"] * 2]
    assert asked(said(done), "mem_mb") == ["4000", "8000", "16000"], "twice with each attempt"
    assert asked(said(done), "runtime") == ["60", "120", "240"]
    assert_settled(tmp_path, env)


def test_a_gpu_that_stays_lost_fails_the_run_in_words_and_blames_no_image(tmp_path, env):
    done = run(tmp_path, env, losses=9)
    assert done.returncode != 0
    log = (results_of(tmp_path) / "logs" / "segment.nuclei" / "b0000.log").read_text()
    assert "the GPU of node gpu07 is lost or broken (CUDA error: unspecified launch failure)" in log
    assert "no image is at fault" in log
    journal = read_lines(results_of(tmp_path) / "provenance" / "segment.nuclei" / "b0000.jsonl")
    assert [(one["image"], one["status"]) for one in journal] == [("i0", "ok")]
