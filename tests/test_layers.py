"""Layers: imports go one way, rooms do not know each other, and asking for help loads nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import scopemill

PACKAGE = Path(scopemill.__file__).parent
ROOMS = {
    "convert", "patch", "segment", "detect", "quantify", "classify", "qc", "gather", "report", "account",
    "evaluate", "train", "annotate", "collect", "curve",
}  # fmt: skip
WITHOUT_TENSORS = ("stage.py", "settings.py", "goal.py")  # of the train room, as its methods
ABOVE_ALL = {"commands", "__main__"}  # may import rooms
COMPILES = ("numba", "scopemill.compiled", "scopemill.kernels")  # and what they load
HEAVY = (
    "torch",
    "numba",
    "pandas",
    "scipy",
    "skimage",
    "tifffile",
    "matplotlib",
    "h5py",
    "pyarrow",
)


def targets(node, package):
    """What one import statement names, as dotted names; relative ones from the package's top."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not node.level:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    base = [*package[: len(package) - (node.level - 1)], *(node.module or "").split(".")]
    stem = ".".join(["scopemill", *filter(None, base)])
    return [stem, *(f"{stem}.{alias.name}" for alias in node.names)]


def has_tensors(parts):
    """Whether a file may load torch when it is loaded: networks, and how they learn."""
    if parts[0] == "train":
        return len(parts) == 2 and parts[1] not in [Path(one).stem for one in WITHOUT_TENSORS]
    return parts[0] == "models"


def is_for_type_checkers(node):
    """`if TYPE_CHECKING:` without an else, of which nothing is run."""
    return (
        isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not node.orelse
    )


def find_violations(name, source):
    """Broken rules of one file, by its path below the package."""
    parts = Path(name).with_suffix("").parts
    own, package = parts[0], list(parts[:-1])
    tree = ast.parse(source)
    found = []
    later = (ast.FunctionDef, ast.AsyncFunctionDef)
    inside = {
        id(one)
        for node in ast.walk(tree)
        if isinstance(node, later) or is_for_type_checkers(node)
        for one in ast.walk(node)
    }
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == "scopemill":  # fmt: skip
            found.append("imports its own package by its absolute name")
        for target in targets(node, package):
            top, *rest = target.split(".")
            if top == "snakemake":
                found.append("imports snakemake")
            if top == "torch" and id(node) not in inside and not has_tensors(parts):
                found.append("imports torch when it is loaded")
            if target in COMPILES and id(node) not in inside and own not in ("kernels", "compiled"):
                found.append("imports numba when it is loaded")
            if top == "scopemill" and rest and rest[0] in ROOMS and rest[0] != own and own not in ABOVE_ALL:  # fmt: skip
                found.append(f"imports the room {rest[0]}")
            if top == "scopemill" and rest and rest[0] in ABOVE_ALL and own not in ABOVE_ALL:
                found.append(f"imports {rest[0]}")
    return sorted(set(found))


FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("name", FILES)
def test_a_file_imports_only_what_lies_below_it(name):
    assert find_violations(name, (PACKAGE / name).read_text(encoding="utf-8")) == []


def test_the_rooms_are_all_known():
    folders = {path.parent.name for path in PACKAGE.glob("*/stage.py")}
    assert folders <= ROOMS and len(folders) >= 10


