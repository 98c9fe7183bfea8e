"""scopemill export: labels or annotations of one image -> QuPath GeoJSON, ImageJ ROIs, or a label TIFF.

scopemill export results/demo/labels/cells/a1.ome.tif a1.geojson
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

KINDS = ".geojson, .geojson.gz (QuPath), .zip (ImageJ, Fiji) or .tif (labels)"


def main(arguments: Sequence[str]) -> int:
    """Write the file; prints how many objects it holds."""
    parser = argparse.ArgumentParser("scopemill export", description=__doc__)
    parser.add_argument(
        "source", type=Path, help="labels, or annotations of any format that can be read"
    )
    parser.add_argument("target", type=Path, help=f"what to write: {KINDS}")
    parser.add_argument(
        "--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"),
        help="of the image in pixels, for a label TIFF",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    if options.target.exists():
        raise ConfigError(f"{options.target}: is there already; remove it, or choose another name")
    try:
        table = read_table_of(options.source)
        write(table, options.target, options.size)
    except DataError as error:
        raise ConfigError(f"{error.code}: {error}") from None
    sys.stdout.write(f"{options.target}: {len(table)} objects\n")
    return 0


def read_table_of(path: Path) -> "pd.DataFrame":
    """Annotations of a file, or of a study's own artifact."""
    if path.suffix == ".parquet":
        from ..tables import read_table

        return read_table(path)
    return read_annotations(path)


def write(table: "pd.DataFrame", target: Path, size: Sequence[int] | None) -> None:
    """In the format that the name asks for."""
    name = target.name.lower()
    if name.endswith((".geojson", ".geojson.gz")):
        write_geojson(target, table)
    elif name.endswith(".zip"):
        write_rois(target, table)
    elif name.endswith((".tif", ".tiff")) and size:
        import tifffile

        tifffile.imwrite(target, to_labels(table, tuple(size)), compression="zlib")
    else:
        cure = "--size HEIGHT WIDTH is missing" if name.endswith((".tif", ".tiff")) else KINDS
        raise ConfigError(f"{target}: cannot be written; {cure}")
