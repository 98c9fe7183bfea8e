"""Read ONE image made of many files: a path pattern with {channel}, {z} or {t} -> Raw."""

import os
import re
from itertools import product
from pathlib import Path

import numpy as np

from ..errors import DataError
from ._base import Raw

PLACEHOLDER = re.compile(r"\{(channel|z|t)\}")
AXIS = {"t": 0, "channel": 1, "z": 2}  # position in TCZYX
TEXT = r"[^/\\]+?"


def is_pattern(path: Path) -> bool:
    """Tell whether a path has a placeholder."""
    return bool(PLACEHOLDER.search(str(path)))


def open_series(pattern: str, root: Path, scene: str | None = None, max_pixels: int = 2**36) -> Raw:
    """Open the files under `root` whose names match `pattern` as one image.

    Every combination of the texts found must exist once, and all files must have one shape and
    pixel type. Channels are named by their text; numbers sort as numbers.
    Raises DataError MISSING or AXES, and those of the single files.
    """
    files = _matches(pattern, Path(root))
    if not files:
        raise DataError("MISSING", f"{Path(root) / pattern}: no file matches; check the pattern")
    names = [name for name in AXIS if f"{{{name}}}" in pattern]
    texts = {n: sorted({key[i] for key in files}, key=_order) for i, n in enumerate(names)}
    for key in product(*texts.values()):
        if key not in files:
            lost = PLACEHOLDER.sub(lambda m: key[names.index(m[1])], pattern)  # noqa: B023
            raise DataError("MISSING", f"{Path(root) / lost}: this file of the set is not there")
    return _combined(Path(root) / pattern, names, texts, files, scene, max_pixels)


class _Series(Raw):
    def __init__(self, *, files: dict, names: list, texts: dict, chosen: str | None, **header):
        super().__init__(**header)
        self._files, self._names, self._texts, self._chosen = files, names, texts, chosen
        self._open: tuple[Path | None, Raw | None] = (None, None)

    def _decode(self, t, c, z, y, x):
        at = {"t": t, "channel": c, "z": z}
        path = self._files[tuple(self._texts[name][at[name]] for name in self._names)]
        if self._open[0] != path:
            self._close()
            self._open = (path, _open(path, self._chosen, self.max_pixels))
        inside = {name: 0 if name in self._names else index for name, index in at.items()}
        return self._open[1].read(inside["t"], inside["channel"], inside["z"], y, x)

    def _close(self):
        if self._open[1] is not None:
            self._open[1].close()
        self._open = (None, None)


def _combined(path, names, texts, files, scene, max_pixels) -> Raw:
    first = None
    for file in files.values():
        with _open(file, scene, max_pixels) as raw:
            first = first or raw
            _check_alike(raw, first, names)
    shape = list(first.shape)
    for name in names:
        shape[AXIS[name]] = len(texts[name])
    return _Series(
        path=path,
        format="series",
        shape=tuple(shape),
        dtype=first.dtype,
        rgb=first.rgb,
        channel_names=tuple(texts.get("channel", first.channel_names)),
        pixel_size_um=first.pixel_size_um,
        z_step_um=first.z_step_um,
        metadata=first.metadata | {"files": str(len(files)), "file_format": first.format},
        max_pixels=max_pixels,
        pieces=first.pieces,
        files=files,
        names=names,
        texts=texts,
        chosen=scene,
    )


def _check_alike(raw: Raw, first: Raw, names: list[str]) -> None:
    if (raw.shape, raw.dtype) != (first.shape, first.dtype):
        cause = f"is {raw.shape} {raw.dtype}, {first.path.name} is {first.shape} {first.dtype}"
        raise DataError("AXES", f"{raw.path}: {cause}; all files of one image must be alike")
    sizes = raw.pixel_size_um or (0, 0), first.pixel_size_um or (0, 0)
    if not np.allclose(*sizes, rtol=1e-3, atol=0):
        cause = f"has pixels of {sizes[0]} um, {first.path.name} of {sizes[1]} um"
        raise DataError("AXES", f"{raw.path}: {cause}; they are not one image")
    for name in names:
        if raw.shape[AXIS[name]] > 1:
            cause = f"holds {raw.shape[AXIS[name]]} planes along {{{name}}} itself"
            cure = "leave the placeholder out, or save each as one grey plane"
            raise DataError("AXES", f"{raw.path}: {cause}; {cure}")


def _matches(pattern: str, root: Path) -> dict[tuple[str, ...], Path]:
    """Texts of the placeholders -> file; folders are listed only where the pattern varies."""
    found = [root]
    parts = Path(pattern).parts
    for part in parts:
        if PLACEHOLDER.search(part):
            one = re.compile(_expression(part))
            listed = (p for folder in found if folder.is_dir() for p in sorted(folder.iterdir()))
            found = [p for p in listed if one.fullmatch(p.name)]
        else:
            found = [folder / part for folder in found]
    whole = re.compile(_expression("/".join(parts)))
    names = [name for name in AXIS if f"{{{name}}}" in pattern]
    files: dict[tuple[str, ...], Path] = {}
    for path in found:
        match = whole.fullmatch("/".join(path.parts[-len(parts) :]))
        if match and os.path.lexists(path):  # a link that leads nowhere is a file that is missing
            _add(files, tuple(match[name] for name in names), path)
    return files


def _add(files: dict, key: tuple[str, ...], path: Path) -> None:
    if key in files:
        raise DataError("AXES", f"{path}: {key} is {files[key]} as well; make the pattern stricter")
    files[key] = path


def _expression(pattern: str) -> str:
    """Regular expression of a pattern; a placeholder that comes again must match equal text."""
    parts, seen = PLACEHOLDER.split(pattern), set()
    for i in range(1, len(parts), 2):
        name = parts[i]
        parts[i] = f"(?P={name})" if name in seen else f"(?P<{name}>{TEXT})"
        seen.add(name)
    return "".join(re.escape(p) if i % 2 == 0 else p for i, p in enumerate(parts))


def _order(text: str) -> list:
    """Sort key: runs of digits as numbers."""
    return [(0, int(p), p) if p.isdecimal() else (1, 0, p) for p in re.split(r"(\d+)", text) if p]


def _open(path: Path, scene: str | None, max_pixels: int) -> Raw:
    from . import open_raw  # not above: the package imports this file

    return open_raw(path, scene, max_pixels)
