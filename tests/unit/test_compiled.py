"""compiled.py: machine code of a function, also where there is no place to keep it."""

import numpy as np
import pytest
from numba import njit

from scopemill.compiled import compiled


def double(values):
    for i in range(len(values)):
        values[i] *= 2
    return values


def test_a_compiled_function_does_what_the_function_does():
    quick = compiled(double)
    assert quick(np.array([1.0, 2.5])).tolist() == [2.0, 5.0]
    assert quick.py_func is double and quick.signatures


def test_without_a_place_to_keep_it_it_is_compiled_all_the_same():
    made = {}
    exec(
        "def triple(x):\n    return 3 * x", made
    )  # a function of no file, as in a container without a home
    with pytest.raises(RuntimeError, match="cannot cache"):
        njit(cache=True)(made["triple"])
    assert compiled(made["triple"])(2) == 6
