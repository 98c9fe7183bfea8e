"""The shipped definition, built by the real Apptainer: the image tests itself, its record holds, a study runs in it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from image_fixtures import CHECKOUT, RUN_FLAGS, inside, read_json, run, scopemill, unavailable

pytestmark = [pytest.mark.container, pytest.mark.slow]

CONFIG = """
study: tiny
channels: {x: 0}
pixel_size_um: unknown
images_per_batch: 2
segment: {blobs: {method: {name: otsu, channel: x, split_um: 0}}}
detect: {blobs: {method: {name: from-labels, labels: blobs}}}
quantify: {blobs: {objects: blobs}}
"""
# they say when and where a job ran
DIARIES = ("logs", "benchmarks", "provenance", "report.html", "ro-crate-metadata.json")


@pytest.fixture(scope="module")
def studies(image, tmp_path_factory) -> dict[str, Path]:
    """Results of one small study, run in the image and on this machine."""
    where = {name: tmp_path_factory.mktemp(name) for name in ("host", "image")}
    write_study(where["host"])
    # with its times, which are in the fingerprints
    shutil.copytree(where["host"], where["image"], dirs_exist_ok=True)
    run_study(where["host"])
    run_study(where["image"], "--sdm", "apptainer", f"--apptainer-args={RUN_FLAGS}")
    return {name: folder / "results/tiny" for name, folder in where.items()}


def write_study(folder: Path) -> None:
    """Four fields, two batches; field n holds n + 1 squares in noise."""
    (folder / "config.yaml").write_text(CONFIG)
    rows = ["id\tpath"]
    for n in range(4):
        pixels = np.random.default_rng(n).poisson(20, (96, 96)).astype(np.uint16)
        for k in range(n + 1):
            pixels[8 + 22 * k : 22 + 22 * k, 10:30] += 500
        tifffile.imwrite(folder / f"field{n}.tif", pixels)
        rows.append(f"field{n}\tfield{n}.tif")
    (folder / "images.tsv").write_text("\n".join(rows) + "\n")


def run_study(folder: Path, *flags: str) -> None:
    """What a user types."""
    words = ["snakemake", "--snakefile", CHECKOUT / "Snakefile", "--configfile", "config.yaml"]
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = run(*words, "--cores", "2", *flags, cwd=folder, env={"PATH": scripts})
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def test_results_are_the_same_bytes_inside_and_outside(studies):
    inside_, outside = read_results(studies["image"]), read_results(studies["host"])
    assert inside_.keys() == outside.keys()
    assert {"objects.parquet", "images.csv", "qc/field0.png"} < inside_.keys()
    assert [name for name in inside_ if inside_[name] != outside[name]] == []
    assert inside_["images.csv"].count(b"\n") == 5


def read_results(folder: Path) -> dict[str, bytes]:
    """File name -> bytes; of manifests, without what may differ: how long it took, and where."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {
        name: comparable(path.read_text()) if name.startswith("manifests") else path.read_bytes()
        for name, path in names.items()
        if not name.startswith(DIARIES)
    }


def comparable(manifest: str) -> bytes:
    records = [json.loads(line) for line in manifest.splitlines()]
    same = {"seconds": 0, "cpu_seconds": 0, "peak_memory_mb": 0, "run": {}}
    return json.dumps([record | same for record in records]).encode()


def test_journals_name_the_container(studies, image):
    def containers(folder: Path):
        for journal in (folder / "provenance").rglob("*.jsonl"):
            for line in journal.read_text().splitlines():
                yield json.loads(line)["run"].get("container")

    inside_, outside = list(containers(studies["image"])), list(containers(studies["host"]))
    assert len(inside_) == len(outside) == 4 * 5
    recipe = read_json(image.with_suffix(".json"))["recipe"]
    assert all(one["path"] == str(image) and one["recipe"] == recipe for one in inside_)
    assert not any(outside)


def test_the_image_keeps_its_caches_out_of_the_working_directory(studies):
    study = studies["image"].parents[1]
    found = {path.name for path in study.iterdir()} - {f"field{n}.tif" for n in range(4)}
    assert found == {"config.yaml", "images.tsv", "results", ".snakemake"} | found & {".cache"}


