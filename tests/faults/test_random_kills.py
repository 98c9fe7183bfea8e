"""Random kills: three moments of a small study; `make soak` does it fifty times."""

import random

from shaking import run_undisturbed, shake


def test_a_study_that_is_killed_at_random_ends_as_an_undisturbed_one(tmp_path):
    truth = run_undisturbed(tmp_path / "undisturbed")
    shaken = shake(tmp_path / "shaken", truth, kills=3, rng=random.Random(3))
    assert shaken.kills.total() == 3 and shaken.ended
    assert not shaken.losses and not shaken.inputs_changed
