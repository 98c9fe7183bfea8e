"""Plots of the report: tables -> SVG text with a title. Points are images, so that few images look like few."""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..columns import describe
from ..readable import readable
from ..statistics import Logistic

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

COLORS = ("#3f6bff", "#ff9f1c", "#2e9e5b", "#e84fd0", "#8f6bd8", "#d1495b", "#00798c", "#a17c38")
MAX_GROUPS = 24
MAX_OBJECTS = 4000  # a group's objects drawn in a distribution
MANY = 2000  # points; more become pixels, which browsers draw faster than shapes
PIXELS_PER_INCH = 160  # where points are pixels
PREFERRED = (
    "n_",
    "ring_ratio_",
    "nucleus_cytoplasm_ratio_",
    "area_um2",
    "volume_um3",
    "intensity_mean_",
)
MOST_OF_A_KIND = 2
STYLE = {
    "svg.hashsalt": "scopemill", "svg.fonttype": "none", "font.size": 9, "text.parse_math": False,
    "axes.spines.top": False, "axes.spines.right": False, "figure.constrained_layout.use": True,
}  # fmt: skip


def make_figures(tables: Any, settings: Any) -> Iterator[dict[str, str]]:
    """All plots as {title, svg}, the most telling first."""
    images = tables.images[tables.images["status"] == "ok"]
    group = settings.group_by if settings.group_by in images else None
    for fit in tables.fits.to_dict("records"):
        yield draw(f"{fit['y']} against {fit['x']}: EC50 {readable(fit['ec50'], 3)} (95 % interval {readable(fit['ec50_low'], 3)} to "
                   f"{readable(fit['ec50_high'], 3)}, {fit['n_images']} images)", draw_fit, tables.objects, fit)  # fmt: skip
    for column, table in tables.comparison.groupby("column") if len(tables.comparison) else ():
        yield draw(f"{column}: measured against known, one point an image", draw_comparison, table)
    for kind, objects in tables.objects.groupby("object", sort=False):
        yield draw(
            f"{kind}: number in each image, with exact Poisson intervals",
            draw_counts,
            images,
            str(kind),
            group,
        )
        fractions = tables.summary.query("object == @kind and quantity == 'fraction'")
        if len(fractions):
            yield draw(
                f"{kind}: share of each class, with 95 % intervals", draw_fractions, fractions
            )
        for column in choose_columns(objects, settings.plots):
            yield draw(f"{kind}: {column}", draw_distribution, objects, column, group)


def choose_columns(objects: "pd.DataFrame", wanted: list[str] | None, most: int = 6) -> list[str]:
    """Columns to plot: those asked for, else ratios, counts, size and intensities in this order."""
    there = [str(name) for name in objects if objects[name].notna().any()]
    if wanted is not None:
        return [name for name in wanted if name in there]
    kinds = [
        [name for name in there if name.startswith(start) and describe(name)] for start in PREFERRED
    ]
    if not kinds[PREFERRED.index("area_um2")] and "area" in there:
        kinds.append(["area"])
    return [name for kind in kinds for name in kind[:MOST_OF_A_KIND]][:most]


def may_be_plotted(name: str) -> bool:
    """Whether `choose_columns` may choose a column that nobody asked for."""
    return name.startswith((*PREFERRED, "area"))


