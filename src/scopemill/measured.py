"""Measured sets: HDF5 <-> a table of objects, their features and their class, of which a classifier learns.

Beside `examples.py`, which is about pixels. Layout: at the root `meta` (JSON), in the group `columns` one dataset a
column: image, part, group, t, label, class, and the features.
"""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

TEXTS = ("image", "part", "group", "class")
NUMBERS = ("t", "label")


def write_measured(path: Path, meta: dict[str, Any], table: "pd.DataFrame") -> str:
    """Write `meta` and the table (TEXTS, NUMBERS and `meta: features`); returns the hash of all that is learnt from."""
    import h5py

    digest = hashlib.sha256()
    with h5py.File(path, "w", track_order=False) as file:
        for name in (*TEXTS, *NUMBERS, *meta["features"]):
            values = table[name].astype(str) if name in TEXTS else table[name].astype(np.float64)
            values = values.to_numpy(object if name in TEXTS else np.float64)
            dtype = h5py.string_dtype() if name in TEXTS else np.float64
            file.create_dataset(f"columns/{name}", data=values, dtype=dtype, track_times=False)
            digest.update(json.dumps([name, values.tolist()]).encode())
        file.attrs["meta"] = json.dumps({**meta, "sha256": digest.hexdigest()}, sort_keys=True)
    return digest.hexdigest()


def read_measured(path: Path) -> tuple[dict[str, Any], "pd.DataFrame"]:
    """What is stated of the set, and its table."""
    import h5py
    import pandas as pd

    with h5py.File(path, "r") as file:
        meta = json.loads(file.attrs["meta"])
        columns = {
            name: one.asstr()[:] if name in TEXTS else one[:]
            for name, one in file["columns"].items()
        }
    table = pd.DataFrame(columns)[[*TEXTS, *NUMBERS, *meta["features"]]]
    return meta, table.astype(dict.fromkeys(NUMBERS, int))
