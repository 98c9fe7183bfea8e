"""Beginner: nuclei of one slide, by a script that a beginner writes, and by Scopemill's workflow.

The script looks at the slide in patches of 256 px; for each it opens the slide, loads the network, computes in float64 and appends
a line to a CSV. Every patch costs the same, so it does some of them only, spread over the slide, and its time is scaled to all.
The workflow does the whole slide: it converts it, finds the nuclei and writes labels and checksums. Both have one core and one
thread, the same network and the same slide, compressed as microscopes export it. Slide: nuclei of a periodic pattern, noise
that never repeats.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .harness import CHECKOUT, Benchmark, Goal, Outcome

PATCH_PX = 256
MODEL = CHECKOUT / "models" / "nuclei"
LEVEL = 0.55  # foreground_threshold of the model
LEAST_DICE = 0.99
CONFIG = f"""study: slide
channels: {{DNA: {{source: 0, role: nucleus}}}}
pixel_size_um: 0.5
device: cpu
segment:
  nuclei: {{method: {{name: unet, model: {MODEL}, channels: [DNA], diameter_um: 14}}}}
"""


def prepare(folder: Path, size: Mapping[str, Any]) -> dict[str, Any]:
    """A tiled, compressed TIFF, and a study of it; which patches the script does."""
    import tifffile

    from ..wholeslide import make_slide

    make_slide(folder / "plain.tif", size["slide_px"], size["slide_px"])
    tifffile.imwrite(folder / "slide.tif", tifffile.imread(folder / "plain.tif"), tile=(512, 512), compression="zlib")  # fmt: skip
    (folder / "plain.tif").unlink()
    (folder / "images.tsv").write_text("id\tpath\nslide\tslide.tif\n")
    (folder / "config.yaml").write_text(CONFIG)
    starts = range(0, size["slide_px"], PATCH_PX)
    places = [(y, x) for y in starts for x in starts]
    chosen = np.random.default_rng(0).permutation(len(places))[: size["patches"]]
    return {"folder": str(folder), "places": [places[i] for i in sorted(chosen)], "all": len(places)}  # fmt: skip


def run_script(case: Mapping[str, Any]) -> np.ndarray:
    """Foreground (n, 256, 256) of the chosen patches."""
    import torch

    torch.set_num_threads(1)
    table = Path(case["folder"]) / "counts.csv"
    table.unlink(missing_ok=True)
    return np.array([look_at_patch(Path(case["folder"]) / "slide.tif", table, *place) for place in case["places"]])  # fmt: skip


def look_at_patch(slide: Path, table: Path, y: int, x: int) -> np.ndarray:
    """One turn of a beginner's loop: foreground (256, 256), and a line of the table."""
    import pandas as pd
    import tifffile
    import torch
    from scipy import ndimage

    from scopemill.models.folder import load_model

    image = tifffile.imread(slide, maxworkers=1)
    network = load_model(MODEL)[0].double().eval()
    patch = image[y : y + PATCH_PX, x : x + PATCH_PX].astype(np.float64)
    low, high = np.percentile(patch, [1, 99.9])
    with torch.no_grad():
        maps = torch.sigmoid(network(torch.from_numpy((patch - low) / (high - low))[None, None]))
    foreground = maps[0, 0].numpy() > LEVEL
    _, n = ndimage.label(foreground)
    line = pd.DataFrame([{"y": y, "x": x, "nuclei": n}])
    line.to_csv(table, mode="a", header=not table.exists(), index=False)
    return foreground


def run_workflow(case: Mapping[str, Any]) -> np.ndarray:
    """Foreground of the same patches, after the workflow has looked at the whole slide."""
    from scopemill.images import Image

    folder = Path(case["folder"])
    for name in ("results", ".snakemake"):
        shutil.rmtree(folder / name, ignore_errors=True)
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    modules = os.pathsep.join([str(CHECKOUT / "src"), str(CHECKOUT)])
    own = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PATH": programs, "PYTHONPATH": modules}  # fmt: skip
    words = ["--snakefile", CHECKOUT / "Snakefile", "--configfile", "config.yaml", "--cores", "1", "--until", "segment"]  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "snakemake", *words], cwd=folder, env={**os.environ, **own}, capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stdout[-3000:] + done.stderr[-3000:])
    results = folder / "results" / "slide"
    (record,) = map(json.loads, (results / "manifests/segment.nuclei/b0000.jsonl").read_text().splitlines())  # fmt: skip
    if record["status"] != "ok":
        raise RuntimeError(record["message"])
    with Image(results / record["artifact"]) as labels:
        return np.array([read_patch(labels, *place) > 0 for place in case["places"]])


def read_patch(labels: Any, y: int, x: int) -> np.ndarray:
    """Labels (256, 256) of a patch."""
    return labels.window(0, y=slice(y, y + PATCH_PX), x=slice(x, x + PATCH_PX))


def check(case: Mapping[str, Any], script: np.ndarray, ours: np.ndarray) -> list[str]:
    """Both find the same foreground, but for what a patch cannot see beyond its edge."""
    if script.shape != ours.shape:
        return [f"patches {script.shape} and {ours.shape}"]
    dice = 2 * float((script & ours).sum()) / max(1, int(script.sum() + ours.sum()))
    return [] if dice >= LEAST_DICE else [f"Dice of the foreground {dice:.4f}, at least {LEAST_DICE}"]  # fmt: skip


def spoil(ours: np.ndarray) -> np.ndarray:
    """One pixel too far to the right."""
    return np.roll(ours, 1, axis=-1)


def share(case: Mapping[str, Any]) -> float:
    """Of the patches; every patch costs the same."""
    return len(case["places"]) / case["all"]


def hours_of_script(outcome: Outcome) -> float:
    """CPU time for the whole slide."""
    return outcome.median("cpu_s", "baseline") / 3600


def minutes_of_workflow(outcome: Outcome) -> float:
    """CPU time for the whole slide."""
    return outcome.median("cpu_s", "ours") / 60


BENCHMARK = Benchmark(
    name="beginner",
    task="nuclei of a slide of 16,384 x 16,384 px, image to labels, by the workflow on one core",
    against="a script that opens slide and network for each of 4,096 patches, in float64 (measured on 12 of them)",
    prepare=prepare,
    baseline=run_script,
    ours=run_workflow,
    check=check,
    spoil=spoil,
    full={"slide_px": 16384, "patches": 12},
    small={"slide_px": 512, "patches": 4},
    goals=(
        Goal("times less CPU", Outcome.ratio, at_least=50),
        Goal("CPU hours of the script for the slide", hours_of_script, at_least=1),
        Goal("CPU minutes of the workflow for the slide", minutes_of_workflow, at_most=10),
    ),
    share=share,
    pairs=2,  # minutes a turn
    warm_up_small=True,
)
