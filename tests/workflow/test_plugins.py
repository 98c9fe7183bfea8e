"""A method from somebody else's package: installed with pip, chosen by name, its settings checked as our own are."""

import subprocess
import sys
from pathlib import Path

import pytest
from workflow_tools import (
    SHORT,
    assert_settled,
    environment,
    make_config,
    manifests,
    results_of,
    run_study,
    said,
    snakemake,
    write_config,
    write_study,
)

PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "scopemill-stripes"
version = "1.0"

[project.entry-points."scopemill.segment"]
stripes = "scopemill_stripes"

[tool.setuptools]
py-modules = ["scopemill_stripes"]
"""
MODULE = '''"""Stripes: every `width_px` rows are one object."""

import numpy as np

from scopemill.settings import ChannelName, Positive, settings


@settings
class Settings:
    """How wide a stripe is."""

    channel: ChannelName
    """The channel whose size counts."""
    width_px: Positive = 16
    """Rows of one stripe."""


def segment(frame, settings):
    """Labels of the frame's shape."""
    rows, columns = frame.channel(settings.channel).shape
    stripe = 1 + np.arange(rows, dtype=np.uint32) // int(settings.width_px)
    return np.repeat(stripe[:, None], columns, axis=1)
'''


def lay_out_broken(site: Path) -> None:
    """A plug-in that fails when it is imported, beside the good one."""
    (site / "broken_method.py").write_text("raise SystemError('imported although nobody asked')\n")
    info = site / "broken_method-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-method\nVersion: 1.0\n")
    groups = "".join(
        f"[scopemill.{stage}]\nbroken = broken_method\n"
        for stage in ("segment", "detect", "classify")
    )
    (info / "entry_points.txt").write_text(groups)


@pytest.fixture(scope="module")
def env(tmp_path_factory) -> dict[str, str]:
    """An environment in which both plug-ins are installed."""
    project, site = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("site")
    (project / "pyproject.toml").write_text(PROJECT)
    (project / "scopemill_stripes.py").write_text(MODULE)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--target", str(site), str(project)]
    installed = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert installed.returncode == 0, installed.stderr
    lay_out_broken(site)
    return environment(site)


@pytest.fixture
def folder(tmp_path):
    """A study that uses `stripes`."""

    def write(**method) -> Path:
        write_study(tmp_path, n=2)
        chosen = {"name": "stripes", "channel": "DNA", **method}
        write_config(tmp_path, make_config(SHORT, {"segment": {"nuclei": {"method": chosen}}}))
        return tmp_path

    return write


def test_a_study_runs_with_a_method_from_another_package(folder, env):
    place = folder(width_px=32)
    run_study(place, env=env)
    (records,) = (value for key, value in manifests(place).items() if key.startswith("segment"))
    assert [record["facts"]["n_objects"] for record in records] == [[3], [3]]
    assert (results_of(place) / "objects.csv").read_text().count("\n") == 1 + 2 * 3
    assert_settled(place, env)


def test_its_settings_are_checked_before_anything_runs(folder, env):
    done = snakemake(folder(widht_px=32), "--dry-run", env=env)
    assert done.returncode != 0 and "Traceback" not in said(done)
    assert "segment.nuclei.method.widht_px: unknown key; did you mean 'width_px'?" in said(done)


def test_without_the_package_the_method_is_unknown(folder):
    done = snakemake(folder(), "--dry-run")
    assert done.returncode != 0 and "unknown method 'stripes'" in said(done)
