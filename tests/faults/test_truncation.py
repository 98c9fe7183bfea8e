"""Truncation: a file of any format, cut anywhere -> refused by name, or read with every pixel that it had."""

import h5py
import numpy as np
import pytest
from samples import REAL, WRITERS, cut_points

from scopemill.errors import DataError
from scopemill.examples import Example, Examples, write_examples
from scopemill.patches import Meta, write_patches
from scopemill.readers import open_raw
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


def test_a_training_set_that_was_cut_is_no_smaller_training_set(tmp_path):
    path = tmp_path / "examples.h5"
    pixels, truth = np.ones((1, 1, 16, 16), np.uint16), np.ones((1, 16, 16), np.uint8)
    one = Example("i", "train", "i", ((0.0,) * 5,), pixels.shape, n_objects=1)
    write_examples(path, {"channels": ["a"], "truth": "labels"}, [(one, pixels, truth)] * 3)
    content = path.read_bytes()
    for length in cut_points(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises((OSError, KeyError)), Examples(path) as examples:
            assert [examples.read(i)[0].shape for i in range(3)], length


@pytest.mark.parametrize("name", ["a.h5", "a.ims", "a.tif"])
def test_hdf5_is_no_image_whatever_it_is_called(tmp_path, name):
    path = tmp_path / name
    with h5py.File(path, "w") as file:
        file["pixels"] = np.ones((16, 16), np.uint16)
    for length in (None, *cut_points(path.stat().st_size)):
        path.write_bytes(path.read_bytes()[:length])
        with pytest.raises(DataError, match=name) as refused:
            open_raw(path)
        assert refused.value.code in ("FORMAT", "EMPTY", "TRUNCATED")
