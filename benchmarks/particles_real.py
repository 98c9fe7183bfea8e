"""Real images of spots, or of spots drawn on real cells -> cases of benchmarks/particles.py."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

DEV_PX = 300  # columns of the one field that was marked by hand: these are for choosing
SHIFT_PX = 2.0  # marks lie below and right of the spots by so much: the median over those columns, y and x alike


def read_all(data: Path, case: type) -> Iterator[list[Any]]:
    """Each set's images; where none is set aside for tuning, an image is scored with what suits the others best."""
    import tifffile
    from skimage.io import imread

    folder = data / "spots_smfish_3d"
    yield [
        case(f"smfish-3d {name}", "spots_smfish_3d", tifffile.imread(folder / f"{name}.tif")[:, 0],
             read_columns(folder / f"{name}_spots.csv", "zyx"))
        for name in ("img2", "img3")
    ]  # fmt: skip
    folder = data / "spots_smfish_2d_manual"
    left, whole = (
        (imread(folder / f"TFRC_{n}.png"), read_columns(folder / f"TFRC_{n}_spots.csv", ("row", "col")))
        for n in (DEV_PX, 700)
    )  # fmt: skip
    left, whole = ((image, points - SHIFT_PX) for image, points in (left, whole))
    yield [
        case("smfish-2d left", "spots_smfish_2d_manual", *left, dev=True),
        case("smfish-2d", "spots_smfish_2d_manual", *whole, skip=(left[0].shape[0], DEV_PX)),
    ]
    folder = data / "spots_2d_synthetic_on_cells"
    yield [
        case(path.stem, "spots_2d_synthetic_on_cells", upright(imread(path), path.stem),
             read_columns(path.with_name(f"{path.stem.removesuffix('_inverted')}_spots.csv"), ("row", "col")))
        for path in sorted(folder.glob("*.png"))
    ]  # fmt: skip


def upright(image: np.ndarray, name: str) -> np.ndarray:
    """Bright spots on dark, one of the equal colours."""
    image = image[..., 0] if image.ndim == 3 else image
    return 255 - image if name.endswith("_inverted") else image


def read_columns(path: Path, names: Any) -> np.ndarray:
    """Columns of numbers (n, d)."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return np.array([[float(row[name]) for name in names] for row in rows])
