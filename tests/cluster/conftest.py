"""A SLURM cluster on this machine, the slurm profile edited for it, and snakemake to run there."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from cluster_tools import CHECKOUT, HERE, PLUGIN, Cluster, Run, require, tail

sys.path.insert(0, str(HERE.parent / "containers"))
from image_fixtures import apptainer, base, image

__all__ = ["apptainer", "base", "cluster", "image", "profile", "snakemake"]

PROGRAMS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd", "sbatch", "sacct")
PACKAGES = "slurm-wlm slurmctld slurmd slurmdbd slurm-client munge mariadb-server mariadb-client"
CONTAINER_KEYS = ("software-deployment-method:", "apptainer-args:")


@pytest.fixture(scope="session")
def cluster():
    """Started once; stopped by the process ids that it wrote."""
    require(os.geteuid() == 0, "the SLURM daemons need root")
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    missing = [name for name in PROGRAMS if not shutil.which(name, path=path)]
    require(not missing, f"no {', '.join(missing)}: apt-get install {PACKAGES}")
    # not below pytest's folder: munge wants a path that everybody may enter
    root = Path(tempfile.mkdtemp(prefix="scopemill-slurm-"))
    port = 20_000 + os.getpid() % 300 * 40  # two clusters may run side by side
    env = os.environ | {"BASEPORT": str(port)}
    script = str(HERE / "slurm_cluster.sh")
    log = root / "start.log"
    with log.open("w") as file:
        started = subprocess.run(
            [script, "start", str(root)], env=env, stdout=file, stderr=file, timeout=180
        )
    try:
        assert started.returncode == 0, f"no cluster: {log.read_text()}\n{tail(root / 'log')}"
        path = f"{Path(sys.executable).parent}:{root / 'bin'}:{path}"
        own = {"SLURM_CONF": str(root / "etc/slurm.conf"), "PATH": path, "PYTHONPATH": str(PLUGIN)}
        yield Cluster(root, {**os.environ, **own, "PYTEST_ADDOPTS": ""})
    finally:
        subprocess.run([script, "stop", str(root)], env=env, timeout=180, check=False)
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def profile(tmp_path_factory) -> Path:
    """profiles/slurm with its three lines edited for the test cluster, and no container."""
    folder = tmp_path_factory.mktemp("profile")
    text = (CHECKOUT / "profiles/slurm/config.yaml").read_text()
    site = {
        "  slurm_account: ": "imaging",
        "  slurm_partition: ": "cpu",
        "  gpu_jobs: ": "slurm_partition=gpu gres=gpu:a100:1",
        "slurm-init-seconds-before-status-checks: ": "2",
        "latency-wait: ": "15",
    }
    lines = text.splitlines()
    for start, value in site.items():
        places = [i for i, line in enumerate(lines) if line.startswith(start)]
        assert len(places) == 1, f"{start!r} stands {len(places)} times in the profile"
        lines[places[0]] = start + value
    lines = [line for line in lines if not line.startswith(CONTAINER_KEYS)]
    (folder / "config.yaml").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def snakemake(cluster, tmp_path):
    """Start snakemake on a study; its results go to a folder of their own, as on a cluster's scratch."""
    runs = []

    def start(config: Path, results: Path, *more: str, env: dict | None = None) -> Run:
        results.mkdir(parents=True, exist_ok=True)
        log = tmp_path / f"snakemake{len(runs)}.log"
        command = [
            "snakemake",
            "--snakefile",
            str(CHECKOUT / "Snakefile"),
            "--directory",
            str(results),
        ]
        command += ["--configfile", str(config), *more]
        with log.open("w") as file:
            process = subprocess.Popen(
                command,
                env=env or cluster.env,
                cwd=results,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        runs.append(Run(process, log))
        return runs[-1]

    yield start
    for run in runs:
        run.stop()
    subprocess.run(["scancel", "--user=root"], env=cluster.env, check=False, timeout=30)
