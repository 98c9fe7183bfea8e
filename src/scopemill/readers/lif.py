"""Read Leica LIF through liffile: frames are read one at a time."""

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ._base import BoundedFile, Raw, blame, choose_scene, extra, pair_um, size_um

LETTERS = set("TCZYXS")


def recognise(head: bytes, path: Path) -> bool:
    """Tell LIF (and LOF) by its first bytes."""
    return head[:4] == b"\x70\0\0\0" and head[8:9] == b"\x2a"


def open_file(path: Path, scene: str | None, max_pixels: int) -> Raw:
    """Open one image. Raises DataError SCENE, AXES, DTYPE, TRUNCATED or STRUCTURE."""
    vendor = extra(path, "liffile")
    file = BoundedFile(path)
    try:
        with blame(path, "STRUCTURE", "the LIF header cannot be read"):
            return _open_image(path, vendor.LifFile(file), scene, max_pixels)
    except BaseException as error:
        file.close()
        if isinstance(error, DataError) and "OSError" in repr(error.__cause__):
            # liffile's word for a block that is cut off
            raise DataError("TRUNCATED", f"{path}: a block is cut off; copy it again") from error
        raise


def _open_image(path: Path, file: Any, scene: str | None, max_pixels: int) -> Raw:
    images = list(file.images)
    if not images:
        raise DataError("STRUCTURE", f"{path}: no image in the file; export it again in LAS X")
    scenes, number = choose_scene(path, [image.path or image.name for image in images], scene)
    image = images[number]
    _check_block(path, image, scenes[number])
    axes, note = _axes(path, image)
    size = {letter: image.sizes[name] for letter, name in axes.items()}
    samples = size.get("S", 1)
    channels = size.get("C", 1) * samples
    y, x, z = (_step_um(image, axes.get(letter)) for letter in "YXZ")
    return _Lif(
        path=path,
        format="lif",
        scenes=scenes,
        scene=scenes[number],
        shape=(size.get("T", 1), channels, size.get("Z", 1), size["Y"], size["X"]),
        dtype=np.dtype(image.dtype),
        rgb=samples == 3 == channels,
        pixel_size_um=pair_um(y, x),
        z_step_um=z,
        metadata={"axes_note": note} if note else {},
        max_pixels=max_pixels,
        samples=samples,
        file=file,
        image=image,
        axes=axes,
    )


def _check_block(path: Path, image: Any, name: str) -> None:
    if image.is_flim:
        raise DataError("AXES", f"{path}: {name!r} is a lifetime image; export its intensity")
    block = image.memory_block
    if block.offset + block.size > path.stat().st_size or block.size < image.nbytes:
        cause = f"image {name!r} lies outside the file or is shorter than its axes"
        raise DataError("TRUNCATED", f"{path}: {cause}; copy it again")


class _Lif(Raw):
    def __init__(self, *, file: Any, image: Any, axes: dict, **header):
        super().__init__(**header)
        self._file, self._image, self._axes = file, image, axes

    def _decode(self, t, c, z, y, x):
        at = {"T": t, "C": c // self.samples, "Z": z}
        at = {self._axes[letter]: index for letter, index in at.items() if letter in self._axes}
        frame = self._image.frame(**at)[y, x]  # (Y, X) or (Y, X, S)
        return frame if self.samples == 1 else np.moveaxis(frame, 2, 0)

    def _close(self):
        self._file.filehandle.close()


def _axes(path: Path, image: Any) -> tuple[dict[str, str], str]:
    """Our letter -> Leica's. A frame that is no (Y, X) scan, such as (Z, X), is taken as (Y, X)."""
    frame = [name for name in image.frames.frame_dims if name != "S"]
    others = [name for name in image.dims if name not in frame]
    axes = dict(zip("YX", frame, strict=True)) if len(frame) == 2 else {}
    for name in others:
        free = name if name not in "YX" else "Z"  # the axis that an XZ scan steps along
        axes[free if free not in axes else name + "?"] = name
    if not {"Y", "X"} <= set(axes) <= LETTERS:
        cause = f"axes {image.dims} {image.shape} are not TCZYX; merge or split them in LAS X"
        raise DataError("AXES", f"{path}: {cause}")
    if frame == ["Y", "X"]:
        return axes, ""
    return axes, f"the file's frames are {tuple(frame)} scans; they were taken as (Y, X)"


def _step_um(image: Any, name: str | None) -> float | None:
    """Distance of two samples along an axis; Leica's length is from the first to the last one."""
    for dimension in image._dimensions:
        if dimension.label == name and dimension.number_elements > 1:
            return size_um(abs(dimension.length) / (dimension.number_elements - 1), dimension.unit)
    return None
