"""Read Nikon ND2 through the package nd2: frames are read one at a time."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ._base import BoundedFile, Raw, blame, choose_scene, extra, pair_um, size_um

MAGIC = (b"\xda\xce\xbe\x0a", b"\0\0\0\x0cjP  ")  # modern, legacy (JPEG 2000 boxes)
AXES = set("TPCZYXS")
LISTED_FRAMES = 1_000_000  # a list of so many takes some 0.3 GB


def recognise(head: bytes, path: Path) -> bool:
    """Tell ND2 by its first bytes; a legacy one, being JPEG 2000, by its extension as well."""
    return head.startswith(MAGIC[0]) or (
        head.startswith(MAGIC[1]) and path.suffix.lower() == ".nd2"
    )


def open_file(path: Path, scene: str | None, max_pixels: int) -> Raw:
    """Open one stage position. Raises DataError SCENE, AXES, DTYPE, TRUNCATED or STRUCTURE."""
    vendor = extra(path, "nd2")
    file = BoundedFile(path)
    try:
        with blame(path, "STRUCTURE", "the ND2 header cannot be read"):
            return _open_position(path, vendor.ND2File(file), scene, max_pixels)
    except BaseException:
        file.close()
        raise


def _open_position(path: Path, file: Any, scene: str | None, max_pixels: int) -> Raw:
    size = dict(file.sizes)
    if odd := sorted(set(size) - AXES):
        raise DataError("AXES", f"{path}: has axes {odd} besides TCZYX; split them in NIS-Elements")
    _check_count(path, file, size)
    scenes, number = choose_scene(path, [str(p) for p in range(size.get("P", 1))], scene)
    channels, samples = size.get("C", 1), size.get("S", 1)
    frames = {_place(at): index for index, at in enumerate(file.loop_indices)}
    wanted = [(number, t, z) for t in range(size.get("T", 1)) for z in range(size.get("Z", 1))]
    _check_frames(path, file, [frames.get(place) for place in wanted])
    voxel = file.voxel_size()
    named = [c.channel.name for c in file.metadata.channels or ()]
    return _Nd2(
        path=path,
        format="nd2",
        scenes=scenes,
        scene=scenes[number],
        shape=(size.get("T", 1), channels * samples, size.get("Z", 1), size["Y"], size["X"]),
        dtype=np.dtype(file.dtype),
        channel_names=tuple(named) if samples == 1 else (),
        rgb=bool(file.is_rgb) and channels * samples == 3,
        pixel_size_um=pair_um(voxel.y, voxel.x),
        z_step_um=size_um(voxel.z) if "Z" in size else None,
        metadata=_facts(file),
        max_pixels=max_pixels,
        samples=channels * samples,
        pieces="rows" if _is_mapped(file) else "plane",
        file=file,
        frames=frames,
        position=number,
    )


class _Nd2(Raw):
    def __init__(self, *, file: Any, frames: dict, position: int, **header):
        super().__init__(**header)
        self._file, self._frames, self._position = file, frames, position

    def _decode(self, t, c, z, y, x):
        frame = self._file.read_frame(self._frames[self._position, t, z])  # (C), Y, X, (S); mapped
        height, width = self.shape[3:]
        samples = self._file.sizes.get("S", 1)
        planes = frame.reshape(-1, height, width, samples)[:, y, x].transpose(0, 3, 1, 2)
        planes = planes.reshape(-1, *planes.shape[2:])
        return planes if self.samples > 1 else planes[0]

    def _close(self):
        self._file.close()


def _is_mapped(file: Any) -> bool:
    return not file.is_legacy and file.attributes.compressionType in (None, "none")


def _place(at: dict[str, int]) -> tuple[int, int, int]:
    return at.get("P", 0), at.get("T", 0), at.get("Z", 0)


def _check_count(path: Path, file: Any, size: dict[str, int]) -> None:
    """Refuse far more frames than the file holds, before there is a list of them."""
    claimed = prod(size.get(axis, 1) for axis in "TPZ")
    there = len(getattr(file._rdr, "_frame_offsets", None) or ())
    if claimed > max(there, LISTED_FRAMES):
        cause = f"claims {claimed} frames, {there} have data"
        raise DataError("HOLE", f"{path}: {cause}; copy or export it again")


def _check_frames(path: Path, file: Any, wanted: list[int | None]) -> None:
    """Refuse frames that are absent or beyond the end, which nd2 would return as black."""
    offsets = getattr(file._rdr, "_frame_offsets", None)
    if offsets is None:
        return  # legacy files have no such table
    lost = [index for index in wanted if index is None or index not in offsets]
    if lost:
        cause = f"{len(lost)} of {len(wanted)} frames have no data (interrupted acquisition?)"
        raise DataError("HOLE", f"{path}: {cause}; save the complete part in NIS-Elements")
    attributes = file.attributes
    compressed = attributes.compressionType is not None
    frame = 0 if compressed else (attributes.widthBytes or 0) * attributes.heightPx
    end, size = max(offsets[index] for index in wanted) + frame, path.stat().st_size
    if end > size:
        cause = f"a frame ends at byte {end}, the file has {size}"
        raise DataError("TRUNCATED", f"{path}: {cause}; copy it again")


def _facts(file: Any) -> dict[str, str]:
    text = file.text_info or {}
    facts = {"acquired": text.get("date"), "objective": text.get("optics")}
    return {key: str(value).strip() for key, value in facts.items() if value}
