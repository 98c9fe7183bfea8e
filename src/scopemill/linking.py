"""Linking: labels of each plane by itself (Z, Y, X) -> objects in 3-D: what overlaps in neighbouring planes is one.

Two objects of neighbouring planes are one where each is the other's best match (greatest intersection over union) and
that is good enough, as in Cellpose's stitching (Stringer et al. 2021), but mutual, and over a plane that misses one.
Out-of-focus light joins what lies one above the other; such objects have a waist, and are cut there.
"""

import numpy as np

from .metrics import overlap_matrix


def link_planes(
    planes: np.ndarray, least_iou: float, waist: float = 0.0, least_planes: int = 1
) -> np.ndarray:
    """Labels (Z, Y, X), each plane numbered by itself -> labels uint32 numbered 1, 2, ...

    `waist`: an object is cut in two in a plane where its area is below this share of what it is in planes above and in
    planes below; 0 never cuts. Objects that are seen in fewer than `least_planes` planes are dropped.
    """
    found = join_planes(planes, least_iou)
    fill_gaps(found)
    if waist:
        cut_waists(found, waist)
    return drop_low(found, least_planes)


def join_planes(planes: np.ndarray, least_iou: float) -> np.ndarray:
    """Labels of planes -> labels uint32 of linked objects."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    highest = [int(plane.max(initial=0)) for plane in planes]
    firsts = np.cumsum([0, *highest])  # of each plane: its label k is number first + k
    links, n = find_links(planes, firsts, least_iou), int(firsts[-1]) + 1
    graph = coo_array((np.ones(len(links)), tuple(links.T)), shape=(n, n))
    numbers = connected_components(graph, directed=False)[1]  # 0, which is in no link, stays 0
    return np.stack(
        [
            np.where(plane > 0, numbers[plane + first], 0).astype(np.uint32)
            for plane, first in zip(planes, firsts[:-1], strict=True)
        ]
    )


def find_links(planes: np.ndarray, firsts: np.ndarray, least_iou: float) -> np.ndarray:
    """Pairs of numbers (n, 2) that are one object: of neighbouring planes, then of those with one plane between."""
    links = np.empty((0, 2), np.int64)
    for gap in (1, 2):
        has_next, has_last = links.T
        for z in range(len(planes) - gap):
            pairs, iou = overlap(planes[z], planes[z + gap])
            pairs += firsts[[z, z + gap]]
            free = ~np.isin(pairs[:, 0], has_next) & ~np.isin(pairs[:, 1], has_last)
            free &= iou >= least_iou
            links = np.concatenate([links, choose_mutual(pairs[free], iou[free])])
    return links


def overlap(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels of two planes that share pixels (n, 2), and their intersection over union (n,)."""
    counts, *ids = overlap_matrix(first, second)
    areas = [np.asarray(counts.sum(axis=axis)).ravel() for axis in (1, 0)]
    counts = counts.tocoo()
    union = areas[0][counts.row] + areas[1][counts.col] - counts.data
    pairs = np.stack([ids[0][counts.row], ids[1][counts.col]], axis=1).astype(np.int64)
    objects = (pairs > 0).all(axis=1)
    return pairs[objects], (counts.data / union)[objects]


def choose_mutual(pairs: np.ndarray, iou: np.ndarray) -> np.ndarray:
    """Pairs that are the best of both partners; of equals the first."""
    ranked = pairs[np.argsort(-iou, kind="stable")]
    best = [np.unique(ranked[:, side], return_index=True)[1] for side in (0, 1)]
    return ranked[np.intersect1d(*best)]


def fill_gaps(labels: np.ndarray) -> None:
    """Where a plane misses an object, give it what those above and below have in common."""
    for above, here, below in zip(labels, labels[1:], labels[2:], strict=False):
        common = (above > 0) & (above == below) & (here == 0)
        common &= ~np.isin(above, np.unique(here))
        here[common] = above[common]


def cut_waists(labels: np.ndarray, waist: float) -> None:
    """Give what lies below a waist a label of its own."""
    n = int(labels.max(initial=0)) + 1
    areas = np.stack([np.bincount(plane.ravel(), minlength=n) for plane in labels])
    for label in range(1, n):
        seen, own = np.flatnonzero(areas[:, label]), label
        for start in find_cuts(areas[:, label], seen[0], seen[-1] + 1, waist) if len(seen) else ():
            lower = labels[start : seen[-1] + 1]
            lower[lower == own] = n
            own, n = n, n + 1


def find_cuts(areas: np.ndarray, first: int, stop: int, waist: float) -> list[int]:
    """Planes from `first` to `stop` at which a new object begins."""
    inner = range(first + 1, stop - 1)
    sides = [min(areas[first:z].max(), areas[z + 1 : stop].max()) for z in inner]
    shares = [areas[z] / max(1, side) for z, side in zip(inner, sides, strict=True)]
    if not shares or min(shares) >= waist:
        return []
    z = inner[int(np.argmin(shares))]
    cut = z if areas[z + 1] > areas[z - 1] else z + 1  # the waist goes to the wider side
    return [*find_cuts(areas, first, cut, waist), cut, *find_cuts(areas, cut, stop, waist)]


def drop_low(labels: np.ndarray, least_planes: int) -> np.ndarray:
    """Labels seen in at least so many planes, numbered 1, 2, ... in their order."""
    seen = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    for plane in labels:
        seen[np.unique(plane)] += 1
    kept = seen >= max(1, least_planes)
    kept[0] = False
    return (np.cumsum(kept) * kept).astype(np.uint32)[labels]
