"""Expressions: `intensity_mean_CD3 > 400 and area_um2 < 200` over the columns of a table -> True or False a row.

A small grammar (comparisons, and/or/not, + - * /, numbers, column names): a config can compute, not run code.
"""

import ast
import operator
from collections.abc import Mapping

import numpy as np

from .settings import ConfigError

BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
COMPARE = {
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt,
    ast.LtE: operator.le, ast.Eq: operator.eq,
    ast.NotEq: lambda one, other: (one < other) | (one > other),  # `!=` holds for a missing value
}  # fmt: skip
MAX_LENGTH = 1000
MAX_PARTS = 300


def parse(text: str) -> ast.expr:
    """Parse and check the grammar.

    Raises
    ------
    ConfigError
        Naming what is not allowed.
    """
    if len(text) > MAX_LENGTH:
        raise ConfigError(f"a rule of {len(text)} characters is too long; {MAX_LENGTH} are allowed")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ConfigError(
            f"cannot read the rule {text!r}; write for instance 'intensity_mean_CD3 > 400'"
        ) from None
    if sum(1 for _ in ast.walk(tree)) > MAX_PARTS:
        raise ConfigError(f"the rule {text[:60]!r}... has too many parts; {MAX_PARTS} are allowed")
    allowed = (
        ast.BoolOp,
        ast.And,
        ast.Or,
        ast.UnaryOp,
        ast.Not,
        ast.USub,
        ast.BinOp,
        ast.Compare,
        ast.Name,
        ast.Load,
    )
    for node in ast.walk(tree):
        number = isinstance(node, ast.Constant) and isinstance(node.value, (int, float))
        if not number and not isinstance(node, allowed + tuple(BINARY) + tuple(COMPARE)):
            raise ConfigError(
                f"the rule {text!r} may hold columns, numbers, comparisons, and, or, not, + - * / only"
            )
    return tree


def names(text: str) -> set[str]:
    """Columns that an expression uses."""
    return {node.id for node in ast.walk(parse(text)) if isinstance(node, ast.Name)}


def evaluate(text: str, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Value of the expression for each row; a comparison with a missing value is False."""
    return _evaluate(parse(text), columns)


def _evaluate(node: ast.expr, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return np.asarray(columns[name])
        case ast.UnaryOp(op=op, operand=operand):
            value = _evaluate(operand, columns)
            return ~np.asarray(value, bool) if isinstance(op, ast.Not) else -value
        case ast.BinOp(left=left, op=op, right=right):
            with np.errstate(divide="ignore", invalid="ignore"):
                return BINARY[type(op)](_evaluate(left, columns), _evaluate(right, columns))
        case ast.BoolOp(op=op, values=values):
            combine = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return combine.reduce([_evaluate(value, columns) for value in values])
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            values = [_evaluate(value, columns) for value in (left, *comparators)]
            pairs = zip(ops, values[:-1], values[1:], strict=True)
            return np.logical_and.reduce(
                [COMPARE[type(op)](one, other) for op, one, other in pairs]
            )
    raise AssertionError(node)
