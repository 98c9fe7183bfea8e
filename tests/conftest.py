"""For all tests: SCOPEMILL_REQUIRE_ALL=1 (CI) turns a skip of something required into a failure.

Property tests look at the same examples every time, so that what is right today is right tomorrow;
`--hypothesis-profile=default` looks at others.
"""

import os

import pytest
from hypothesis import settings

settings.register_profile("same", derandomize=True)
settings.load_profile("same")


@pytest.fixture(scope="session")
def require_or_skip():
    """Call with a condition and what is missing."""

    def require(condition: object, reason: str) -> None:
        if condition:
            return
        if os.environ.get("SCOPEMILL_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)

    return require
