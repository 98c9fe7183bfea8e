"""What goes wrong on a cluster: killed, cancelled and preempted jobs, and a main process that died."""

import re
from collections import Counter

import pytest
from cluster_tools import journal, manifests, wait_for, write_study

from scopemill.manifests import sha256

GREEDY, SLOW, LOST = 2, 1, 3  # first pixels that plugin/trouble_method.py knows
pytestmark = [pytest.mark.cluster, pytest.mark.slow]
KEY = "segment.cells"
ONE_LANE = ("--set-threads", "segment=1")  # else a job has all its images in hand at once


def trouble(**settings):
    return {"segment": {"cells": {"method": {"name": "trouble", "channel": "DNA", **settings}}}}


def made(results):
    """Image -> how often it was made."""
    return Counter(line["image"] for line in journal(results, KEY))


def running(cluster, batch):
    """Id of the running job of a batch's segmentation."""
    wanted = f"rule_segment_wildcards_cells_{batch}"
    return next(
        (job for job, state, what in cluster.queue() if (state, what) == ("RUNNING", wanted)), None
    )


def assert_whole(results, n):
    """All images are there as their manifests say."""
    records = manifests(results)[KEY].values()
    assert len(records) == n
    for record in records:
        assert record["status"] == "ok"
        assert sha256(results / "results/small" / record["artifact"]) == record["sha256"]


def test_a_job_killed_for_memory_or_time_is_tried_again_with_more(
    cluster, profile, snakemake, tmp_path
):
    study = write_study(
        tmp_path / "study", [0, GREEDY, SLOW, SLOW], trouble(slow_seconds=46, greedy_mb=600)
    )
    results = tmp_path / "out"
    limits = ("--set-resources", "segment:mem_mb=700*attempt", "segment:runtime=attempt")
    options = ("--profile", str(profile), "--until", "segment", *limits, *ONE_LANE)
    run = snakemake(study, results, *options)
    run.finish(420)
    jobs = [job for job in cluster.accounts(run.id) if job.rule == "segment"]
    greedy = [(job.memory, job.state) for job in jobs if job.wildcards == "cells_b0000"]
    assert greedy[0][0] == "700M"
    assert greedy[0][1] in ("FAILED", "OUT_OF_MEMORY")
    assert greedy[-1] in [("1400M", "COMPLETED"), ("2100M", "COMPLETED")]
    slow = [(job.time_limit, job.state) for job in jobs if job.wildcards == "cells_b0001"]
    assert slow == [("00:01:00", "TIMEOUT"), ("00:02:00", "COMPLETED")]
    assert made(results) == {f"f{i}": 1 for i in range(4)}, "what was whole is not made again"
    assert_whole(results, 4)


def test_a_job_that_lost_its_gpu_avoids_the_node_unless_there_is_no_other(
    cluster, profile, snakemake, tmp_path
):
    study = write_study(tmp_path / "study", [0, LOST], trouble())
    results = tmp_path / "out"
    run = snakemake(study, results, "--profile", str(profile), "--until", "segment")
    text = run.finish()
    jobs = [job for job in cluster.accounts(run.id) if job.rule == "segment"]
    first = jobs[0]
    assert [job.memory for job in jobs] == ["4000M", "8000M", "16000M"]
    assert [job.state for job in jobs] == ["FAILED", "FAILED", "COMPLETED"]
    assert [job.node for job in jobs] == [first.node, "None assigned", first.node], "there is one"
    assert f"--exclude={first.node}" in text, "the second attempt, which SLURM refused"
    assert made(results) == {"f0": 1, "f1": 1}, "what was whole is not made again"
    assert_whole(results, 2)


def test_a_cancelled_and_a_requeued_job_go_on_with_the_next_image(
    cluster, profile, snakemake, tmp_path
):
    study = write_study(tmp_path / "study", [0] * 8, trouble(seconds=3), per_batch=4)
    results = tmp_path / "out"
    run = snakemake(study, results, "--profile", str(profile), "--until", "segment")
    for command, batch, first in (("scancel", "b0000", "f0"), ("scontrol requeue", "b0001", "f4")):
        wait_for(f"the first image of {batch}", lambda first=first: made(results)[first], 120)
        job = running(cluster, batch)
        assert job, f"{batch} had ended already"
        cluster.ask(*command.split(), job)
    # SLURM lets a requeued job wait for two minutes
    waiting = [job, "PENDING", "rule_segment_wildcards_cells_b0001"]
    wait_for("the requeued job", lambda: waiting in cluster.queue(), 30)
    cluster.ask("scontrol", "update", f"JobId={job}", "StartTime=now")
    run.finish()
    jobs = [job for job in cluster.accounts(run.id) if job.rule == "segment"]
    cancelled = [
        (job.state.split()[0], job.memory) for job in jobs if job.wildcards == "cells_b0000"
    ]
    assert cancelled == [("CANCELLED", "4000M"), ("COMPLETED", "8000M")], "more with each attempt"
    requeued = [job for job in jobs if job.wildcards == "cells_b0001"]
    assert [job.state for job in requeued] == ["REQUEUED", "COMPLETED"]
    assert len({job.id for job in requeued}) == 1, "SLURM started the same job again"
    assert made(results) == {f"f{i}": 1 for i in range(8)}, "what was whole is not made again"
    assert_whole(results, 8)


@pytest.fixture
def orphan(cluster, profile, snakemake, tmp_path):
    """The main process is dead, its job runs on: results, the run, and how to start the same again."""
    study = write_study(tmp_path / "study", [0] * 4, trouble(seconds=2), per_batch=4)
    results = tmp_path / "out"

    def start():
        options = ("--profile", str(profile), "--until", "segment", *ONE_LANE)
        return snakemake(study, results, *options)

    run = start()
    wait_for("the first image", lambda: made(results)["f0"], 120)
    run.stop()
    assert running(cluster, "b0000"), "the job had ended already"
    return results, run, start


def test_the_same_command_goes_on_after_kill_9_beside_jobs_of_the_dead_run(cluster, orphan):
    results, dead, start = orphan
    before = set(made(results))
    run = start()
    run.finish()
    old = [job for job in cluster.accounts(dead.id) if job.rule == "segment"]
    new = [job for job in cluster.accounts(run.id) if job.rule == "segment"]
    assert [job.state for job in old + new] == ["COMPLETED", "COMPLETED"]
    assert new[0].start < old[0].end, "they ran side by side"
    assert all(made(results)[image] == 1 for image in before), "what was whole is not made again"
    assert {job.rule for job in cluster.accounts(run.id)} == {"segment"}
    sums = {(line["image"], line["sha256"]) for line in journal(results, KEY)}
    assert len(sums) == 4, "both wrote the same bytes"
    assert not list((results / "results").rglob(".tmp-*")), "nothing half written lies about"
    assert_whole(results, 4)


def test_jobs_of_a_dead_run_are_cancelled_by_its_id(cluster, orphan):
    results, dead, start = orphan
    assert re.fullmatch(r"scopemill_[0-9a-f-]{36}", dead.id)
    cluster.ask("scancel", "--name", dead.id)
    wait_for("the queue to be empty", lambda: not cluster.queue(), 30)
    before = set(made(results))
    assert before < {"f0", "f1", "f2", "f3"}
    start().finish()
    assert made(results) == {f"f{i}": 1 for i in range(4)}, "nothing is made twice"
    assert_whole(results, 4)
