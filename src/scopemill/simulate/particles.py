"""Place particles: outlines of cells, their types and rng -> a table, one row a particle and channel in which it shows.

Specific particles follow a cell's type; nonspecific ones sit on every cell, the more the larger its surface is;
unbound ones lie between the cells.
"""

from typing import TYPE_CHECKING

import numpy as np

from .optics import Outlines

if TYPE_CHECKING:
    from .cytometry import Field

TRIES = 200


def place_particles(settings: "Field", outlines: Outlines, cells, types, rng) -> dict:
    """Columns of the truth; positions in pixels and um, `cells_label` 0 = unbound."""
    position, cell, specific = bind(settings, outlines, cells, types, rng)
    free = np.argwhere(cells == 0)
    free = free[rng.integers(len(free), size=settings.n_unbound if len(free) else 0)]
    z = rng.uniform(0, settings.shape_zyx[0] - 1, len(free))
    free = np.column_stack([z, free + rng.uniform(-0.5, 0.5, free.shape)])
    position = np.concatenate([position, free])
    rest = np.zeros(len(free))
    cell, specific = np.append(cell, rest).astype(np.uint32), np.append(specific, rest > 0)
    kind = draw_kinds(settings, cell, specific, types, rng)
    bright = np.array([photons for _, photons in settings.particle_kinds.values()], float)
    columns = {"particle": np.arange(1, len(cell) + 1, dtype=np.uint32)}
    columns |= dict(zip("zyx", position.T, strict=True))
    columns |= dict(zip(("z_um", "y_um", "x_um"), (position * settings.step_um).T, strict=True))
    columns |= {"cells_label": cell, "specific": specific}
    columns["kind"] = np.array(list(settings.particle_kinds))[kind]
    columns["photons"] = bright[kind] * rng.lognormal(0, 0.15, len(kind))
    return repeat_by_channel(settings, columns)


def repeat_by_channel(settings: "Field", columns: dict) -> dict:
    """Each particle once for each channel in which its kind shows, channel by channel."""
    shows = {name: np.flatnonzero(np.isin(columns["kind"], settings.kinds_in(name))) for name in settings.particle_channels}  # fmt: skip
    rows = np.concatenate(list(shows.values()))
    channel = np.repeat(list(shows), [len(one) for one in shows.values()])
    return {name: values[rows] for name, values in columns.items()} | {"channel": channel}


def draw_kinds(settings: "Field", cell, specific, types, rng) -> np.ndarray:
    """Number of each particle's kind: by its cell's type where it is specific, else by the kinds' shares."""
    shares = np.array([share for share, _ in settings.particle_kinds.values()], float)
    by_type = [settings.mean_by_kind(t) for t in types]
    weights = np.array([shares, *by_type]).reshape(-1, len(shares))
    weights[weights.sum(axis=1) == 0] = shares
    below = (weights / weights.sum(axis=1, keepdims=True)).cumsum(axis=1)
    below[:, -1] = 1
    return (below[np.where(specific, cell, 0)] <= rng.random(len(cell))[:, None]).sum(axis=1)


def bind(settings: "Field", outlines: Outlines, cells, types, rng) -> tuple[np.ndarray, ...]:
    """Positions (n, 3) in pixels, cell numbers, and whether it is specific, of the bound particles within the field."""
    mean = np.array([settings.mean_by_kind(t).sum() for t in types])
    if settings.uptake_spread:
        shape = settings.uptake_spread**-2
        mean = mean * rng.gamma(shape, 1 / shape, len(mean))
    number = rng.poisson(mean)
    cell, specific = np.repeat(np.arange(len(types)), number), np.ones(number.sum(), bool)
    if settings.nonspecific_per_cell and len(types):
        area = outlines.radius_px**2
        more = rng.poisson(settings.nonspecific_per_cell * area / area.mean())
        cell = np.append(cell, np.repeat(np.arange(len(types)), more))
        specific = np.append(specific, np.zeros(more.sum(), bool))
    position, kept = put_on_surface(settings, outlines, cells, cell, rng)
    return position[kept], cell[kept] + 1, specific[kept]


def put_on_surface(settings: "Field", outlines: Outlines, cells, cell, rng) -> tuple:
    """Positions (n, 3) in pixels on the surfaces of these cells, and which lie in the field and are not hidden."""
    shape = np.array(cells.shape)
    position = outlines.on_surface(cell, settings.flatness, rng)
    for _ in range(TRIES):
        at = np.rint(position[:, 1:]).astype(int)
        inside = ((at >= 0) & (at < shape)).all(axis=1)
        hidden = inside & (cells[tuple(at.clip(0, shape - 1).T)] != cell + 1)  # by a neighbour
        if not hidden.any():
            break
        position[hidden] = outlines.on_surface(cell[hidden], settings.flatness, rng)
    middle = (settings.shape_zyx[0] - 1) / 2
    position = position * (settings.pixel_size_um / settings.step_um) + [middle, 0, 0]
    return position, inside & ~hidden
