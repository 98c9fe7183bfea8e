"""Training sets: one HDF5 <-> examples, images (C, Z, Y, X) with their truth (Z, Y, X) and where they belong.

Layout: one group an example, `examples/000000`, ..., with datasets `pixels` and `truth` (chunked, so that a
crop is read without the rest) and one attribute `meta` (JSON of Example); at the root, `meta` (JSON).
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .patches import LEVELS
from .settings import ConfigError

CHUNK = 128  # pixels along y and x


@dataclass(frozen=True)
class Example:
    """What a training set says of one example."""

    image: str
    """Id of the image that it was cut from."""
    part: str
    """train, validation or test."""
    group: str
    """Images that belong together."""
    percentiles: tuple[tuple[float, ...], ...]
    """Of the whole image, per channel, at LEVELS."""
    shape: tuple[int, int, int, int]
    """CZYX."""
    n_objects: int = 0
    """Instances that it shows."""
    diameter_px: float = 0.0
    """Median diameter of its instances (circles of equal area); 0 without any."""
    origin: tuple[int, int, int] = (0, 0, 0)
    """t, y, x of its first pixel in the image."""
    classes: tuple[int, ...] = ()
    """Classes of the whole example, where truth is not by pixels."""


def measure_percentiles(pixels: np.ndarray) -> tuple[tuple[float, ...], ...]:
    """Percentiles (C, LEVELS) of an image (C, ...)."""
    return tuple(tuple(float(v) for v in np.percentile(one, LEVELS)) for one in pixels)


def measure_objects(labels: np.ndarray) -> tuple[int, float]:
    """How many instances there are, and their median diameter in pixels of the plane."""
    plane = labels.reshape(-1, *labels.shape[-2:])
    sizes = np.bincount(plane[np.argmax((plane > 0).sum(axis=(1, 2)))].ravel())[1:]
    sizes = sizes[sizes > 0]
    n_objects = int(np.count_nonzero(np.bincount(labels.ravel())[1:]))
    return n_objects, float(np.median(np.sqrt(sizes * 4 / np.pi))) if len(sizes) else 0.0


def write_examples(
    path: Path, meta: dict[str, Any], examples: Iterable[tuple[Example, np.ndarray, np.ndarray]]
) -> str:
    """Write examples one by one; returns the hash of all that a training sees of them."""
    import h5py

    digest, counts = hashlib.sha256(), np.zeros(1 + len(meta.get("classes", ())), np.int64)
    with h5py.File(path, "w", track_order=False) as file:
        for i, (example, pixels, truth) in enumerate(examples):
            group = file.create_group(f"examples/{i:06d}")
            text = json.dumps(asdict(example), sort_keys=True)
            group.attrs["meta"] = text
            for name, array in {"pixels": pixels, "truth": truth}.items():
                chunks = (*(1,) * (array.ndim - 2), *(min(CHUNK, n) for n in array.shape[-2:]))
                group.create_dataset(
                    name, data=array, chunks=chunks, compression="lzf", shuffle=True,
                    fletcher32=True, track_times=False,
                )  # fmt: skip
            for part in (text.encode(), np.ascontiguousarray(pixels), np.ascontiguousarray(truth)):
                digest.update(part)
            if meta.get("truth") == "classes":
                counts += np.bincount(truth.ravel(), minlength=len(counts))
        measured = {"sha256": digest.hexdigest(), "class_pixels": counts.tolist()}
        file.attrs["meta"] = json.dumps({**meta, **measured}, sort_keys=True)
    return digest.hexdigest()


class Examples:
    """An open training set."""

    def __init__(self, path: Path):
        import h5py

        self._file = h5py.File(path, "r")
        self.meta: dict[str, Any] = json.loads(self._file.attrs["meta"])
        self._groups = list(self._file["examples"].values()) if "examples" in self._file else []
        self.all = [parse_example(group.attrs["meta"]) for group in self._groups]
        self.used: frozenset[str] | None = None

    def __enter__(self) -> "Examples":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def of(self, part: str) -> list[int]:
        """Numbers of the examples of a part; of the training part, those that `limit` left."""
        return [
            i
            for i, one in enumerate(self.all)
            if one.part == part and (part != "train" or self.used is None or one.image in self.used)
        ]

    @property
    def scored_part(self) -> str:
        """The part that scores are of: test, or validation where nothing was kept for the test."""
        return "test" if self.of("test") else "validation"

    def limit(self, n_images: int | None, seed: int) -> None:
        """Learn from so many of the training images only, drawn by `seed`."""
        images = sorted({one.image for one in self.all if one.part == "train"})
        if n_images is None:
            return
        if n_images > len(images):
            raise ConfigError(
                f"{n_images} training images were asked for, there are {len(images)}; lower images or learning_curve"
            )
        order = np.random.default_rng([seed, 2]).permutation(len(images))
        self.used = frozenset(images[i] for i in order[:n_images])

    def count(self) -> dict[str, int]:
        """Images of each part."""
        parts = sorted({one.part for one in self.all})
        return {part: len({self.all[i].image for i in self.of(part)}) for part in parts}

    def read(
        self, i: int, window: tuple[slice, slice] = (slice(None), slice(None))
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (C, Z, Y, X) and truth (Z, Y, X) of a window (y, x) of an example."""
        group = self._groups[i]
        return group["pixels"][(..., *window)], group["truth"][(..., *window)]


def parse_example(text: str) -> Example:
    """JSON -> Example."""
    stated = json.loads(text)
    tuples = {key: tuple(stated[key]) for key in ("shape", "origin", "classes")}
    percentiles = tuple(tuple(one) for one in stated["percentiles"])
    return Example(**{**stated, **tuples, "percentiles": percentiles})