@pytest.mark.parametrize(
    ("name", "source", "violation"),
    [
        ("segment/stage.py", "from ..detect import stage", "imports the room detect"),
        ("segment/stage.py", "from .. import detect", "imports the room detect"),
        ("segment/methods/a.py", "from ...quantify.stage import Settings", "imports the room quantify"),
        ("qc/stage.py", "def f():\n    from ..report import plots", "imports the room report"),
        ("images.py", "from .segment.methods.otsu import segment", "imports the room segment"),
        ("images.py", "from .commands import check", "imports commands"),
        ("models/a.py", "from ..segment import stage", "imports the room segment"),
        ("runner.py", "import snakemake.api", "imports snakemake"),
        ("runner.py", "def f():\n    from snakemake import api", "imports snakemake"),
        ("segment/methods/a.py", "import torch", "imports torch when it is loaded"),
        ("segment/methods/a.py", "from torch import nn", "imports torch when it is loaded"),
        ("tiling.py", "try:\n    import torch\nexcept ImportError:\n    pass", "imports torch when it is loaded"),
        ("tiling.py", "if TYPE_CHECKING:\n    pass\nelse:\n    import torch", "imports torch when it is loaded"),
        ("tiling.py", "if not TYPE_CHECKING:\n    import torch", "imports torch when it is loaded"),
        ("features.py", "from .kernels import shapes", "imports numba when it is loaded"),
        ("quantify/stage.py", "from ..compiled import compiled", "imports numba when it is loaded"),
        ("train/stage.py", "import torch", "imports torch when it is loaded"),
        ("train/settings.py", "from torch import nn", "imports torch when it is loaded"),
        ("train/goal.py", "from torch import nn", "imports torch when it is loaded"),
        ("train/methods/a.py", "import torch", "imports torch when it is loaded"),
        ("collect/stage.py", "from ..train.settings import Crop", "imports the room train"),
        ("curve/stage.py", "from ..train import outputs", "imports the room train"),
        ("tiling.py", "class A:\n    import torch", "imports torch when it is loaded"),
        ("tiling.py", "from scopemill.images import Image", "imports its own package by its absolute name"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_found(name, source, violation):
    assert violation in find_violations(name, source)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("segment/stage.py", "from ..frames import Frame\nfrom .methods import otsu\nfrom .methods import grow"),
        ("segment/methods/a.py", "from ...instances import Settings\ndef f():\n    import torch"),
        ("commands/a.py", "from ..evaluate.stage import score_image"),
        ("models/a.py", "import torch\nfrom torch import nn"),
        ("kernels/a.py", "import numba\nfrom ..compiled import compiled"),
        ("features.py", "def f():\n    from .kernels.shapes import measure"),
        ("tiling.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from torch import Tensor"),
        ("train/loop.py", "import torch\nfrom torch import nn"),
        ("train/methods/a.py", "from ...examples import Examples\ndef f():\n    import torch"),
        ("quantify/stage.py", "from .. import features\nfrom ..tables import write_table"),
    ],
)  # fmt: skip
def test_what_is_allowed_is_not_found(name, source):
    assert find_violations(name, source) == []


def modules_after(program):
    """Names of heavy packages that a program loads."""
    report = f"\nimport sys\nprint('LOADED', *sorted(set(sys.modules) & {set(HEAVY)!r}))"
    done = subprocess.run([sys.executable, "-c", program + report], capture_output=True, text=True, check=True)  # fmt: skip
    return done.stdout.splitlines()[-1].split()[1:]


def test_help_loads_nothing_heavy():
    program = "from scopemill.__main__ import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass"
    assert modules_after(program) == []


def test_a_stages_help_loads_nothing_heavy():
    program = "from scopemill.__main__ import main\ntry:\n    main(['segment', '--help'])\nexcept SystemExit:\n    pass"
    assert modules_after(program) == []


def test_what_the_workflow_reads_first_loads_nothing_heavy():
    assert modules_after("import scopemill.study, scopemill.manifests, scopemill.sheet") == []


def test_a_heavy_package_would_be_noticed():
    assert "h5py" in modules_after("import h5py")


def test_stages_without_networks_do_not_load_torch():
    rooms = (
        "convert", "annotate", "segment", "detect", "quantify", "classify", "qc", "gather", "report", "evaluate",
        "collect", "train", "curve",
    )  # fmt: skip
    program = "\n".join(f"import scopemill.{room}.stage" for room in rooms)
    methods = "\nimport scopemill.segment.methods.otsu, scopemill.detect.methods.log_spots"
    methods += "\nimport scopemill.train.methods.instances, scopemill.train.methods.semantic"
    assert "torch" not in modules_after(program + methods)
