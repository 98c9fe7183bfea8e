"""scopemill containers build|test|inspect|verify|sign: Apptainer images of this checkout, each with its record."""

# Apptainer is called directly. spython asks for a program called `singularity`, builds with sudo unless told not to,
# returns None when a build fails, hashes with MD5, and its parser cannot read a definition with arguments.

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from .. import containers
from ..containers import Recipe, Record, read_record, write_record
from ..manifests import sha256
from ..settings import ConfigError


def main(arguments: Sequence[str]) -> int:
    """0 when it went well; 1 when an image is not as recorded (ConfigError when Apptainer refuses)."""
    options = make_parser().parse_args(arguments)
    options.flags = shlex.split(options.apptainer_args)
    return options.run(options)


def make_parser() -> argparse.ArgumentParser:
    """One verb a function."""
    parser = argparse.ArgumentParser("scopemill containers", description=__doc__)
    parser.add_argument("--checkout", type=Path, default=Path(), help="default: this folder")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for run, purpose in VERBS.items():
        verb = verbs.add_parser(run.__name__, help=purpose, description=purpose)
        verb.set_defaults(run=run)
        if run is build:
            verb.add_argument("device", choices=["cpu", "gpu"])
            verb.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
            verb.add_argument("--force", action="store_true", help="also when it is there already")
        else:
            verb.add_argument("image", nargs="?", type=Path, help="default: the one that jobs use")
        verb.add_argument(
            "--apptainer-args", default="", help='as for Snakemake: --apptainer-args="--fakeroot"'
        )
        if run in (sign, verify):
            kind = "private" if run is sign else "public"
            verb.add_argument(
                "--key", type=Path, required=run is sign, help=f"{kind} ed25519 key (PEM)"
            )
    return parser


def build(options: argparse.Namespace) -> int:
    """Build an image and write its record; nothing is done for a recipe whose image is there."""
    checkout = options.checkout
    recipe = containers.read_recipe(checkout, options.device, dict(map(split, options.build_arg)))
    image = containers.image_folder(checkout) / recipe.image_name
    if image.is_file() and image.with_suffix(".json").is_file() and not options.force:
        sys.stdout.write(f"{image} is there already\n")
        return 0
    image.parent.mkdir(parents=True, exist_ok=True)
    revision = containers.read_revision(checkout)
    with tempfile.TemporaryDirectory(dir=image.parent, prefix=".tmp-") as work:
        context, made = Path(work) / "context", Path(work) / image.name
        copy_context(checkout, recipe, context)
        apptainer("build", *options.flags, *build_flags(recipe, revision), made,
                  containers.definition_of(Path(), recipe.device), cwd=context)  # fmt: skip
        version = apptainer("--version", capture=True).split()[-1]
        record = containers.make_record(made, recipe, revision, version, read_labels(made))
        made.replace(image)
    write_record(image, record)
    sys.stdout.write(f"{image} ({record.size / 1e6:.0f} MB, sha256 {record.sha256})\n")
    return 0


def split(text: str) -> tuple[str, str]:
    """NAME=VALUE as a pair."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--build-arg {text}: write NAME=VALUE")
    return name, value


def build_flags(recipe: Recipe, revision: str) -> list[str]:
    """The values of the definition's arguments."""
    own = {"VERSION": recipe.version, "REVISION": revision, "RECIPE": recipe.digest}
    values = {**recipe.build_arguments, **own}
    return [part for name in values for part in ("--build-arg", f"{name}={values[name]}")]


def copy_context(checkout: Path, recipe: Recipe, context: Path) -> None:
    """Copy what the definition copies, so that nothing else of the checkout can get into the image."""
    definition = containers.definition_of(Path(), recipe.device)
    files = [definition, containers.LOCK, containers.SELFTEST, containers.PYPROJECT]
    # not part of the recipe: they cannot change a result
    files += [Path("README.md"), Path("LICENSE")]
    for path in files + containers.source_files(checkout):
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(checkout / path, context / path)


def test(options: argparse.Namespace) -> int:
    """Let the image test itself."""
    apptainer("test", *options.flags, chosen(options))
    return 0


def inspect(options: argparse.Namespace) -> int:
    """Print the record, the labels and the definition of an image."""
    image = chosen(options)
    facts = asdict(read_record(image)) | {"labels": read_labels(image)}
    definition = apptainer("inspect", "--deffile", image, capture=True)
    sys.stdout.write(f"{json.dumps(facts, indent=2)}\n\n{definition}\n")
    return 0


def verify(options: argparse.Namespace) -> int:
    """Compare an image with its record and, with a key, check its signature."""
    image = chosen(options)
    if fault := find_fault(image):
        sys.stdout.write(f"{image}: {fault}\n")
        return 1
    record = read_record(image)
    if options.key:
        apptainer("verify", "--key", options.key, image)
    state = f"signed with {options.key}" if options.key else record.signature
    sys.stdout.write(f"{image}: sha256 {record.sha256} as recorded; {state}\n")
    return 0


def sign(options: argparse.Namespace) -> int:
    """Sign an image that is as recorded; its sha256 changes with that, its name does not."""
    image = chosen(options)
    if fault := find_fault(image):
        raise ConfigError(f"{image}: {fault}; only an image that is as recorded is signed")
    apptainer("sign", "--key", options.key, image)
    signed = {"sha256": sha256(image), "size": image.stat().st_size, "signature": "signed"}
    write_record(image, replace(read_record(image), **signed))
    sys.stdout.write(f"{image} signed; sha256 {signed['sha256']}\n")
    return 0


VERBS = {
    build: "build the image of this checkout",
    test: "let an image test itself",
    inspect: "print an image's record, labels and definition",
    verify: "compare an image with its record; with --key, check its signature",
    sign: "sign an image",
}


def find_fault(image: Path) -> str:
    """How an image differs from its record; empty when it does not."""
    record: Record = read_record(image)
    if image.stat().st_size != record.size:
        return f"{image.stat().st_size} bytes instead of the {record.size} recorded"
    found = sha256(image)
    return "" if found == record.sha256 else f"sha256 {found} instead of {record.sha256}"


def chosen(options: argparse.Namespace) -> Path:
    """The image that was named, or else the one that jobs use."""
    image = options.image or Path(containers.current_image(options.checkout, "cpu"))
    if not image.is_file():
        raise ConfigError(f"{image} is not there: scopemill containers build cpu")
    return image


def read_labels(image: Path) -> dict[str, str]:
    """The labels inside an image."""
    answer = json.loads(apptainer("inspect", "--json", "--labels", image, capture=True))
    return answer["data"]["attributes"]["labels"]


def apptainer(*arguments: str | Path, cwd: Path | None = None, capture: bool = False) -> str:
    """Run Apptainer (or the singularity of an older site); its output where it is asked for."""
    program = shutil.which("apptainer") or shutil.which("singularity")
    if not program:
        raise ConfigError("apptainer is not on the PATH; on a cluster: module load Apptainer")
    words = [program, *map(str, arguments)]
    done = subprocess.run(words, cwd=cwd, stdout=subprocess.PIPE if capture else None, text=True)
    if done.returncode:
        raise ConfigError(f"{' '.join(words)} ended with {done.returncode}; why stands above")
    return done.stdout or ""
