"""Plates: the table of wells -> heat maps as SVG text, one a plate and quantity, with the value in each well.

They are written as text: drawing the hundreds of values of one plate takes matplotlib most of a second.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .plots import MOST_OF_A_KIND, PREFERRED

if TYPE_CHECKING:
    import pandas as pd

LAYOUTS = ((8, 12), (16, 24), (32, 48))  # rows, columns of plates with 96, 384 and 1536 wells
WIDTH, HEIGHT, FONT = 44, 31, 12  # of a well and of its value, in CSS pixels
LEFT, TOP, RIGHT = (
    30,
    24,
    90,
)  # for names of rows, numbers of columns, and colours with their values
BAR, STEPS = 14, 32  # width of the colours, and how many are shown
MOST_FIGURES, MOST_OF_OBJECT = 48, 6
DARK = 0.6  # wells brighter than this have dark letters


def make_section(wells: "pd.DataFrame") -> dict[str, Any]:
    """Heat maps of all plates, and how many are not shown."""
    if wells.empty:
        return {"figures": [], "left_out": 0}
    wells = wells.astype({"plate": object, "class": object}).fillna({"plate": "", "class": ""})
    maps = list(list_maps(wells))
    figures = [
        {"title": title_of(*key), "svg": draw_map(table, layout)}
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


def title_of(plate: str, kind: str, quantity: str, name: str) -> str:
    """What a heat map shows."""
    what = f"share of {name}" if quantity == "fraction" else quantity
    return f"{plate}{': ' if plate else ''}{kind}, {what}"


def draw_map(table: "pd.DataFrame", layout: tuple[int, int]) -> str:
    """A square a well, with its value; wells without one are hatched. SVG of numbers and names of rows only."""
    n_rows, n_columns = layout
    values = np.full(layout, np.nan)
    places = table[["row", "column"]].to_numpy(int) - 1
    values[tuple(places.T)] = table["value"].to_numpy(float)
    low, high = np.nanmin(values), np.nanmax(values)
    wells = [
        draw_well(row, column, values[row, column], (values[row, column] - low) / (high - low or 1))
        for row, column in np.argwhere(np.isfinite(values)).tolist()
    ]
    right, bottom = LEFT + n_columns * WIDTH, TOP + n_rows * HEIGHT
    names = [write_text(right_of(i), TOP / 2, str(i + 1)) for i in range(n_columns)]
    names += [write_text(LEFT / 2, below(i), row_name(i)) for i in range(n_rows)]
    size = f"{right + RIGHT} {bottom + 2}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{right + RIGHT}" font-size="{FONT}" '
        'text-anchor="middle" dominant-baseline="central" fill="#111">'
        '<pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<path d="M0 0V7" stroke="#c9ccd3"/></pattern>'
        f'<path d="M{LEFT} {TOP}H{right}V{bottom}H{LEFT}z" fill="#f3f4f6"/>'
        f'<path d="M{LEFT} {TOP}H{right}V{bottom}H{LEFT}z" fill="url(#hatch)"/>'
        f"{''.join(names)}{''.join(wells)}{draw_bar(low, high, right + 12, bottom)}</svg>"
    )


def draw_well(row: int, column: int, value: float, share: float) -> str:
    """Square and value of one well; `share` is where the value lies between the lowest and the highest."""
    x, y = LEFT + column * WIDTH, TOP + row * HEIGHT
    letters = "" if share > DARK else ' fill="#fff"'
    return (
        f'<rect x="{x}" y="{y}" width="{WIDTH - 1}" height="{HEIGHT - 1}" fill="{choose_color(share)}"/>'
        + write_text(right_of(column), below(row), shorten(value), letters)
    )


def draw_bar(low: float, high: float, x: int, bottom: int) -> str:
    """The colours from the lowest value, below, to the highest."""
    step = (bottom - TOP) / STEPS
    colors = (
        f'<rect x="{x}" y="{bottom - (i + 1) * step:.1f}" width="{BAR}" height="{step + 0.5:.1f}" fill="{choose_color(i / (STEPS - 1))}"/>'
        for i in range(STEPS)
    )
    shares = (0.0, 0.5, 1.0) if high > low else (0.0,)
    ticks = (write_text(x + BAR + 30, bottom - 8 - share * (bottom - TOP - 16), shorten(low + share * (high - low))) for share in shares)  # fmt: skip
    return "".join([*colors, *ticks])


def choose_color(share: float) -> str:
    """Colour of a value, 0 the lowest and 1 the highest."""
    from matplotlib import colormaps, colors

    return colors.to_hex(colormaps["viridis"](share))


def write_text(x: float, y: float, text: str, more: str = "") -> str:
    """A text around a point."""
    return f'<text x="{x:g}" y="{y:g}"{more}>{text}</text>'


def right_of(column: int) -> float:
    """Middle of a column of wells."""
    return LEFT + (column + 0.5) * WIDTH


def below(row: int) -> float:
    """Middle of a row of wells."""
    return TOP + (row + 0.5) * HEIGHT


def row_name(index: int) -> str:
    """A, B, ..., Z, AA, ..."""
    return ("A" if index >= 26 else "") + chr(65 + index % 26)


def shorten(value: float) -> str:
    """At most three digits, so that it fits into a well."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= 0.9995 * unit:
            return f"{value / unit:.3g}{letter}"
    return f"{value:.3g}" if abs(value) >= 0.01 or value == 0 else f"{value:.0e}"
