"""Splits: rows of a sheet + what the pixels say -> train, validation or test, no subject in two of them.

Scores on images that a model has seen the like of mean nothing. So images of one subject, and copies and neighbours of
one image, stay together, and a split that would part them is refused.
"""

from .duplicates import Leak, find_leaks, groups_of, mirror_hash, pixel_hash
from .files import Assignment, read_split, write_split
from .make import describe_split, find_groups, make_split
from .settings import PARTS, Split

__all__ = [
    "PARTS", "Assignment", "Leak", "Split", "describe_split", "find_groups", "find_leaks", "groups_of", "make_split",
    "mirror_hash", "pixel_hash", "read_split", "write_split",
]  # fmt: skip
