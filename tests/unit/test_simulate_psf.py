"""The light of a point through an objective: as wide and as long as optics has it, and none of it lost."""

from dataclasses import replace

import numpy as np
import pytest

from scopemill.simulate import psf
from scopemill.simulate.cytometry import Field, simulate_field
from scopemill.simulate.psf import Optics

DRY = Optics(wavelength_um=0.5, numerical_aperture=0.6, n_immersion=1, n_design=1, n_sample=1)
WATER = Optics(wavelength_um=0.5, numerical_aperture=1.0, n_sample=1.33)
DEEP = Optics(wavelength_um=0.5, numerical_aperture=1.0, n_sample=1.42, depth_um=30)


def half_width(at, light):
    """Where light falls to half of what it is at 0, between the samples."""
    beyond = int(np.argmax(light < light[0] / 2))
    return np.interp(light[0] / 2, light[[beyond, beyond - 1]], at[[beyond, beyond - 1]])


@pytest.mark.parametrize("optics", [DRY, WATER])
def test_a_point_in_focus_is_an_airy_disc(optics):
    r = np.linspace(0, 1, 1001)
    plane = psf.shine(optics, np.zeros(1), r)[0]
    airy = 0.51 * optics.wavelength_um / optics.numerical_aperture
    assert 2 * half_width(r, plane) == pytest.approx(airy, rel=0.015)
    dark = 0.61 * optics.wavelength_um / optics.numerical_aperture  # first zero
    assert np.interp(dark, r, plane) < 0.001 * plane[0]


@pytest.mark.parametrize("optics", [DRY, WATER])
def test_a_point_is_as_long_as_its_aperture_says(optics):
    z = np.linspace(0, 4, 4001)
    axis = psf.shine(optics, z, np.zeros(1))[:, 0]
    n, aperture = optics.n_immersion, optics.numerical_aperture
    expected = 0.88 * optics.wavelength_um / (n - np.sqrt(n**2 - aperture**2))
    assert 2 * half_width(z, axis) == pytest.approx(expected, rel=0.03)


def test_a_confocal_microscope_sees_the_square():
    z, r = np.linspace(-1, 1, 5), np.linspace(0, 1, 4)
    wide, narrow = psf.shine(WATER, z, r), psf.shine(replace(WATER, confocal=True), z, r)
    assert narrow == pytest.approx(wide**2)


def test_a_matched_sample_is_symmetric_and_another_one_is_not():
    z = np.linspace(-2, 2, 81)
    even, odd = (psf.shine(o, z + psf.find_focus(o), np.zeros(1))[:, 0] for o in (WATER, DEEP))
    assert even == pytest.approx(even[::-1])
    assert psf.find_focus(WATER) == pytest.approx(0, abs=0.01)
    assert abs(psf.find_focus(DEEP)) > 1
    assert np.abs(odd - odd[::-1]).max() > 0.05 * odd.max()
    assert odd.max() < 0.9 * even.max()  # spherical aberration spreads the light


@pytest.mark.parametrize("optics", [WATER, replace(WATER, confocal=True)])
def test_all_light_of_a_point_is_kept(optics):
    step = (0.25, 0.1, 0.1)
    light = psf.render(optics, (25, 61, 61), step, np.array([[12.0, 30.0, 30.0]]), np.array([500.0]))  # fmt: skip
    assert light.sum() == pytest.approx(500, rel=0.02)
    assert light == pytest.approx(light[:, ::-1], abs=1e-3)
    assert light == pytest.approx(light.transpose(0, 2, 1), abs=1e-3)
    assert np.unravel_index(light.argmax(), light.shape) == (12, 30, 30)


def test_a_point_lies_where_it_is():
    optics = replace(WATER, confocal=True)
    light = psf.render(optics, (25, 61, 61), (0.25, 0.1, 0.1), np.array([[12.4, 30.3, 29.1]]), np.array([500.0]))  # fmt: skip
    centroid = [(light * axis).sum() / light.sum() for axis in np.indices(light.shape)]
    assert centroid == pytest.approx([12.4, 30.3, 29.1], abs=0.05)


def test_a_blurred_voxel_is_a_point():
    light = np.zeros((25, 61, 61), np.float32)
    light[12, 30, 30] = 500
    step = (0.25, 0.1, 0.1)
    point = psf.render(WATER, light.shape, step, np.array([[12.0, 30, 30]]), np.array([500.0]))
    assert psf.blur(WATER, light, step) == pytest.approx(point, rel=0.03, abs=0.02)


def test_an_even_plane_stays_even():
    light = np.ones((21, 40, 40), np.float32)
    seen = psf.blur(WATER, light, (0.25, 0.1, 0.1))
    assert seen[10] == pytest.approx(1, abs=1e-3)
    assert seen[0].mean() < 0.6  # nothing shines from beyond the stack


def test_a_field_is_seen_through_an_objective():
    settings = Field(shape_zyx=(7, 120, 120), n_cells=2, n_unbound=5, optics=WATER)
    field = simulate_field(settings, np.random.default_rng(0))
    again = simulate_field(settings, np.random.default_rng(0))
    gaussian = simulate_field(replace(settings, optics=None), np.random.default_rng(0))
    assert field.image.tobytes() == again.image.tobytes() != gaussian.image.tobytes()
    assert (field.particles["x"] == gaussian.particles["x"]).all()
