"""Numbers in texts."""

import pytest

from scopemill.readable import readable


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (0.17, 2, "0.17"), (3.14, 2, "3.1"), (99.4, 2, "99"), (99.6, 2, "100"), (140.2, 2, "140"),
        (65535, 4, "65535"), (9999.4, 4, "9999"), (9999.7, 4, "10000"), (-1234.5, 3, "-1234"),
        (0.0, 3, "0"), (0.00001, 3, "1e-05"), (2.5e12, 3, "2.5e+12"), (float("inf"), 3, "inf"),
    ],
)  # fmt: skip
def test_large_numbers_have_no_exponent(value, digits, expected):
    assert readable(value, digits) == expected
