"""Stitching: labels of overlapping blocks -> one label image in which an object that several blocks saw is one.

Each block is labelled in a window that reaches beyond its core into its neighbours'. Where it reaches into one that was
labelled before, both have an opinion on the same pixels: two objects that are the same there (IoU above a half) are one.
Union-find over all such pairs makes the partition of the whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .scratch import ScratchLabels
from .shapes import list_runs
from .tiling import Window, intersect, within

SAME = 0.5  # IoU in the pixels that two blocks share; no more than one partner can have more


@dataclass(frozen=True)
class Objects:
    """The objects of a plane: `owner` (ids) says of which of them each block's piece is."""

    owner: np.ndarray
    areas: np.ndarray  # pixels; 0 where no object has this id
    centroids: np.ndarray  # (N, 2): y, x
    sums: np.ndarray  # (K, N): of the blocks' weights in the object's pixels
    keeps_ids: bool = False

    def number(self, kept: np.ndarray) -> np.ndarray:
        """Table (ids + 1,) uint32: id of a piece -> label 1, 2, ... of its object (or its id), 0 where it is not kept."""
        ids = np.arange(1, len(kept) + 1) if self.keeps_ids else np.cumsum(kept)
        numbers = (ids * kept).astype(np.uint32)
        return np.concatenate([np.zeros(1, np.uint32), numbers[self.owner]])


@dataclass
class Stitcher:
    """Takes the labels of one plane's blocks, in any order; `store` keeps them until they are numbered.

    With `keeps_ids` all blocks give an object the same id already.
    """

    store: ScratchLabels
    keeps_ids: bool = False
    ids: list[np.ndarray] = field(default_factory=list)  # of the pieces, block by block
    sums: list[np.ndarray] = field(
        default_factory=list
    )  # what is summed up over them: (3 + K, pieces)
    pairs: list[np.ndarray] = field(default_factory=list)  # pieces that are one object
    seen: list[Window] = field(default_factory=list)
    n_ids: int = 0

    def add(
        self, core: Window, window: Window, labels: np.ndarray, weights: Sequence[np.ndarray] = ()
    ) -> None:
        """Labels of a window, and maps whose sum over each object is wanted (K of them).

        What lies outside the core is only compared. Cores must not overlap; a window holds its core.
        """
        from .kernels.numbering import crop, sum_places, total_runs

        inner, labels = within(core, window), np.ascontiguousarray(labels, np.uint32)
        runs, owners = list_runs(labels)
        highest = int(owners.max(initial=0))
        n = crop(runs, owners, *((axis.start, axis.stop) for axis in inner))
        runs, owners = runs[:n], owners[:n]
        area, y, x = sum_places(runs, owners, highest)
        found = np.flatnonzero(area)
        ids = np.zeros(highest + 1, np.int64)
        ids[found] = found if self.keeps_ids else np.arange(len(found)) + self.n_ids + 1
        for other in () if self.keeps_ids else self.seen:
            if shared := intersect(window, other):
                known, own = match_pieces(self.store[shared], labels[within(shared, window)]).T
                pairs = np.stack([known, ids[own]], 1)
                self.pairs.append(pairs[pairs[:, 1] > 0])  # the others lie outside the core
        y, x = y + area * core[0].start, x + area * core[1].start
        sums = [total_runs(runs, owners, one[inner], highest) for one in weights]
        self.sums.append(np.array([area, y, x, *sums], np.float64)[:, found])
        self.ids.append(ids[found])
        self.store.add(core, runs, ids[owners])
        self.seen.append(core)
        self.n_ids = max(self.n_ids, int(ids.max()))

    def finish(self) -> Objects:
        """Which pieces are one object, and how large it is."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        if not self.n_ids:
            return Objects(np.empty(0, int), np.empty(0), np.empty((0, 2)), np.empty((0, 0)))
        pairs = np.concatenate([np.empty((0, 2), np.int64), *self.pairs]) - 1
        links = coo_array((np.ones(len(pairs), bool), pairs.T), (self.n_ids, self.n_ids))
        n, owner = connected_components(links, directed=False)
        of_piece = owner[np.concatenate(self.ids) - 1]
        sums = [
            np.bincount(of_piece, one, minlength=n) for one in np.concatenate(self.sums, axis=1)
        ]
        centroids = np.stack(sums[1:3], 1) / np.maximum(sums[0], 1)[:, None]
        return Objects(owner, sums[0], centroids, np.array(sums[3:]), self.keeps_ids)


def match_pieces(known: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Ids (Y, X) that two blocks gave the same pixels -> pairs (N, 2) of ids that mean the same there."""
    from .kernels.numbering import count_together

    *both, pixels = count_together(known, found).T
    (ones, one), (others, other) = (np.unique(ids, return_inverse=True) for ids in both)
    pairs, pair = np.unique(one * len(others) + other, return_inverse=True)
    of_one, of_other = np.bincount(one, pixels), np.bincount(other, pixels)
    shared = np.bincount(pair, pixels)
    i, j = np.divmod(pairs, max(1, len(others)))
    same = (ones[i] > 0) & (others[j] > 0) & (shared > SAME * (of_one[i] + of_other[j] - shared))
    return np.stack([ones[i], others[j]], 1)[same]
