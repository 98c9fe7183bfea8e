"""Slides of growing size through the workflow -> peak memory and CPU time of each stage, beside a script that holds the slide.

python benchmarks/wholeslide.py --sizes 4096 8192 16384 32768 --naive 4096 8192 16384

The slide: nuclei of a periodic pattern, no two periods with the same noise, in a tiled TIFF. Workflow and script use the same
network, scale and post-processing; where both ran, their labels must be the same partition, or this ends with an error.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile

CHECKOUT = Path(__file__).parents[1]
PERIOD = 1450  # px: no multiple of a block
ROUNDING = 2e-6  # share of pixels
CONFIG = """study: slide
channels: {{DNA: {{source: 0, role: nucleus}}}}
pixel_size_um: 0.5
segment:
  tissue: {{method: {{name: tissue}}}}
  nuclei: {{{within}method: {{name: unet, model: {models}/nuclei, channels: [DNA], diameter_um: 14}}}}
detect:
  nuclei: {{method: {{name: from-labels, labels: nuclei}}}}
quantify:
  nuclei: {{objects: nuclei}}
patch:
  nuclei: {{patch_size_px: 512, overlap_px: 64}}
"""
STAGES = (
    "convert",
    "patch.nuclei",
    "segment.tissue",
    "segment.nuclei",
    "detect.nuclei",
    "quantify.nuclei",
    "qc",
)


def main() -> int:
    """Print a table a size, then the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[4096, 8192])
    parser.add_argument("--naive", type=int, nargs="*", default=[4096], help="sizes for the script")
    parser.add_argument(
        "--tissue", type=int, help="nuclei in a square of this width only; the rest is empty glass"
    )
    parser.add_argument("--folder", type=Path, help="keep everything there")
    parser.add_argument("--script", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.script:
        return run_script(options.script)
    root = options.folder or Path(tempfile.mkdtemp(prefix="scopemill-slides-"))
    for size in options.sizes:
        print(f"\n{size} x {size} px, {size * size / 1e6:.0f} megapixels", flush=True)
        folder = root / str(size)
        make_slide(folder / "slide.tif", size, options.tissue or size)
        ours = run_workflow(folder, sparse=options.tissue is not None)
        for key in STAGES:
            print("  {:16} {:7.0f} MB {:8.1f} CPU s {:6.2f} Mpx a CPU s".format(key, *ours[key], size * size / 1e6 / ours[key][1]), flush=True)  # fmt: skip
        if size in options.naive:
            memory, seconds = measure_script(folder)
            mine = ours["segment.nuclei"]
            print(f"  {'script':16} {memory:7.0f} MB {seconds:8.1f} CPU s {size * size / 1e6 / seconds:6.2f} Mpx a CPU s")  # fmt: skip
            n_ours, n_theirs, differing = compare(folder)
            print(f"  segment against script: memory {mine[0] / memory:.2f}, CPU {mine[1] / seconds:.2f}; objects {n_ours} and {n_theirs}, {differing} of {size * size} pixels differ", flush=True)  # fmt: skip
            if n_ours != n_theirs or differing > size * size * ROUNDING:
                print("  NOT the same objects")
                return 1
        if not options.folder:
            shutil.rmtree(folder)
    return 0


def make_slide(path: Path, size: int, tissue: int) -> None:
    """A tiled TIFF, written tile by tile; nuclei in a square of `tissue` px in its middle."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    pattern, tile = make_pattern(), 512

    def tiles():
        for y in range(0, size, tile):
            for x in range(0, size, tile):
                rng = np.random.default_rng([y, x])
                rows, columns = (np.arange(at, at + tile) % PERIOD for at in (y, x))
                light = pattern[rows[:, None], columns]
                far = max(abs(at + tile / 2 - size / 2) for at in (y, x))
                light = light if far < tissue / 2 else np.full_like(light, pattern.min())
                yield (rng.poisson(light) + 100).astype(np.uint16)

    tifffile.imwrite(path, tiles(), shape=(size, size), dtype=np.uint16, tile=(tile, tile), photometric="minisblack")  # fmt: skip


def make_pattern() -> np.ndarray:
    """Expected photons (PERIOD, PERIOD) of blurred ellipses on a torus, some of which touch."""
    from scipy import ndimage

    rng, light = np.random.default_rng(0), np.zeros((PERIOD, PERIOD), np.float32)
    y, x = np.indices((61, 61)) - 30
    for row, column in rng.integers(0, PERIOD, (900, 2)):
        angle, a, b = rng.uniform(0, np.pi), rng.uniform(10, 17), rng.uniform(10, 15)
        u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        inside = ((u / a) ** 2 + (v / b) ** 2 <= 1) * rng.uniform(300, 900)
        at = (row + y) % PERIOD, (column + x) % PERIOD
        light[at] = np.maximum(light[at], inside)
    return ndimage.gaussian_filter(light, 1.5, mode="wrap") + 40


def run_workflow(folder: Path, sparse: bool) -> dict[str, tuple[float, float]]:
    """Peak memory (MB) and CPU seconds of each stage, as its manifest says."""
    within = "within: tissue, " if sparse else ""
    (folder / "config.yaml").write_text(CONFIG.format(models=CHECKOUT / "models", within=within))
    (folder / "images.tsv").write_text("id\tpath\nslide\tslide.tif\n")
    command = ["snakemake", "-s", CHECKOUT / "Snakefile", "--cores", "1", "--configfile", "config.yaml", "--quiet", "all"]  # fmt: skip
    subprocess.run(command, cwd=folder, check=True, env=environment())
    found = {}
    for key in STAGES:
        (path,) = (folder / "results/slide/manifests" / key).glob("*.jsonl")
        (record,) = (json.loads(line) for line in path.read_text().splitlines())
        assert record["status"] == "ok", record
        found[key] = (record["peak_memory_mb"], record["cpu_seconds"])
        if "seams" in record["facts"]:
            print(f"  seams: {record['facts']['seams']}")
    return found


def measure_script(folder: Path) -> tuple[float, float]:
    """Peak memory (MB) and CPU seconds of the script."""
    child = subprocess.Popen([sys.executable, __file__, "--script", folder], env=environment())
    _, status, used = os.wait4(child.pid, 0)
    assert status == 0, f"the script ended with {status}"
    return used.ru_maxrss / 1024, used.ru_utime + used.ru_stime


def environment() -> dict[str, str]:
    """One core for both."""
    return os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def run_script(folder: Path) -> int:
    """What one would write: read the slide, look at it, cut it into objects, write them."""
    import torch

    from scopemill.instances import Settings, find_instances
    from scopemill.models.predict import scale_grey_values
    from scopemill.models.ready import load_ready
    from scopemill.models.whole import Ready, predict_image
    from scopemill.settings import load

    torch.set_num_threads(1)
    network, described, device, _ = load_ready(CHECKOUT / "models/nuclei", "cpu")
    pixels = tifffile.imread(folder / "slide.tif")[None, None]
    scaled = scale_grey_values(pixels, levels_of(folder, pixels), described.normalisation)[:, 0]
    maps = predict_image(Ready(network, described, device), scaled)
    own = load(Settings, described.postprocessing, "postprocessing")
    labels = find_instances(dict(zip(described.output, maps, strict=True)), own)
    tifffile.imwrite(folder / "script.tif", labels, compression="zlib", tile=(512, 512), compressionargs={"level": 1}, predictor=True)  # fmt: skip
    return 0


def levels_of(folder: Path, pixels: np.ndarray) -> tuple:
    """Percentiles by the windows that the workflow samples, so that both see the same grey values."""
    from scopemill.examples import measure_percentiles
    from scopemill.frames import Frame

    frame = Frame.of({"DNA": pixels[0, 0]})
    parts = [frame.cut(*window).channel("DNA").ravel() for window in frame.sample()]
    return measure_percentiles(np.concatenate(parts)[None])


def compare(folder: Path) -> tuple[int, int, int]:
    """How many objects the workflow and the script found, and how many pixels they do not agree on.

    Tiles of another shape let a bf16 network round otherwise; then a pixel here and there changes sides, no more.
    """
    from scopemill.images import Image

    script, found = tifffile.imread(folder / "script.tif"), {}
    with Image(folder / "results/slide/labels/nuclei/slide.ome.tif") as image:
        for y in range(0, script.shape[0], 2048):
            rows = slice(y, y + 2048)
            both = image.window(0, y=rows).astype(np.uint64) << np.uint64(32) | script[rows]
            for pair, n in zip(*np.unique(both, return_counts=True), strict=True):
                found[int(pair)] = found.get(int(pair), 0) + int(n)
    pairs = np.array([(pair >> 32, pair & 0xFFFFFFFF, n) for pair, n in found.items()])
    # each object's partner is the one it shares most pixels with; what is not shared with partners is not agreed on
    pairs = pairs[np.argsort(-pairs[:, 2], kind="stable")]
    partners, seen, agreed = {}, set(), 0
    for ours, theirs, n in pairs.tolist():
        if (ours == 0) == (theirs == 0) and ours not in partners and theirs not in seen:
            partners[ours] = theirs
            seen.add(theirs)
            agreed += n
    return len(set(pairs[:, 0]) - {0}), len(set(pairs[:, 1]) - {0}), script.size - agreed


if __name__ == "__main__":
    sys.exit(main())
