"""Results on a full or a read-only disk: the run fails and says why; with room again, it goes on to the same tables."""

import ctypes
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from shaking import find_broken
from workflow_tools import (
    SHORT,
    environment,
    make_pixels,
    run_study,
    said,
    snakemake,
    table_bytes,
    write_study,
)

from scopemill.images import Meta, reader_of, write_image
from scopemill.manifests import replacing

SETTINGS = (SHORT, {"images_per_batch": 2})
N_IMAGES, SIZE = 2, 256
KB = 1024
MS_RDONLY, MS_REMOUNT = 1, 32
LIBC = ctypes.CDLL(None, use_errno=True)


def mount(folder: Path, options: str, flags: int = 0) -> None:
    """Lay a file system in memory over a folder, or change the one that lies there."""
    failed = LIBC.mount(b"tmpfs", str(folder).encode(), b"tmpfs", flags, options.encode())
    if failed:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own, where results lie."""
    folder = tmp_path / "study" / "results"
    folder.mkdir(parents=True)
    try:
        mount(folder, "size=250k")
    except OSError as error:
        pytest.skip(f"no file system may be mounted here ({error})")
    yield folder
    LIBC.umount2(str(folder).encode(), 2)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, bytes]:
    """Tables of a run that has room."""
    folder = write_study(tmp_path_factory.mktemp("roomy"), *SETTINGS, n=N_IMAGES, size=SIZE)
    run_study(folder)
    return table_bytes(folder)


def test_a_full_and_then_a_read_only_disk(disk, undisturbed):
    folder = write_study(disk.parent, *SETTINGS, n=N_IMAGES, size=SIZE)
    flags = ("--nolock", "--rerun-incomplete", "--show-failed-logs")
    full = snakemake(folder, *flags)
    assert full.returncode != 0 and "No space left on device" in said(full), said(full)
    assert not find_broken(folder) and not list(disk.rglob(".tmp-*"))
    mount(disk, "size=64m", MS_REMOUNT | MS_RDONLY)
    fixed = snakemake(folder, *flags)
    assert fixed.returncode != 0 and "Read-only file system" in said(fixed), said(fixed)
    mount(disk, "size=64m", MS_REMOUNT)
    run_study(folder, *flags)
    assert table_bytes(folder) == undisturbed and not find_broken(folder)


def write_with_little_room(path: Path) -> subprocess.CompletedProcess:
    """Write an artifact in a process whose files may have 20 kB, as on a disk that fills up or with a quota."""
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_full_disk import write
from pathlib import Path
write(Path({str(path)!r}))
"""
    limit = 20 * KB
    paths = os.pathsep.join([*environment()["PYTHONPATH"].split(os.pathsep), *sys.path])
    return subprocess.run(
        [sys.executable, "-c", program], env=environment() | {"PYTHONPATH": paths},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def write(path: Path) -> None:
    """An artifact of some 130 kB."""
    pixels = make_pixels(1, SIZE)
    meta = Meta((1, 2, 1, SIZE, SIZE), ("a", "b"), 0.5, None, False, "f")
    with replacing(path) as temporary:
        write_image(temporary, meta, pixels.dtype, reader_of(pixels[None, :, None]))


def test_what_stood_there_stays_when_the_new_one_does_not_fit(tmp_path):
    path = tmp_path / "a.ome.tif"
    write(path)
    before = path.read_bytes()
    done = write_with_little_room(path)
    assert done.returncode != 0 and "File too large" in done.stderr, done.stderr
    assert path.read_bytes() == before and [one.name for one in tmp_path.iterdir()] == [path.name]
