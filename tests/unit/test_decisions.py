"""Decisions: nothing that a person said is lost, and it stays with the cell that they looked at."""

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopemill import decisions
from scopemill.decisions import Decision, find_objects, read_standing, record, standing_hash
from scopemill.gather import decided
from scopemill.manifests import Record
from scopemill.settings import ConfigError

ONE = Decision("a", "cells", 0, 1, 10.0, 20.0, 0.0, "reject", "", "ann", "2026-01-02T03:04:05Z")
# two cells of 8 x 8 pixels, and one of 2 x 2
CELLS = pd.DataFrame(
    {
        "image": "a",
        "object": "cells",
        "t": 0,
        "label": [1, 2, 3],
        "class": ["T", "B", "T"],
        "centroid_y": [10.0, 10.0, 30.0],
        "centroid_x": [20.0, 26.0, 20.0],
        "y0": [6, 6, 29],
        "y1": [14, 14, 31],
        "x0": [16, 22, 19],
        "x1": [24, 30, 21],
    }
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / decisions.FILE


def test_without_a_file_nothing_stands_and_none_is_made(path):
    assert read_standing(path) == [] and standing_hash(path) == ""
    assert not path.exists()


def test_the_last_decision_about_a_cell_stands(path):
    last = replace(ONE, decision="relabel", class_="B", user="bob")
    record(path, ONE, replace(ONE, label=2))
    record(path, last)
    assert read_standing(path) == [replace(ONE, label=2), last]
    assert read_standing(path, "b") == []


def test_what_is_taken_back_leaves_no_trace_in_the_hash(path):
    record(path, ONE)
    before = standing_hash(path)
    record(path, replace(ONE, label=2))
    assert standing_hash(path) != before
    record(path, replace(ONE, label=2, decision="undecided"))
    assert standing_hash(path) == before
    record(path, replace(ONE, decision="undecided"))
    assert standing_hash(path) == "" and read_standing(path) == []


def test_rows_are_never_changed_or_removed(path):
    record(path, ONE)
    with sqlite3.connect(path) as connection:
        for change in ("DELETE FROM decisions", "UPDATE decisions SET user = 'eve'"):
            with pytest.raises(sqlite3.IntegrityError, match="only added"):
                connection.execute(change)
    connection.close()
    assert read_standing(path) == [ONE]


def test_all_are_kept_or_none(path):
    with pytest.raises(ConfigError, match="CHECK"):
        record(path, ONE, replace(ONE, label=2, decision="perhaps"))
    assert read_standing(path) == []


def test_a_file_that_is_no_database_is_named(path):
    path.write_text("not a database, and long enough to be looked at" * 10)
    with pytest.raises(ConfigError, match=r"decisions\.sqlite: decisions cannot be read"):
        read_standing(path)


def test_a_folder_that_may_only_be_read_can_be_looked_at(path, monkeypatch):
    record(path, ONE)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert read_standing(path) == [ONE]
    with pytest.raises(ConfigError, match="cannot be read or kept"):
        record(path, ONE)


WRITER = """
import os, sys
from pathlib import Path
from scopemill.decisions import Decision, record
for label in range(20):
    record(Path(sys.argv[1]), Decision("a", "cells", 0, label, 1.0, 2.0, 0.0, "reject", "", sys.argv[2], "now"))
    print(label, flush=True)
os.kill(os.getpid(), 9)
"""


def test_two_writers_at_once_that_are_killed_lose_nothing(path):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, path, user], stdout=subprocess.PIPE)
        for user in ("ann", "bob")
    ]
    said = [writer.communicate(timeout=60)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [-9, -9] and len(said[0]) == 20
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT user, count(*) FROM decisions GROUP BY user").fetchall()
    connection.close()
    assert rows == [("ann", 20), ("bob", 20)]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(deadline=None, max_examples=30)  # each example writes to disk
@given(st.lists(st.tuples(texts, st.integers(0, 2**32 - 1), st.floats(allow_nan=False, allow_infinity=False), texts), max_size=5))  # fmt: skip
def test_what_is_kept_is_what_was_said(tmp_path_factory, said):
    path = tmp_path_factory.mktemp("kept") / decisions.FILE
    made = [replace(ONE, image=image, label=label, x=x, user=user, t=n) for n, (image, label, x, user) in enumerate(said)]  # fmt: skip
    record(path, *made)
    assert read_standing(path) == made


@pytest.mark.parametrize(
    ("label", "y", "x", "found"),
    [
        (1, 10, 20, 0),  # as it was
        (1, 10, 23.9, 0),  # moved by less than half its diameter, though 2 is nearer
        (1, 10, 26, 1),  # the label is another cell's now
        (9, 11, 21, 0),  # the label is gone
        (9, 10, 23.5, 1),  # the nearer of two
        (3, 32, 20, None),  # half the diameter of a small cell is less
        (3, 31, 20, 2),
        (1, 100, 20, None),
    ],
)
def test_a_decision_stays_with_the_cell_that_was_looked_at(label, y, x, found):
    assert find_objects([replace(ONE, label=label, y=y, x=x)], CELLS) == [found]


def test_a_decision_is_about_its_own_image_task_and_time():
    others = [replace(ONE, image="b"), replace(ONE, object="nuclei"), replace(ONE, t=1)]
    assert find_objects([*others, ONE], CELLS) == [None, None, None, 0]
    assert find_objects([ONE], CELLS.iloc[:0]) == [None]


def test_of_two_cells_one_above_the_other_it_is_the_one_in_that_plane():
    stack = pd.concat([CELLS.iloc[:1].assign(z0=0, z1=4), CELLS.iloc[:1].assign(z0=5, z1=9, label=7)])  # fmt: skip
    new = replace(ONE, label=99)
    assert find_objects([replace(new, z=6.2), replace(new, z=1.0), replace(new, z=20.0)], stack) == [1, 0, None]  # fmt: skip


def test_without_decisions_the_table_is_the_very_same():
    made = decided.apply(CELLS, [], ["a"])
    assert made.kept is CELLS
    assert made.rejected.empty and made.relabelled.empty and made.decisions.empty


def test_a_rejected_cell_leaves_and_is_listed():
    made = decided.apply(CELLS, [ONE], ["a"])
    assert made.kept["label"].tolist() == [2, 3] and list(made.kept) == list(CELLS)
    assert made.rejected[["label", "rejected_by", "rejected_at"]].values.tolist() == [[1, "ann", ONE.time]]  # fmt: skip
    assert made.decisions["state"].tolist() == ["applied"]


def test_a_relabelled_cell_has_its_class_and_is_training_data():
    made = decided.apply(CELLS, [replace(ONE, decision="relabel", class_="B")], ["a"])
    assert made.kept["class"].tolist() == ["B", "B", "T"]
    assert made.kept["class_by"].tolist()[0] == "ann" and made.kept["class_by"].isna().tolist() == [False, True, True]  # fmt: skip
    assert made.relabelled.values.tolist() == [["a", 0, "cells", 1, 10.0, 20.0, "B"]]
    assert list(made.relabelled) == ["image", "t", "object", "label", "y", "x", "class"]
    assert CELLS["class"].tolist() == ["T", "B", "T"]


def test_a_class_goes_to_the_classifier_that_knows_it():
    two = CELLS.drop(columns="class").assign(class_size="big", class_type=["T", "B", "T"])
    made = decided.apply(two, [replace(ONE, decision="relabel", class_="B")], ["a"])
    assert made.kept["class_type"].tolist() == ["B", "B", "T"] and set(made.kept["class_size"]) == {"big"}  # fmt: skip


def test_without_a_classifier_a_few_labels_do_not_become_the_class_of_all():
    made = decided.apply(CELLS.drop(columns="class"), [replace(ONE, decision="relabel", class_="B")], ["a"])  # fmt: skip
    assert "class" not in made.kept and made.relabelled["class"].tolist() == ["B"]


def test_the_later_of_two_decisions_about_one_cell_counts_whatever_its_label_was():
    made = decided.apply(CELLS, [replace(ONE, label=77), replace(ONE, decision="accept")], ["a"])
    assert made.kept["label"].tolist() == [1, 2, 3] and made.rejected.empty
    assert made.decisions["state"].tolist() == ["overruled", "applied"]


def test_what_no_longer_has_a_cell_is_said():
    made = decided.apply(CELLS, [replace(ONE, y=90), replace(ONE, image="b")], ["a"])
    assert made.decisions["state"].tolist() == ["stale", "image not used"]
    assert made.decisions["label_now"].isna().all() and len(made.kept) == 3


def test_a_rejected_image_is_skipped_and_an_unusable_one_stays_what_it_was():
    of = {name: Record(name, "ok", "f", artifact="x") for name in "abc"}
    of["b"] = replace(of["b"], status="quarantined", code="FLAT")
    image = Decision("a", "", 0, 0, 0, 0, 0, "reject", "", "ann", "now")
    made = decided.set_aside_images(of, [image, replace(image, image="b"), replace(ONE, image="c")])
    assert [(one.status, one.code) for one in made.values()] == [("skipped", "REJECTED"), ("quarantined", "FLAT"), ("ok", "")]  # fmt: skip
    assert made["a"].message == "rejected by ann, now"


def test_spots_of_rejected_cells_are_listed_but_not_counted():
    rejected = CELLS.iloc[:1]
    spots = pd.DataFrame({"image": ["a", "a", "a", "b"], "t": 0, "x": 1.0, "cells_label": [0, 1, 2, 1]})  # fmt: skip
    marked = decided.mark_spots(spots, rejected, {"cells": "cells_label"})
    assert marked["rejected"].tolist() == [False, True, False, False]
    assert decided.counted(marked)["cells_label"].tolist() == [0, 2, 1]
    assert decided.mark_spots(spots, CELLS.iloc[:0], {}) is spots
    assert decided.counted(spots) is spots
