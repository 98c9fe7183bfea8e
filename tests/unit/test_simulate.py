"""Simulated fields: the same from the same seed, true to their tables, and counted in photons."""

from dataclasses import replace

import numpy as np
import pytest

from scopemill.simulate.cytometry import Field, nuclei_field, simulate_field
from scopemill.simulate.optics import expose, fill, render_points, wavy

SMALL = Field(shape_zyx=(9, 160, 160), n_cells=4, n_unbound=5)
EMPTY = replace(SMALL, n_cells=0, n_unbound=0)


def simulate(settings=SMALL, seed=0):
    return simulate_field(settings, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def default():
    return simulate(Field())


def test_one_seed_gives_one_field():
    first, again, other = simulate(), simulate(), simulate(seed=1)
    assert first.image.tobytes() == again.image.tobytes() != other.image.tobytes()
    for name, column in first.particles.items():
        assert (column == again.particles[name]).all()


def test_shape_and_type_of_the_image(default):
    assert default.image.shape == (5, 9, 512, 512)
    assert default.image.dtype == np.uint16
    assert default.nuclei.dtype == default.cells.dtype == np.uint32
    assert default.channel_names == ("DNA", "cytoplasm", "CD3", "CD19", "particles")


def test_grey_values_are_those_of_a_real_camera(default):
    assert default.image.max() < 5000  # far from saturation
    assert default.image.min() > 50
    assert np.percentile(default.image[0], 99) > 3 * np.median(default.image[0])


def test_every_label_has_its_row(default):
    objects = default.objects
    assert set(np.unique(default.cells)) - {0} == set(objects["label"]) == set(range(1, 31))
    assert (np.bincount(default.cells.ravel())[1:] == objects["area_px"]).all()
    bound = default.particles["cells_label"]
    assert (np.bincount(bound, minlength=31)[1:] == objects["n_particles"]).all()
    assert (bound == 0).sum() == Field().n_unbound


def test_a_nucleus_lies_in_its_cell_and_is_of_cell_size(default):
    inside = default.nuclei > 0
    assert (default.nuclei[inside] == default.cells[inside]).all()
    whole = ~default.objects["on_border"]
    width = np.sqrt(np.bincount(default.nuclei.ravel())[1:][whole] * 4 / np.pi)
    assert 35 < width.min() < width.max() < 60


def test_particles_lie_in_the_label_of_their_cell(default):
    p = default.particles
    y, x = np.rint(p["y"]).astype(int), np.rint(p["x"]).astype(int)
    assert (default.cells[y, x] == p["cells_label"]).all()
    assert ((p["z"] >= 0) & (p["z"] <= 8)).all()


def test_particles_a_cell_are_poisson():
    settings = Field(types={"T": (1.0, 12.0)}, markers={}, n_cells=30, shape_zyx=(3, 512, 512))
    fields = [simulate(settings, seed).objects for seed in range(8)]
    number = np.concatenate([o["n_particles"][~o["on_border"]] for o in fields])
    assert number.mean() == pytest.approx(12, abs=4 * np.sqrt(12 / len(number)))
    assert number.var() == pytest.approx(number.mean(), rel=0.5)


def test_markers_show_on_their_own_type_only(default):
    cd3 = default.image[2].mean(axis=0)
    bright = np.array([cd3[default.cells == label].mean() for label in default.objects["label"]])
    positive = default.objects["class"] == "T"
    assert bright[positive].min() > bright[~positive].max()


def test_dark_regions_show_offset_and_background():
    image = simulate(EMPTY).image.astype(float)
    expected = EMPTY.offset + EMPTY.gain * EMPTY.background_photons
    noise = EMPTY.gain * np.sqrt(EMPTY.background_photons + EMPTY.read_noise**2)
    assert image.mean() == pytest.approx(expected, abs=5 * noise / np.sqrt(image.size))
    assert image.std() == pytest.approx(noise, rel=0.02)


def test_one_particle_sends_its_photons():
    bright = {"bead": (1.0, 200_000.0)}
    settings = replace(EMPTY, particle_kinds=bright, n_unbound=1, shape_zyx=(25, 64, 64))
    for seed in range(20):
        field = simulate(settings, seed)
        z, y, x = (field.particles[axis][0] for axis in "zyx")
        if 6 < z < 18 and 6 < y < 57 and 6 < x < 57:
            break
    dark = settings.offset + settings.gain * settings.background_photons
    total = (field.image[-1] - dark).sum() / settings.gain
    assert total == pytest.approx(field.particles["photons"][0], rel=0.01)


def test_points_are_rendered_where_they_are():
    position = np.array([[7.3, 10.25, 12.8]])
    light = render_points((15, 24, 24), position, np.array([500.0]), (1.2, 1.0, 1.0))
    assert light.sum() == pytest.approx(500, rel=1e-5)
    centroid = [(light * axis).sum() / light.sum() for axis in np.indices(light.shape)]
    assert centroid == pytest.approx(position[0], abs=1e-4)


def test_half_of_a_point_on_the_edge_is_lost():
    light = render_points((9, 24, 24), np.array([[4, -0.5, 12]]), np.array([100.0]), (0.5, 1, 1))
    assert light.sum() == pytest.approx(50, rel=1e-5)


def test_surface_points_cover_a_sphere_evenly():
    ball = wavy(np.array([[0.0, 0.0]]), np.array([10.0]), 0.0, np.random.default_rng(0))
    points = ball.on_surface(np.zeros(20_000, int), 1.0, np.random.default_rng(1))
    assert np.linalg.norm(points, axis=1) == pytest.approx(10.0)
    assert points.mean(axis=0) == pytest.approx([0, 0, 0], abs=0.15)
    assert (points**2).mean(axis=0) == pytest.approx([100 / 3] * 3, rel=0.03)


def test_an_ellipsoid_fills_its_volume():
    circle = wavy(np.array([[30.0, 30.0]]), np.array([20.0]), 0.0, np.random.default_rng(0))
    labels, rho = circle.draw((61, 61))
    assert labels.sum() == pytest.approx(np.pi * 20**2, rel=0.01)
    assert fill(rho, 5.0, 15, 1.0).sum() == pytest.approx(4 / 3 * np.pi * 20 * 20 * 5, rel=0.01)


def test_the_camera_saturates_and_counts():
    bright = expose(np.full((50, 50), 1e6), np.random.default_rng(0))
    assert (bright == 65535).all()
    grey = expose(np.full((300, 300), 50.0), np.random.default_rng(0), 2.0, 0.0, 100.0)
    assert grey.mean() == pytest.approx(200, rel=0.005)
    assert grey.std() == pytest.approx(2 * np.sqrt(50), rel=0.02)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="fit"):
        simulate(replace(SMALL, n_cells=60))
    with pytest.raises(ValueError, match="choose from"):
        Field(markers={"CD3": {"t": 1.0}})


