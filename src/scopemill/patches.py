"""Patch stores: one HDF5 an image <-> patches (N, C, Z, Y, X) with where they came from.

Layout: dataset `patches` (raw type, one chunk a patch, fletcher32), dataset `origins` (N, 3: t, y, x of each
patch's first pixel, at the store's scale), and one attribute `meta` (JSON of Meta).
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Meta:
    """What a patch store says of itself; sizes are at the store's scale."""

    image_shape: tuple[int, int, int, int, int]  # TCZYX of the (rescaled) image
    source_size: tuple[int, int]  # Y, X of the image artifact
    channel_names: tuple[str, ...]
    pixel_size_um: float | None
    z_step_um: float | None
    patch_size_px: int
    overlap_px: int
    percentiles: tuple[tuple[float, ...], ...]  # per channel, at LEVELS
    fingerprint: str = ""


LEVELS = (0.1, 1.0, 50.0, 99.0, 99.9)


def write_patches(
    path: Path, meta: Meta, dtype: np.dtype, origins: np.ndarray, patches: Iterable[np.ndarray]
) -> None:
    """Write patches one by one."""
    import h5py

    _, n_channels, n_planes, _, _ = meta.image_shape
    shape = (n_channels, n_planes, meta.patch_size_px, meta.patch_size_px)
    with h5py.File(path, "w", track_order=False) as file:
        file.attrs["meta"] = json.dumps(asdict(meta), sort_keys=True)
        file.create_dataset("origins", data=origins.astype(np.int64), track_times=False)
        store = file.create_dataset(
            "patches", (len(origins), *shape), dtype,
            maxshape=(None, *shape),  # else an image without foreground, thus 0 patches, has no chunks
            chunks=(1, *shape), compression="lzf", shuffle=True, fletcher32=True, track_times=False,
        )  # fmt: skip
        for i, patch in enumerate(patches):
            store[i] = patch


class Patches:
    """An open patch store."""

    def __init__(self, path: Path):
        import h5py

        self._file = h5py.File(path, "r")
        stated = json.loads(self._file.attrs["meta"])
        tuples = {
            name: tuple(stated[name]) for name in ("image_shape", "source_size", "channel_names")
        }
        percentiles = tuple(tuple(one) for one in stated["percentiles"])
        self.meta = Meta(**{**stated, **tuples, "percentiles": percentiles})
        self.origins: np.ndarray = self._file["origins"][:]

    def __enter__(self) -> "Patches":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self.origins)

    def read(self, indices: slice) -> np.ndarray:
        """Patches (n, C, Z, Y, X), of the raw type."""
        return self._file["patches"][indices]
