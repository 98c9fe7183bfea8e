"""Soak: kill a study at random moments, then read files that lie; -> what was lost, what was not refused.

    make soak KILLS=50 FUZZ_MINUTES=10

Everything is bounded: so many kills, or so many minutes. Exits with 1 where anything was lost, an input was changed,
or a file was neither read nor refused.
"""

import argparse
import platform
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests" / "faults"))
from fuzzing import fuzz
from samples import real_samples, write_samples
from shaking import run_undisturbed, shake


def main() -> int:
    """Kills, then lies; 0 when nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--kill-minutes", type=float, default=60, help="stop killing after")
    parser.add_argument("--fuzz-minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    day = time.strftime("%Y-%m-%d")
    print(f"{day}, {platform.machine()}, Python {platform.python_version()}, seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        lost = soak_in_kills(Path(folder), options) if options.kills else 0
        if options.fuzz_minutes:
            soak_in_lies(Path(folder), options)
    return int(bool(lost))


def soak_in_kills(folder: Path, options: argparse.Namespace) -> int:
    """Print kills and losses; how many there were of the latter."""
    start = time.monotonic()
    truth = run_undisturbed(folder / "undisturbed")
    print(f"undisturbed: {truth.seconds:.0f} s, {len(truth.artifacts)} artifacts", flush=True)
    until = start + 60 * options.kill_minutes
    shaken = shake(folder / "shaken", truth, options.kills, random.Random(options.seed), until)
    kinds = ", ".join(f"{count} {how}" for how, count in sorted(shaken.kills.items()))
    print(f"kills: {shaken.kills.total()} ({kinds}) in {(time.monotonic() - start) / 60:.0f} min")
    print(f"runs that came to their end: {shaken.ended}")
    for what, found in (("losses", shaken.losses), ("inputs changed", shaken.inputs_changed)):
        print(f"{what}: {len(found)}", *found[:20], sep="\n  ", flush=True)
    return len(shaken.losses) + len(shaken.inputs_changed)


def soak_in_lies(folder: Path, options: argparse.Namespace) -> None:
    """Print what became of files that lie; AssertionError where one was neither read nor refused."""
    (folder / "samples").mkdir()
    samples = write_samples(folder / "samples") | real_samples()
    counts = fuzz(samples, folder, 60 * options.fuzz_minutes, first=options.seed * 1_000_000)
    print(f"files that lie: {counts.total()} made from {len(samples)} samples, no fault")
    for code, count in counts.most_common():
        print(f"  {code}: {count}")


if __name__ == "__main__":
    sys.exit(main())
