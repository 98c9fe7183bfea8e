"""scopemill export: labels or annotations of one image -> QuPath GeoJSON, ImageJ ROIs, or a label TIFF; or a whole study.

scopemill export results/demo/labels/cells/a1.ome.tif a1.geojson
scopemill export results/demo --to qupath demo-qupath
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..annotations.export_geojson import write_geojson
from ..annotations.export_imagej import write_rois
from ..annotations.reading import read_annotations
from ..annotations.table import to_labels
from ..errors import DataError
from ..settings import ConfigError

if TYPE_CHECKING:
    import pandas as pd

GEOJSON = (".geojson", ".geojson.gz")
KINDS = ".geojson, .geojson.gz (QuPath), .zip (ImageJ, Fiji) or .tif (labels)"


def main(arguments: Sequence[str]) -> int:
    """Write the file, or the files of a study; prints how many objects each holds."""
    parser = argparse.ArgumentParser(
        "scopemill export", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("source", type=Path, help="labels, classes or annotations of any format that can be read; or results/<study>")  # fmt: skip
    parser.add_argument("target", type=Path, help=f"what to write: {KINDS}; of a study, the folder")
    parser.add_argument(
        "--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"),
        help="of the image in pixels, for a label TIFF",
    )  # fmt: skip
    parser.add_argument("--to", choices=["qupath"], help="of a study: FOLDER/<task>/<image>.geojson, with measurements; .geojson.gz where large")  # fmt: skip
    parser.add_argument("--task", action="append", help="of a study: only this one (may be given again)")  # fmt: skip
    parser.add_argument(
        "--simplify", type=float, default=0.0, metavar="PX",
        help="of class images: outlines with fewer corners, off by at most so many pixels",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    try:
        if options.to or options.source.is_dir():
            return export_all(options)
        n = export_one(options)
    except DataError as error:
        raise ConfigError(f"{error.code}: {error}") from None
    sys.stdout.write(f"{options.target}: {n} objects\n")
    return 0


def export_all(options: argparse.Namespace) -> int:
    """All images of a study."""
    from ._study_export import export_study

    if not options.to:
        raise ConfigError(f"{options.source}: a folder; give --to qupath with results/<study>")
    found = export_study(options.source, options.target, options.task, options.simplify)
    for path, n in found:
        sys.stdout.write(f"{path}: {n} objects\n")
    return 0


def export_one(options: argparse.Namespace) -> int:
    """One image; the number of objects."""
    source, target = options.source, options.target
    if target.exists():
        raise ConfigError(f"{target}: is there already; remove it, or choose another name")
    if target.name.lower().endswith(GEOJSON) and is_artifact(source):
        from ..annotations.export_labels import write_label_image

        return write_label_image(source, target, simplify_px=options.simplify)[1]
    table = read_table_of(source)
    write(table, target, options.size)
    return len(table)


def is_artifact(path: Path) -> bool:
    """Whether a file is a label or class image of a study, which may be too large to be read at once."""
    from ..images import Image

    if not path.name.endswith(".ome.tif") or not path.is_file():
        return False
    try:
        with Image(path) as image:
            return image.meta.channel_names in (("labels",), ("classes",))
    except Exception:
        return False  # whatever else it is, readers of annotations say what is wrong with it


def read_table_of(path: Path) -> "pd.DataFrame":
    """Annotations of a file, or of a study's own artifact."""
    if path.suffix == ".parquet":
        from ..tables import read_table

        return read_table(path)
    return read_annotations(path)


def write(table: "pd.DataFrame", target: Path, size: Sequence[int] | None) -> None:
    """In the format that the name asks for."""
    name = target.name.lower()
    if name.endswith(GEOJSON):
        write_geojson(target, table)
    elif name.endswith(".zip"):
        write_rois(target, table)
    elif name.endswith((".tif", ".tiff")) and size:
        import tifffile

        tifffile.imwrite(target, to_labels(table, tuple(size)), compression="zlib")
    else:
        cure = "--size HEIGHT WIDTH is missing" if name.endswith((".tif", ".tiff")) else KINDS
        raise ConfigError(f"{target}: cannot be written; {cure}")
