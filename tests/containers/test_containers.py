"""Recipes, names, records and the commands, with a stand-in for Apptainer."""

import dataclasses
import json
import os
import shutil
from pathlib import Path

import pytest
from image_fixtures import CHECKOUT

from scopemill import containers
from scopemill.commands.containers import main
from scopemill.settings import ConfigError

FAKE = """#!/bin/sh
echo "$*" >> "$FAKE_LOG"
for last; do :; done
case "$1" in
  --version) echo "apptainer version 1.4.5" ;;
  build) for image; do case "$image" in *.sif) pwd > "$image"; find . -type f | sort >> "$FAKE_LOG" ;; esac; done ;;
  inspect) echo '{"data": {"attributes": {"labels": {"scopemill.torch": "cpu"}}}}' ;;
  sign) echo signed >> "$last" ;;
  verify) grep -q signed "$last" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A small checkout in which the command runs, and an Apptainer that writes down what it is asked."""
    program = tmp_path / "bin/apptainer"
    program.parent.mkdir()
    program.write_text(FAKE)
    program.chmod(0o755)
    root = tmp_path / "checkout"
    shutil.copytree(CHECKOUT / "containers", root / "containers", ignore=lambda *_: ["images"])
    for path in root.glob("containers/scopemill-*_*"):
        path.unlink()
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(CHECKOUT / name, root)
    for name in ("README.md", "LICENSE", "notes.txt", "src/scopemill/__init__.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    monkeypatch.delenv("SCOPEMILL_CONTAINERS", raising=False)
    monkeypatch.chdir(root)
    return root


def asked(checkout: Path) -> str:
    return (checkout.parent / "log").read_text()


def built(checkout: Path, *more: str) -> Path:
    assert main(["build", "cpu", *more]) == 0
    return Path(containers.current_image(checkout))


def test_a_built_image_has_version_and_recipe_in_its_name_and_a_record(checkout):
    image = built(checkout)
    record = json.loads(image.with_suffix(".json").read_text())
    recipe = containers.read_recipe(checkout, "cpu", {})
    assert image == checkout / f"containers/scopemill-cpu_{recipe.version}_{recipe.digest}.sif"
    assert record["path"] == image.name
    assert record["size"] == image.stat().st_size
    assert (record["apptainer"], record["signature"]) == ("1.4.5", "unsigned")
    assert record["labels"] == {"scopemill.torch": "cpu"}
    assert record["lock_sha256"] == containers.sha256(checkout / "requirements.lock")


def test_apptainer_gets_the_recipe_the_flags_and_nothing_else_of_the_checkout(checkout):
    (checkout / "src/scopemill/__pycache__").mkdir()
    (checkout / "src/scopemill/__pycache__/old.pyc").write_text("")
    built(checkout, "--build-arg", "BASE=/root fs", "--apptainer-args=--fakeroot --bind '/a b'")
    recipe = containers.read_recipe(checkout, "cpu", {"BASE": "/root fs"})
    assert f"build --fakeroot --bind /a b --build-arg BASE=/root fs --build-arg VERSION={recipe.version}" in asked(checkout)  # fmt: skip
    assert f"RECIPE={recipe.digest}" in asked(checkout)
    assert "./src/scopemill/__init__.py" in asked(checkout)
    assert "notes.txt" not in asked(checkout)
    assert "old.pyc" not in asked(checkout)


def test_an_equal_recipe_is_built_once_and_any_other_gets_another_name(checkout):
    first = built(checkout)
    (checkout / "README.md").write_text("says more")
    assert built(checkout) == first
    assert asked(checkout).count("build ") == 1
    (checkout / "src/scopemill/__init__.py").write_text("computes otherwise")
    second = built(checkout)
    with (checkout / "requirements.lock").open("a") as lock:
        lock.write("more==1.0\n")
    third = built(checkout)
    fourth = built(checkout, "--build-arg=BASE=other@sha256:0")
    assert len({first, second, third, fourth}) == 4


def test_rules_get_the_image_of_this_source_before_a_newer_one_of_another(checkout):
    source = checkout / "src/scopemill/__init__.py"
    old = source.read_text()
    first = built(checkout)
    source.write_text("new")
    second = built(checkout)
    assert containers.current_image(checkout) == str(second)
    source.write_text(old)
    assert containers.current_image(checkout) == str(first)


def test_without_an_image_its_name_says_what_to_do(checkout, monkeypatch, tmp_path):
    assert "run-scopemill-containers-build-gpu" in containers.current_image(checkout, "gpu")
    built(checkout)
    with (checkout / "requirements.lock").open("a") as lock:
        lock.write("more==1.0\n")
    assert "MISSING" in containers.current_image(checkout)
    image = built(checkout)
    image.unlink()
    assert "MISSING" in containers.current_image(checkout)
    monkeypatch.setenv("SCOPEMILL_CONTAINERS", str(tmp_path / "shared"))
    assert built(checkout).parent == tmp_path / "shared"


def test_verify_finds_an_image_that_is_not_the_recorded_one(checkout, capsys):
    image = built(checkout)
    assert main(["verify"]) == 0
    image.write_bytes(image.read_bytes()[::-1])
    assert main(["verify", str(image)]) == 1
    assert "instead of" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="only an image that is as recorded is signed"):
        main(["sign", "--key", "k.pem"])