def test_a_nuclei_field_is_bright_where_it_is_labelled():
    image, labels = nuclei_field((256, 256), 25, np.random.default_rng(0))
    assert image.dtype == np.uint16
    assert set(np.unique(labels)) == set(range(26))
    assert image[labels > 0].mean() > 2 * image[labels == 0].mean()


COLOURS = replace(
    Field(),
    shape_zyx=(9, 256, 256),
    n_cells=8,
    types={"T": (0.5, {"red": 4.0, "both": 6.0}), "B": (0.5, 2.0)},
    markers={},
    particle_kinds={"red": (0.5, 600.0), "green": (0.25, 600.0), "both": (0.25, 600.0)},
    particle_channels={"p1": ("red", "both"), "p2": ("green", "both")},
)


def test_a_kind_shows_in_its_channels_only():
    field = simulate(COLOURS)
    p = field.particles
    assert field.channel_names == ("DNA", "cytoplasm", "p1", "p2")
    assert set(p["kind"][p["channel"] == "p1"]) == {"red", "both"}
    assert set(p["kind"][p["channel"] == "p2"]) == {"green", "both"}
    twice = [np.sort(p["particle"][(p["kind"] == "both") & (p["channel"] == c)]) for c in ("p1", "p2")]  # fmt: skip
    assert len(twice[0]) and (twice[0] == twice[1]).all()
    counts = [np.bincount(p["cells_label"][p["channel"] == c], minlength=9)[1:] for c in ("p1", "p2")]  # fmt: skip
    assert (field.objects["n_particles_p1"] == counts[0]).all()
    assert (field.objects["n_particles_p2"] == counts[1]).all()
    assert (field.objects["n_particles"] == counts[0] + counts[1]).all()


