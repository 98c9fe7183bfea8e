"""A raw file that is replaced by another of the same size and time: found where the study says `checksums: true`."""

import os

import pytest
from workflow_tools import (
    SHORT,
    assert_settled,
    changed,
    make_pixels,
    run_study,
    table_bytes,
    times,
    write_image,
    write_study,
)

from scopemill.sheet import Row, raw_state


def replace(path, content: bytes) -> None:
    """Other bytes, and everything that `stat` tells but the time of the change as it was."""
    status = path.stat()
    assert len(content) == status.st_size
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_checksums_tell_files_by_content_alone(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"123")
    row = Row("a", str(path), 2)
    quick, sure = raw_state(row), raw_state(row, checksums=True)
    os.utime(path, ns=(1, 1))
    assert raw_state(row, checksums=True) == sure and raw_state(row) != quick
    quick = raw_state(row)
    replace(path, b"124")
    assert raw_state(row) == quick  # why there are checksums
    assert raw_state(row, checksums=True) != sure


@pytest.mark.slow
def test_with_checksums_a_study_takes_up_the_new_pixels(tmp_path):
    folder = write_study(tmp_path, SHORT, {"checksums": True}, n=2)
    run_study(folder)
    before, tables = times(folder), table_bytes(folder)
    other = tmp_path / "other.ome.tif"
    write_image(other, make_pixels(11))
    raw = folder / "raw" / "i0.ome.tif"
    room = raw.stat().st_size - other.stat().st_size  # names in the header may differ in length
    content = other.read_bytes() + bytes(room) if room >= 0 else other.read_bytes()[:room]
    replace(raw, content)
    run_study(folder)
    made = changed(before, times(folder))
    assert made and all("i0" in name for name in made) and table_bytes(folder) != tables
    assert_settled(folder)
