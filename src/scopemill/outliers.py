"""Outliers: a column of a table -> a score of each row (0 to 1) of how unlike its like it is, with words; see suspicion.py."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .readable import readable

if TYPE_CHECKING:
    import pandas as pd

CUT = 3.5
NAMED = 0.25  # scores from here on are named in the reason
COLUMNS = ("suspicion", "suspicion_reason")


class Check(NamedTuple):
    """What one look at a table says of each of its rows."""

    score: np.ndarray  # (n,) 0 to 1
    words: "pd.Series"  # (n,) of text; needed only where the score is NAMED or more


def compare(
    name: str,
    shown: "pd.Series",
    values: "pd.Series",
    by: "Sequence[pd.Series]",
    least: int,
    floor: "float | pd.Series" = 0.0,
    side: int = 0,
    tails: bool = False,
) -> Check:
    """Each value with those of the first key of `by` that gives `least` of them; side -1: only low ones count.

    `floor` is the least spread that is believed; `shown` are the values that the words give.
    """
    z, key = robust_z(values, by, least, floor, tails)
    z = z.where(z * side >= 0, 0.0) if side else z
    score = (z**4 / (z**4 + CUT**4)).to_numpy(float)
    usual = shown.groupby(key).transform("median")
    told = z[score >= NAMED]
    words = [
        f"{name} {'high' if one > 0 else 'low'}: {readable(shown[i], 3)}, usually {readable(usual[i], 3)}"
        for i, one in told.items()
    ]
    return Check(score, to_words(told.index, words, shown.index))


def robust_z(
    values: "pd.Series",
    by: "Sequence[pd.Series]",
    least: int,
    floor: "float | pd.Series" = 0.0,
    tails: bool = False,
) -> "tuple[pd.Series, pd.Series]":
    """Modified z of each value (0 where it cannot be told), and the key of what it was compared with.

    With `tails`, the spread is at least what the middle 90 % of the values span, over 3.29, as in a normal distribution:
    of two kinds of cells, the fewer ones are no outliers. It takes more than 20 values to keep outliers out of that.
    """
    import pandas as pd

    known = values.replace([np.inf, -np.inf], np.nan)
    z = pd.Series(np.nan, index=values.index)
    used = pd.Series(np.nan, index=values.index, dtype=by[0].dtype)
    for key in by:
        apart = known - known.groupby(key).transform("median")
        spread = 1.4826 * apart.abs().groupby(key).transform("median")
        # more than half of them are equal: the mean deviation, as Iglewicz & Hoaglin do
        spread = spread.where(spread > 0, 1.2533 * apart.abs().groupby(key).transform("mean"))
        if tails:
            low, high = (known.groupby(key).transform("quantile", q) for q in (0.05, 0.95))
            spread = np.maximum(spread, (high - low) / 3.29)
        spread = np.maximum(spread, floor)
        enough = known.groupby(key).transform("count") >= least
        new = z.isna() & enough & (spread > 0)
        z, used = z.mask(new, apart / spread), used.mask(new, key)
    return z.fillna(0.0), used


def number_keys(by: "Iterable[pd.Series]") -> "list[pd.Series]":
    """Keys as numbers, which take a fraction of the time and memory of text; no two keys share one."""
    import pandas as pd

    numbered, n = [], 0
    for key in by:
        numbers, names = key.factorize()
        numbered.append(pd.Series(numbers + n, index=key.index).where(numbers >= 0))
        n += len(names)
    return numbered


def log(values: "pd.Series") -> "pd.Series":
    """Natural logarithm; NaN for what is not positive."""
    values = values.astype(float)
    return np.log(values.where(values > 0))


def root(counts: "pd.Series") -> "pd.Series":
    """Counts -> numbers whose Poisson noise is 1, whatever the count (Anscombe 1948)."""
    return 2 * np.sqrt(counts.astype(float).clip(lower=0) + 0.375)


def flag(so: np.ndarray, score: float, words: str, index: "pd.Index") -> Check:
    """The same score and words for all rows of which something is so."""
    import pandas as pd

    return Check(np.where(so, score, 0.0), pd.Series(words, index=index))


def flag_rows(keys: "pd.Series", known: Mapping[str, tuple[float, str]]) -> Check:
    """Scores and words of single rows, by their key."""
    found = [known.get(key, (0.0, "")) for key in keys]
    words = to_words(keys.index, [text for _, text in found], keys.index)
    return Check(np.array([score for score, _ in found], float), words)


def to_words(index: "pd.Index", words: list[str], whole: "pd.Index") -> "pd.Series":
    """Text for some rows, as a column of all."""
    import pandas as pd

    return pd.Series(words, index=index, dtype=object).reindex(whole, fill_value="")


def join_checks(checks: Iterable[Check], table: "pd.DataFrame") -> "pd.DataFrame":
    """All scores put together, and the words of those that matter, the highest first."""
    import pandas as pd

    trust = np.ones(len(table))
    told: dict[int, list[tuple[float, str]]] = {}
    for score, words in checks:
        score = np.nan_to_num(score)
        trust *= 1 - score
        for i in np.flatnonzero(score >= NAMED):
            told.setdefault(i, []).append((-score[i], words.iloc[i]))
    reasons = [""] * len(table)
    for i, one in told.items():
        reasons[i] = "; ".join(text for _, text in sorted(one))
    suspicion = (1 - trust).round(4)
    return pd.DataFrame(dict(zip(COLUMNS, (suspicion, reasons), strict=True)), index=table.index)
