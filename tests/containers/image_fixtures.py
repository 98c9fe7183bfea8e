"""Fixtures: a real Apptainer and the shipped CPU image, made once and kept in $SCOPEMILL_CACHE.

tests/cluster uses them too. SCOPEMILL_TEST_IMAGE names the image once it is there.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
CACHE = Path(os.environ.get("SCOPEMILL_CACHE") or Path(tempfile.gettempdir()) / "scopemill-cache")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# root in a container may lack a capability that Apptainer asks for; this works for root and for anybody
RUN_FLAGS = "--userns"
TOOLS = ("apt-get", "dpkg", "patchelf", "mmdebstrap", "mksquashfs", "squashfuse", "newuidmap")


def unavailable(reason: str) -> None:
    """Skip; where everything is required, fail."""
    if os.environ.get("SCOPEMILL_REQUIRE_ALL"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def lock(name: str) -> Iterator[None]:
    """One process at a time makes a thing of the cache; the others wait and find it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def apptainer() -> Path:
    """Apptainer on the PATH of this process: the machine's own, or Debian's in the cache."""
    own = shutil.which("apptainer")
    if own:
        return Path(own)
    if os.geteuid() != 0:
        unavailable("no apptainer on the PATH, and only root can get one here")
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        unavailable(f"no apptainer on the PATH, and {', '.join(missing)} is missing to get one")
    program = CACHE / "apptainer/usr/bin/apptainer"
    with lock("apptainer"):
        if not program.is_file():
            done = run(HERE / "get_apptainer.sh", CACHE / "apptainer")
            if done.returncode:
                shutil.rmtree(CACHE / "apptainer", ignore_errors=True)
                unavailable(f"Debian's mirror has no apptainer for this machine: {done.stderr}")
    os.environ["PATH"] = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    return program


@pytest.fixture(scope="session")
def base() -> Path:
    """A Debian with Python: what stands in for the registry's image, which a test must not pull."""
    root = CACHE / "bookworm"
    with lock("bookworm"):
        if not root.is_dir():
            with tempfile.TemporaryDirectory(dir=CACHE) as work:
                packages = "--include=python3,python3-venv,ca-certificates"
                mirror = os.environ.get("MIRROR", "http://deb.debian.org/debian")
                made = Path(work) / "root"
                done = run("mmdebstrap", "--variant=minbase", packages, "bookworm", made, mirror)
                if done.returncode:
                    unavailable(f"no Debian to build from: {done.stderr[-500:]}")
                # device nodes, and folders of the user _apt, cannot be copied without privileges
                for folder in ("dev", "var/lib/apt/lists", "var/cache/apt"):
                    shutil.rmtree(made / folder)
                    (made / folder).mkdir()
                made.rename(root)
    return root


@pytest.fixture(scope="session")
def image(apptainer: Path, base: Path) -> Path:
    """The image of the shipped scopemill-cpu.def and this checkout; its record lies beside it."""
    if os.geteuid() == 0 and "root:" not in Path("/etc/subuid").read_text():
        line = "echo root:100000:65536 | tee -a /etc/subuid >> /etc/subgid"
        unavailable(f"root has no subordinate ids to build with; run: {line}")
    os.environ["SCOPEMILL_CONTAINERS"] = str(CACHE / "images")
    with lock("image"):
        done = scopemill("containers", "build", "cpu", *build_arguments(base))
        assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]
        made = Path(scopemill_current())
        for other in {*made.parent.glob("*.sif")} - {made}:  # of earlier states of this checkout
            other.unlink()
            other.with_suffix(".json").unlink(missing_ok=True)
    os.environ["SCOPEMILL_TEST_IMAGE"] = str(made)
    return made


def build_arguments(base: Path) -> list[str]:
    """Build from a folder, with this machine's certificates and, where pip knows some, its folder of wheels."""
    values = {"BOOTSTRAP": "localimage", "BASE": str(base)}
    binds = [str(CERTIFICATES)] if CERTIFICATES.is_file() else []
    wheels = run(sys.executable, "-m", "pip", "config", "get", "global.find-links").stdout.strip()
    if wheels and Path(wheels).is_dir():
        binds.append(f"{wheels}:/mnt")
        values["PIPARGS"] = "--find-links=/mnt"
    flags = ["--fakeroot", *(f"--bind={bind}" for bind in binds)]
    flags.append("--mksquashfs-args='-comp zstd -Xcompression-level 3'")
    arguments = [f"--build-arg={name}={value}" for name, value in values.items()]
    return [*arguments, f"--apptainer-args={' '.join(flags)}"]


def scopemill_current() -> str:
    """The image that rules of this checkout run in."""
    from scopemill.containers import current_image

    return current_image(CHECKOUT)


def scopemill(*words: str | Path, **more) -> subprocess.CompletedProcess:
    """The command line of this checkout."""
    return run(sys.executable, "-m", "scopemill", *words, **more)


def run(*words: str | Path, env: dict | None = None, cwd: Path = CHECKOUT):
    """Run a program; its output and exit code."""
    return subprocess.run(
        [str(word) for word in words],
        cwd=cwd, env=os.environ | (env or {}), capture_output=True, text=True,
    )  # fmt: skip


def inside(image: Path, *words: str, env: dict | None = None) -> str:
    """What a command prints inside the image."""
    done = run("apptainer", "-s", "exec", RUN_FLAGS, image, *words, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_json(path: Path) -> dict:
    """A record."""
    return json.loads(path.read_text(encoding="utf-8"))
