"""scopemill evaluate: results of a study against ground truth -> scores with 95 % intervals."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from ..evaluate.by_hand import KINDS, Answer, answer
from ..evaluate.drawing import choose_cases, draw_cases, rank_of
from ..evaluate.output import write_lines, write_summary
from ..evaluate.pairs import Question
from ..settings import ConfigError, load_stage

LOG = logging.getLogger("scopemill")


def main(arguments: Sequence[str]) -> int:
    """Print (and with --out, write) the scores; with --settings, what the workflow asks for."""
    if "--settings" in arguments:
        return run_task(arguments)
    parser = argparse.ArgumentParser("scopemill evaluate", description=__doc__)
    parser.add_argument("results", type=Path, help="results/<study>")
    parser.add_argument("--task", required=True, help="task to score: segment (instances, semantic), detect (points, boxes) or classify (classes)")  # fmt: skip
    parser.add_argument(
        "--truth",
        required=True,
        help="label images or annotation files (GeoJSON, COCO, VOC, ImageJ): a path with {image} for the id, or a "
        "column of the sheet in braces; points also CSV with y,x; classes CSV with label,class",
    )
    parser.add_argument("--kind", choices=list(KINDS), default="instances", help="what is scored")
    parser.add_argument(
        "--group", help="column of the sheet: images that belong together are resampled together"
    )
    parser.add_argument("--iou", type=float, default=0.5, help="of boxes (default 0.5)")
    parser.add_argument("--max-distance", type=float, default=5.0, metavar="PX", help="of points, in pixels (default 5)")  # fmt: skip
    parser.add_argument(
        "--out",
        type=Path,
        help="write one line an image (CSV) here, and the summary beside it (JSON)",
    )
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="FOLDER",
        help="draw the best, middle and worst images (instances) or confusion and reliability (classes)",
    )
    options = parser.parse_args(arguments)
    if options.pictures and options.kind not in ("instances", "classes"):
        parser.error("--pictures: there are pictures of instances and of classes")
    question = Question(
        options.results, options.task, options.truth, options.kind, options.group, options.iou, options.max_distance
    )  # fmt: skip
    answered = answer(question)
    print_answer(question, answered)
    if options.out:
        write_lines(options.out, answered.lines)
        write_summary(options.out.with_suffix(".json"), answered.summary)
    if options.pictures:
        draw_pictures(options.pictures, answered)
    return 0


def print_answer(question: Question, answered: Answer) -> None:
    """The summary as text."""
    what = "pixels of objects" if question.kind == "semantic" else "objects"
    sys.stdout.write(
        f"{question.results} {question.task}: {len(answered.lines)} images, {answered.n_true} true {what}\n"
    )
    for name, (value, low, high) in answered.summary.items():
        sys.stdout.write(f"{name:28s} {value:.3f}  ({low:.3f} to {high:.3f})\n")


def draw_pictures(folder: Path, answered: Answer, n: int = 3) -> None:
    """Pictures of cases, or plots."""
    folder.mkdir(parents=True, exist_ok=True)
    draw_cases(folder, choose_cases(answered.cases, list(map(rank_of, answered.scores)), n), None)
    for name, svg in answered.plots.items():
        (folder / name).write_text(svg, encoding="utf-8")
    sys.stdout.write(f"pictures: {folder}\n")


def run_task(arguments: Sequence[str]) -> int:
    """The form that rules use: one task of the config's `evaluate`."""
    parser = argparse.ArgumentParser(
        "scopemill evaluate", description="an evaluate task of a study"
    )
    parser.add_argument("--task", required=True, help="name of the task in the config")
    parser.add_argument("--in", dest="inputs", nargs="+", type=Path, required=True, metavar="MANIFEST")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="summary.json to write")
    parser.add_argument("--sheet", type=Path, required=True, help="image sheet")
    parser.add_argument("--settings", required=True, help="JSON, as in the config")
    parser.add_argument("--expect-code", default="", help="refuse to run other code than this")
    options = parser.parse_args(arguments)
    from .. import __version__
    from ..containers import refuse_other_code
    from ..evaluate import stage
    from ..provenance import code_hash

    LOG.info("scopemill %s evaluate %s", __version__, options.settings)
    settings, _ = load_stage("evaluate", json.loads(options.settings), f"evaluate.{options.task}")
    refuse_other_code(options.expect_code, code_hash(stage))
    try:
        stage.run(settings, options.inputs, options.out, options.sheet)
    except ConfigError as error:
        raise ConfigError(
            f"evaluate.{options.task}: {str(error).removeprefix('evaluate: ')}"
        ) from None
    return 0
