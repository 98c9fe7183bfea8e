"""Definitions and environments say what the lock says, and nothing floats."""

import re
import tomllib
from importlib.metadata import distribution
from importlib.util import find_spec, module_from_spec, spec_from_file_location

import pytest
import yaml
from image_fixtures import CHECKOUT
from packaging.requirements import Requirement

DEFINITIONS = {device: CHECKOUT / f"containers/scopemill-{device}.def" for device in ("cpu", "gpu")}
SECTIONS = ["arguments", "files", "labels", "environment", "post", "test", "runscript", "help"]
# pip's own tools: `pip freeze` does not list them
UNLOCKED = {"setuptools"}
PLANNING = ["snakemake", "snakemake-executor-plugin-slurm", "numpy", "pydantic", "pygments", "pyyaml"]  # fmt: skip


@pytest.fixture(params=DEFINITIONS)
def definition(request) -> str:
    return DEFINITIONS[request.param].read_text(encoding="utf-8")


def section(definition: str, name: str) -> list[str]:
    """Lines of one section, without indentation and comments."""
    body = re.split(r"(?m)^%(\w+)[^\n]*\n", definition)
    lines = (line.strip() for line in body[body.index(name) + 1].splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def test_sections_stand_in_one_order(definition):
    assert re.findall(r"(?m)^%(\w+)", definition) == SECTIONS


def test_the_base_is_pinned_by_digest_and_can_be_another_one(definition):
    assert definition.count("\nBootstrap: {{ BOOTSTRAP }}\nFrom: {{ BASE }}\n") == 1
    arguments = dict(line.split("=", 1) for line in section(definition, "arguments"))
    assert arguments["BOOTSTRAP"] == "docker"
    assert re.fullmatch(r"python:3\.11-slim-bookworm@sha256:[0-9a-f]{64}", arguments["BASE"])
    used = set(re.findall(r"\{\{ (\w+) \}\}", definition))
    assert used == set(arguments)


def test_packages_come_from_the_lock_and_files_exist(definition):
    post = " ".join(section(definition, "post"))
    assert post.startswith("set -eu")
    assert "--constraint /opt/scopemill/requirements.lock" in post
    for line in section(definition, "files"):
        source, target = line.split()
        assert (CHECKOUT / source).exists(), source
        assert target.startswith("/opt/scopemill/")


def test_labels_name_version_and_source(definition):
    labels = dict(line.split(" ", 1) for line in section(definition, "labels"))
    values = {name.removeprefix("org.opencontainers.image."): text for name, text in labels.items()}
    assert values["version"] == "{{ VERSION }}"
    assert values["revision"] == "{{ REVISION }}"
    assert values["base.name"] == "{{ BASE }}"
    assert values["licenses"] == "MIT"


def test_nothing_of_the_host_can_leak_in(definition):
    environment = " ".join(section(definition, "environment"))
    assert "PYTHONNOUSERSITE=1 LC_ALL=C.UTF-8" in environment
    # `unset` has no effect in %environment
    assert "export PYTHONPATH= PYTHONHOME= PYTHONUSERBASE=" in environment
    assert "unset" not in environment


def test_the_two_images_differ_in_torch_alone():
    pair = [path.read_text(encoding="utf-8").splitlines() for path in DEFINITIONS.values()]
    assert len(pair[0]) == len(pair[1])
    different = [line.split("=")[0].strip() for line, other in zip(*pair, strict=True) if line != other]  # fmt: skip
    assert [words.split()[0] for words in different] == [
        "#", "#", "TORCH", "PIPARGS", "org.opencontainers.image.title",
    ]  # fmt: skip


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def read_pins(lines) -> dict[str, str]:
    pins = (line.strip().split("==") for line in lines if re.match(r"[\w.-]+==", line.strip()))
    return {canonical(name): version for name, version in pins}


def read_lock() -> dict[str, str]:
    return read_pins((CHECKOUT / "requirements.lock").read_text(encoding="utf-8").splitlines())


def closure(requirements: list[str]) -> set[str]:
    """Names of the packages and of all that they need."""
    waiting, found = [Requirement(text) for text in requirements], set()
    while waiting:
        one = waiting.pop()
        name = canonical(one.name)
        if (name, *sorted(one.extras)) in found:
            continue
        found.add((name, *sorted(one.extras)))
        for text in distribution(one.name).requires or []:
            needed = Requirement(text)
            extras = one.extras or {""}
            if not needed.marker or any(needed.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(needed)
    return {name for name, *_ in found}


def read_environment(name: str) -> tuple[dict, dict[str, str]]:
    facts = yaml.safe_load((CHECKOUT / f"envs/{name}.yaml").read_text(encoding="utf-8"))
    pip = next(entry["pip"] for entry in facts["dependencies"] if isinstance(entry, dict))
    return facts, read_pins(pip)


@pytest.mark.parametrize("name", ["scopemill-cpu", "run"])
def test_environments_agree_with_the_lock(name):
    facts, pins = read_environment(name)
    lock = read_lock()
    assert {package: lock.get(package) for package in pins} == pins
    python = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert "python=3.11" in facts["dependencies"]
    assert python.startswith(">=3.11")


def test_environments_are_complete():
    package = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    needed = [*package["dependencies"], *package["optional-dependencies"]["formats"]]
    assert set(read_environment("scopemill-cpu")[1]) == closure(needed) - UNLOCKED
    assert set(read_environment("run")[1]) >= closure(PLANNING) - UNLOCKED


def test_the_self_test_knows_a_module_of_each_dependency():
    place = spec_from_file_location("selftest", CHECKOUT / "containers/selftest.py")
    selftest = module_from_spec(place)
    place.loader.exec_module(selftest)
    names = selftest.module_names()
    assert {"torch", "numpy", "pylibCZIrw.czi"} < set(names)
    assert [name for name in names if not find_spec(name.split(".")[0])] == []
