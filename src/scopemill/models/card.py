"""Card: what a model folder says -> card.md, which a person reads before using the model."""

from collections.abc import Iterator
from typing import Any

from .description import Description


def format_card(name: str, described: Description) -> str:
    """Text of card.md."""
    scale = f"{described.pixel_size_um:g} µm" if described.pixel_size_um else "any"
    if described.object_diameter_px:
        scale = f"any; images are rescaled so that objects are {described.object_diameter_px:g} pixels wide"
    takes = f"- takes: {described.wants}"
    if not described.features:
        takes += f", pixel size {scale}"
    architecture = ", ".join(f"{key} {value}" for key, value in described.architecture.items())
    lines = [
        f"# {name}",
        "",
        *([described.purpose.strip(), ""] if described.purpose else []),
        takes,
        f"- gives: {', '.join(described.output)}",
        f"- {'model' if described.features else 'network'}: {architecture}",
        f"- licence of the weights: {described.licence or 'not stated'}",
        f"- made with scopemill {described.scopemill}",
        "",
        "## How well it does",
        "",
        *(describe_metrics(described.metrics) if described.metrics else ["Not measured."]),
        "",
        *(["## Where it fails", "", described.limits.strip(), ""] if described.limits else []),
        *(["## How it was trained", "", *describe_training(described.training), ""] if described.training else []),
    ]  # fmt: skip
    return "\n".join(lines)


def describe_metrics(metrics: dict[str, Any]) -> Iterator[str]:
    """A table of scores with their intervals; anything else as it is."""
    scores = {
        name: one
        for name, one in metrics.items()
        if isinstance(one, (list, tuple)) and len(one) == 3
    }
    yield from (f"- {name}: {one}" for name, one in metrics.items() if name not in scores)
    if scores:
        yield from ("", "| score | value | 95 % interval |", "|---|---|---|")
        for name, (value, low, high) in scores.items():
            interval = f"{low:.3f} to {high:.3f}" if low == low else "one group only"  # NaN
            cell = name.replace("|", "\\|")  # else it would end the cell
            yield f"| {cell} | {value:.3f} | {interval} |"


def describe_training(training: dict[str, Any]) -> Iterator[str]:
    """What it was trained on, how, and how long."""
    for name, one in training.items():
        if name == "settings":
            continue
        text = in_words(one)
        if text:
            yield f"- {name}: {text}"
    yield "- settings, split and scores of each image: model.yaml, split.csv, scores.csv"


def in_words(value: Any) -> str:
    """'test 6, train 14'; what is inside of that in brackets."""
    if isinstance(value, dict):
        parts = {key: in_words(one) for key, one in value.items() if one}
        return ", ".join(
            f"{key} ({text})" if isinstance(value[key], dict) else f"{key} {text}"
            for key, text in parts.items()
        )
    if isinstance(value, (list, tuple)):
        return "; ".join(map(str, value))
    return "" if value is None else str(value)
