"""A study through the slurm profile: where its jobs ran, what they asked for, and that results are those of a local run."""

import os
from pathlib import Path

import pytest
import torch
from cluster_tools import CHECKOUT, PLUGIN, Run, journal, manifests, write_study

from scopemill.models.description import Channel, Description
from scopemill.models.folder import save_model
from scopemill.models.unet import UNet

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
TABLES = ("objects.csv", "images.csv", "summary.csv", "quarantine.tsv")
SLOW = {"segment": {"cells": {"method": {"name": "trouble", "channel": "DNA", "seconds": 2}}}}


def run_local(snakemake, config, results):
    """The same study on this machine, without SLURM."""
    local = str(CHECKOUT / "profiles/local")
    return snakemake(config, results, "--profile", local, "--cores", "2").finish()


def assert_same(there: Path, here: Path) -> None:
    """Tables are equal byte by byte, and so is every artifact that the manifests name."""
    for name in TABLES:
        one, other = (folder / "results/small" / name for folder in (there, here))
        assert one.read_bytes() == other.read_bytes(), name
    found, wanted = manifests(there), manifests(here)
    assert found.keys() == wanted.keys()
    for task, records in wanted.items():
        for image, record in records.items():
            key = "sha256", "status", "fingerprint", "artifact"
            assert [found[task][image][k] for k in key] == [record[k] for k in key], (task, image)
            assert record["sha256"], (task, image)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("study")


@pytest.fixture
def study(place):
    """Six images in three batches, one batch more than there are GPUs."""
    return write_study(place, [0] * 6, SLOW)


def test_each_rule_runs_where_it_should_with_what_it_asked_for(
    cluster, profile, snakemake, study, tmp_path
):
    there, here = tmp_path / "there", tmp_path / "here"
    run = snakemake(study, there, "--profile", str(profile))
    run.finish()
    jobs = cluster.accounts(run.id)
    assert {job.state for job in jobs} == {"COMPLETED"}
    batches = {rule: 3 for rule in ("convert", "segment", "detect", "quantify", "qc")}
    whole = {rule: 1 for rule in ("gather", "report", "account")}
    rules = [job.rule for job in jobs]
    assert {rule: rules.count(rule) for rule in set(rules)} == batches | whole
    for job in jobs:
        on_gpu = job.rule == "segment"
        assert job.partition == ("gpu" if on_gpu else "cpu"), job
        assert ("gres/gpu=1" in job.allocated) == on_gpu, job
        assert ("gres/gpu" in job.requested) == on_gpu, job
        assert f"cpu={4 if on_gpu else 1}," in job.allocated, job
        large = 4000 if job.rule in ("segment", "gather", "report") else 1000
        assert (job.memory, job.time_limit) == (f"{large}M", "01:00:00"), job
    assert {job.wildcards for job in jobs if job.rule == "segment"} == {
        f"cells_b000{i}" for i in range(3)
    }

    # three batches, two GPUs: never more than two at once, one waited
    segment = sorted((job for job in jobs if job.rule == "segment"), key=lambda job: job.start)
    assert segment[2].start >= min(job.end for job in segment[:2])

    # who made what is on record
    ids = {job.id for job in jobs if job.rule == "segment"}
    assert {line["run"]["slurm_job_id"] for line in journal(there, "segment.cells")} == ids
    assert list((there / "logs/slurm").glob("efficiency_report_scopemill_*.csv"))

    run_local(snakemake, study, here)
    assert_same(there, here)


def test_the_same_study_in_the_container(cluster, profile, snakemake, study, tmp_path, image):
    there, here = tmp_path / "there", tmp_path / "here"
    # root without all capabilities can run containers in a user namespace only
    binds = f"{study.parent},{PLUGIN}"
    arguments = f"--userns --nv --env PYTHONPATH={PLUGIN},PYTHONNOUSERSITE=1 --bind {binds}"
    more = ("--sdm", "apptainer", "--apptainer-args", f" {arguments}")
    found = {name: os.environ[name] for name in ("SCOPEMILL_CONTAINERS",) if name in os.environ}
    path = f"{cluster.env['PATH']}:{os.environ['PATH']}"  # with the Apptainer of the fixture
    env = cluster.env | found | {"PATH": path}
    run = snakemake(study, there, "--profile", str(profile), *more, env=env)
    run.finish()
    assert {job.state for job in cluster.accounts(run.id)} == {"COMPLETED"}
    containers = {line["run"]["container"]["path"] for line in journal(there, "segment.cells")}
    assert containers == {str(image)}
    run_local(snakemake, study, here)
    assert_same(there, here)


