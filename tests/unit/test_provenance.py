"""Provenance: a task's code hash follows the code that the task runs, and no other."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from scopemill import provenance
from scopemill.convert import stage as convert
from scopemill.segment import stage as segment
from scopemill.segment.methods import grow, otsu, unet

PACKAGE = Path(provenance.__file__).parent


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the package whose files may be changed, and the hash of some of its files."""
    folder = tmp_path / "scopemill"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "PACKAGE", folder)

    def code_hash(*names, **more):
        provenance.imported_files.cache_clear()
        provenance.direct_imports.cache_clear()
        return provenance.code_hash(*(SimpleNamespace(__file__=str(folder / one), **more) for one in names))  # fmt: skip

    yield folder, code_hash
    provenance.imported_files.cache_clear()
    provenance.direct_imports.cache_clear()


def change(path):
    path.write_text(path.read_text() + "\n# changed\n")


STAGES = {
    "segment": ("segment/stage.py", "segment/methods/otsu.py"),
    "detect": ("detect/stage.py", "detect/methods/log_spots.py"),
    "quantify": ("quantify/stage.py",),
    "convert": ("convert/stage.py",),
}


@pytest.mark.parametrize("changed", STAGES)
def test_a_change_in_one_stage_is_no_change_of_another(copy, changed):
    folder, code_hash = copy
    before = {stage: code_hash(*files) for stage, files in STAGES.items()}
    change(folder / STAGES[changed][-1])
    after = {stage: code_hash(*files) for stage, files in STAGES.items()}
    assert {stage for stage in STAGES if before[stage] != after[stage]} == {changed}


def test_a_change_in_one_method_is_no_change_of_another(copy):
    folder, code_hash = copy
    before = code_hash("segment/stage.py", "segment/methods/grow.py")
    change(folder / "segment" / "methods" / "otsu.py")
    assert code_hash("segment/stage.py", "segment/methods/grow.py") == before


@pytest.mark.parametrize(
    ("changed", "stage"),
    [("images.py", "segment"), ("images.py", "convert"), ("features.py", "quantify"), ("tables.py", "detect")],
)  # fmt: skip
def test_a_change_in_what_a_stage_imports_counts(copy, changed, stage):
    folder, code_hash = copy
    before = code_hash(*STAGES[stage])
    change(folder / changed)
    assert code_hash(*STAGES[stage]) != before


def test_an_import_inside_a_function_counts(copy):
    folder, code_hash = copy
    (folder / "lazy.py").write_text("def run():\n    from .quiet import value\n    return value\n")
    (folder / "quiet.py").write_text("from . import quieter\nvalue = 1\n")
    (folder / "quieter.py").write_text("")
    before = code_hash("lazy.py")
    change(folder / "quieter.py")
    assert code_hash("lazy.py") != before


def test_an_import_for_the_type_checker_does_not_count(copy):
    folder, code_hash = copy
    (folder / "typed.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import features\n"
    )
    before = code_hash("typed.py")
    change(folder / "features.py")
    assert code_hash("typed.py") == before


def relative_imports(tree):
    """By Python's own grammar: level, module and names of each import that counts."""
    unused = {id(one) for node in ast.walk(tree) if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING" for one in ast.walk(node)}  # fmt: skip
    found = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level)
    return sorted(describe(node) for node in found if id(node) not in unused)


def describe(node):
    return node.level, node.module or "", tuple(sorted(alias.name for alias in node.names))


@pytest.mark.parametrize("folder", sorted({path.parent for path in PACKAGE.rglob("*.py")}), ids=lambda path: path.name)  # fmt: skip
def test_imports_are_found_as_python_finds_them(folder):
    for path in folder.glob("*.py"):
        text = path.read_text()
        found = sorted(describe(node) for node in provenance.find_imports(text))
        assert found == relative_imports(ast.parse(text)), path


@pytest.mark.parametrize(
    ("text", "modules"),
    [
        ("from .a import (\n    b,  # (see c)\n    d,\n)\n", ["a"]),
        ("from .a import b, \\\n    c\n", ["a"]),
        ("if x: from .a import b; from . import c\n", ["", "a"]),
        (
            "try:\n    from .a import b\nexcept ImportError as e:\n    from ..c import d\n",
            ["a", "c"],
        ),
        ("match x:\n    case 1:\n        from .a import (b)\n", ["a"]),
        ("from pathlib import Path\nfrom\t.a import b as c  # from here\n", ["a"]),
    ],
)
def test_imports_are_found_however_they_are_written(text, modules):
    assert sorted(node.module or "" for node in provenance.find_imports(text)) == modules


def test_what_is_found_by_name_counts(copy):
    folder, code_hash = copy
    before = code_hash("convert/stage.py", FINDS_BY_NAME=convert.FINDS_BY_NAME)
    change(folder / "readers" / "czi.py")
    assert code_hash("convert/stage.py", FINDS_BY_NAME=convert.FINDS_BY_NAME) != before


def test_a_plug_in_counts_with_its_own_file(copy, tmp_path):
    _, code_hash = copy
    path = tmp_path / "plugin.py"
    path.write_text("a = 1\n")
    before = code_hash("segment/stage.py", path)
    change(path)
    assert code_hash("segment/stage.py", path) != before


def closure(module):
    return {
        path.relative_to(PACKAGE).as_posix()
        for path in provenance.imported_files(Path(module.__file__))
    }


def test_convert_is_not_made_again_when_something_after_it_changes():
    found = closure(convert)
    assert {"images.py", "readers/__init__.py", "readers/_base.py"} <= found
    rooms = ("quantify/", "report/", "gather/", "segment/", "detect/", "classify/", "qc/", "models/", "commands/")  # fmt: skip
    assert not [name for name in found if name.startswith(rooms)]
    assert not found & {"features.py", "study.py", "statistics.py", "pictures.py", "runner.py"}


def test_segment_is_not_made_again_when_something_after_it_changes():
    for module in (segment, otsu, grow, unet):
        rooms = ("quantify/", "report/", "gather/", "convert/", "detect/", "readers/")
        assert not [name for name in closure(module) if name.startswith(rooms)]


def test_the_hash_is_the_same_in_every_process():
    program = (
        "from scopemill import provenance\n"
        "from scopemill.segment import stage\n"
        "from scopemill.segment.methods import unet\n"
        "print(provenance.code_hash(stage, unet))\n"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in (1, 2, 3)
    }  # fmt: skip
    assert hashes == {provenance.code_hash(segment, unet) + "\n"}


def test_facts_name_the_job_that_ran(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "123")
    monkeypatch.delenv("APPTAINER_CONTAINER", raising=False)
    facts = provenance.run_facts("cpu")
    assert facts["slurm_job_id"] == "123" and facts["device"] == "cpu"
    assert "container" not in facts
