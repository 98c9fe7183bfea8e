"""Stitching: labels of a slide's overlapping blocks -> one label image on disk, streamed; against labelling the whole mask in memory.

What it is worth is its share of the time that the network needs for the same pixels.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .harness import CHECKOUT, Benchmark, Goal

TILE_PX = 2048  # as segment takes slides; smaller where the slide is
OVERLAP_PX = 56  # as unet says for nuclei of 28 px
PITCH_PX = 40  # from nucleus to nucleus: none touch, so that the whole mask can be labelled too
MODEL = CHECKOUT / "models" / "nuclei"


@dataclass(frozen=True)
class Case:
    """A slide's mask, and the labels and foreground of its blocks, in files."""

    folder: Path
    size: tuple[int, int]
    tile: int

    def blocks(self) -> list[tuple[Any, Any, Path]]:
        """Core, window and file of each block."""
        from scopemill.tiling import list_cores, widen

        cores = list_cores(self.size, self.tile)
        return [
            (core, widen(core, OVERLAP_PX, self.size), self.folder / f"block-{i}.npz")
            for i, core in enumerate(cores)
        ]


def prepare(folder: Path, size: Mapping[str, Any]) -> Case:
    """Ellipses, one a cell of a grid; each block is labelled by itself."""
    from scipy import ndimage

    n = size["size_px"]
    mask = draw_mask(n)
    np.save(folder / "mask.npy", mask)
    case = Case(folder, (n, n), min(TILE_PX, n // 4))
    for _, window, path in case.blocks():
        labels = ndimage.label(mask[window])[0].astype(np.uint32)
        np.savez(path, labels=labels, foreground=0.9 * mask[window].astype(np.float32))
    return case


def draw_mask(size: int) -> np.ndarray:
    """A mask (Y, X); the grid's last cells reach beyond its border."""
    rng = np.random.default_rng(0)
    n = -(-size // PITCH_PX)
    mask = np.zeros((n * PITCH_PX,) * 2, bool)
    y, x = np.indices((PITCH_PX,) * 2)
    for cell in np.ndindex(n, n):
        row, column = PITCH_PX / 2 + rng.uniform(-4, 4, 2)
        angle, a, b = rng.uniform(0, np.pi), rng.uniform(10, 15), rng.uniform(9, 14)
        u = (x - column) * np.cos(angle) + (y - row) * np.sin(angle)
        v = (y - row) * np.cos(angle) - (x - column) * np.sin(angle)
        start = np.multiply(cell, PITCH_PX)
        mask[start[0] :, start[1] :][:PITCH_PX, :PITCH_PX] = (u / a) ** 2 + (v / b) ** 2 <= 1
    return mask[:size, :size]


def baseline(case: Case) -> dict[str, Any]:
    """The whole mask in memory, labelled and written."""
    import tifffile
    from scipy import ndimage

    labels, n = ndimage.label(np.load(case.folder / "mask.npy"))
    path = case.folder / "whole.tif"
    tifffile.imwrite(path, labels.astype(np.uint32), tile=(512, 512), compression="zlib", compressionargs={"level": 1}, predictor=True)  # fmt: skip
    return {"path": path, "n_objects": n}


def ours(case: Case) -> dict[str, Any]:
    """Block by block into a scratch file, numbered when all are there, written with its pyramid; and the CPU seconds of both."""
    from scopemill.image_writers import write_labels
    from scopemill.ometiff import Meta
    from scopemill.scratch import Scratch
    from scopemill.segment.blocks import Plane
    from scopemill.stitching import Stitcher

    path = case.folder / "stitched.ome.tif"
    stitch_s = 0.0
    with Scratch(path) as scratch:
        stitcher = Stitcher(scratch.labels(case.size))
        for core, window, file in case.blocks():
            with np.load(file) as block:
                labels, foreground = block["labels"], block["foreground"]
            began = time.process_time()
            stitcher.add(core, window, labels, [foreground])
            stitch_s += time.process_time() - began
        began = time.process_time()
        objects = stitcher.finish()
        numbers = objects.number(objects.sums[0] / objects.areas > 0.5)
        stitch_s += time.process_time() - began
        began = time.process_time()
        plane = Plane(case.size, stitcher.store, numbers)
        meta = Meta((1, 1, 1, *case.size), ("labels",), 0.5, None)
        write_labels(path, lambda t, c, z, y, x: plane.read(y, x), (1, 1, *case.size), meta, "")
        write_s = time.process_time() - began
    return {"path": path, "n_objects": int(numbers.max()), "stitch_s": stitch_s, "write_s": write_s}


def check(case: Case, theirs: Mapping[str, Any], mine: Mapping[str, Any]) -> list[str]:
    """The same pixels belong together: each label of one is one label of the other."""
    if theirs["n_objects"] != mine["n_objects"]:
        return [f"{mine['n_objects']} objects, labelled whole {theirs['n_objects']}"]
    one, other = read_labels(theirs["path"]), read_labels(mine["path"])
    partner = np.zeros(theirs["n_objects"] + 1, np.uint32)
    partner[one] = other
    n = np.count_nonzero(partner[one] != other)
    if n or len(np.unique(partner)) < len(partner):
        return [f"{n} pixels lie in other objects, or objects are one"]
    return []


def read_labels(path: Path) -> np.ndarray:
    """Labels (Y, X) of a file."""
    import tifffile

    return tifffile.imread(path, series=0, level=0)


def spoil(result: Mapping[str, Any]) -> dict[str, Any]:
    """One pixel of the first object is the second's."""
    import tifffile

    labels = read_labels(result["path"])
    labels.flat[np.flatnonzero(labels == 1)[0]] = 2
    path = result["path"].with_name("spoiled.tif")
    tifffile.imwrite(path, labels)
    return {**result, "path": path}


def facts(case: Case, result: Mapping[str, Any]) -> dict[str, float]:
    """CPU seconds a megapixel of the network, and of what comes after it, once all is warm."""
    ours(case)  # this process has compiled nothing yet
    again, megapixels = ours(case), np.prod(case.size) / 1e6
    network = measure_network() * megapixels
    return {
        "megapixels": megapixels,
        "objects": again["n_objects"],
        "network_s": network,
        "stitch_s": again["stitch_s"],
        "write_s": again["write_s"],
        "stitch_share": again["stitch_s"] / network,
        "write_share": again["write_s"] / network,
    }


def measure_network(size: int = 1024) -> float:
    """CPU seconds a megapixel of models/nuclei, one thread, the faster of two."""
    import torch

    from scopemill.models.ready import load_ready
    from scopemill.models.whole import Ready, predict_image

    torch.set_num_threads(1)
    network, description, device, _ = load_ready(MODEL, "cpu")
    ready = Ready(network, description, device)
    image = draw_mask(size)[None].astype(np.float32)
    predict_image(ready, image[:, :256, :256])
    seconds = []
    for _ in range(2):
        began = time.process_time()
        predict_image(ready, image)
        seconds.append(time.process_time() - began)
    return min(seconds) / (image.size / 1e6)


BENCHMARK = Benchmark(
    name="stitching",
    task="labels of the overlapping blocks of a slide, 8192 x 8192 px with 42,000 nuclei, made one and written",
    against="the mask labelled whole and written, in memory",
    prepare=prepare,
    baseline=baseline,
    ours=ours,
    check=check,
    spoil=spoil,
    full={"size_px": 8192},
    small={"size_px": 512},
    goals=(
        Goal("stitching, share of the network's CPU", lambda one: one.facts["stitch_share"], at_most=0.05),
        Goal("with writing", lambda one: one.facts["stitch_share"] + one.facts["write_share"], at_most=0.05),
    ),
    facts=facts,
)  # fmt: skip
