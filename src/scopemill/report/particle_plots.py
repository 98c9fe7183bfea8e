"""Particle plots: particles.csv, particle_comparisons.csv and particle_counts.csv -> the report's section on particles."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..tables import read_csv
from .plots import COLORS, MAX_GROUPS, draw, name_groups

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

ALL = "all"
SURE = 0.05
MAX_ROWS = 200
MAX_HISTOGRAMS = 8
MIN_CELLS = 10  # of a histogram
# column of the rate, stem of its interval, and words for it; the last that is known is drawn
RATES = (
    ("particles_per_cell", "", "found"),
    ("specific_per_cell", "specific_", "less background"),
    ("corrected_per_cell", "corrected_", "corrected"),
)


def make_section(root: Path) -> dict[str, Any] | None:
    """What the page shows of particles; None for a study that counts none."""
    if not (root / "particles.csv").exists():
        return None
    table = read_csv(root / "particles.csv")
    counts = read_csv(root / "particle_counts.csv")
    compared = root / "particle_comparisons.csv"
    known = [words for column, _, words in RATES if table[column].notna().any()]
    return {
        "rows": [row | {"spread": describe_spread(row)} for row in table[:MAX_ROWS].to_dict("records")],
        "n_rows": len(table),
        "comparisons": read_csv(compared)[:MAX_ROWS].to_dict("records") if compared.exists() else [],
        "figures": list(make_figures(table, counts)),
        "several_kinds": table["kind"].nunique() > 1,
        "several_tasks": len(table[["object", "spots"]].drop_duplicates()) > 1,
        "background": "less background" in known,
        "corrected": "corrected" in known,
    }  # fmt: skip


def describe_spread(row: dict[str, Any]) -> str:
    """How cells differ, in words."""
    index, p = row["index_of_dispersion"], row["dispersion_p"]
    if not p == p:
        return "too little to tell"
    if p >= SURE:
        return "no more than by chance"
    if index < 1:
        return f"less variable than chance ({index:.2g} times)"
    words = f"more variable than chance ({index:.2g} times): cells differ"
    if row["zero_inflation_p"] < SURE:
        words += f"; {row['zero_inflation']:.0%} too many have none"
    return words


def make_figures(table: "pd.DataFrame", counts: "pd.DataFrame") -> Iterator[dict[str, str]]:
    """Particles a cell by group and class, for each kind; then how many cells have how many."""
    for (_, spots, kind), one in table.groupby(["object", "spots", "kind"], sort=False):
        name = spots if kind == ALL else f"{spots}, {kind}"
        for column, stem, words in RATES:
            if one[column].notna().any():
                yield draw(
                    f"{name}: particles a cell, {words}, with 95 % intervals",
                    draw_rates, one[one[column].notna()], column, stem, name,
                )  # fmt: skip
    whole = counts[counts["kind"] == ALL] if len(counts) else counts
    if len(whole) and whole["class"].nunique() > 1:
        whole = whole[whole["class"] != ALL]  # a mixture of classes fits no Poisson
    drawn = 0
    for (_, spots, class_), one in whole.groupby(["object", "spots", "class"], sort=False) if len(whole) else ():  # fmt: skip
        if one["n_cells"].sum() >= MIN_CELLS and drawn < MAX_HISTOGRAMS:
            drawn += 1
            title = f"{spots} of each cell, {'all classes' if class_ == ALL else class_}: counted (bars), by chance alone (lines)"
            yield draw(title, draw_histogram, one, str(spots))


def draw_rates(axes: "Axes", table: "pd.DataFrame", column: str, stem: str, label: str) -> None:
    """A point for each class in each group, with the interval to use."""
    groups = list(dict.fromkeys(table["group"].astype(str)))[:MAX_GROUPS]
    classes = [name for name in dict.fromkeys(table["class"]) if name != ALL] or [ALL]
    for i, name in enumerate(classes):
        one = table[table["class"] == name]
        one = one.set_index(one["group"].astype(str)).reindex(groups)
        x = np.arange(len(groups)) + (i - (len(classes) - 1) / 2) * 0.6 / len(classes)
        y = one[column]
        reach = np.abs(np.stack([y - one[f"{stem}low"], one[f"{stem}high"] - y]))
        color = COLORS[i % len(COLORS)]
        axes.errorbar(x, y, reach, fmt="o", ms=5, lw=1.2, capsize=3, color=color, label=str(name))
    name_groups(axes, groups, "")
    axes.set_ylabel(f"{label} per cell")
    if table[f"{stem}low"].min() < 0:
        axes.axhline(0, color="#999", lw=0.8)
    else:
        axes.set_ylim(bottom=0)
    if classes != [ALL]:
        axes.legend(frameon=False, fontsize=8)


def draw_histogram(axes: "Axes", table: "pd.DataFrame", label: str) -> None:
    """Share of the cells with so many particles, a group a colour; lines: the Poisson of the same mean."""
    for i, (group, one) in enumerate(list(table.groupby("group", sort=False))[: len(COLORS)]):
        n, color = one["n_cells"].sum(), COLORS[i % len(COLORS)]
        edges = np.append(one["count_from"], one["count_to"].iloc[-1] + 1) - 0.5
        width = np.diff(edges)
        axes.stairs(
            one["n_cells"] / n / width, edges, fill=True, color=color, alpha=0.35, label=f"{group} ({n} cells)"
        )  # fmt: skip
        middle = (one["count_from"] + one["count_to"]) / 2
        axes.plot(middle, one["n_cells_expected"] / n / width, "-", color=color, lw=1.4)
    axes.set(xlabel=f"{label} of a cell", ylabel="share of the cells")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8)
