"""Region plots: shares of classes and densities of objects by region -> SVG text with a title."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .plots import COLORS, MAX_GROUPS, draw, draw_fractions, name_groups

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def make_figures(regions: "pd.DataFrame", summary: "pd.DataFrame") -> Iterator[dict[str, str]]:
    """Shares in each image, in each group and in each region; then densities of objects."""
    if regions.empty:
        return
    regions = regions.fillna({"region_of": "", "region": "", "class": ""})
    summary = summary.fillna({"region_of": "", "region": "", "class": ""})
    parts = regions[regions["fraction"].notna()]
    for task, table in parts.groupby("object", sort=False):
        whole = table[table["region_of"] == ""]
        if whole["image"].nunique() <= MAX_GROUPS:
            yield draw(f"{task}: share of each class in each image", draw_shares, whole, "image")
        groups = summary[(summary["object"] == task) & (summary["region_of"] == "")]
        groups = groups[groups["quantity"].str.startswith("fraction_")]
        if len(groups):
            yield draw(f"{task}: share of each class, with 95 % intervals", draw_fractions, groups)
        for region_of, one in table[table["region_of"] != ""].groupby("region_of", sort=False):
            yield draw(
                f"{task}: share of each class in each region of {region_of}, all images together",
                draw_shares,
                one,
                "region",
            )
    densities = summary[(summary["quantity"] == "density_per_mm2") & (summary["class"] == "")]
    densities = densities[densities["value"].notna()]
    for (task, region_of), table in densities.groupby(["object", "region_of"], sort=False):
        yield draw(
            f"{task}: number per mm2 in each region of {region_of}, with 95 % intervals",
            draw_fractions,
            table.assign(**{"class": table["region"]}),
            f"{task} per mm2",
        )


def draw_shares(axes: "Axes", table: "pd.DataFrame", by: str) -> None:
    """Bars that end at 1, one for each value of a column, a class a colour."""
    size = "area_mm2" if table["area_mm2"].notna().all() else "area_px"
    areas = table.pivot_table(size, by, "class", "sum", fill_value=0, sort=False, observed=True)
    areas = areas[areas.sum(axis=1) > 0].iloc[:MAX_GROUPS]
    shares = areas.div(areas.sum(axis=1), axis=0)
    bottom = np.zeros(len(shares))
    for i, name in enumerate(shares):
        color = COLORS[i % len(COLORS)]
        axes.bar(range(len(shares)), shares[name], 0.8, bottom, color=color, label=str(name), alpha=0.85)  # fmt: skip
        bottom += shares[name].to_numpy()
    name_groups(axes, [str(name) for name in shares.index], "")
    axes.set(ylabel="share of the area", ylim=(0, 1))
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))


def list_rows(regions: "pd.DataFrame", most: int = 400) -> list[dict[str, Any]]:
    """Rows for the page, with what there is of each."""
    columns = regions.fillna({"region_of": "", "region": "", "class": ""}).iloc[:most]
    return columns.to_dict("records")
