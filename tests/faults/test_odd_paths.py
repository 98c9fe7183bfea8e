"""Paths that are no plain files, or not what they were a moment ago -> refused at once, by name."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from scopemill import readers
from scopemill.errors import DataError
from scopemill.readers import open_raw

IMAGE = np.arange(64, dtype=np.uint16).reshape(8, 8)
NOBODY = 65534


def write(path: Path) -> Path:
    tifffile.imwrite(path, IMAGE)
    return path


def code(path) -> str:
    """The code that a path is refused with, well before a pipe would be given up."""
    start = time.monotonic()
    with pytest.raises(DataError) as refused:
        open_raw(path)
    assert time.monotonic() - start < 5 and Path(path).name in str(refused.value)
    return refused.value.code


def test_links_that_lead_nowhere(tmp_path):
    (tmp_path / "loop.tif").symlink_to("loop.tif")
    (tmp_path / "ping.tif").symlink_to("pong.tif")
    (tmp_path / "pong.tif").symlink_to("ping.tif")
    (tmp_path / "dangling.tif").symlink_to("absent.tif")
    assert {code(tmp_path / f"{name}.tif") for name in ("loop", "ping", "dangling")} == {"MISSING"}


def test_links_to_what_is_no_file(tmp_path):
    (tmp_path / "folder.tif").symlink_to(tmp_path)
    (tmp_path / "zero.tif").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "pipe.tif").symlink_to("pipe")
    for name in ("folder", "zero", "pipe"):
        assert code(tmp_path / f"{name}.tif") == "NOT_A_FILE"


def test_a_link_to_an_image_is_that_image(tmp_path):
    (tmp_path / "link.tif").symlink_to(write(tmp_path / "a.tif"))
    with open_raw(tmp_path / "link.tif") as raw:
        np.testing.assert_array_equal(raw.read(), IMAGE)


def test_a_socket(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # its name may have 108 bytes
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("a.tif")
        assert code(tmp_path / "a.tif") == "NOT_A_FILE"


def test_names_that_no_file_can_have(tmp_path):
    assert code(tmp_path / ("x" * 300 + ".tif")) == "MISSING"
    with pytest.raises((DataError, ValueError)):
        open_raw(tmp_path / "a\0b.tif")


@pytest.mark.parametrize("kind", ["pipe", "folder", "loop"])
def test_a_set_of_files_of_which_one_is_none(tmp_path, kind):
    write(tmp_path / "c1.tif")
    odd = tmp_path / "c2.tif"
    {"pipe": os.mkfifo, "folder": Path.mkdir, "loop": lambda p: p.symlink_to(p)}[kind](odd)
    start = time.monotonic()
    with pytest.raises(DataError) as refused:
        open_raw(tmp_path / "c{channel}.tif")
    assert refused.value.code in ("NOT_A_FILE", "MISSING") and time.monotonic() - start < 5


def test_a_pipe_that_takes_the_files_place_is_not_waited_for(tmp_path, monkeypatch):
    path, real = write(tmp_path / "a.tif"), os.open

    def swap(name, *args, **kwargs):
        if str(name) == str(path):
            path.unlink()
            os.mkfifo(path)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(os, "open", swap)
    assert code(path) == "NOT_A_FILE"


def test_a_file_that_is_gone_between_check_and_reading(tmp_path, monkeypatch):
    path, real = write(tmp_path / "a.tif"), readers._head

    def vanish(name):
        head = real(name)
        path.unlink()
        return head

    monkeypatch.setattr(readers, "_head", vanish)
    assert code(path) == "MISSING"


def test_a_file_that_is_cut_while_it_is_read(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((400, 400), np.uint16), metadata=None)
    with open_raw(path) as raw:
        path.write_bytes(path.read_bytes()[:1000])
        with pytest.raises(DataError) as refused:
            raw.read()
    assert refused.value.code == "TRUNCATED"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not read")
def test_a_file_that_may_not_be_read_by_who_reads_it(tmp_path):
    path = write(tmp_path / "a.tif")
    path.chmod(0o000)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    program = f"""
import os, scopemill.readers.tiff
from scopemill.errors import DataError
from scopemill.readers import open_raw
os.setgid({NOBODY}); os.setuid({NOBODY})
try:
    open_raw({str(path)!r})
except DataError as error:
    print(error.code, error)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout.startswith("UNREADABLE") and str(path) in done.stdout, done.stderr


@pytest.mark.parametrize("days", [-20_000, 20_000])
def test_a_file_from_the_past_or_the_future_is_read(tmp_path, days):
    path = write(tmp_path / "a.tif")
    moment = time.time() + days * 86_400
    os.utime(path, (moment, moment))
    with open_raw(path) as raw:
        np.testing.assert_array_equal(raw.read(), IMAGE)
