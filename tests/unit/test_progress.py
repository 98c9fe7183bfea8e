"""Progress: what a person who watches reads."""

import pytest

from scopemill.progress import Progress


class Clock:
    """Seconds that pass when they are told to."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def run(capsys):
    """Seconds each image takes -> lines on standard output."""

    def run(*seconds):
        clock = Clock()
        progress = Progress("segment.nuclei b0001", len(seconds), clock)
        for one in seconds:
            clock.now += one
            progress.step()
        return capsys.readouterr().out.splitlines()

    return run


def test_a_line_says_how_many_how_fast_and_how_long(run):
    lines = run(*[6] * 11)
    assert lines[0] == "segment.nuclei b0001: 1/11 images, 0.17 images/s, ETA 1:00"
    assert lines[-1] == "segment.nuclei b0001: 11/11 images, 0.17 images/s, ETA 0:00"
    assert len(lines) == 11


def test_fast_images_do_not_flood_the_log(run):
    assert [line.split(": ")[1].split(" ")[0] for line in run(*[1] * 12)] == ["5/12", "10/12", "12/12"]  # fmt: skip


def test_the_last_image_is_always_told(run):
    assert run(0.001) == ["segment.nuclei b0001: 1/1 images, 1000 images/s, ETA 0:00"]


def test_a_clock_that_stands_still_is_no_error(run):
    assert "2/2 images" in run(0, 0)[-1]
