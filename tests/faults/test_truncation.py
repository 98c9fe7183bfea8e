"""Truncation: a file of any format, cut anywhere -> refused by name, or read with every pixel that it had."""

import numpy as np
import pytest
from samples import REAL, WRITERS, cut_points

from scopemill.patches import Meta, write_patches
from scopemill.runner import read_fingerprint


def find(samples, name):
    """The sample of this name, or a reason to pass on."""
    found = [path for path in samples if path.name == name]
    if not found:
        pytest.skip(f"{name} is not in the shared data")
    return found[0]


@pytest.mark.parametrize("name", [*WRITERS, *(path.name for path in REAL)])
def test_a_whole_file_is_read(samples, reading, name):
    path = find(samples, name)
    answer = reading.ask(path, samples[path])
    assert answer["outcome"] == "read", answer


@pytest.mark.parametrize("name", [*WRITERS, *(path.name for path in REAL)])
def test_a_file_that_was_cut_never_loses_planes_or_pixels(samples, reading, tmp_path, name):
    path = find(samples, name)
    whole, content = reading.ask(path, samples[path]), path.read_bytes()
    cut, refused = tmp_path / path.name, 0
    points = list(cut_points(len(content)))
    for length in points:
        cut.write_bytes(content[:length])
        answer = reading.ask(cut, samples[path])
        if answer["outcome"] == "read":  # only padding was cut
            assert answer == whole, length
            continue
        assert answer["outcome"] == "refused" and str(cut) in answer["message"], (length, answer)
        refused += 1
    assert refused >= len(points) - 5


def test_an_hdf5_artifact_that_was_cut_is_not_taken_for_whole(tmp_path):
    """Artifacts that are kept without a journal; images, labels and tables: unit/test_runner.py."""
    path = tmp_path / "a.h5"
    meta = Meta((1, 1, 1, 32, 32), (32, 32), ("a",), 0.5, None, 16, 0, ((0.0,) * 5,), "fingerprint")
    patches = np.random.default_rng(0).integers(0, 99, (4, 1, 1, 16, 16), np.uint16)
    write_patches(path, meta, patches.dtype, np.zeros((4, 4)), patches)
    assert read_fingerprint(path) == "fingerprint"
    content = path.read_bytes()
    for length in cut_points(len(content)):
        path.write_bytes(content[:length])
        assert read_fingerprint(path) is None, length
