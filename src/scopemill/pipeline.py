"""Pipeline: work that is done one item ahead, in a thread, so that reading, network and what follows overlap."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
END = object()


def ahead(items: Iterable[T], enabled: bool = True) -> Iterator[T]:
    """The same items, each made in a thread while its predecessor is in use; errors come where it would have come.

    At most two items are alive: the one in use and the next one.
    """
    iterator = iter(items)
    if not enabled:
        yield from iterator
        return
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(next, iterator, END)
        while (item := waiting.result()) is not END:
            waiting = thread.submit(next, iterator, END)
            yield item
            del item  # not kept while the next one is waited for
