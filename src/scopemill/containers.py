"""Container images: a checkout -> the name of the image that belongs to it, and the record beside that image.

An image's name carries the digest of its recipe (definition, lock, source, build arguments): an equal recipe has an
equal name and reruns nothing, any other has another name and reruns what it must. The image's own sha256 differs from
build to build, so it stands in the record. The Snakefile imports this: standard library only.
"""

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .manifests import digest, replacing, sha256
from .settings import ConfigError

LOCK = Path("requirements.lock")
SELFTEST = Path("containers/selftest.py")
PYPROJECT = Path("pyproject.toml")


@dataclass(frozen=True)
class Recipe:
    """All that an image is made from."""

    device: str  # cpu, gpu
    version: str
    definition_sha256: str
    lock_sha256: str
    source_sha256: str
    build_arguments: Mapping[str, str]

    @property
    def digest(self) -> str:
        """The short digest in the image's name."""
        return digest(asdict(self))[:12]

    @property
    def image_name(self) -> str:
        """File name of the image."""
        return f"scopemill-{self.device}_{self.version}_{self.digest}.sif"


@dataclass(frozen=True)
class Record:
    """What stands beside an image, in a file of its name with the ending .json."""

    path: str  # file name, so that both can be moved together
    sha256: str
    size: int
    device: str
    version: str
    recipe: str
    definition_sha256: str
    lock_sha256: str
    source_sha256: str
    revision: str
    apptainer: str
    built: str
    build_arguments: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    signature: str = "unsigned"  # or "signed"


def read_recipe(checkout: Path, device: str, build_arguments: Mapping[str, str]) -> Recipe:
    """The recipe of an image of this checkout."""
    return Recipe(
        device=device,
        version=read_pyproject(checkout)["project"]["version"],
        definition_sha256=sha256(definition_of(checkout, device)),
        lock_sha256=sha256(checkout / LOCK),
        source_sha256=hash_source(checkout),
        build_arguments=dict(sorted(build_arguments.items())),
    )


def definition_of(checkout: Path, device: str) -> Path:
    """The definition file of a device's image."""
    return checkout / "containers" / f"scopemill-{device}.def"


def read_pyproject(checkout: Path) -> dict[str, Any]:
    """What the checkout's pyproject.toml says."""
    return tomllib.loads((checkout / PYPROJECT).read_text(encoding="utf-8"))


def source_files(checkout: Path) -> list[Path]:
    """The files of the package, as paths below the checkout."""
    found = (path.relative_to(checkout) for path in (checkout / "src/scopemill").rglob("*"))
    return sorted(
        path for path in found if "__pycache__" not in path.parts and (checkout / path).is_file()
    )


def hash_source(checkout: Path) -> str:
    """Hash of the package, of how it is packed and of the image's own test."""
    facts = read_pyproject(checkout)
    packing = [facts.get("build-system"), facts["project"], facts.get("tool", {}).get("setuptools")]
    files = [SELFTEST, *source_files(checkout)]
    return digest(packing, [(path.as_posix(), sha256(checkout / path)) for path in files])


def read_revision(checkout: Path) -> str:
    """The commit that is checked out, or "unknown".

    Read from git's files: git itself refuses a checkout of another owner, and compute nodes may lack it.
    """
    git = checkout / ".git"
    try:
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref: "):
            return head
        branch = head.removeprefix("ref: ")
        if (git / branch).is_file():
            return (git / branch).read_text(encoding="utf-8").strip()
        packed = (git / "packed-refs").read_text(encoding="utf-8").splitlines()
        return next(line.split()[0] for line in packed if line.endswith(f" {branch}"))
    except (OSError, StopIteration):
        return "unknown"


def image_folder(checkout: Path) -> Path:
    """Where images lie: $SCOPEMILL_CONTAINERS, which a group can share, or the checkout's containers/."""
    return Path(os.environ.get("SCOPEMILL_CONTAINERS") or checkout / "containers").absolute()


def current_image(checkout: Path, device: str = "cpu") -> str:
    """Path of the image that rules run in: of this version and lock, of this source if there is one, the newest.

    An image of other source is taken too: jobs whose own code differs refuse it (`refuse_other_code`).
    Where there is none, the name says what to do: it is what Apptainer's error message will show.
    """
    folder, version = image_folder(checkout), read_pyproject(checkout)["project"]["version"]
    lock = sha256(checkout / LOCK)
    records = [read_record(path) for path in folder.glob(f"scopemill-{device}_{version}_*.json")]
    fitting = [one for one in records if one.lock_sha256 == lock and (folder / one.path).is_file()]
    if not fitting:
        missing = f"MISSING-run-scopemill-containers-build-{device}"
        return str(folder / f"scopemill-{device}_{version}_{missing}.sif")
    source = hash_source(checkout)
    best = max(fitting, key=lambda one: (one.source_sha256 == source, one.built, one.path))
    return str(folder / best.path)


def image_for(checkout: Path, device: str) -> str:
    """The GPU image where there is one and the config's device allows it (it serves CPU work too), else the CPU's."""
    gpu = current_image(checkout, "gpu")
    return gpu if device != "cpu" and Path(gpu).is_file() else current_image(checkout)


def make_record(
    image: Path, recipe: Recipe, revision: str, apptainer: str, labels: Mapping[str, str]
) -> Record:
    """The record of an image that was just built."""
    facts = asdict(recipe) | {
        "path": image.name, "sha256": sha256(image), "size": image.stat().st_size,
        "recipe": recipe.digest, "revision": revision, "apptainer": apptainer, "labels": labels,
        "built": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }  # fmt: skip
    return Record(**facts)


def write_record(image: Path, record: Record) -> None:
    """Write the record beside its image."""
    with replacing(image.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")


def read_record(path: Path) -> Record:
    """The record of an image, given the image or the record."""
    path = path.with_suffix(".json")
    if not path.is_file():
        raise ConfigError(f"{path} is not there: copy an image's record with it, or build it here")
    return Record(**json.loads(path.read_text(encoding="utf-8")))


def running_image(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Path, recipe and, where its record can be seen from inside, sha256 of the image that this process runs in."""
    image = environment.get("APPTAINER_CONTAINER") or environment.get("SINGULARITY_CONTAINER")
    if not image:
        return {}
    facts = {"path": image, "recipe": environment.get("SCOPEMILL_RECIPE", "")}
    if Path(image).with_suffix(".json").is_file():
        facts["sha256"] = read_record(Path(image)).sha256
    return facts


def refuse_other_code(expected: str, actual: str) -> None:
    """Stop a job whose code is not the code that it was planned with.

    An image is stale when the checkout changed after it was built. Raises ConfigError with the cure.
    """
    if expected in ("", actual):
        return
    image = running_image().get("path")
    where = f"the image {image}" if image else f"the installation at {Path(__file__).parent}"
    cure = "scopemill containers build cpu" if image else "pip install --no-deps -e ."
    raise ConfigError(
        f"{where} holds other code for this stage ({actual}) than the checkout that planned the job"
        f" ({expected}). Run in the checkout: {cure}"
    )
