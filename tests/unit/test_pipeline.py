"""Pipeline: items are made one ahead, in order, and errors come through."""

import threading

import pytest

from scopemill.pipeline import ahead


def test_items_come_in_order_and_one_is_made_ahead():
    made = []

    def items():
        for i in range(4):
            made.append(i)
            yield i

    found = ahead(items())
    assert next(found) == 0
    assert next(found) == 1
    found.close()
    assert made[:2] == [0, 1]
    assert len(made) <= 3
    assert list(ahead(iter([]))) == []


def test_the_next_item_is_made_while_this_one_is_in_use():
    used, made = threading.Event(), threading.Event()

    def items():
        yield 0
        assert used.wait(10)  # only reached in time by another thread
        made.set()
        yield 1

    found = ahead(items())
    next(found)
    used.set()
    assert made.wait(10)
    assert next(found) == 1
    found.close()


def test_without_threads_nothing_is_made_ahead():
    made = []
    found = ahead((made.append(i) or i for i in range(3)), enabled=False)
    next(found)
    assert made == [0]
    assert list(found) == [1, 2]


def test_an_error_comes_where_the_item_would():
    def items():
        yield 1
        raise ValueError("broken")

    found = ahead(items())
    assert next(found) == 1
    with pytest.raises(ValueError, match="broken"):
        next(found)
