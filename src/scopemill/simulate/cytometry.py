"""Simulate cells with bound nanoparticles: settings and rng -> image (CZYX) and its truth.

A cell is a flattened ellipsoid with a wavy outline. Light is counted in photons, blurred by the point spread
function of an objective (psf.py) or by a Gaussian, and read by a camera.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from . import psf
from .optics import Outlines, expose, fill, render_points, scatter, texture, wavy
from .particles import place_particles


@dataclass(frozen=True)
class Field:
    """What lies in the field and how it is imaged; light is in photons a pixel unless said."""

    shape_zyx: tuple[int, int, int] = (9, 512, 512)
    pixel_size_um: float = 0.2
    z_step_um: float = 0.5
    n_cells: int = 30
    cell_radius_um: float = 6.0
    nucleus_radius_um: float = 4.5
    radius_spread: float = 0.08  # relative, from cell to cell
    roughness: float = 0.04  # relative waviness of the outlines
    flatness: float = 0.3  # half height of a cell over its radius
    gap_um: float = 0.6  # least distance between cells that do not touch
    touching: float = 0.15  # share of cells that lean on another
    # name: share, mean specific particles a cell (or the mean of each kind)
    types: Mapping[str, tuple[float, float | Mapping[str, float]]] = field(
        default_factory=lambda: {"T": (0.5, 12.0), "B": (0.3, 5.0), "other": (0.2, 2.0)}
    )
    markers: Mapping[str, Mapping[str, float]] = field(  # channel: expression by type, 0..1
        default_factory=lambda: {"CD3": {"T": 1.0}, "CD19": {"B": 1.0}}
    )
    particle_kinds: Mapping[str, tuple[float, float]] = field(  # name: share, photons a particle
        default_factory=lambda: {"single": (0.85, 650.0), "cluster": (0.15, 1400.0)}
    )
    particle_channels: Mapping[str, tuple[str, ...]] = (
        field(  # channel: kinds that show in it; none: all
            default_factory=lambda: {"particles": ()}
        )
    )
    uptake_spread: float = (
        0.0  # relative sd, from cell to cell, of the mean number of specific particles
    )
    nonspecific_per_cell: float = 0.0  # mean; on every cell, the more the larger it is
    n_unbound: int = 25
    optics: psf.Optics | None = None  # an objective; without one, a Gaussian blur:
    psf_sigma_um: tuple[float, float, float] = (0.6, 0.2, 0.2)  # z, y, x
    nucleus_photons: float = 160.0
    cytoplasm_photons: float = 70.0
    marker_photons: float = 220.0
    autofluorescence_photons: float = 3.0
    brightness_spread: float = 0.3  # lognormal sigma, from cell to cell
    bleed: float = 0.02  # share of a channel's light that the next channel sees
    background_photons: float = 6.0
    vignetting: float = 0.0  # share of light lost in the corners
    gain: float = 2.0  # grey values a photon
    read_noise: float = 1.6  # photons
    offset: float = 100.0  # grey value of darkness

    def __post_init__(self):
        if unknown := {t for levels in self.markers.values() for t in levels} - set(self.types):
            raise ValueError(f"markers name types {unknown}; choose from {list(self.types)}")
        named = {kind for kinds in self.particle_channels.values() for kind in kinds}
        named |= {k for _, mean in self.types.values() if isinstance(mean, Mapping) for k in mean}
        if unknown := named - set(self.particle_kinds):
            raise ValueError(
                f"no kinds of particles {unknown}; choose from {list(self.particle_kinds)}"
            )

    @property
    def step_um(self) -> np.ndarray:
        """Size of a voxel: z, y, x."""
        return np.array([self.z_step_um, self.pixel_size_um, self.pixel_size_um])

    def kinds_in(self, channel: str) -> tuple[str, ...]:
        """Kinds of particles that show in a channel."""
        return tuple(self.particle_channels[channel]) or tuple(self.particle_kinds)

    def mean_by_kind(self, cell_type: str) -> np.ndarray:
        """Mean specific particles a cell of a type, in the order of `particle_kinds`."""
        mean = self.types[cell_type][1]
        if isinstance(mean, Mapping):
            return np.array([mean.get(kind, 0.0) for kind in self.particle_kinds], float)
        shares = np.array([share for share, _ in self.particle_kinds.values()], float)
        return mean * shares / shares.sum()

    def mean_in_channel(self, cell_type: str, channel: str) -> float:
        """Mean specific particles a cell of a type that show in a channel."""
        shows = [kind in self.kinds_in(channel) for kind in self.particle_kinds]
        return float(self.mean_by_kind(cell_type)[shows].sum())


class SimulatedField(NamedTuple):
    """An image and its truth; `objects` and `particles` are columns, one row an object."""

    image: np.ndarray  # (c, z, y, x) uint16
    channel_names: tuple[str, ...]
    nuclei: np.ndarray  # (y, x) uint32; a nucleus has the number of its cell
    cells: np.ndarray  # (y, x) uint32
    objects: dict[str, np.ndarray]
    particles: dict[str, np.ndarray]  # a row a particle and channel; cells_label 0 = unbound


def simulate_field(settings: Field, rng: np.random.Generator) -> SimulatedField:
    """Draw one field. Channels: DNA, cytoplasm, the markers, those of particles.

    A cut cell keeps only the particles within the field. Raises ValueError when cells do not fit.
    """
    outlines = _grow(settings, rng)
    (cells, rho), (nuclei, nucleus_rho) = (o.draw(settings.shape_zyx[1:]) for o in outlines)
    nuclei[(nuclei != cells) | (rho > 0.93)] = 0
    nucleus_rho[nuclei == 0] = 2.0
    shares = np.array([share for share, _ in settings.types.values()], float)
    types = rng.choice(list(settings.types), settings.n_cells, p=shares / shares.sum())
    particles = place_particles(settings, outlines[0], cells, types, rng)
    half = np.append(0, settings.flatness * outlines[0].radius_px * settings.pixel_size_um)
    lights = _shine(settings, (cells, rho, nucleus_rho, half[cells]), types, particles, rng)
    names = ("DNA", "cytoplasm", *settings.markers, *settings.particle_channels)
    image, previous = [], 0.0
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) ** 2 for n in cells.shape)
    vignette = 1 - settings.vignetting * (y[:, None] + x) / 2
    for light in lights:
        seen = light + settings.bleed * previous + settings.background_photons
        camera = settings.gain, settings.read_noise, settings.offset
        image.append(expose(seen * vignette, rng, *camera))
        previous = light
    objects = _tabulate(settings, cells, types, particles)
    return SimulatedField(np.stack(image), names, nuclei, cells, objects, particles)


def _grow(settings: Field, rng) -> tuple[Outlines, Outlines]:
    """Outlines of the cells and, a little off their centres, of their nuclei."""
    size = np.exp(settings.radius_spread * rng.standard_normal(settings.n_cells).clip(-2, 2))
    radius = size * settings.cell_radius_um / settings.pixel_size_um
    gap = settings.gap_um / settings.pixel_size_um
    centre = scatter(settings.shape_zyx[1:], radius, gap, settings.touching, rng)
    cells = wavy(centre, radius, settings.roughness, rng)
    radius = radius * settings.nucleus_radius_um / settings.cell_radius_um
    off_centre = 0.06 * radius[:, None] * rng.standard_normal(centre.shape).clip(-2, 2)
    return cells, wavy(centre + off_centre, radius, settings.roughness, rng)


def _shine(settings: Field, maps, types, particles, rng) -> Iterator[np.ndarray]:
    """Blurred light (z, y, x) of each channel in turn."""
    cells, rho, nucleus_rho, half = maps
    stack = settings.shape_zyx[0], settings.z_step_um
    body, nucleus = fill(rho, half, *stack), fill(nucleus_rho, 0.8 * half, *stack)
    skin = np.where(half > 0, 1 - 0.3 * settings.flatness / np.maximum(half, 0.3), 1)
    shell = body - fill(rho / skin, half - 0.3, *stack)  # 0.3 um: what is seen as membrane

    def vary(strength):  # brightness (y, x), the same within a cell
        spread = rng.lognormal(0, settings.brightness_spread, len(types))
        return np.append(0, strength * spread).astype(np.float32)[cells]

    chromatin = _mottle(settings, 0.25, 0.25, rng) * _mottle(settings, 1.0, 0.25, rng)
    yield _blur(settings, nucleus * chromatin * vary(settings.nucleus_photons))
    granular = body * _mottle(settings, 0.4, 0.25, rng)
    yield _blur(settings, granular * (1 - 0.6 * nucleus) * vary(settings.cytoplasm_photons))
    haze = _blur(settings, granular * vary(settings.autofluorescence_photons))
    for expression in settings.markers.values():
        level = settings.marker_photons * np.array([expression.get(t, 0.0) for t in types])
        patches = _mottle(settings, 0.5, 0.3, rng) * vary(level)
        yield _blur(settings, (shell + 0.1 * body) * patches) + haze
    for name in settings.particle_channels:
        yield haze + _glow(settings, particles, particles["channel"] == name)


def _glow(settings: Field, particles, shown: np.ndarray) -> np.ndarray:
    """Light (z, y, x) of the particles that show in a channel."""
    position = np.stack([particles[axis][shown] for axis in "zyx"], axis=1)
    photons = particles["photons"][shown]
    if settings.optics:
        return psf.render(settings.optics, settings.shape_zyx, settings.step_um, position, photons)
    sigma_px = settings.psf_sigma_um / settings.step_um
    return render_points(settings.shape_zyx, position, photons, sigma_px)


def _mottle(settings: Field, grain_um: float, contrast: float, rng) -> np.ndarray:
    return texture(settings.shape_zyx, grain_um / settings.step_um, contrast, rng)


def _blur(settings: Field, light: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    if settings.optics:
        return psf.blur(settings.optics, light, settings.step_um)
    return gaussian_filter(light, settings.psf_sigma_um / settings.step_um, output=np.float32)


def _tabulate(settings: Field, cells: np.ndarray, types: np.ndarray, particles) -> dict:
    n, flat = len(types) + 1, cells.ravel()
    area = np.bincount(flat, minlength=n)[1:]
    y, x = (np.bincount(flat, i.ravel(), n)[1:] / area for i in np.indices(cells.shape))
    columns = {"label": np.arange(1, n, dtype=np.uint32), "y": y, "x": x, "class": types}
    label, channel = particles["cells_label"], particles["channel"]
    columns["n_particles"] = np.bincount(label, minlength=n)[1:]
    for name in settings.particle_channels if len(settings.particle_channels) > 1 else ():
        columns[f"n_particles_{name}"] = np.bincount(label[channel == name], minlength=n)[1:]
    edge = np.concatenate([cells[0], cells[-1], cells[:, 0], cells[:, -1]])
    return columns | {"area_px": area, "on_border": np.isin(columns["label"], edge)}


def nuclei_field(
    shape_yx: tuple[int, int], n: int, rng: np.random.Generator, radius_px: float = 11.0
) -> tuple[np.ndarray, np.ndarray]:
    """A cheap field of nuclei: image (y, x) uint16 and labels (y, x) uint32, 1 to n."""
    radius = radius_px * np.exp(0.1 * rng.standard_normal(n).clip(-2, 2))
    outlines = wavy(scatter(shape_yx, radius, 2.0, 0.15, rng), radius, 0.05, rng)
    labels, rho = outlines.draw(shape_yx)
    level = np.append(0, rng.lognormal(5, 0.2, n))[labels] * np.sqrt(1 - 0.8 * rho.clip(0, 1) ** 2)
    light = texture((1, *shape_yx), (0, 2, 2), 0.2, rng)[0] * level
    return expose(light + 10, rng), labels