def test_the_image_tests_itself_and_nothing_of_the_host_leaks_in(image, tmp_path):
    (tmp_path / "numpy.py").write_text("raise RuntimeError('numpy of the host')")
    env = {"PYTHONPATH": str(tmp_path), "PYTHONUSERBASE": str(tmp_path)}
    done = run(sys.executable, "-m", "scopemill", "containers", "test", image,
               f"--apptainer-args={RUN_FLAGS}", env=host_path(env))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "image tests passed" in done.stdout
    assert inside(image, "python", "-c", "import numpy; print(numpy.__file__)", env=env).startswith(
        "/opt/venv/"
    )


def host_path(env: dict) -> dict:
    """The poisoned path behind the one of this process, which imports its own numpy first."""
    return env | {"PYTHONPATH": os.pathsep.join([*filter(None, sys.path), env["PYTHONPATH"]])}


def test_the_image_has_no_developers_tools(image):
    names = inside(image, "cat", "/opt/scopemill/installed.txt").lower()
    assert "snakemake==" in names
    assert not [tool for tool in ("pytest", "ruff", "black", "hypothesis") if f"{tool}==" in names]


def test_labels_and_record_agree(image):
    record = read_json(image.with_suffix(".json"))
    prefix = "org.opencontainers.image"
    assert record["labels"][f"{prefix}.version"] == record["version"]
    assert record["labels"][f"{prefix}.revision"] == record["revision"]
    assert record["labels"]["scopemill.recipe"] == record["recipe"] == image.stem.split("_")[-1]
    done = scopemill("containers", "inspect", image)
    assert "Bootstrap: localimage" in done.stdout, done.stderr


def test_an_equal_recipe_is_not_built_again(image, base):
    from image_fixtures import build_arguments

    done = scopemill("containers", "build", "cpu", *build_arguments(base))
    assert done.stdout.endswith("is there already\n"), done.stderr


def test_verify_finds_a_flipped_byte_and_signatures_of_others(image, tmp_path):
    assert scopemill("containers", "verify", image).returncode == 0
    copy = copy_image(image, tmp_path)
    keys = make_key(tmp_path / "own"), make_key(tmp_path / "other")
    assert scopemill("containers", "verify", copy, "--key", keys[0][1]).returncode != 0
    assert scopemill("containers", "sign", copy, "--key", keys[0][0]).returncode == 0
    assert scopemill("containers", "verify", copy, "--key", keys[0][1]).returncode == 0
    assert scopemill("containers", "verify", copy, "--key", keys[1][1]).returncode != 0
    assert read_json(copy.with_suffix(".json"))["signature"] == "signed"
    with copy.open("r+b") as file:
        file.seek(copy.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    done = scopemill("containers", "verify", copy)
    assert done.returncode == 1
    assert "sha256" in done.stdout
    assert run("apptainer", "verify", "--key", keys[0][1], copy).returncode != 0
    copy.unlink()


def copy_image(image: Path, folder: Path) -> Path:
    """Image and record, elsewhere."""
    shutil.copy(image.with_suffix(".json"), folder)
    return Path(shutil.copy(image, folder))


def make_key(stem: Path) -> tuple[Path, Path]:
    """A private and a public ed25519 key."""
    if not shutil.which("openssl"):
        unavailable("openssl is missing to make a key")
    private, public = stem.with_suffix(".key.pem"), stem.with_suffix(".pub.pem")
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    return private, public


def test_a_stale_image_refuses_to_work(image):
    settings = '{"method": {"name": "otsu", "channel": "x"}}'
    words = ["scopemill", "segment", "--out", "a/b/c.jsonl", "--settings", settings]
    words += ["--expect-code", "0" * 16]
    done = run("apptainer", "-s", "exec", RUN_FLAGS, image, *words)
    assert done.returncode == 2
    assert f"the image {image} holds other code" in done.stderr
    assert "scopemill containers build" in done.stderr
