"""Training sets: what is written is read again, window by window; measurements of objects; a limit drawn by seed."""

import json

import numpy as np
import pytest

from scopemill.examples import (
    Example,
    Examples,
    measure_objects,
    measure_percentiles,
    parse_example,
    write_examples,
)
from scopemill.settings import ConfigError

PIXELS = np.arange(2 * 1 * 4 * 6, dtype=np.uint16).reshape(2, 1, 4, 6)
TRUTH = np.array([[[0, 1, 1, 0, 0, 2], [0, 1, 1, 0, 0, 2], [0] * 6, [0] * 6]], np.uint8)


def make(image, part, **more):
    example = Example(image, part, image, measure_percentiles(PIXELS), PIXELS.shape, **more)
    return example, PIXELS, TRUTH


@pytest.fixture
def path(tmp_path):
    parts = ["train"] * 4 + ["validation", "test"]
    rows = [make(f"i{n}", part, n_objects=2) for n, part in enumerate(parts)]
    write_examples(tmp_path / "e.h5", {"channels": ["a", "b"], "truth": "labels"}, rows)
    return tmp_path / "e.h5"


def test_what_was_written_is_read(path):
    with Examples(path) as examples:
        pixels, truth = examples.read(4)
        assert (pixels == PIXELS).all() and (truth == TRUTH).all() and truth.dtype == np.uint8
        assert examples.meta["channels"] == ["a", "b"]
        assert examples.of("validation") == [4] and examples.of("train") == [0, 1, 2, 3]
        assert examples.count() == {"test": 1, "train": 4, "validation": 1}
        assert examples.all[4] == make("i4", "validation", n_objects=2)[0]


def test_a_window_is_read_alone(path):
    with Examples(path) as examples:
        pixels, truth = examples.read(0, (slice(0, 2), slice(4, 6)))
    assert (pixels == PIXELS[..., 0:2, 4:6]).all() and truth.tolist() == [[[0, 2], [0, 2]]]


def test_the_hash_is_of_pixels_truth_and_parts(tmp_path):
    def write(*rows):
        return write_examples(tmp_path / "e.h5", {"truth": "labels"}, rows)

    first = write(make("i", "train"))
    assert write(make("i", "train")) == first
    example, pixels, truth = make("i", "train")
    others = [(example, pixels + 1, truth), (example, pixels, 1 - truth), make("i", "test")]
    assert len({first, *(write(one) for one in others)}) == 4


def test_pixels_of_each_class_are_counted(tmp_path):
    meta = {"truth": "classes", "classes": ["x", "y", "z"]}
    write_examples(tmp_path / "e.h5", meta, [make("i", "train"), make("j", "train")])
    with Examples(tmp_path / "e.h5") as examples:
        assert examples.meta["class_pixels"] == [36, 8, 4, 0]


def test_a_limit_takes_so_many_training_images_and_leaves_the_other_parts(path):
    with Examples(path) as examples:
        examples.limit(2, seed=0)
        first = examples.of("train")
        assert len(first) == 2 and examples.of("validation") == [4] and examples.of("test") == [5]
        drawn = set()
        for seed in range(20):
            examples.limit(2, seed)
            drawn.add(tuple(examples.of("train")))
        assert len(drawn) > 3
        examples.limit(2, seed=0)
        assert examples.of("train") == first


def test_more_images_than_there_are_cannot_be_learnt_from(path):
    with (
        Examples(path) as examples,
        pytest.raises(ConfigError, match="5 training images were asked for, there are 4"),
    ):
        examples.limit(5, 0)


def test_objects_are_counted_and_measured():
    labels = np.zeros((1, 20, 20), np.uint16)
    labels[0, 0:4, 0:4] = 3
    labels[0, 10:14, 10:14] = 9
    count, diameter = measure_objects(labels)
    assert count == 2 and diameter == pytest.approx(np.sqrt(16 * 4 / np.pi))
    assert measure_objects(np.zeros((1, 5, 5), int)) == (0, 0.0)


def test_in_a_stack_the_plane_with_most_of_them_is_measured():
    labels = np.zeros((3, 20, 20), np.uint16)
    labels[0, 0:2, 0:2] = 1
    labels[1, 0:4, 0:4] = 1
    labels[2, 10:12, 10:12] = 2
    count, diameter = measure_objects(labels)
    assert count == 2 and diameter == pytest.approx(np.sqrt(16 * 4 / np.pi))


def test_what_is_said_of_an_example_survives_json():
    example = make("i", "train", diameter_px=2.5, origin=(1, 2, 3), classes=(1, 0))[0]
    from dataclasses import asdict

    assert parse_example(json.dumps(asdict(example))) == example
