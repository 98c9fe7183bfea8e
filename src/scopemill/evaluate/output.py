"""Output: scores and their summary -> CSV, JSON and a small page."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import __version__
from ..manifests import replacing
from ..metrics import IOU_THRESHOLDS, Interval
from ..scoring import Score

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{{ facts.of }}: evaluation</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 1060px; padding: 0 1em; color: #1d2026; }
table { border-collapse: collapse; } td, th { padding: .15em .8em; border-bottom: 1px solid #ddd; text-align: right; }
td:first-child, th:first-child { text-align: left; } img { max-width: 100%; } figure { margin: 1em 0; }
</style>
<h1>{{ facts.of }} against {{ facts.annotations }}</h1>
<p>{{ sentence }} Scopemill {{ version }}.</p>
{% if facts.missed_images %}<p>Quarantined, all objects counted as missed: {{ facts.missed_images | join(", ") }}</p>
{% endif %}
{% if facts.not_scored %}<details><summary>{{ facts.not_scored | length }} images not scored</summary><ul>
{% for image, reason in facts.not_scored.items() %}<li>{{ image }}: {{ reason }}</li>
{% endfor %}</ul></details>
{% endif %}
<table><tr><th>score</th><th>value</th><th>low</th><th>high</th></tr>
{% for name, value in summary.items() %}
<tr><td>{{ name }}</td>{% for one in value %}<td>{{ one | number }}</td>{% endfor %}</tr>
{% endfor %}
</table>
{% if slides %}
<h2>Images</h2>
<p>Dice of each class with its 95 % interval (the image's tiles drawn again; - where there are fewer than 4), the worst image first.</p>
<table><tr><th>image</th><th>tiles</th><th>megapixels</th>{% for name in facts.classes %}<th>{{ name }}</th>{% endfor %}</tr>
{% for one in slides %}
<tr><td>{{ one.name }}</td><td>{{ one.n_tiles }}</td><td>{{ one.counted_px | mega }}</td>
{% for name in facts.classes %}<td>{{ one["dice_" ~ name] | number }} ({{ one["dice_" ~ name ~ "_low"] | number }} to {{ one["dice_" ~ name ~ "_high"] | number }})</td>{% endfor %}</tr>
{% endfor %}
</table>
{% endif %}
{% for one in pictures %}
<figure><img src="{{ one.file | urlencode }}" alt="{{ one.image }}"><figcaption>{{ one.place }}: {{ one.image }}</figcaption></figure>
{% endfor %}
</html>
"""


MAX_LISTED = 200  # images in the page's table; scores.csv has all


def describe_labels(facts: Mapping[str, Any]) -> str:
    """What the page says of labels."""
    return (
        f"{facts['n_images']} images, {facts['n_truth']} annotated objects, {facts['n_predicted']} found. "
        f"Intervals: 95 %, {facts['n_groups']} {facts['group']}s drawn again 1000 times."
    )


def describe_slides(facts: Mapping[str, Any], slides: Sequence[Mapping[str, Any]]) -> str:
    """What the page says of class images."""
    return (
        f"{len(slides)} images, {facts['counted_px'] / 1e6:.2f} megapixels in {len(facts['classes'])} classes; "
        "means are over the classes, background among them. "
        f"Intervals: 95 %, {facts['n_drawn']} {facts['drawn_again']}s drawn again 1000 times."
    )


def write_scores(
    path: Path, scores: Sequence[Score], images: Sequence[str], groups: Sequence[str]
) -> None:
    """One line an image (or time point of one)."""
    rows = zip(scores, images, groups, strict=True)
    write_lines(path, [{"image": i, "group": g, **describe(score)} for score, i, g in rows])


def write_lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """CSV, whole or not at all; all lines have the same keys."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(lines[0])
        writer.writerows([format_cell(value) for value in line.values()] for line in lines)


def describe(score: Score) -> dict[str, Any]:
    """Columns of scores.csv."""
    half = score.at_half
    return {
        "name": score.image, "n_truth": half.n_truth, "n_predicted": half.n_predicted, "right": half.tp,
        "wrong": half.fp, "missed": half.fn, "f1": half.f1, "precision": half.precision, "recall": half.recall,
        "panoptic_quality": half.panoptic_quality, "mean_average_precision": score.mean_average_precision,
        "dice": score.pixels.f1, "count_error": score.count_error,
        **{f"ap_{t:.2f}": m.average_precision for t, m in zip(IOU_THRESHOLDS, score.at, strict=True)},
    }  # fmt: skip


def format_cell(value: Any) -> str:
    """Four digits after the point."""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def write_summary(
    path: Path, summary: Mapping[str, Interval], facts: Mapping[str, Any] | None = None
) -> None:
    """JSON: the scores; with facts, these and the scores below them. What is not known is null."""
    scores = {name: [None if math.isnan(x) else x for x in v] for name, v in summary.items()}
    whole = scores if facts is None else {**facts, "scopemill": __version__, "scores": scores}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


def write_summary_table(path: Path, summary: Mapping[str, Interval]) -> None:
    """CSV: score, value, low, high; what is not known is an empty cell."""
    columns = ("value", "low", "high")
    write_lines(
        path,
        [
            {
                "score": name,
                **{c: "" if math.isnan(x) else f"{x:.6g}" for c, x in zip(columns, v, strict=True)},
            }
            for name, v in summary.items()
        ],
    )


def write_page(
    path: Path,
    facts: Mapping[str, Any],
    summary: Mapping[str, Interval],
    pictures: Sequence[Mapping[str, str]],
    sentence: str,
    slides: Sequence[Mapping[str, Any]] = (),
) -> None:
    """index.html with the summary and the pictures; whatever comes from files is escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["number"] = lambda x: "-" if math.isnan(x) else f"{x:.3f}"
    environment.filters["mega"] = lambda n: f"{n / 1e6:.2f}"
    worst = sorted(slides, key=lambda one: (math.isnan(one["mean_dice"]), one["mean_dice"]))
    page = environment.from_string(PAGE).render(
        facts=facts,
        summary=summary,
        pictures=pictures,
        sentence=sentence,
        slides=worst[:MAX_LISTED],
        version=__version__,
    )
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
