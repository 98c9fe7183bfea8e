"""make bench [BENCH=name]: measure, write benchmarks/results/<name>.json, print the table (and write it into docs/performance.md)."""

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any

from .harness import CHECKOUT, RESULTS, Benchmark, measure, write_result

# in the order of their worth to users
NAMES = ("workflow", "dry_run", "features", "unet", "instances", "nuclei", "stitching", "geojson", "report", "gpu", "beginner")  # fmt: skip
DOCS = CHECKOUT / "docs" / "performance.md"
MARKS = ("<!-- table: make bench -->", "<!-- end of table -->")


def load(name: str) -> Benchmark:
    """The benchmark of the module of this name."""
    return importlib.import_module(f"{__package__}.{name}").BENCHMARK


def available() -> list[str]:
    """Names of the benchmarks that are there."""
    return [name for name in NAMES if (Path(__file__).parent / f"{name}.py").exists()]


def main() -> int:
    """0 when every check held, whether goals were met or not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.suite", description=__doc__)
    parser.add_argument("names", nargs="*", default=available(), help=", ".join(NAMES))
    parser.add_argument("--pairs", type=int, help="turns of each side")
    parser.add_argument("--small", action="store_true", help="at the size of the tests")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/performance.md")  # fmt: skip
    options = parser.parse_args()
    wrong = 0
    for name in options.names:
        wrong += run(load(name), options)
    rows = [json.loads(path.read_text()) for name in NAMES if (path := RESULTS / f"{name}.json").exists()]  # fmt: skip
    table = make_table(rows)
    print(f"\n{table}")
    if options.docs:
        write_table(table)
    return int(wrong > 0)


def run(benchmark: Benchmark, options: argparse.Namespace) -> bool:
    """Whether it found something wrong."""
    if reason := benchmark.unavailable():
        print(f"{benchmark.name}: not run: {reason}", flush=True)
        return False
    size = benchmark.small if options.small else benchmark.full
    print(f"{benchmark.name}: {benchmark.task}; against {benchmark.against} ...", flush=True)
    found = write_result(benchmark, measure(benchmark, size, options.pairs or benchmark.pairs))
    for line in found["objections"] or [goal["text"] for goal in found["goals"]]:
        print(f"  {line}", flush=True)
    return bool(found["objections"])


def make_table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| benchmark | task | against | ratio of CPU (95 %) | CPU s: theirs, ours | MB: theirs, ours | goals | measured |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join(lines + [make_row(row) for row in rows])


def make_row(row: dict[str, Any]) -> str:
    """One benchmark; no ratio where the results do not agree."""
    where = row["machine"]
    measured = f"{where['date']}, {where['cores']} cores {where['cpu']}, load {where['load']}"
    if row["objections"]:
        return f"| `{row['name']}` | {row['task']} | {row['against']} | results differ: {row['objections'][0]} | - | - | - | {measured} |"
    ratio = row["ratio"]
    shown = f"{ratio['median']:.3g} ({ratio['low']:.3g} to {ratio['high']:.3g})" if row["baseline"] else "-"  # fmt: skip
    cpu, memory = (f"{middle(row['baseline'], of)}, {middle(row['ours'], of)}" for of in ("cpu_s", "peak_mb"))  # fmt: skip
    goals = "; ".join(goal["text"] for goal in row["goals"])
    return f"| `{row['name']}` | {row['task']} | {row['against']} | {shown} | {cpu} | {memory} | {goals} | {measured} |"


def middle(runs: list[dict[str, float]], of: str) -> str:
    """Median with three digits; a dash for nothing."""
    values = sorted(run[of] for run in runs)
    return f"{values[len(values) // 2]:.3g}" if values else "-"


def write_table(table: str) -> None:
    """Replace what stands between the marks."""
    text = DOCS.read_text()
    before, after = text.split(MARKS[0])[0], text.split(MARKS[1])[1]
    DOCS.write_text(f"{before}{MARKS[0]}\n{table}\n{MARKS[1]}{after}")


if __name__ == "__main__":
    sys.exit(main())