@pytest.fixture
def unet_study(place):
    """Two images and a network with weights by chance."""
    torch.manual_seed(0)
    network = UNet(1, 1, dims=2, width=1, depth=0)
    architecture = {
        "name": "unet",
        "dims": 2,
        "width": 1,
        "depth": 0,
        "in_channels": 1,
        "out_channels": 1,
    }
    channels, post = [Channel(role="nucleus")], {"min_distance_px": 6.0}
    description = Description(
        architecture=architecture, channels=channels, output=["foreground"], postprocessing=post
    )
    save_model(place / "model", network, description)
    method = {"name": "unet", "model": str(place / "model"), "patches": "fields"}

    def write(device):
        patch = {"fields": {"channels": ["DNA"], "patch_size_px": 64, "overlap_px": 16}}
        more = {"device": device, "patch": patch, "segment": {"cells": {"method": method}}}
        return write_study(place / device, [0, 0], more)

    return write


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_fails_in_words(cluster, profile, snakemake, unet_study, tmp_path):
    run = snakemake(
        unet_study("cuda"),
        tmp_path / "out",
        "--profile",
        str(profile),
        "--until",
        "segment",
        "--retries",
        "0",
    )
    assert run.process.wait(120) != 0
    segment = [job for job in cluster.accounts(run.id) if job.rule == "segment"]
    assert [(job.partition, job.state) for job in segment] == [("gpu", "FAILED")]
    sentence = "device cuda was asked for, but"
    said = (tmp_path / "out/results/small/logs/segment.cells/b0000.log").read_text()
    assert sentence in said
    assert "or set device: cpu" in said
    assert sentence in run.text, "the log of the failed job is shown at the end"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_device_auto_falls_back_to_the_cpu_and_says_so(profile, snakemake, unet_study, tmp_path):
    snakemake(
        unet_study("auto"), tmp_path / "out", "--profile", str(profile), "--until", "segment"
    ).finish()
    for record in manifests(tmp_path / "out")["segment.cells"].values():
        assert record["status"] == "ok"
        assert "networks run on the CPU" in str(record["facts"])


def test_the_main_process_may_be_a_job_itself(cluster, profile, place, tmp_path):
    """As `scrontab` starts it every night."""
    config = write_study(place / "nightly", [0], SLOW)
    command = (
        f"snakemake --snakefile {CHECKOUT}/Snakefile --profile {profile} --configfile {config}"
    )
    log, out = tmp_path / "main.log", tmp_path / "out"
    out.mkdir()
    more = ("--wait", "-p", "cpu", "--mem=2G", "--time=30", "-D", str(out), "-o", str(log))
    cluster.ask("sbatch", *more, "--wrap", f"{command} --until segment", seconds=180)
    rules = {job.rule for job in cluster.accounts(Run(None, log).id)}
    assert rules == {"convert", "segment"}


def test_what_follows_segmentation_may_share_one_allocation(
    cluster, profile, snakemake, place, tmp_path
):
    study = write_study(place / "grouped", [0] * 4, {})
    out = tmp_path / "out"
    more = ("--profile", str(profile), "--workflow-profile", str(CHECKOUT / "profiles/slurm-group"))
    run = snakemake(study, out, *more)
    run.finish()
    jobs = cluster.accounts(run.id)
    assert {job.state for job in jobs} == {"COMPLETED"}
    assert len(jobs) == 2 * 3 + 3, (
        "a batch: images, segmentation, objects; then gather, report, account"
    )
    assert [job.partition for job in jobs].count("gpu") == 2
    assert all(record["status"] == "ok" for record in manifests(out)["qc"].values())
