"""scopemill evaluate: label images of a study against ground truth -> scores with 95 % intervals."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..evaluate.stage import Score, score_image, summarise
from ..images import read_labels
from ..manifests import read_manifest
from ..readers import open_raw
from ..settings import ConfigError


def main(arguments: Sequence[str]) -> int:
    """Print (and with --out, write) the scores."""
    parser = argparse.ArgumentParser("scopemill evaluate", description=__doc__)
    parser.add_argument("results", type=Path, help="results/<study>")
    parser.add_argument("--task", required=True, help="segment task to score")
    parser.add_argument(
        "--truth",
        required=True,
        help="label images: a path with {image} for the id, or a column of the sheet in braces",
    )
    parser.add_argument(
        "--group", help="column of the sheet: images that belong together are resampled together"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="write one line an image (CSV) here, and the summary beside it (JSON)",
    )
    options = parser.parse_args(arguments)
    metadata = read_metadata(options.results)
    scores = list(score_study(options, metadata))
    if not scores:
        raise ConfigError(
            f"{options.truth}: no ground truth for any image that {options.task} was made of"
        )
    groups = [metadata[score.image][options.group] for score in scores] if options.group else None
    summary = summarise(scores, groups)
    sys.stdout.write(
        f"{options.results} {options.task}: {len(scores)} images, {sum(s.at_half.n_truth for s in scores)} true objects\n"
    )
    for name, (value, low, high) in summary.items():
        sys.stdout.write(f"{name:28s} {value:.3f}  ({low:.3f} to {high:.3f})\n")
    if options.out:
        write_scores(options.out, scores, summary)
    return 0


def read_metadata(results: Path) -> dict[str, dict[str, str]]:
    """Image -> its row of images.csv, as text."""
    import csv

    with (results / "images.csv").open(newline="", encoding="utf-8") as file:
        return {row["image"]: row for row in csv.DictReader(file)}


def score_study(options: argparse.Namespace, metadata: dict[str, dict[str, str]]):
    """Score every image that has labels and truth."""
    folder = options.results / "manifests" / f"segment.{options.task}"
    if not folder.is_dir():
        known = sorted(
            path.name.removeprefix("segment.") for path in folder.parent.glob("segment.*")
        )
        raise ConfigError(f"{options.results}: no segment task '{options.task}'; there are {known}")
    records = {
        image: one
        for path in sorted(folder.glob("*.jsonl"))
        for image, one in read_manifest(path).items()
    }
    for image, record in records.items():
        row = {"image": image, **metadata.get(image, {})}
        truth_path = find_truth(options.truth, row)
        if not truth_path.is_file():
            sys.stderr.write(f"{image}: no {truth_path}; not scored\n")
        elif record.status == "ok":
            predicted = read_labels(options.results / record.artifact).squeeze()
            yield score_checked(image, read_truth(truth_path), predicted, truth_path)
        elif row.get("status") == "quarantined":
            # leaving it out would praise a method for what it could not do
            sys.stderr.write(f"{image}: quarantined; all its objects count as missed\n")
            truth = read_truth(truth_path)
            yield score_image(image, truth, np.zeros_like(truth))


def find_truth(pattern: str, row: dict[str, str]) -> Path:
    """The pattern with this image's columns filled in."""
    try:
        return Path(pattern.format(**row))
    except (KeyError, IndexError, ValueError):
        raise ConfigError(f"--truth {pattern}: in braces, use one of {list(row)}") from None


def score_checked(image: str, truth, predicted, truth_path: Path) -> Score:
    """Refuse to compare what does not lie on the same pixels."""
    if truth.shape != predicted.shape:
        raise ConfigError(
            f"{truth_path}: {truth.shape} pixels, the labels of {image} have {predicted.shape}"
        )
    return score_image(image, truth, predicted)


def read_truth(path: Path):
    """A label image of any format that raw images may have."""
    with open_raw(path) as raw:
        return np.stack([raw.read(z=z) for z in range(raw.shape[2])]).squeeze().astype(np.int64)


def write_scores(path: Path, scores: list[Score], summary: dict) -> None:
    """CSV of images, JSON of the summary."""
    lines = [
        "image,n_truth,n_predicted,f1,average_precision,panoptic_quality,mean_average_precision"
    ]
    for score in scores:
        at = score.at_half
        numbers = (at.f1, at.average_precision, at.panoptic_quality, score.mean_average_precision)
        lines.append(
            f"{score.image},{at.n_truth},{at.n_predicted},"
            + ",".join(f"{one:.4f}" for one in numbers)
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path.with_suffix(".json").write_text(
        json.dumps({name: list(value) for name, value in summary.items()}, indent=1) + "\n"
    )
