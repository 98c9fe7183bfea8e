"""Plots: confusion matrix and reliability -> SVG text."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..metrics import Reliability, calibration_error, divide

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE = "#0072b2", "#e69f00"  # Okabe and Ito (2008)
STYLE = {
    "svg.hashsalt": "scopemill", "svg.fonttype": "none", "font.size": 9, "text.parse_math": False,
    "axes.spines.top": False, "axes.spines.right": False, "figure.constrained_layout.use": True,
}  # fmt: skip


def draw(function, *arguments: Any, size: tuple[float, float] = (4.2, 3.6)) -> str:
    """Call a drawing function on new axes; give its picture."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    with matplotlib.rc_context(STYLE):
        figure, axes = pyplot.subplots(figsize=size)
        function(axes, *arguments)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
        pyplot.close(figure)
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :]


def draw_confusion(axes: "Axes", counts: np.ndarray, names: Sequence[str]) -> None:
    """Confusion (K, K): numbers, on the share of each true class in colour."""
    share = divide(counts, counts.sum(axis=1, keepdims=True), empty=0.0)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        shade = "white" if share[row, column] > 0.6 else "#222"
        axes.text(column, row, f"{int(counts[row, column])}", ha="center", va="center", color=shade)
    turn = len(names) > 4 or max(map(len, names)) > 8
    axes.set_xticks(
        range(len(names)), names, rotation=45 if turn else 0, ha="right" if turn else "center"
    )
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="true")
    axes.spines[:].set_visible(False)


def draw_reliability(axes: "Axes", bins: Reliability) -> None:
    """Share of right predictions over their mean confidence, with the number in each bin below."""
    there = bins.count > 0
    confidence, right = (
        bins.confidence[there] / bins.count[there],
        bins.right[there] / bins.count[there],
    )
    axes.plot([0, 1], [0, 1], color="#999", lw=1)
    axes.bar(
        (np.arange(len(bins.count)) + 0.5) / len(bins.count), bins.count / bins.count.sum(),
        0.9 / len(bins.count), color=ORANGE, alpha=0.5, label="share of predictions",
    )  # fmt: skip
    axes.plot(confidence, right, "o-", color=BLUE, ms=4, lw=1.2, label="share that is right")
    error = float(calibration_error(*bins))
    axes.set(xlabel="confidence", xlim=(0, 1), ylim=(0, 1.02))
    axes.set_title(f"expected calibration error {error:.3f}", fontsize=9)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
