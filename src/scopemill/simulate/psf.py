"""Point spread function: an objective, and how deep points lie -> the light of a point (z, y, x).

The scalar model of Gibson and Lanni (1991), J. Opt. Soc. Am. A 8, 1601, in the notation of Li, Xue and Blu
(2017), J. Opt. Soc. Am. A 34, 1029. Its integral over the pupil is a sum over Gauss-Legendre nodes, all radii and
planes at once. z counts from the brightest plane, as a person would focus; light beyond REACH_UM is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

REACH_UM = (2.5, 2.5)  # along z, and in the plane
N_NODES = 128
FINE = 8  # steps of the table a plane distance, and a pixel
POINTS_AT_ONCE = 500  # bounds the memory
FAR = 1e6  # beyond reach


@dataclass(frozen=True)
class Optics:
    """An objective and what lies before it; lengths in um."""

    wavelength_um: float = 0.58  # of the light that particles send
    numerical_aperture: float = 1.2
    n_immersion: float = 1.33
    n_design: float = 1.33  # of the immersion that the objective is made for
    n_sample: float = 1.36
    depth_um: float = 5.0  # of the particles below the coverslip
    working_distance_um: float = 200.0
    confocal: bool = False  # point scanning with a closed pinhole: the light squared

    @property
    def aperture(self) -> float:
        """Of the light that gets through: what is reflected totally is lost."""
        return min(self.numerical_aperture, self.n_sample, self.n_immersion)


class Table(NamedTuple):
    """Light by z and distance from the axis, as shares of a voxel; what all voxels within reach get adds up to 1."""

    z: np.ndarray  # (nz,) planes from the brightest, evenly
    r: np.ndarray  # (nr,) pixels, evenly from 0
    light: np.ndarray  # (nz, nr)


def shine(optics: Optics, z_um: np.ndarray, r_um: np.ndarray) -> np.ndarray:
    """Intensity (nz, nr), in any unit, where the focus is z_um too high and r_um beside a point."""
    from scipy.special import j0

    node, weight = np.polynomial.legendre.leggauss(N_NODES)
    sine = (node + 1) / 2 * optics.aperture
    ahead = np.sqrt(optics.n_immersion**2 - sine**2)
    # path beyond that of the design, without what is the same for all angles
    path = optics.depth_um * np.sqrt(optics.n_sample**2 - sine**2)
    path += optics.working_distance_um * (ahead - np.sqrt(optics.n_design**2 - sine**2))
    path -= optics.depth_um * ahead  # the objective comes as much nearer
    k = 2 * np.pi / optics.wavelength_um
    wave = np.exp(1j * k * (path + np.multiply.outer(z_um, ahead)))
    amplitude = (wave * weight * sine) @ j0(k * np.multiply.outer(sine, r_um))
    return np.abs(amplitude) ** (4 if optics.confocal else 2)


def find_focus(optics: Optics) -> float:
    """Where the axis is brightest (um): another medium than the objective is made for moves the focus."""
    z = np.linspace(-20, 20, 4001)
    return float(z[shine(optics, z, np.zeros(1))[:, 0].argmax()])


@lru_cache(maxsize=16)
def make_table(optics: Optics, z_step_um: float, pixel_size_um: float) -> Table:
    """Light by distance. A pixel's square counts as if it were turned every way: less than 1 % off where pixels suit the objective."""
    half_z, half_r = (round(reach / step * FINE) for reach, step in zip(REACH_UM, (z_step_um, pixel_size_um), strict=True))  # fmt: skip
    z, r = np.arange(-half_z, half_z + 1) / FINE, np.arange(half_r + 1) / FINE
    far = np.arange(half_r + 2 * FINE) / FINE
    seen = shine(optics, z * z_step_um + find_focus(optics), far * pixel_size_um)
    light = sum(
        share * np.stack([np.interp(at, far, plane) for plane in seen])
        for share, at in spread_over_pixel(r)
    )
    planes = light[half_z % FINE :: FINE]  # of a point that lies in a plane
    whole = (planes * np.gradient(np.pi * r**2)).sum()
    return Table(z, r, light / whole)


def spread_over_pixel(r: np.ndarray):
    """Share, and distance from the axis, of points that stand for a pixel whose middle lies r pixels away."""
    node, weight = np.polynomial.legendre.leggauss(3)
    for angle in (
        (np.arange(8) + 0.5) / 8 * np.pi / 4
    ):  # the eighth of a turn that the others repeat
        for a, share_a in zip(node / 2, weight / 2, strict=True):
            for b, share_b in zip(node / 2, weight / 2, strict=True):
                at = np.hypot(r * np.cos(angle) + a, r * np.sin(angle) + b)
                yield share_a * share_b / 8, at


def render(
    optics: Optics, shape: Sequence[int], step_um: Sequence[float], position_px, photons
) -> np.ndarray:
    """Photons (z, y, x) of points at sub-voxel positions (n, 3); what falls outside `shape` is lost."""
    table, volume = make_table(optics, float(step_um[0]), float(step_um[-1])), np.zeros(shape, np.float32)  # fmt: skip
    for begin in range(0, len(position_px), POINTS_AT_ONCE):
        points, places, offsets = position_px[begin : begin + POINTS_AT_ONCE], [], []
        for n, reach, p in zip(shape, reach_of(table), points.T[:, :, None], strict=True):
            at = np.rint(p).astype(int) + np.arange(-reach, reach + 1)
            offsets.append(np.where((at >= 0) & (at < n), at - p, FAR))
            places.append(at.clip(0, n - 1))
        z, y, x = places
        where = z[:, :, None, None], y[:, None, :, None], x[:, None, None, :]
        weight = photons[begin : begin + POINTS_AT_ONCE, None, None, None].astype(np.float32)
        np.add.at(volume, where, weight * look_up(table, *offsets))
    return volume


def look_up(table: Table, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Offsets of n points' planes (n, i), rows (n, j) and columns (n, k) -> light (n, i, j, k), 0 beyond reach."""
    from scipy.ndimage import map_coordinates

    z, y, x = z[:, :, None, None], y[:, None, :, None], x[:, None, None, :]
    at = np.broadcast_arrays((z - table.z[0]) * FINE, np.hypot(y, x) * FINE)
    return map_coordinates(table.light, at, order=1, mode="constant", output=np.float32)


def blur(optics: Optics, light: np.ndarray, step_um: Sequence[float]) -> np.ndarray:
    """Light (z, y, x) as it is seen, float32; beyond the sides it goes on as in a mirror, above and below it is dark."""
    from scipy.signal import oaconvolve

    table = make_table(optics, float(step_um[0]), float(step_um[-1]))
    reach = reach_of(table)
    kernel = look_up(table, *(np.arange(-n, n + 1.0)[None] for n in reach))[0]
    margin = [(0, 0), *((min(n, size - 1),) * 2 for n, size in zip(reach[1:], light.shape[1:], strict=True))]  # fmt: skip
    wide = np.pad(light, margin, mode="reflect")
    seen = oaconvolve(wide, (kernel / kernel.sum()).astype(np.float32), mode="same")
    inner = tuple(slice(a, size - b) for (a, b), size in zip(margin, wide.shape, strict=True))
    return np.maximum(seen[inner], 0).astype(np.float32)


def reach_of(table: Table) -> tuple[int, int, int]:
    """Voxels from the middle to the end of what a table holds."""
    z, r = int(np.floor(table.z[-1])), int(np.floor(table.r[-1]))
    return z, r, r
