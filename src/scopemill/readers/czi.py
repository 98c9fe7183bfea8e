"""Read Zeiss CZI through pylibCZIrw: mosaics are put together, a region decodes only its tiles."""

from functools import partial
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ._base import Raw, blame, choose_scene, extra, pair_um, size_um
from ._czi_checks import count_blocks

MAGIC = b"ZISRAWFILE"
TYPES = {
    "Gray8": ("uint8", 1),
    "Gray16": ("uint16", 1),
    "Gray32Float": ("float32", 1),
    "Bgr24": ("uint8", 3),
    "Bgr48": ("uint16", 3),
    "Bgr96Float": ("float32", 3),
}


def recognise(head: bytes, path: Path) -> bool:
    """Tell CZI by its first bytes."""
    return head.startswith(MAGIC)


def open_file(path: Path, scene: str | None, max_pixels: int) -> Raw:
    """Open one scene. Raises DataError SCENE, AXES, DTYPE, HOLE, TRUNCATED or STRUCTURE."""
    vendor = extra(path, "pylibCZIrw.czi")
    blocks = count_blocks(path)
    with blame(path, "STRUCTURE", "the CZI header cannot be read"):
        document = vendor.CziReader(str(path))
    try:
        return _open_scene(path, document, scene, max_pixels, blocks)
    except BaseException:
        document.close()
        raise


def _open_scene(path: Path, document: Any, scene: str | None, max_pixels: int, blocks: int) -> Raw:
    boxes = document.scenes_bounding_rectangle_no_pyramid
    scenes, number = choose_scene(path, [str(key) for key in sorted(boxes)] or ["0"], scene)
    key = sorted(boxes)[number] if boxes else None
    box = boxes[key] if boxes else document.total_bounding_rectangle_no_pyramid
    extent = document.total_bounding_box_no_pyramid
    start = {axis: low for axis, (low, _) in extent.items() if axis not in "XY"}
    size = {axis: high - low for axis, (low, high) in extent.items() if axis not in "XY"}
    if odd := [f"{axis}={n}" for axis, n in size.items() if n > 1 and axis not in "TCZ"]:
        cause = f"has axes {odd} besides TCZYX; split them in ZEN (Split Scenes / Create Subset)"
        raise DataError("AXES", f"{path}: {cause}")
    # before anything is asked plane by plane: a lie may be of a million planes
    _refuse_holes(path, size, prod(size.get(axis, 1) for axis in "TCZ") - blocks)
    dtype, samples = _pixel_type(path, document.pixel_types)
    _check_planes(path, document, size, start, key)
    channels = size.get("C", 1) * samples
    return _Czi(
        path=path,
        format="czi",
        scenes=scenes,
        scene=scenes[number],
        shape=(size.get("T", 1), channels, size.get("Z", 1), box.h, box.w),
        dtype=np.dtype(dtype),
        rgb=samples == 3 == channels,
        max_pixels=max_pixels,
        samples=samples,
        pieces="rows",  # tiles are large, and decoded anew for each region
        document=document,
        place=(key, box, start),
        **_facts(document.metadata, samples),
    )


class _Czi(Raw):
    def __init__(self, *, document: Any, place: tuple, **header):
        super().__init__(**header)
        self._document, self._place = document, place

    def _decode(self, t, c, z, y, x):
        key, box, start = self._place
        plane = {"T": t, "C": c // self.samples, "Z": z}
        plane = {axis: index + start.get(axis, 0) for axis, index in plane.items()}
        roi = (box.x + x.start, box.y + y.start, x.stop - x.start, y.stop - y.start)
        if min(roi[2:]) < 1:
            return np.zeros((self.samples, max(roi[3], 0), max(roi[2], 0)), self.dtype)
        pixels = self._document.read(roi=roi, plane=plane, scene=key)  # (Y, X, 1 or BGR)
        return pixels[..., 0] if self.samples == 1 else np.moveaxis(pixels[..., ::-1], 2, 0)

    def _close(self):
        self._document.close()


def _pixel_type(path: Path, types: dict[int, str]) -> tuple[str, int]:
    kinds = set(types.values())
    if len(kinds) != 1 or not kinds <= set(TYPES):
        message = f"pixel types {sorted(kinds)}; export it with one of {sorted(TYPES)}"
        raise DataError("DTYPE", f"{path}: {message}")
    return TYPES[kinds.pop()]


def _check_planes(path: Path, document: Any, size: dict, start: dict, scene: int | None) -> None:
    """Refuse a (t, c, z) without any data, which libCZI would return as black."""
    axes = [axis for axis in "TCZ" if size.get(axis, 1) > 1]
    fixed = {} if scene is None else {"S": scene}
    wanted, found = 0, set()
    for at in product(*(range(start[axis], start[axis] + size[axis]) for axis in axes)):
        plane = fixed | dict(zip(axes, at, strict=True))
        look = partial(_seen, found, at)
        document.enumerate_subblocks_subset(look, plane or None, None, True)
        wanted += 1
    _refuse_holes(path, size, wanted - len(found))


def _refuse_holes(path: Path, size: dict, lost: int) -> None:
    if lost > 0:
        cause = f"{lost} planes of {size} have no data (interrupted acquisition?)"
        raise DataError("HOLE", f"{path}: {cause}; save the complete part as a new CZI in ZEN")


def _seen(found: set, at: tuple, index: int, block: Any) -> bool:
    found.add(at)
    return False  # one block of a plane is enough


def _facts(metadata: dict, samples: int) -> dict:
    """Pixel size, z step, channel names and acquisition from the CZI's XML."""
    document = metadata.get("ImageDocument", {}).get("Metadata", {}) or {}
    image = _get(document, "Information", "Image")
    channels = _list(_get(image, "Dimensions", "Channels", "Channel"))
    step = {
        d.get("@Id"): d.get("Value") for d in _list(_get(document, "Scaling", "Items", "Distance"))
    }
    facts = {
        "acquired": image.get("AcquisitionDateAndTime"),
        "objective": _get(document, "Scaling", "AutoScaling").get("ObjectiveName"),
    }
    return {
        "pixel_size_um": pair_um(step.get("Y"), step.get("X"), "m"),
        "z_step_um": size_um(step.get("Z"), "m"),
        "channel_names": tuple(c.get("@Name", "") for c in channels) if samples == 1 else (),
        "metadata": {key: str(value) for key, value in facts.items() if value},
    }


def _get(tree: Any, *keys: str) -> Any:
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return {} if tree is None else tree


def _list(found: Any) -> list[dict]:
    found = found if isinstance(found, list) else [found]
    return [item for item in found if isinstance(item, dict)]
