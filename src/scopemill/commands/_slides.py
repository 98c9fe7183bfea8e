"""scopemill simulate lung | histology: a study of whole slides with known truth, of any size.

Two slides a subject, subjects in two groups: control, and with more macrophages and thick walls (lung) or more
collagen (histology). truth/ holds classes, nuclei and a table of the nuclei of each slide.
"""

import argparse
import csv
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..config import find_recipe, recipe_folders
from ..simulate import slides
from ..simulate.histology import STAINS, Histology, HistologySlide
from ..simulate.lung import Lung, LungSlide

A_SUBJECT = 2  # slides
GROUPS = {"lung": ("control", "inflamed"), "histology": ("control", "scarred")}
EXAMPLES = {"lung": "tissue-model", "histology": "fibrosis-model"}
# what the recipes tissue and fibrosis call the objects, and the measuring of areas
COLUMNS = {"lung": ("cells", "lung"), "histology": ("nuclei", "section")}
TILE_PX = 512


def main(arguments: Sequence[str], kind: str) -> int:
    """Write the study; the same arguments give the same files."""
    parser = argparse.ArgumentParser(f"scopemill simulate {kind}", description=__doc__)
    parser.add_argument("study", type=Path, help="folder to write")
    parser.add_argument("--slides", type=int, default=4, help="how many")
    parser.add_argument("--size", type=int, default=2048, help="width and height in pixels")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stain", choices=STAINS, default="h-e", help="of histology")
    parser.add_argument(
        "--config", help="example config to copy: a name in config/examples, or a file"
    )
    options = parser.parse_args(arguments)
    for folder in (options.study / "raw", options.study / "truth"):
        folder.mkdir(parents=True, exist_ok=True)
    folders = [one.parent / "examples" for one in recipe_folders(options.study / "config.yaml")]
    config = find_recipe(options.config or EXAMPLES[kind], folders)
    shutil.copyfile(config, options.study / "config.yaml")
    rows = [make_slide(options, kind, n) for n in range(options.slides)]
    with (options.study / "images.tsv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    sys.stdout.write(f"{len(rows)} slides in {options.study}\n")
    return 0


def make_slide(options: argparse.Namespace, kind: str, n: int) -> dict[str, Any]:
    """Write one slide; its row of the sheet, with what is known of it."""
    subject, group = n // A_SUBJECT, GROUPS[kind][n // A_SUBJECT % 2]
    seeds = [int(one) for one in np.random.SeedSequence([options.seed, n]).generate_state(1)]
    rng = np.random.default_rng([options.seed, subject, 5])
    make = vary_lung if kind == "lung" else vary_histology
    slide = make(options, group, rng, seeds[0] % 10**6, n)
    name = f"slide-{n + 1:02d}"
    areas, regions = write_slide(options.study, name, slide)
    names = slide.class_names[1:]
    objects, task = COLUMNS[kind]
    row = {"id": name, "path": f"raw/{name}.ome.tif", "subject": f"s{subject + 1:02d}", "group": group}  # fmt: skip
    row |= {f"expected_n_{objects}_{region}": regions[region] for region in names}
    within = max(1, sum(areas[region] for region in names))
    return row | {
        f"expected_fraction_{task}_{region}": round(areas[region] / within, 5) for region in names
    }


def vary_lung(options, group: str, rng: np.random.Generator, seed: int, n: int) -> LungSlide:
    """A slide of a subject: inflamed lungs have thicker walls and more macrophages in the air."""
    inflamed = group == "inflamed"
    return LungSlide(
        Lung(
            shape_yx=(options.size, options.size),
            seed=seed,
            alveolus_um=rng.uniform(40, 56),
            wall_um=rng.uniform(5, 7),
            open_walls=rng.uniform(0.2, 0.35),
            thickening=rng.uniform(0.35, 0.7) if inflamed else rng.uniform(0.1, 0.3),
            macrophages_per_mm2=rng.uniform(180, 300) if inflamed else rng.uniform(70, 130),
            dna_photons=rng.uniform(60, 130),
            epithelium_photons=rng.uniform(40, 90),
            macrophage_photons=rng.uniform(50, 130),
            autofluorescence=tuple(np.array([5.0, 15.0, 10.0]) * rng.uniform(0.6, 1.5, 3)),
            glow=tuple(np.array([1.0, 3.0, 2.5]) * rng.uniform(0.5, 1.5, 3)),
        )
    )


def vary_histology(
    options, group: str, rng: np.random.Generator, seed: int, n: int
) -> HistologySlide:
    """A slide of a subject; the fourth of each four bears a pen mark, the second a fold."""
    return HistologySlide(
        Histology(
            shape_yx=(options.size, options.size),
            seed=seed,
            stain=options.stain,
            scarring=rng.uniform(0.55, 0.95) if group == "scarred" else rng.uniform(0.15, 0.4),
            cell_um=rng.uniform(18, 22),
            fat=rng.uniform(0, 0.06),
            amounts=tuple(np.array([0.95, 0.36, 0.40]) * rng.uniform(0.8, 1.25, 3)),
            pen=n % 4 == 3,
            fold=n % 4 == 1,
        )
    )


def write_slide(study: Path, name: str, slide: slides.Slide) -> tuple[dict, dict]:
    """Image, classes, nuclei and their table; returns pixels of each class, and nuclei in each."""
    nuclei, truth = slides.list_nuclei(slide), study / "truth"
    areas = np.zeros(len(slide.class_names), np.int64)
    with scratch(study, slide) as (pixels, classes, labels):
        for block in slides.draw_blocks(slide, nuclei):
            height, width = block.classes.shape
            window = slice(block.y, block.y + height), slice(block.x, block.x + width)
            pixels[window if slide.rgb else (slice(None), *window)] = block.pixels
            classes[window], labels[window] = block.classes, block.labels
            areas += np.bincount(block.classes.ravel(), minlength=len(areas))
        write_image(study / "raw" / f"{name}.ome.tif", pixels, slide)
        write_plane(truth / f"{name}.classes.tif", classes)
        write_plane(truth / f"{name}.nuclei.tif", labels)
        # the pixel that holds the centre
        at = (np.rint(one).astype(int) for one in (nuclei.y, nuclei.x))
        at = tuple(np.minimum(one, n - 1) for one, n in zip(at, slide.shape_yx, strict=True))
        region = np.array(slide.class_names)[classes[at]]
    write_nuclei(truth / f"{name}.nuclei.csv", nuclei, np.array(slide.kinds)[nuclei.kind], region)
    counts = {one: int((region == one).sum()) for one in slide.class_names}
    return dict(zip(slide.class_names, areas.tolist(), strict=True)), counts


@contextmanager
def scratch(study: Path, slide: slides.Slide) -> Iterator[list[np.ndarray]]:
    """Pixels, classes and labels of a slide in files, so that none of them is in memory."""
    size = slide.shape_yx
    kinds = [
        ((*size, 3), np.uint8) if slide.rgb else ((len(slide.channel_names), *size), np.uint16),
        (size, np.uint8), (size, np.uint32),
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(dir=study, prefix=".scratch-") as folder:
        yield [
            np.lib.format.open_memmap(Path(folder) / f"{i}.npy", "w+", dtype, shape)
            for i, (shape, dtype) in enumerate(kinds)
        ]


def write_image(path: Path, pixels: np.ndarray, slide: slides.Slide) -> None:
    """OME-TIFF in tiles, as a slide scanner would save it."""
    import tifffile

    metadata = {
        "axes": "YXS" if slide.rgb else "CYX",
        "PhysicalSizeX": slide.pixel_size_um, "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": slide.pixel_size_um, "PhysicalSizeYUnit": "µm",
    }  # fmt: skip
    if not slide.rgb:
        metadata["Channel"] = {"Name": list(slide.channel_names)}
    planes = [pixels] if slide.rgb else pixels
    tifffile.imwrite(
        path, (tile for plane in planes for tile in cut(plane)), shape=pixels.shape, dtype=pixels.dtype,
        tile=(TILE_PX, TILE_PX), compression="zlib", predictor=True, ome=True, metadata=metadata,
        photometric="rgb" if slide.rgb else "minisblack",
    )  # fmt: skip


def write_plane(path: Path, plane: np.ndarray) -> None:
    """Classes or labels in tiles."""
    import tifffile

    tifffile.imwrite(
        path, cut(plane), shape=plane.shape, dtype=plane.dtype, tile=(TILE_PX, TILE_PX), compression="zlib"
    )  # fmt: skip


def cut(plane: np.ndarray) -> Iterator[np.ndarray]:
    """Tiles of (Y, X[, 3]), row by row, those at the end filled up with 0."""
    for y in range(0, plane.shape[0], TILE_PX):
        for x in range(0, plane.shape[1], TILE_PX):
            tile = plane[y : y + TILE_PX, x : x + TILE_PX]
            missing = [(0, TILE_PX - n) for n in tile.shape[:2]] + [(0, 0)] * (tile.ndim - 2)
            yield np.ascontiguousarray(np.pad(tile, missing))


def write_nuclei(path: Path, nuclei: slides.Nuclei, kind: np.ndarray, region: np.ndarray) -> None:
    """One row a nucleus."""
    import pandas as pd

    columns = {"label": nuclei.label, "y": nuclei.y.round(2), "x": nuclei.x.round(2), "type": kind, "region": region}  # fmt: skip
    pd.DataFrame(columns).to_csv(path, index=False, lineterminator="\n")
