"""Expressions: rules on columns are computed, code is not run."""

import numpy as np
import pytest

from scopemill.expressions import MAX_LENGTH, evaluate, names, parse
from scopemill.settings import ConfigError

TABLE = {"a": np.array([1.0, 2, 3]), "b": np.array([3.0, 2, 1]), "gone": np.full(3, np.nan)}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("a > 1", [0, 1, 1]),
        ("a >= 2", [0, 1, 1]),
        ("a < 2", [1, 0, 0]),
        ("a <= 2", [1, 1, 0]),
        ("a == 2", [0, 1, 0]),
        ("a != 2", [1, 0, 1]),
        ("1 < a < 3", [0, 1, 0]),
        ("1 < a <= b", [0, 1, 0]),
        ("3 > a > b", [0, 0, 0]),
        ("a > 2 or a < 2 and b > 5", [0, 0, 1]),
        ("(a > 2 or a < 2) and b > 2", [1, 0, 0]),
        ("not a > 1", [1, 0, 0]),
        ("not a > 1 or b < 2", [1, 0, 1]),
        ("a + b * 2 > 6", [1, 0, 0]),
        ("(a + b) * 2 > 7", [1, 1, 1]),
        ("a - b - 1 > 0", [0, 0, 1]),
        ("a / b > 0.9", [0, 1, 1]),
        ("-a < -1", [0, 1, 1]),
        ("a > 1.5e0 and a < 2.5", [0, 1, 0]),
        (" \n a > 1 ", [0, 1, 1]),
    ],
)
def test_a_rule_is_computed_row_by_row(rule, expected):
    np.testing.assert_array_equal(np.asarray(evaluate(rule, TABLE), bool), np.array(expected, bool))


@pytest.mark.parametrize("comparison", [">", "<", ">=", "<=", "==", "!="])
def test_a_comparison_with_a_missing_value_is_false(comparison):
    assert not evaluate(f"gone {comparison} 1", TABLE).any()
    assert not evaluate(f"a + gone {comparison} 1", TABLE).any()


def test_a_division_by_zero_warns_nobody():
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(evaluate("a / (b - 2) > 1", TABLE), [False, True, False])


def test_columns_of_truth_values_are_rules_themselves():
    np.testing.assert_array_equal(evaluate("not edge", {"edge": np.array([True, False])}), [0, 1])


def test_the_columns_of_a_rule_are_known():
    assert names("a > 1 and (b < 2 or not c == a)") == {"a", "b", "c"}


@pytest.mark.parametrize(
    "rule",
    [
        "open('x')",
        "__import__('os').system('ls')",
        "a.b > 1",
        "a.__class__",
        "a[0] > 1",
        "a > 'x'",
        "'a' == 'a'",
        "f'{a}'",
        "lambda: 1",
        "(x := 1) > 0",
        "a ** 9 > 1",
        "9 ** 9 ** 9",
        "a % 2 == 0",
        "a // 2",
        "a & b",
        "a << 9",
        "~a",
        "+a",
        "a in b",
        "a is b",
        "a if b else a",
        "[a]",
        "(a, b)",
        "{a}",
        "{a: b}",
        "[x for x in a]",
        "*a",
        "1j > 0",
        "b'x'",
        "...",
        "None",
        "await a",
        "yield",
    ],
)
def test_what_is_no_rule_is_refused(rule):
    with pytest.raises(ConfigError, match=r"the rule"):
        parse(rule)


@pytest.mark.parametrize("rule", ["", "a >", "a > 1; b", "import os", "a b", "\0", "a = 1", "(" * 400 + "a" + ")" * 400])  # fmt: skip
def test_what_cannot_be_read_is_refused_with_an_example(rule):
    with pytest.raises(ConfigError, match="write for instance"):
        parse(rule)


def test_a_huge_rule_is_refused():
    parse("a" * MAX_LENGTH)
    with pytest.raises(ConfigError, match="too long"):
        parse("a" * (MAX_LENGTH + 1))