def test_light_of_a_particle_is_in_its_channel():
    one = replace(COLOURS, n_cells=0, n_unbound=60, bleed=0.0)
    field = simulate(one)
    p = field.particles
    for kind, bright in (("red", (True, False)), ("green", (False, True)), ("both", (True, True))):
        at = tuple(np.rint(p[axis][p["kind"] == kind]).astype(int) for axis in "zyx")
        levels = [field.image[c][at].mean() for c in (2, 3)]
        assert [level > 140 for level in levels] == list(bright), kind


def test_means_are_those_of_each_kind():
    assert COLOURS.mean_by_kind("T").tolist() == [4.0, 0.0, 6.0]
    assert COLOURS.mean_by_kind("B").tolist() == [1.0, 0.5, 0.5]
    assert COLOURS.mean_in_channel("T", "p1") == 10.0
    assert COLOURS.mean_in_channel("T", "p2") == 6.0
    assert COLOURS.mean_in_channel("B", "p2") == 1.0
    fields = [simulate(COLOURS, seed) for seed in range(6)]
    number = {"T": [], "B": []}
    for field in fields:
        p = field.particles
        for label, cell_type, cut in zip(*(field.objects[k] for k in ("label", "class", "on_border")), strict=True):  # fmt: skip
            if not cut:
                number[cell_type].append(((p["cells_label"] == label) & (p["channel"] == "p1")).sum())  # fmt: skip
    for cell_type, mean in (("T", 10.0), ("B", 1.5)):
        n = len(number[cell_type])
        assert np.mean(number[cell_type]) == pytest.approx(mean, abs=4 * np.sqrt(mean / n))


def test_nonspecific_particles_are_on_all_cells_alike():
    bare = replace(Field(), shape_zyx=(5, 512, 512), types={"T": (1.0, 0.0)}, markers={}, nonspecific_per_cell=4.0)  # fmt: skip
    fields = [simulate(bare, seed) for seed in range(6)]
    assert not any(field.particles["specific"].any() for field in fields)
    number = np.concatenate([f.objects["n_particles"][~f.objects["on_border"]] for f in fields])
    assert number.mean() == pytest.approx(4, abs=4 * np.sqrt(4 / len(number)))


def test_uptake_that_varies_spreads_the_counts():
    even = replace(Field(), shape_zyx=(3, 512, 512), types={"T": (1.0, 20.0)}, markers={})
    uneven = replace(even, uptake_spread=0.5)
    index = []
    for settings in (even, uneven):
        objects = [simulate(settings, seed).objects for seed in range(6)]
        number = np.concatenate([o["n_particles"][~o["on_border"]] for o in objects])
        index.append(number.var(ddof=1) / number.mean())
    assert index[0] == pytest.approx(1, abs=0.5)
    assert index[1] == pytest.approx(1 + 0.25 * 20, rel=0.4)


def test_positions_are_in_um_too(default):
    p = default.particles
    assert p["z_um"] == pytest.approx(p["z"] * 0.5)
    assert p["x_um"] == pytest.approx(p["x"] * 0.2)


def test_kinds_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="choose from"):
        Field(particle_channels={"p": ("blue",)})
    with pytest.raises(ValueError, match="choose from"):
        Field(types={"T": (1.0, {"blue": 3.0})}, markers={})
