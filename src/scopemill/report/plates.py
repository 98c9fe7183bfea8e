"""Plates: the table of wells -> heat maps as SVG text, one a plate and quantity, with the value in each well."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .plots import MOST_OF_A_KIND, PREFERRED, draw

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

LAYOUTS = ((8, 12), (16, 24), (32, 48))  # rows, columns of plates with 96, 384 and 1536 wells
INCH, FONT = 0.62, 10  # of a well, and of its value in points
MOST_FIGURES, MOST_OF_OBJECT = 48, 6
DARK = 0.6  # wells brighter than this have dark letters


def make_section(wells: "pd.DataFrame") -> dict[str, Any]:
    """Heat maps of all plates, and how many are not shown."""
    if wells.empty:
        return {"figures": [], "left_out": 0}
    wells = wells.astype({"plate": object, "class": object}).fillna({"plate": "", "class": ""})
    maps = list(list_maps(wells))
    figures = [
        draw(title_of(*key), draw_map, table, layout, size=size_of(layout))
        for key, table, layout in maps[:MOST_FIGURES]
    ]
    return {"figures": figures, "left_out": len(maps) - len(figures)}


def list_maps(wells: "pd.DataFrame") -> "Iterator[tuple[tuple, pd.DataFrame, tuple[int, int]]]":
    """(plate, object, quantity, class), its rows, and the layout of the plate."""
    chosen = {kind: choose_quantities(table) for kind, table in wells.groupby("object", sort=False)}
    for plate, on_plate in wells.groupby("plate", sort=False):
        layout = choose_layout(int(on_plate["row"].max()), int(on_plate["column"].max()))
        for kind, of_kind in on_plate.groupby("object", sort=False):
            for quantity, name in chosen[kind]:
                table = of_kind[(of_kind["quantity"] == quantity) & (of_kind["class"] == name)]
                if table["value"].notna().any():
                    yield (plate, kind, quantity, name), table, layout


def choose_quantities(table: "pd.DataFrame") -> list[tuple[str, str]]:
    """(quantity, class): the count, shares of classes, then means of all objects, the most telling first."""
    whole = list(dict.fromkeys(table.loc[table["class"] == "", "quantity"]))
    shares = list(dict.fromkeys(table.loc[table["quantity"] == "fraction", "class"]))
    means = [
        one
        for start in PREFERRED
        for one in [name for name in whole if name.startswith(f"mean {start}")][:MOST_OF_A_KIND]
    ]
    found = [("count", ""), *(("fraction", name) for name in shares[:3]), *((one, "") for one in means)]  # fmt: skip
    return found[:MOST_OF_OBJECT]


def choose_layout(n_rows: int, n_columns: int) -> tuple[int, int]:
    """The smallest plate that has this row and column."""
    fitting = (one for one in LAYOUTS if n_rows <= one[0] and n_columns <= one[1])
    return next(fitting, LAYOUTS[-1])


def size_of(layout: tuple[int, int]) -> tuple[float, float]:
    """Width and height of a heat map in inches, so that values can be read."""
    n_rows, n_columns = layout
    return (n_columns * INCH + 1.4, n_rows * INCH * 0.7 + 0.6)


def title_of(plate: str, kind: str, quantity: str, name: str) -> str:
    """What a heat map shows."""
    what = f"share of {name}" if quantity == "fraction" else quantity
    return f"{plate}{': ' if plate else ''}{kind}, {what}"


def draw_map(axes: "Axes", table: "pd.DataFrame", layout: tuple[int, int]) -> None:
    """A square a well, with its value; wells without one are hatched."""
    from matplotlib.patches import Rectangle

    n_rows, n_columns = layout
    values = np.full(layout, np.nan)
    places = table[["row", "column"]].to_numpy(int) - 1
    values[tuple(places.T)] = table["value"].to_numpy(float)
    axes.add_patch(
        Rectangle((0, 0), n_columns, n_rows, facecolor="#f3f4f6", edgecolor="#c9ccd3", hatch="////", lw=0)
    )  # fmt: skip
    mesh = axes.pcolormesh(values, cmap="viridis", edgecolors="white", linewidth=0.6)
    axes.figure.colorbar(mesh, ax=axes, shrink=0.8, pad=0.01, aspect=30)
    for row, column in np.argwhere(np.isfinite(values)):
        value = values[row, column]
        color = "#111" if mesh.norm(value) > DARK else "#fff"
        place = (column + 0.5, row + 0.5)
        axes.text(*place, shorten(value), ha="center", va="center", fontsize=FONT, color=color)
    axes.set(xlim=(0, n_columns), ylim=(n_rows, 0))
    axes.set_xticks(np.arange(n_columns) + 0.5, [str(i + 1) for i in range(n_columns)])
    axes.set_yticks(np.arange(n_rows) + 0.5, [row_name(i) for i in range(n_rows)])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def row_name(index: int) -> str:
    """A, B, ..., Z, AA, ..."""
    return ("A" if index >= 26 else "") + chr(65 + index % 26)


def shorten(value: float) -> str:
    """At most three digits, so that it fits into a well."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= 0.9995 * unit:
            return f"{value / unit:.3g}{letter}"
    return f"{value:.3g}" if abs(value) >= 0.01 or value == 0 else f"{value:.0e}"