def draw(
    title: str, function, *arguments: Any, size: tuple[float, float] = (5.2, 3.1)
) -> dict[str, str]:
    """Call a drawing function on new axes, `size` in inches; give its picture."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    with matplotlib.rc_context(STYLE):
        figure, axes = pyplot.subplots(figsize=size)
        function(axes, *arguments)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", dpi=PIXELS_PER_INCH, metadata={"Date": None})
        pyplot.close(figure)
    svg = buffer.getvalue()
    return {"title": title, "svg": svg[svg.index("<svg") :]}


def split_groups(table: "pd.DataFrame", group: str | None) -> list[tuple[str, "pd.DataFrame"]]:
    """Groups in order (numbers by size), not more than fit on an axis."""
    if group is None or group not in table:
        return [("all", table)]
    return [
        (f"{name:g}" if isinstance(name, float) else str(name), one)
        for name, one in table.groupby(group)
    ][:MAX_GROUPS]


def label_groups(table: "pd.DataFrame", group: str | None) -> str:
    """The column by which points are grouped, and how many of its groups are shown where it is not all of them."""
    n = table[group].nunique() if group in table else 0
    return f"{group} (the first {MAX_GROUPS} of {n})" if n > MAX_GROUPS else group or ""


def name_groups(axes: "Axes", names: list[str], label: str) -> None:
    """Group names below the axis, turned when there are many."""
    turn = len(names) > 8 or max(map(len, names), default=0) > 10
    axes.set_xticks(
        range(len(names)), names, rotation=45 if turn else 0, ha="right" if turn else "center"
    )
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_xlabel(label)


def spread(n: int, width: float = 0.24) -> np.ndarray:
    """Sideways shifts that keep points apart; the same every time."""
    return (np.modf(np.arange(1, n + 1) * 0.6180339887)[0] - 0.5) * 2 * width


def draw_counts(axes: "Axes", images: "pd.DataFrame", kind: str, group: str | None) -> None:
    """Objects an image: points with Poisson intervals, grouped."""
    column = f"n_{kind.replace('-', '_')}"
    images = images.dropna(subset=[column])
    groups, many = split_groups(images, group), len(images) > MANY
    size, alpha = (2, 0.3) if many else (4, 0.8)
    for i, (_, one) in enumerate(groups):
        x, n = i + spread(len(one)), one[column].to_numpy()
        reach = np.abs(np.stack([n - one[f"{column}_low"], one[f"{column}_high"] - n]))
        axes.errorbar(x, n, reach, fmt="o", ms=size, lw=0.8, alpha=alpha, color=COLORS[i % len(COLORS)], rasterized=many)  # fmt: skip
    name_groups(axes, [name for name, _ in groups], label_groups(images, group))
    axes.set_ylabel(f"{kind} per image")
    axes.set_ylim(bottom=0)


def draw_fractions(axes: "Axes", fractions: "pd.DataFrame", label: str = "fraction") -> None:
    """A value of each class in each group, with its interval where there is one."""
    left_out = fractions["group"].nunique() > MAX_GROUPS
    groups = list(dict.fromkeys(fractions["group"].astype(str)))[:MAX_GROUPS]
    classes = list(dict.fromkeys(fractions["class"]))
    for i, name in enumerate(classes):
        one = fractions[fractions["class"] == name].set_index(
            fractions.loc[fractions["class"] == name, "group"].astype(str)
        )
        one = one.reindex(groups)
        x = np.arange(len(groups)) + (i - (len(classes) - 1) / 2) * 0.8 / len(classes)
        axes.bar(
            x,
            one["value"],
            0.7 / len(classes),
            color=COLORS[i % len(COLORS)],
            label=str(name),
            alpha=0.85,
        )
        reach = np.abs(np.stack([one["value"] - one["low"], one["high"] - one["value"]]))
        axes.errorbar(x, one["value"], reach, fmt="none", ecolor="#333", lw=1, capsize=2)
    name_groups(axes, groups, label_groups(fractions, "group") if left_out else "")
    axes.set_ylabel(label)
    axes.legend(frameon=False, fontsize=8)


def draw_distribution(
    axes: "Axes", objects: "pd.DataFrame", column: str, group: str | None
) -> None:
    """Objects as a violin, images' means as points on it."""
    rng = np.random.default_rng(0)
    objects = objects[[name for name in ("image", group, column) if name in objects]]
    objects = objects.dropna(subset=[column])
    groups = [(name, one) for name, one in split_groups(objects, group) if len(one)]
    many = objects["image"].nunique() > MANY
    for i, (_, one) in enumerate(groups):
        values = one[column].to_numpy(float)
        values = (
            values if len(values) <= MAX_OBJECTS else rng.choice(values, MAX_OBJECTS, replace=False)
        )
        if np.ptp(values):
            body = axes.violinplot(values, [i], widths=0.85, showextrema=False)["bodies"][0]
            body.set(facecolor=COLORS[i % len(COLORS)], alpha=0.25)
        means = one.groupby("image")[column].mean().to_numpy()
        x, color = i + spread(len(means), 0.15), COLORS[i % len(COLORS)]
        axes.scatter(x, means, s=4 if many else 14, color=color, zorder=3, rasterized=many)
        axes.hlines(np.median(values), i - 0.3, i + 0.3, color="#222", lw=1.4, zorder=4)
    name_groups(axes, [name for name, _ in groups], label_groups(objects, group))
    unit = (describe(column) or ("",))[0]
    axes.set_ylabel(f"{column}{f' ({unit})' if unit and unit not in column else ''}")


def draw_fit(axes: "Axes", objects: "pd.DataFrame", fit: dict[str, Any]) -> None:
    """Images' medians over a logarithmic dose axis, the fitted curve, and EC50 with its interval."""
    table = objects[objects["object"] == fit["object"]]
    points = table.groupby("image").agg(x=(fit["x"], "first"), y=(fit["y"], "median")).astype(float)
    positive = points["x"][points["x"] > 0].min()
    curve = Logistic(
        *(fit[name] for name in ("bottom", "top", "ec50", "slope", "ec50_low", "ec50_high"))
    )
    axes.set_xscale("symlog", linthresh=positive, linscale=0.4)
    axes.xaxis.set_major_formatter("{x:g}")
    grid = np.concatenate(
        [np.linspace(0, positive, 40), np.geomspace(positive, points["x"].max(), 200)]
    )
    axes.axvspan(fit["ec50_low"], fit["ec50_high"], color=COLORS[1], alpha=0.2, lw=0)
    axes.axvline(fit["ec50"], color=COLORS[1], lw=1)
    axes.plot(grid, curve(grid), color="#333", lw=1.4)
    axes.scatter(points["x"], points["y"], s=22, color=COLORS[0], zorder=3, rasterized=len(points) > MANY)  # fmt: skip
    axes.set_xlim(left=0)
    axes.set_xlabel(fit["x"])
    axes.set_ylabel(f"median {fit['y']} of an image")


def draw_comparison(axes: "Axes", table: "pd.DataFrame") -> None:
    """Measured over known, with the line of equality."""
    top = float(table[["expected", "measured"]].max().max()) * 1.08 or 1
    axes.plot([0, top], [0, top], color="#999", lw=1)
    axes.scatter(table["expected"], table["measured"], s=22, color=COLORS[0], zorder=3, rasterized=len(table) > MANY)  # fmt: skip
    axes.set(xlabel="known", ylabel="measured", xlim=(0, top), ylim=(0, top))
