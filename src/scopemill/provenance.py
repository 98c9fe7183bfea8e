"""Provenance: which code, which versions, which machine -> hashes and facts that results carry."""

import ast
import functools
import hashlib
import importlib
import json
import os
import platform
import re
from collections.abc import Iterator
from importlib.metadata import requires, version
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGE = Path(__file__).parent
STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)  # expressions hold no imports
ONLY_TYPES = re.compile(r"^if TYPE_CHECKING:\n(?:[ \t].*\n|\n)+", re.MULTILINE)
IMPORT = re.compile(r"\bfrom[ \t]+\.[\w.]*[ \t]+import[ \t]+(?:\([^)]*\)|[^\n(]*)")


def code_hash(*modules: ModuleType) -> str:
    """Hash of the modules' source and of all of this package that they import.

    A change in another stage does not change it; a plug-in counts with its own source file. A module that
    imports by name says from which folder: FINDS_BY_NAME.
    """
    files = {Path(module.__file__) for module in modules if module.__file__}
    own = {path for path in files if path.is_relative_to(PACKAGE)}
    for folder in (name for module in modules for name in getattr(module, "FINDS_BY_NAME", ())):
        own.update((PACKAGE / folder).glob("*.py"))
    closure = own.union(*(imported_files(path) for path in own))
    named = {path.relative_to(PACKAGE).as_posix(): path for path in closure}
    named |= {f"plug-in {path.name}": path for path in files - own}
    digest = hashlib.sha256()
    for name in sorted(named):
        digest.update(name.encode() + b"\0" + named[name].read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def imported_files(path: Path) -> frozenset[Path]:
    """All files of this package that a file imports, directly or not."""
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        for target in direct_imports(waiting.pop()) - found:
            found.add(target)
            waiting.append(target)
    return frozenset(found)


@functools.cache
def direct_imports(path: Path) -> frozenset[Path]:
    """Files of this package that a file names in its import statements, inside functions too."""
    package = path.parent.relative_to(PACKAGE).parts
    found = set()
    for node in find_imports(path.read_text(encoding="utf-8")):
        base = package[: len(package) - (node.level - 1)] + tuple((node.module or "").split("."))
        base = tuple(part for part in base if part)
        for names in [base, *((*base, alias.name) for alias in node.names)]:
            target = PACKAGE.joinpath(*names)
            for candidate in (target.with_suffix(".py"), target / "__init__.py"):
                if names and candidate.is_file():
                    found.add(candidate)
    return frozenset(found)


def find_imports(text: str) -> Iterator[ast.ImportFrom]:
    """A file's relative imports; of the whole file only where it cannot be told by the statements alone, for that is slow."""
    rest = ONLY_TYPES.sub("", text).replace("from typing import TYPE_CHECKING", "")
    try:
        if "TYPE_CHECKING" not in rest:
            yield from ast.parse("\n".join(IMPORT.findall(rest))).body
            return
    except SyntaxError:  # a comment among the names, a sentence that reads like an import
        pass
    waiting: list[ast.AST] = [ast.parse(text)]
    while waiting:
        node = waiting.pop()
        # what does nothing when the code runs
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            yield node
        waiting.extend(one for one in ast.iter_child_nodes(node) if isinstance(one, STATEMENTS))


@functools.cache
def package_versions() -> dict[str, str]:
    """Installed versions of the packages that Scopemill declares; the build of one (`+cpu`) does not count."""
    names = [
        re.split(r"[^A-Za-z0-9_.-]", line)[0]
        for line in requires("scopemill") or ()
        if "extra ==" not in line
    ]
    return {name: version(name).split("+")[0] for name in sorted(names)}


def environment_hash() -> str:
    """Short hash of those versions; provenance/environments/<hash>.json lists them."""
    return hashlib.sha256(json.dumps(package_versions()).encode()).hexdigest()[:12]


def run_facts(device: str) -> dict[str, Any]:
    """Who makes these artifacts, for the journal."""
    from . import __version__
    from .containers import read_revision, running_image

    facts = {
        "scopemill": __version__,
        "python": platform.python_version(),
        "host": platform.node(),
        "device": device,
        "slurm_job_id": os.environ.get("SLURM_JOB_ID", ""),
        "container": running_image(),
        "revision": os.environ.get("SCOPEMILL_REVISION") or read_revision(PACKAGE.parents[1]),
        "environment": environment_hash(),
    }
    return {name: value for name, value in facts.items() if value}


@functools.cache
def _modules_of(stage: str, method: ModuleType | None) -> tuple[ModuleType, ...]:
    module = importlib.import_module(f"scopemill.{stage}.stage")
    return (module, method) if method else (module,)


def task_code_hash(task: Any) -> str:
    """Hash of the code of a study's task: its stage and its method."""
    return code_hash(*_modules_of(task.stage, task.method.module if task.method else None))
