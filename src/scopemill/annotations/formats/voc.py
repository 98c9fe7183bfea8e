"""Pascal VOC XML: one image's boxes.

In VOC's own files pixels count from 1 and both ends belong to the box, so that it is xmin - 1 to xmax, half open.
LabelImg (told by its source "Unknown") writes corners counted from 0, and 1 in place of 0: there the box is xmin to
xmax, and 1 is the image's edge.
"""

from typing import TYPE_CHECKING, Any

from ..table import box_row, make_table
from ._file import File, Wanted, blame, read_bytes, refuse

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    import pandas as pd

MAX_BYTES = 1 << 26
SIDES = ("ymin", "xmin", "ymax", "xmax")
EXPORT = "export it again"


def recognise(file: File) -> bool:
    """XML whose first element is <annotation>."""
    start = file.head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith(b"<") and b"<annotation" in start


def read(file: File, wanted: Wanted) -> "pd.DataFrame":
    """Objects -> table."""
    from defusedxml import ElementTree

    with blame(file, "not valid VOC XML"):
        root = ElementTree.fromstring(read_bytes(file.path, MAX_BYTES), forbid_dtd=True)
    if root.tag != "annotation":
        raise refuse(file, f"its first element is <{root.tag}>, not <annotation>", EXPORT)
    size = read_size(file, root)
    if wanted.shape and size and size != tuple(wanted.shape[-2:]):
        cause = f"annotates {size[1]} x {size[0]} pixels, the image has {wanted.shape[3]} x {wanted.shape[2]}"
        raise refuse(file, cause, "is it of another image or scale?", "ANNOTATION_FIT")
    is_labelimg = root.findtext("source/database", "").strip() == "Unknown"
    size = size or (wanted.shape and tuple(wanted.shape[-2:]))
    objects = enumerate(root.findall("object"), 1)
    return make_table(read_object(file, one, number, is_labelimg, size) for number, one in objects)


def read_size(file: File, root: "Element") -> tuple[int, int] | None:
    """(height, width) as the file says it; None where it says nothing, or 0."""
    try:
        height, width = (int(root.findtext(f"size/{side}", "0")) for side in ("height", "width"))
    except ValueError:
        raise refuse(file, "its <size> is no number", EXPORT) from None
    return (height, width) if height > 0 and width > 0 else None


def read_object(file: File, one: "Element", number: int, is_labelimg: bool, size: tuple[int, int] | None) -> dict[str, Any]:  # fmt: skip
    """Row of one object.

    Raises
    ------
    DataError
        ANNOTATION for a box that is absent, no numbers or inverted; ANNOTATION_FIT for one that leaves the image.
    """
    name = (one.findtext("name") or "").strip()
    where = f"object {number} ({name})"
    try:
        ymin, xmin, ymax, xmax = (float(one.findtext(f"bndbox/{side}", "absent")) for side in SIDES)
    except ValueError:
        raise refuse(file, f"{where} has no box of four numbers", "draw it again") from None
    if not (xmin < xmax and ymin < ymax):
        raise refuse(file, f"{where}: the box x {xmin:g} to {xmax:g}, y {ymin:g} to {ymax:g} is empty or inverted", "draw it again")  # fmt: skip
    if is_labelimg:
        y0, x0 = (0.0 if low == 1 else low for low in (ymin, xmin))
    else:
        y0, x0 = ymin - 1, xmin - 1
    if y0 < 0 or x0 < 0 or (size and (ymax > size[0] or xmax > size[1])):
        shown = f"x {xmin:g} to {xmax:g}, y {ymin:g} to {ymax:g}"
        limits = f"{size[1]} x {size[0]} pixels" if size else "pixels counted from 1"
        raise refuse(file, f"{where}: the box {shown} leaves the image ({limits})", "draw it again", "ANNOTATION_FIT")  # fmt: skip
    rest = {part.tag: (part.text or "").strip() for part in one if len(part) == 0 and part.tag != "name"}  # fmt: skip
    bndbox = {side: one.findtext(f"bndbox/{side}").strip() for side in SIDES}
    return box_row(y0, x0, ymax, xmax, properties={"voc": {**rest, "bndbox": bndbox}}, **{"class": name})  # fmt: skip
