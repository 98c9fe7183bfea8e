"""Plot: scores by number of training images -> a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..manifests import replacing


def draw_curve(path: Path, points: Mapping[int, Sequence[float]], score: str) -> None:
    """Score against number of training images: each training a dot, their mean a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    sizes = sorted(points)
    means = [sum(points[n]) / len(points[n]) for n in sizes]
    axes.plot(sizes, means, "-", color="#4477aa")
    for n in sizes:
        axes.plot([n] * len(points[n]), points[n], "o", color="#4477aa", alpha=0.5)
    axes.set(xlabel="annotated images", ylabel=score, xscale="log")
    axes.set_xticks(sizes, [str(n) for n in sizes])
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
