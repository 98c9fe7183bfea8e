"""Duplicates: pixels of many images -> pairs that must not be parted: identical, mirrored, or neighbours of one field.

Neighbours are tiles cut side by side from one field: the last line of one continues in the first line of the other.
Not found: tiles that overlap, are rotated against each other, or were stretched in contrast one by one.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

# Two lines side by side differ as little as lines within an image do (ratio near 1), correlate as strongly as
# only one scene does, and are each other's best match. Tuned on BBBC038, tests/data_checks/test_leaks.py has figures.
MIN_CORRELATION = 0.92
MAX_STEP_RATIO = 2.5
MIN_TEXTURE = (
    2.0  # variance along a line over the squared step to the next: flat edges fit anything
)
MIN_OWN_CORRELATION = 0.9  # without what all images have in common
MIN_FOR_COMMON = 6  # images from which that can be told
MIN_LENGTH_PX = 32


class Leak(NamedTuple):
    """Two images of which one tells about the other."""

    kind: Literal["identical", "mirrored", "neighbour"]
    first: str
    second: str


def find_leaks(images: Iterable[tuple[str, np.ndarray]]) -> list[Leak]:
    """Compare all images, (..., Y, X) each, with each other; every image is read once and not kept.

    Copies are named with the first image they are copies of. Only images of one pixel type can be identical.
    """
    first_identical: dict[str, str] = {}
    first_mirrored: dict[str, str] = {}
    leaks, edges = [], {}
    for image, pixels in images:
        original = first_identical.setdefault(pixel_hash(pixels), image)
        if original != image:
            leaks.append(Leak("identical", original, image))
            continue
        original = first_mirrored.setdefault(mirror_hash(pixels), image)
        if original != image:
            leaks.append(Leak("mirrored", original, image))
            continue  # it would be the best neighbour of its original
        edges[image] = take_edges(pixels)
    return [*leaks, *(Leak("neighbour", *pair) for pair in find_neighbours(edges))]


def pixel_hash(pixels: np.ndarray) -> str:
    """SHA-256 of type, shape and pixels."""
    digest = hashlib.sha256(f"{pixels.dtype.str} {pixels.shape}".encode())
    digest.update(np.ascontiguousarray(pixels))
    return digest.hexdigest()


def mirror_hash(pixels: np.ndarray) -> str:
    """Equal for the eight ways to flip and rotate (..., Y, X) by quarter turns, and for nothing else."""
    turned = [np.rot90(pixels, k, (-2, -1)) for k in range(4)]
    ways = [*turned, *(np.flip(one, -1) for one in turned)]
    # the first lines nearly always decide, and are cheaper to compare than whole images
    keys = [(one.shape, one[..., :1, :].tobytes()) for one in ways]
    return min(pixel_hash(one) for one, key in zip(ways, keys, strict=True) if key == min(keys))


def take_edges(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Side -> (2, channels, length): the outermost line and the one next to it."""
    height, width = pixels.shape[-2:]
    edges = {}
    if height >= MIN_LENGTH_PX and width > 1:
        edges |= {"left": pixels[..., [0, 1]], "right": pixels[..., [-1, -2]]}
    if width >= MIN_LENGTH_PX and height > 1:
        rows = {"top": pixels[..., [0, 1], :], "bottom": pixels[..., [-1, -2], :]}
        edges |= {side: np.swapaxes(lines, -1, -2) for side, lines in rows.items()}
    return {
        side: np.moveaxis(lines, -1, 0).reshape(2, -1, lines.shape[-2]).astype(np.float32)
        for side, lines in edges.items()
    }


def find_neighbours(edges: Mapping[str, Mapping[str, np.ndarray]]) -> Iterator[tuple[str, str]]:
    """Pairs of images of which an edge of the first (right, bottom) continues in the second (left, top)."""
    for end, start in (("right", "left"), ("bottom", "top")):
        by_length: dict[tuple[int, ...], list[str]] = {}
        for image, sides in edges.items():
            if end in sides:
                by_length.setdefault(sides[end].shape, []).append(image)
        for members in by_length.values():
            ends, starts = (
                np.stack([edges[one][side] for one in members]) for side in (end, start)
            )
            for i, j in np.argwhere(match_lines(ends, starts)):
                yield members[i], members[j]


