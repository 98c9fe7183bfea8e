"""Compiled: a function of plain loops over arrays -> the same function as machine code (numba), kept for the next process.

Modules in kernels/ are imported inside the functions that need them: numba takes a quarter of a second.
"""

from collections.abc import Callable
from typing import TypeVar

from numba import njit

F = TypeVar("F", bound=Callable)


def compiled(function: F) -> F:
    """Compile at the first call, without fast-math, so that results do not depend on the machine; the GIL is released.

    The code is kept beside the source or in the user's cache folder; where neither may be written, as in a container
    without a home, it is compiled in each process.
    """
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba: "cannot cache function: no locator available"
        return njit(nogil=True)(function)
