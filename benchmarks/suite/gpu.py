"""GPU: a slide and many small fields from converted images to labels, on one GPU; beside it, what limits that.

Not compared with a baseline but with the card: how busy `nvidia-smi` says it is between the first and the last image (a slow
kernel is busy too), the network alone beside the best bf16 convolution, and the loader alone. Without a GPU it is not run; its
functions then run on the CPU in tests/unit/test_gpu_benchmark.py, where the numbers mean nothing.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .harness import CHECKOUT, Benchmark, Goal

MODEL = CHECKOUT / "models" / "nuclei"
SAMPLED_MS = 200
LEAST_DICE = 0.98
QUERY = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", f"--loop-ms={SAMPLED_MS}"]  # fmt: skip
CONVOLUTIONS = ((64, 256), (128, 128), (256, 64), (512, 32))  # channels, width
STUDIES = ("slide", "fields")


def prepare(folder: Path, size: Mapping[str, Any]) -> dict[str, Any]:
    """Two studies, their images converted: that is the CPU's work."""
    import tifffile

    from ..wholeslide import make_slide

    for study in STUDIES:
        (folder / study / "raw").mkdir(parents=True)
    make_slide(folder / "slide/raw/i0.tif", size["slide_px"], size["slide_px"])
    make_slide(folder / "pattern.tif", 2 * size["field_px"], 2 * size["field_px"])
    pattern, rng = tifffile.imread(folder / "pattern.tif"), np.random.default_rng(0)
    n = size["fields"]
    for i, (y, x) in enumerate(rng.integers(0, size["field_px"], (n, 2))):
        field = pattern[y : y + size["field_px"], x : x + size["field_px"]]
        tifffile.imwrite(folder / f"fields/raw/i{i}.tif", field)
    case = {"folder": str(folder), "device": size["device"], "threads": size["threads"]}
    pixels = {"slide": size["slide_px"] ** 2, "fields": n * size["field_px"] ** 2}
    for study, images in (("slide", 1), ("fields", n)):
        rows = "".join(f"i{i}\traw/i{i}.tif\n" for i in range(images))
        (folder / study / "images.tsv").write_text("id\tpath\n" + rows)
        (folder / study / "config.yaml").write_text(make_config(study, size["device"], images))
        run_workflow(case, study, "convert")
    return {**case, "pixels": pixels, "images": {"slide": 1, "fields": n}}


def make_config(study: str, device: str, images: int) -> str:
    """One batch, so that one job feeds the GPU."""
    method = {"name": "unet", "model": str(MODEL), "channels": ["DNA"], "diameter_um": 14}
    config = {
        "study": study, "channels": {"DNA": {"source": 0, "role": "nucleus"}}, "pixel_size_um": 0.5,
        "device": device, "images_per_batch": images, "segment": {"nuclei": {"method": method}},
    }  # fmt: skip
    return json.dumps(config)  # which is YAML too


def run_workflow(case: Mapping[str, Any], study: str, until: str) -> None:
    """As a user types it."""
    folder = Path(case["folder"]) / study
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    own = {"PATH": programs, "PYTHONPATH": os.pathsep.join([str(CHECKOUT / "src"), str(CHECKOUT)])}
    words = ["--snakefile", CHECKOUT / "Snakefile", "--configfile", "config.yaml", "--cores", str(case["threads"]), "--until", until]  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "snakemake", *words], cwd=folder, env={**os.environ, **own}, capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stdout[-3000:] + done.stderr[-3000:])


