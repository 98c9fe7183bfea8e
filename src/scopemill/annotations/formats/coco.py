"""COCO JSON: the annotations of one image of the file, which is found by its file name. Polygons, RLE and boxes.

Several polygons of an annotation are one object; of a box alone the box is kept. Coordinates begin at the corner of the
first pixel.
"""

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import Skip
from ..table import box_row, make_table, mask_row, outline_row
from ._file import File, Wanted, blame, refuse, to_points, to_ring

if TYPE_CHECKING:
    import pandas as pd

EXPORT = "export it as COCO again"


def recognise(file: File) -> bool:
    """JSON with the lists `images` and `annotations`."""
    top = file.json() if file.is_json else None
    return isinstance(top, dict) and isinstance(top.get("images"), list) and "annotations" in top


def read(file: File, wanted: Wanted) -> "pd.DataFrame":
    """Annotations of the wanted image -> table; of the only image, where none is named.

    Raises
    ------
    Skip
        NO_ANNOTATION where the file does not list the image.
    """
    if not recognise(file):
        raise refuse(file, "no COCO file: it lacks `images` or `annotations`", EXPORT)
    top = file.json()
    with blame(file, "COCO content cannot be read"):
        image = find_image(file, top["images"], wanted.image)
        check_size(file, image, wanted)
        categories = {one["id"]: str(one["name"]) for one in top.get("categories", [])}
        own = [one for one in top["annotations"] if one["image_id"] == image["id"]]
        return make_table(read_one(file, one, categories, image) for one in own)


def find_image(file: File, images: list[dict[str, Any]], names: tuple[str, ...]) -> dict[str, Any]:
    """The entry whose file name (or its stem) is one of `names`."""
    if not names and len(images) == 1:
        return images[0]
    wanted = set(names)
    for part in ("name", "stem"):
        found = [one for one in images if getattr(PurePosixPath(str(one["file_name"]).replace("\\", "/")), part) in wanted]  # fmt: skip
        if len(found) > 1:
            raise refuse(file, f"{len(found)} images have the name {found[0]['file_name']}", "give each its own")  # fmt: skip
        if found:
            return found[0]
    raise Skip("NO_ANNOTATION", f"{file.path}: lists no image named {' or '.join(names) or '(no name given)'}")  # fmt: skip


def check_size(file: File, image: dict[str, Any], wanted: Wanted) -> None:
    """Refuse an entry whose image has another size."""
    size = (image.get("height"), image.get("width"))
    if wanted.shape and all(size) and tuple(size) != tuple(wanted.shape[-2:]):
        cause = f"annotates {size[1]} x {size[0]} pixels, the image has {wanted.shape[3]} x {wanted.shape[2]}"
        raise refuse(file, cause, "is it of another image or scale?", "ANNOTATION_FIT")


def read_one(file: File, one: dict[str, Any], categories: dict[Any, str], image: dict[str, Any]) -> dict[str, Any]:  # fmt: skip
    """Row of one annotation."""
    import shapely

    where = f"annotation {one.get('id')}"
    if one["category_id"] not in categories:
        raise refuse(file, f"{where}: there is no category {one['category_id']}", EXPORT)
    kept = {key: value for key, value in one.items() if key not in ("segmentation", "bbox", "image_id")}  # fmt: skip
    common = {
        "class": categories[one["category_id"]],
        "score": float(one.get("score", "nan")),
        "properties": {"coco": kept},
    }
    segmentation = one.get("segmentation")
    if isinstance(segmentation, dict):
        return crop_row(decode_rle(file, segmentation, image, where), common)
    if segmentation:
        rings = [to_ring(file, np.reshape(flat, (-1, 2)), where) for flat in segmentation]
        shapes = [shapely.Polygon(ring) for ring in rings]
        return outline_row("polygon", shapes[0] if len(shapes) == 1 else shapely.MultiPolygon(shapes), **common)  # fmt: skip
    x, y, width, height = to_points(file, np.reshape(one["bbox"], (2, 2)), where).ravel().tolist()
    if width <= 0 or height <= 0:
        raise refuse(file, f"{where}: a box of {width:g} x {height:g} pixels", "correct or delete it")  # fmt: skip
    return box_row(y, x, y + height, x + width, **common)


def crop_row(mask: np.ndarray, common: dict[str, Any]) -> dict[str, Any]:
    """Row of a mask of the whole image."""
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    if not len(rows):
        return mask_row(mask[:0, :0], (0, 0), **common)
    y0, x0 = int(rows[0]), int(columns[0])
    return mask_row(mask[y0 : rows[-1] + 1, x0 : columns[-1] + 1], (y0, x0), **common)


def decode_rle(file: File, rle: dict[str, Any], image: dict[str, Any], where: str) -> np.ndarray:
    """Run lengths down the columns, as numbers or as COCO's text, 0 first -> mask (Y, X).

    Raises
    ------
    DataError
        ANNOTATION when the runs do not fill the size, ANNOTATION_FIT when the size is not the image's.
    """
    height, width = (int(one) for one in rle["size"])
    if (height, width) != (image.get("height", height), image.get("width", width)):
        raise refuse(file, f"{where}: a mask of {width} x {height} pixels", "its image has another size", "ANNOTATION_FIT")  # fmt: skip
    runs = decode_text(rle["counts"]) if isinstance(rle["counts"], str) else rle["counts"]
    counts = np.asarray(runs, dtype=np.int64)
    if height * width > 2**32 or (counts < 0).any() or counts.sum() != height * width:
        raise refuse(file, f"{where}: run lengths do not fill {width} x {height} pixels", EXPORT)
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(width, height).T


def decode_text(text: str) -> list[int]:
    """COCO's compressed run lengths: 5 bits a character, from the third run on as difference to the last but one."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:  # negative
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return runs