def match_lines(ends: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Lines (n, 2, channels, length), outermost first, of n images -> (n, n), whether end i continues in start j."""
    found = is_small_step(ends, starts)
    ends, starts = (lines - lines.mean(axis=3, keepdims=True) for lines in (ends, starts))
    found &= is_small_step(ends, starts)  # a gradient over the whole image hides in the means
    own_step = own_steps(ends, starts)
    texture = np.minimum.outer(*(mean_square(lines[:, 0]) for lines in (ends, starts)))
    found &= (texture > 0) & (texture >= MIN_TEXTURE * own_step)
    correlation = to_unit(ends[:, 0]) @ to_unit(starts[:, 0]).T
    np.fill_diagonal(correlation, -1)  # an image is not its own neighbour
    found &= correlation >= MIN_CORRELATION
    for axis in (0, 1):
        found &= correlation == correlation.max(axis=axis, keepdims=True)
    if len(ends) >= MIN_FOR_COMMON:
        found &= correlate_own(ends[:, 0], starts[:, 0]) >= MIN_OWN_CORRELATION
    return found


def is_small_step(ends: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(n, n): whether end i and start j differ about as little as each differs from the line next to it."""
    between = squared_distances(*(lines[:, 0].reshape(len(lines), -1) for lines in (ends, starts)))
    return between / ends[0, 0].size <= MAX_STEP_RATIO * own_steps(ends, starts)


def own_steps(ends: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(n, n): mean square difference of the two outermost lines, of end i and start j together."""
    return np.add.outer(*(mean_square(lines[:, 0] - lines[:, 1]) for lines in (ends, starts))) / 2


def correlate_own(ends: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Correlation (n, n) of what lines have beyond the course that all have, as an uneven illumination gives them."""
    units = [to_unit(lines) for lines in (ends, starts)]
    common = to_unit(np.mean(units, axis=(0, 1))[None, None])[0]
    own = [lines - np.outer(lines @ common, common) for lines in units]
    return to_unit(own[0][:, None]) @ to_unit(own[1][:, None]).T


def mean_square(lines: np.ndarray) -> np.ndarray:
    """(n, channels, length) -> (n)."""
    return np.square(lines).mean(axis=(1, 2))


def to_unit(lines: np.ndarray) -> np.ndarray:
    """(n, channels, length) -> (n, channels x length), each of length 1; a line of zeros stays."""
    flat = lines.reshape(len(lines), -1)
    norm = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.divide(flat, norm, out=np.zeros_like(flat), where=norm > 0)


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, length) and (m, length) -> (n, m), of lines less their common mean, for the sake of float32."""
    middle = a.mean()
    a, b = (lines.astype(np.float64) - middle for lines in (a, b))
    distances = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2 * a @ b.T
    return np.maximum(distances, 0)


def groups_of(leaks: Sequence[Leak]) -> dict[str, str]:
    """Image -> group, for the images in the leaks; a group is named by its first image."""
    return join((leak.first, leak.second) for leak in leaks)


def join(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Pairs of names -> name: first name of all that hang together."""
    from scipy.sparse import coo_array, csgraph

    pairs = list(pairs)
    numbers = {
        name: n for n, name in enumerate(dict.fromkeys(name for pair in pairs for name in pair))
    }
    if not numbers:
        return {}
    ends = tuple(np.array([[numbers[name] for name in pair] for pair in pairs]).T)
    graph = coo_array((np.ones(len(pairs)), ends), (len(numbers),) * 2)
    component = csgraph.connected_components(graph, directed=False)[1]
    first: dict[int, str] = {}
    return {name: first.setdefault(component[n], name) for name, n in numbers.items()}