def test_a_signature_changes_the_digest_and_keeps_the_name(checkout):
    image = built(checkout)
    before = containers.read_record(image)
    with pytest.raises(ConfigError, match="verify"):
        main(["verify", "--key", "pub.pem"])
    assert main(["sign", "--key", "k.pem"]) == 0
    after = containers.read_record(image)
    assert (before.sha256 != after.sha256, after.signature) == (True, "signed")
    assert main(["verify", "--key", "pub.pem"]) == 0


def test_a_failed_build_leaves_nothing(checkout):
    (checkout.parent / "bin/apptainer").write_text("#!/bin/sh\nexit 255\n")
    with pytest.raises(ConfigError, match="ended with 255"):
        main(["build", "gpu"])
    assert not list((checkout / "containers").glob("*.sif"))
    assert not list((checkout / "containers").glob(".tmp-*"))


def test_without_apptainer_the_cure_is_named(checkout):
    (checkout.parent / "bin/apptainer").unlink()
    with pytest.raises(ConfigError, match="module load"):
        main(["build", "cpu"])


def test_the_running_image_is_named_with_its_digest(checkout):
    image = built(checkout)
    inside = {"APPTAINER_CONTAINER": str(image), "SCOPEMILL_RECIPE": "abc"}
    digest = containers.read_record(image).sha256
    assert containers.running_image(inside) == {"path": str(image), "recipe": "abc", "sha256": digest}  # fmt: skip
    image.with_suffix(".json").unlink()
    assert containers.running_image(inside) == {"path": str(image), "recipe": "abc"}
    assert containers.running_image({}) == {}


def test_other_code_is_refused_with_the_cure(monkeypatch):
    containers.refuse_other_code("abc", "abc")
    containers.refuse_other_code("", "abc")
    monkeypatch.setenv("APPTAINER_CONTAINER", "/images/old.sif")
    with pytest.raises(ConfigError, match=r"old.sif holds other code.*scopemill containers build"):
        containers.refuse_other_code("abc", "def")
    monkeypatch.delenv("APPTAINER_CONTAINER")
    with pytest.raises(ConfigError, match="pip install"):
        containers.refuse_other_code("abc", "def")


def test_a_revision_is_read_without_git(tmp_path):
    git, commit = tmp_path / ".git", "a" * 40
    assert containers.read_revision(tmp_path) == "unknown"
    (git / "refs/heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "packed-refs").write_text(f"# pack-refs\n{commit} refs/heads/main\n")
    assert containers.read_revision(tmp_path) == commit
    (git / "refs/heads/main").write_text("b" * 40 + "\n")
    assert containers.read_revision(tmp_path) == "b" * 40
    (git / "HEAD").write_text(commit + "\n")
    assert containers.read_revision(tmp_path) == commit


def test_a_recipe_is_all_that_an_image_is_made_from(checkout):
    recipe = containers.read_recipe(checkout, "cpu", {"B": "2", "A": "1"})
    assert recipe.digest == containers.read_recipe(checkout, "cpu", {"A": "1", "B": "2"}).digest
    digests = {dataclasses.replace(recipe, **{one.name: "x"}).digest for one in dataclasses.fields(recipe)}  # fmt: skip
    assert len(digests) == len(dataclasses.fields(recipe))
