"""Described: settings classes -> their JSON schema, with the sentence that stands below each setting in the source.

Pydantic would look for those sentences whenever a class is imported, which every job and every dry run does.
"""

import ast
import inspect
import textwrap
from itertools import pairwise
from typing import Any

from pydantic.json_schema import GenerateJsonSchema


class Described(GenerateJsonSchema):
    """JSON schema whose settings say what they are."""

    def dataclass_schema(self, schema: Any) -> dict[str, Any]:
        """As pydantic makes it, and the sentences."""
        made = super().dataclass_schema(schema)
        for name, text in read_sentences(schema["cls"]).items():
            made["properties"][name].setdefault("description", text)
        return made


def read_sentences(cls: type) -> dict[str, str]:
    """Setting -> the docstring below it, in a class's source."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    return {
        one.target.id: inspect.cleandoc(below.value.value)
        for one, below in pairwise(tree.body)
        if isinstance(one, ast.AnnAssign)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
    }
