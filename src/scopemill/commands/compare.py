"""scopemill compare: two or more scores.csv -> their means side by side, over the images that all of them score.

scores.csv stand in results/<study>/evaluation/<task>/ and, for its test images, in a trained model's folder.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..metrics import bootstrap_interval
from ..settings import ConfigError

SCORES = ("f1", "mean_average_precision", "mean_dice")


def main(arguments: Sequence[str]) -> int:
    """Print a line a file and score: mean (95 % interval), and the difference from the first file."""
    parser = argparse.ArgumentParser("scopemill compare", description=__doc__)
    parser.add_argument("scores", type=Path, nargs="+", help="scores.csv files; the first is what the others are compared with")  # fmt: skip
    options = parser.parse_args(arguments)
    tables = align([read_scores(path) for path in options.scores])
    sys.stdout.write(f"{len(tables[0])} images, scored in all; in brackets 95 % intervals\n")
    for name in SCORES:
        if all(name in table for table in tables):
            sys.stdout.write("\n".join(describe(name, tables, options.scores)) + "\n")
    return 0


def read_scores(path: Path) -> pd.DataFrame:
    """One row an image."""
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; run `snakemake evaluate` or `snakemake train`")
    table = pd.read_csv(path, dtype={"image": str, "group": str})
    if "image" not in table or not set(SCORES) & set(table):
        raise ConfigError(f"{path}: no scores of images (columns {list(table)})")
    # an image of several parts or time points counts once
    groups = table.groupby("image")["group"].first() if "group" in table else None
    means = table.groupby("image").mean(numeric_only=True)
    return means.assign(group=means.index if groups is None else groups)


def align(tables: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """The images that all tables have, in one order."""
    shared = sorted(set.intersection(*(set(table.index) for table in tables)))
    if not shared:
        raise ConfigError("these scores have no image in common: they are of different images")
    return [table.loc[shared] for table in tables]


def describe(name: str, tables: list[pd.DataFrame], paths: list[Path]) -> list[str]:
    """Lines of one score; groups of the first table are drawn again."""
    groups = list(tables[0]["group"])
    width = max(len(str(path.parent)) for path in paths)
    lines = []
    for path, table in zip(paths, tables, strict=True):
        line = f"{name:24s} {path.parent!s:{width}s} {interval(table[name], groups)}"
        if table is not tables[0]:
            line += f", {interval(table[name] - tables[0][name], groups, '+')} to the first"
        lines.append(line)
    return lines


def interval(values: pd.Series, groups: list[str], sign: str = "") -> str:
    """'0.912 (0.880 to 0.941)'."""
    rng = np.random.default_rng(0)
    mean, low, high = bootstrap_interval(list(values), np.mean, rng=rng, groups=groups)
    return f"{mean:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"