def run_both(case: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Segment both studies; of each: images, objects, pixels a second, share of time in which the GPU was busy."""
    return {study: run_one(case, study) for study in STUDIES}


def run_one(case: Mapping[str, Any], study: str) -> dict[str, float]:
    """Segment one study anew, watched."""
    results = Path(case["folder"]) / study / "results" / study
    for name in ("labels", "manifests/segment.nuclei", "provenance/segment.nuclei"):
        shutil.rmtree(results / name, ignore_errors=True)
    watch = subprocess.Popen(QUERY, stdout=subprocess.PIPE, text=True) if shutil.which(QUERY[0]) else None  # fmt: skip
    try:
        run_workflow(case, study, "segment")
    finally:
        if watch:
            watch.terminate()
    busy = find_busy([float(line) for line in watch.communicate()[0].split()] if watch else [])
    (manifest,) = (results / "manifests/segment.nuclei").glob("*.jsonl")
    records = [json.loads(line) for line in manifest.read_text().splitlines()]
    wrong = [record for record in records if record["status"] != "ok"]
    if wrong:
        raise RuntimeError(f"{wrong[0]['image']}: {wrong[0]['message']}")
    notes = {note for record in records for note in record["facts"].get("notes", [])}
    return {
        "images": len(records),
        "objects": sum(sum(record["facts"]["n_objects"]) for record in records),
        "mpx_per_s": case["pixels"][study] / 1e6 / sum(record["seconds"] for record in records),
        "busy": busy,
        "on_gpu": float(any(note.startswith("networks run on cuda") for note in notes)),
    }


def find_busy(samples: list[float]) -> float:
    """Mean use (0..1) between the first and the last sample in which there was any; NaN without a GPU."""
    used = np.flatnonzero(samples)
    return float(np.mean(samples[used[0] : used[-1] + 1])) / 100 if len(used) else float("nan")


def check(case: Mapping[str, Any], _: None, ours: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Every image has the objects that its job says, found on the device that was asked for, as eager fp32 on the CPU finds them."""
    wrong = []
    for study in STUDIES:
        found = ours[study]
        if found["images"] != case["images"][study]:
            wrong.append(f"{study}: {found['images']} of {case['images'][study]} images")
        if found["objects"] != (there := count_labels(case, study)):
            wrong.append(f"{study}: {found['objects']} objects, {there} in the label images")
        if bool(found["on_gpu"]) != (case["device"] == "cuda"):
            wrong.append(f"{study}: not on the device {case['device']}")
    if (dice := compare_field(case)) < LEAST_DICE:
        wrong.append(f"first field: Dice {dice:.4f} beside eager fp32 on the CPU")
    return wrong


def open_artifact(case: Mapping[str, Any], study: str, folder: str, name: str) -> Any:
    """An image of a study's results."""
    from scopemill.images import Image

    return Image(Path(case["folder"]) / study / "results" / study / folder / f"{name}.ome.tif")


def count_labels(case: Mapping[str, Any], study: str) -> int:
    """Objects of all label images of a study."""
    found = 0
    for i in range(case["images"][study]):
        with open_artifact(case, study, "labels/nuclei", f"i{i}") as labels:
            found += int(labels.window(0).max())
    return found


def compare_field(case: Mapping[str, Any]) -> float:
    """Dice of the first field's foreground and that of the network as it is in the model folder."""
    import torch

    from scopemill.models.folder import load_model

    network, described = load_model(MODEL)
    with open_artifact(case, "fields", "labels/nuclei", "i0") as one:
        labels = one.window(0) > 0
    with open_artifact(case, "fields", "images", "i0") as one:
        pixels = np.squeeze(one.window(0)).astype(np.float32)
    own = described.normalisation
    low, high = np.percentile(pixels, [own.low, own.high])
    scaled = ((pixels - low) / (high - low)).astype(np.float32)
    with torch.no_grad():
        maps = torch.sigmoid(network.eval()(torch.from_numpy(scaled)[None, None]))
    expected = maps[0, 0].numpy() > described.postprocessing["foreground_threshold"]
    return 2 * float((labels & expected).sum()) / max(1, int(labels.sum() + expected.sum()))


def spoil(ours: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """One field less."""
    fields = ours["fields"]
    return {**ours, "fields": {**fields, "images": fields["images"] - 1}}


def facts(case: Mapping[str, Any], ours: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """What was measured of both studies, and what limits it."""
    rates = measure_limits(case)
    network = rates["network_tflops"] / rates["convolution_tflops"]
    of_studies = {f"{study}_{name}": value for study in STUDIES for name, value in ours[study].items()}  # fmt: skip
    return of_studies | rates | {"network_share": network}


def measure_limits(case: Mapping[str, Any]) -> dict[str, float]:
    """The loader alone and the network alone (Mpx/s), the network and the best bf16 convolution (TFLOP/s)."""
    import torch

    from scopemill.forecast.work import count_flop
    from scopemill.models.predict import predict_patches
    from scopemill.models.ready import load_ready

    start = time.perf_counter()
    with open_artifact(case, "slide", "images", "i0") as image:
        n = image.window(0).size
    loader = n / 1e6 / (time.perf_counter() - start)
    network, described, device, _ = load_ready(MODEL, case["device"])
    large = device.type == "cuda"
    batch = np.random.default_rng(0).random((16 if large else 1, 1, 512, 512), np.float32)
    many = 60 if large else 1

    def predict() -> None:
        for _ in predict_patches(network, [batch] * many, device, described.activation):
            pass

    network_rate = many * batch.size / 1e6 / best_of(predict)
    convolution = max(measure_convolution(torch, device, *one) for one in CONVOLUTIONS)
    tflops = network_rate * 1e6 * count_flop(described.architecture) / 1e12
    return {"loader_mpx_per_s": loader, "network_mpx_per_s": network_rate, "network_tflops": tflops, "convolution_tflops": convolution}  # fmt: skip


def measure_convolution(torch: Any, device: Any, channels: int, width: int) -> float:
    """TFLOP/s of a 3 x 3 convolution in bf16, channels last."""
    n, times = (32, 50) if device.type == "cuda" else (1, 1)
    layer = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    layer = layer.to(device, torch.bfloat16, memory_format=torch.channels_last)
    x = torch.rand(n, channels, width, width, device=device, dtype=torch.bfloat16)
    x = x.to(memory_format=torch.channels_last)

    def convolve() -> None:
        with torch.inference_mode():
            for _ in range(times):
                layer(x)
        if device.type == "cuda":
            torch.cuda.synchronize()

    return times * 2 * 9 * channels**2 * n * width**2 / best_of(convolve) / 1e12


def best_of(work: Any, rounds: int = 4) -> float:
    """Seconds; the first round warms up."""
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def unavailable() -> str:
    """Whether there is a GPU that PyTorch sees."""
    import torch

    return "" if torch.cuda.is_available() else "no GPU here"


BENCHMARK = Benchmark(
    name="gpu",
    task="labels of a slide of 16,384 x 16,384 px and of 2,000 fields of 512 x 512 px, on one GPU",
    against="the card",
    prepare=prepare,
    baseline=None,
    ours=run_both,
    check=check,
    spoil=spoil,
    full={"slide_px": 16384, "fields": 2000, "field_px": 512, "device": "cuda", "threads": 16},
    small={"slide_px": 1024, "fields": 3, "field_px": 256, "device": "cuda", "threads": 2},
    goals=(
        Goal("GPU busy, slide", lambda o: o.facts["slide_busy"], at_least=0.9),
        Goal("GPU busy, fields", lambda o: o.facts["fields_busy"], at_least=0.9),
        Goal("of the best bf16 convolution", lambda o: o.facts["network_share"], at_least=0.4),
        Goal("Mpx/s, slide to labels", lambda o: o.facts["slide_mpx_per_s"], at_least=50),
        Goal("Mpx/s, fields to labels", lambda o: o.facts["fields_mpx_per_s"], at_least=50),
    ),
    unavailable=unavailable,
    facts=facts,
    pairs=2,
)
