"""A small study to run the real workflow on: write it, run snakemake, see what was made."""

import copy
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import yaml

from scopemill.config import merge
from scopemill.simulate.cytometry import nuclei_field

CHECKOUT = Path(__file__).parents[2]
TIMEOUT_S = 300
ARTIFACTS = ("images", "labels", "objects", "features", "classified", "qc")
TABLES = ("objects.csv", "images.csv", "summary.csv", "spots.csv", "quarantine.tsv")
# shell words, quotes, spaces and a non-ASCII letter in a raw file's name: they must mean nothing
HOSTILE_NAME = 'it\'s $(touch canary) `touch canary`; "q" é.ome.tif'
HOSTILE_GROUP = "<img src=x onerror=document.title='pwned'>"
HOSTILE_NOTE = "a \"quoted\" & <b>bold</b> 'note'"
IDS = ("i0", "i1", "i2")

CONFIG: dict[str, Any] = {
    "study": "tiny",
    "channels": {
        "DNA": {"source": "DNA", "role": "nucleus"},
        "particles": {"source": "particles", "role": "spots"},
    },
    "images_per_batch": 2,
    "segment": {"nuclei": {"method": {"name": "otsu", "channel": "DNA", "split_um": 4}}},
    "detect": {
        "nuclei": {"method": {"name": "from-labels", "labels": "nuclei"}},
        "particles": {
            "method": {
                "name": "log-spots",
                "channel": "particles",
                "within": "nuclei",
                "sigma_um": 0.5,
            }
        },
    },
    "quantify": {"nuclei": {"objects": "nuclei", "spots": ["particles"]}},
    "classify": {
        "size": {
            "objects": "nuclei",
            "method": {"name": "gate", "rules": {"big": "area_um2 > 50"}},
        }
    },
}
# as little as a study may be
SHORT = {"classify": None, "detect": {"particles": None}, "quantify": {"nuclei": {"spots": []}}}


def make_config(*changes: Mapping[str, Any]) -> dict[str, Any]:
    """CONFIG with changes laid over it; None removes."""
    config = copy.deepcopy(CONFIG)
    for change in changes:
        config = merge(config, change)
    return config


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    (folder / "config.yaml").write_text(yaml.safe_dump(dict(config), sort_keys=False))


def write_sheet(folder: Path, rows: Iterable[Iterable[str]], columns: str = "id path") -> None:
    lines = [columns.split(), *rows]
    text = "".join("\t".join(line) + "\n" for line in lines)
    (folder / "images.tsv").write_text(text, encoding="utf-8")


def make_pixels(seed: int, size: int = 96) -> np.ndarray:
    """(2, Y, X) uint16: six nuclei, and three bright points on a dark ground."""
    rng = np.random.default_rng(seed)
    nuclei, _ = nuclei_field((size, size), 6, rng, radius_px=9.0)
    points = rng.poisson(20, (size, size)).astype(np.uint16)
    for y, x in ((20, 20), (60, 40), (50, 70 + seed % 20)):
        points[y : y + 3, x : x + 3] += 400
    return np.stack([nuclei, points])


def write_image(path: Path, pixels: np.ndarray, axes: str = "CYX", **metadata: Any) -> None:
    """OME-TIFF with channel names and pixel size."""
    names = ["DNA", "particles"][: pixels.shape[axes.index("C")] if "C" in axes else 1]
    facts = {
        "axes": axes,
        "Channel": {"Name": names},
        "PhysicalSizeX": 0.5,
        "PhysicalSizeY": 0.5,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeYUnit": "µm",
        **metadata,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    # a path with braces or quotes must reach tifffile as it is
    with path.open("wb") as file:
        tifffile.imwrite(file, pixels, metadata=facts, ome=True)


def write_study(folder: Path, *changes: Mapping[str, Any], n: int = 3, size: int = 96) -> Path:
    """Images i0, i1, ...; the third has a hostile file name, group and note."""
    rows = []
    for number in range(n):
        hostile = number == 2
        name = HOSTILE_NAME if hostile else f"i{number}.ome.tif"
        write_image(folder / "raw" / name, make_pixels(number, size))
        group = HOSTILE_GROUP if hostile else "treated" if number % 2 else "control"
        note = HOSTILE_NOTE if hostile else ""
        rows.append([f"i{number}", f"raw/{name}", group, f"{number}.5", note, "6"])
    write_sheet(folder, rows, "id path group dose note expected_n_nuclei")
    write_config(folder, make_config(*changes))
    return folder


def environment(*python_path: Path, **more: str) -> dict[str, str]:
    """The venv's programs and this checkout's package first, whatever else is installed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    modules = os.pathsep.join(map(str, (*python_path, CHECKOUT / "src")))
    # one thread a job: several jobs run side by side
    return {**os.environ, "OMP_NUM_THREADS": "1", "PATH": path, "PYTHONPATH": modules, **more}


def snakemake_command(folder: Path, *flags: str) -> list[str]:
    """What a user types, from the study's folder."""
    words = ["--snakefile", CHECKOUT / "Snakefile", "--directory", folder, "--configfile"]
    command = [sys.executable, "-m", "snakemake", *words, folder / "config.yaml"]
    return [*map(str, command), "--cores", "2", "--scheduler", "greedy", *flags]


def snakemake(
    folder: Path, *flags: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess:
    """Run it; standard output and error are kept apart."""
    return subprocess.run(
        snakemake_command(folder, *flags),
        env=env or environment(),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )


def run_study(folder: Path, *flags: str, env: dict[str, str] | None = None) -> str:
    """Run it to its end; what it printed."""
    done = snakemake(folder, "--quiet", "all", *flags, env=env)
    assert done.returncode == 0, said(done)
    return done.stdout


def said(done: subprocess.CompletedProcess) -> str:
    """All that a user saw."""
    return done.stdout + done.stderr


def assert_settled(folder: Path, env: dict[str, str] | None = None) -> None:
    """The next run has nothing to do."""
    done = snakemake(folder, "--dry-run", env=env)
    assert done.returncode == 0, said(done)
    assert "Nothing to be done" in said(done), said(done)


def results_of(folder: Path) -> Path:
    """The one study's results."""
    (results,) = (folder / "results").iterdir()
    return results


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def manifests(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """'segment.nuclei/b0000' -> its records."""
    root = results_of(folder) / "manifests"
    return {
        path.relative_to(root).with_suffix("").as_posix(): read_lines(path)
        for path in sorted(root.glob("*/*.jsonl"))
    }


def times(folder: Path) -> dict[str, int]:
    """Artifact -> when it was written."""
    root = results_of(folder)
    return {
        path.relative_to(root).as_posix(): path.stat().st_mtime_ns
        for kind in ARTIFACTS
        for path in sorted((root / kind).rglob("*"))
        if path.is_file() and not path.name.startswith(".tmp-")
    }


def changed(before: Mapping[str, int], after: Mapping[str, int]) -> set[str]:
    """Artifacts that were written, or that came or went, in between."""
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def table_bytes(folder: Path) -> dict[str, bytes]:
    root = results_of(folder)
    return {name: (root / name).read_bytes() for name in TABLES if (root / name).exists()}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def canaries(folder: Path) -> list[Path]:
    """Files that only an executed name could have made; raw files bear the word rightly."""
    return [path for path in folder.rglob("canary*") if path.is_file()]
