"""Draw: groups of images and shares -> a part for each group, the values of a column spread evenly.

As scikit-learn's StratifiedGroupKFold, but into parts of unequal size.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ..settings import ConfigError
from .settings import Split


def draw(
    rows: Sequence[Mapping[str, str]], groups: Mapping[str, str], settings: Split
) -> dict[str, str]:
    """Draw whole groups, the largest first, each to the part that lacks most of what it holds."""
    shares = {"train": 1 - settings.validation - settings.test, "validation": settings.validation, "test": settings.test}  # fmt: skip
    shares = {part: share for part, share in shares.items() if share > 0}
    names = list(dict.fromkeys(groups[row["image"]] for row in rows))
    if len(names) < len(shares):
        what = f"groups by column '{settings.group}'" if settings.group else "groups of images"
        raise ConfigError(
            f"split: {' and '.join(shares)} need at least {len(shares)} {what}, there are {len(names)}; "
            "add images, or set a share to 0"
        )
    counts = count_strata(rows, groups, names, settings.stratify)
    order = np.random.default_rng(settings.seed).permutation(len(names))
    order = order[np.argsort(-counts[order, 0], kind="stable")]
    chosen = assign(counts[order], np.array(list(shares.values())))
    part_of = {names[group]: list(shares)[part] for group, part in zip(order, chosen, strict=True)}
    return {row["image"]: part_of[groups[row["image"]]] for row in rows}


def count_strata(
    rows: Sequence[Mapping[str, str]], groups: Mapping[str, str], names: list[str], stratify: str
) -> np.ndarray:
    """(groups, 1 + strata): images of each group, in all and of each value of the column."""
    strata = sorted({row[stratify] for row in rows}) if stratify else []
    counts = np.zeros((len(names), 1 + len(strata)), int)
    group_number = {name: n for n, name in enumerate(names)}
    stratum_number = {name: n for n, name in enumerate(strata, 1)}
    for row in rows:
        group = group_number[groups[row["image"]]]
        counts[group, 0] += 1
        if stratify:
            counts[group, stratum_number[row[stratify]]] += 1
    return counts


def assign(counts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(groups, strata) in the order of the draw -> part of each, none of the parts empty."""
    wanted = shares[:, None] * counts.sum(axis=0)
    scale = np.maximum(counts.sum(axis=0), 1)
    have, chosen = np.zeros_like(wanted), np.empty(len(counts), int)
    for n, group in enumerate(counts):
        off = np.square((have - wanted) / scale)
        cost = (np.square((have + group - wanted) / scale) - off).sum(axis=1)
        empty = np.flatnonzero(have[:, 0] == 0)
        # the last groups go where there is nothing yet
        choice = empty if len(counts) - n <= len(empty) else np.arange(len(shares))
        chosen[n] = choice[np.argmin(cost[choice])]
        have[chosen[n]] += group
    return chosen
