"""Tissue: it is found where it is, and pens, dust, bubbles and empty slides are told from it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from scopemill.stains import PRESETS
from scopemill.tissue import (
    BACKGROUND,
    DEBRIS,
    PEN,
    TISSUE,
    Limits,
    enlarge,
    find_tissue,
)

WHITE = (243.0, 240.0, 244.0)
SIZE = 256
HE = tuple(PRESETS["he"].values())
MASSON = tuple(PRESETS["masson"].values())
LIMITS = Limits(area_px=60, hole_px=30)
Y, X = np.ogrid[:SIZE, :SIZE]
rng = np.random.default_rng


def disc(y, x, radius):
    return (Y - y) ** 2 + (X - x) ** 2 <= radius**2


def section(where, vectors=HE, strength=0.25, seed=0):
    """A stained section (3, Y, X): two stains in patches of a few pixels, glass around it, noise of a camera."""
    draws = rng(seed)
    texture = ndimage.gaussian_filter(draws.normal(size=(2, SIZE, SIZE)), (0, 2, 2))
    amounts = strength * np.exp(0.5 * texture / texture.std()) * where
    density = np.tensordot(np.array(vectors).T, amounts, 1)
    light = np.array(WHITE)[:, None, None] * 10**-density
    return camera(light, seed)


def camera(light, seed=0):
    return (light + rng(seed + 1).normal(0, 1.2, light.shape)).clip(0, 255).round().astype(np.uint8)


def draw(picture, where, colour, seed=0):
    """Draw with ink, which lets `colour` (of 255) through of what is below it."""
    soft = ndimage.gaussian_filter(where.astype(float), 1)
    passed = (np.array(colour)[:, None, None] / 255) ** soft
    return camera(picture * passed, seed)


HALF = disc(128, 90, 70)  # the piece of tissue of these tests
STROKE = (abs(X - 215) < 8) & (abs(Y - 128) < 100)


def shares(classes, where):
    """Share of each class in a region."""
    return np.bincount(classes[where], minlength=4) / where.sum()


def iou(classes, where):
    found = classes == TISSUE
    return (found & where).sum() / (found | where).sum()


@pytest.mark.parametrize(
    "vectors", [HE, PRESETS["h-dab"].values(), PRESETS["picrosirius"].values()]
)
@pytest.mark.parametrize("strength", [0.1, 0.3])
def test_a_stained_section_is_found(vectors, strength):
    classes = find_tissue(section(HALF, tuple(vectors), strength), WHITE, LIMITS)
    assert iou(classes, HALF) > 0.95
    assert set(np.unique(classes)) == {BACKGROUND, TISSUE}


@pytest.mark.parametrize(
    "colour",
    {
        "blue": (40, 70, 190), "green": (25, 130, 80), "red": (215, 40, 50), "black": (20, 18, 22),
        "cyan": (50, 150, 200),
    }.values(),
)  # fmt: skip
def test_ink_beside_tissue_is_no_tissue(colour):
    classes = find_tissue(draw(section(HALF), STROKE, colour), WHITE, LIMITS)
    assert shares(classes, STROKE)[PEN] > 0.97
    assert iou(classes, HALF) > 0.93


@pytest.mark.parametrize("colour", [(40, 40, 110), (110, 45, 140)])
def test_broad_ink_in_the_hue_of_a_stain_is_told_by_its_lack_of_texture(colour):
    broad = (abs(X - 215) < 25) & (Y >= 0)
    classes = find_tissue(draw(section(disc(128, 70, 60)), broad, colour), WHITE, LIMITS)
    assert shares(classes, broad)[PEN] > 0.97


@pytest.mark.parametrize("colour", [(25, 130, 80), (20, 18, 22)])
def test_tissue_below_ink_is_not_measured_and_the_rest_is(colour):
    line = abs(Y - 128) < 12
    classes = find_tissue(draw(section(HALF), line, colour), WHITE, LIMITS)
    assert shares(classes, HALF & line)[PEN] > 0.9
    assert shares(classes, HALF & (abs(Y - 128) > 30))[TISSUE] > 0.95


def test_blurred_ink_is_no_tissue():
    glass = np.broadcast_to(np.array(WHITE)[:, None, None], (3, SIZE, SIZE))
    stroke = ndimage.gaussian_filter((abs(X - Y) < 40).astype(float), 12)
    light = glass * (np.array((210, 35, 45))[:, None, None] / 255) ** stroke
    classes = find_tissue(camera(light), WHITE, LIMITS)
    assert (classes == TISSUE).mean() == 0 and (classes == PEN).mean() > 0.3


def test_a_blue_stain_is_ink_unless_it_is_named():
    picture = section(HALF, MASSON[:1] * 2)
    assert shares(find_tissue(picture, WHITE, LIMITS), HALF)[PEN] > 0.9
    assert iou(find_tissue(picture, WHITE, LIMITS, MASSON), HALF) > 0.95


def test_green_ink_is_told_from_a_blue_stain():
    picture = draw(section(HALF, MASSON), STROKE, (25, 130, 80))
    classes = find_tissue(picture, WHITE, LIMITS, MASSON)
    assert shares(classes, STROKE)[PEN] > 0.97 and iou(classes, HALF) > 0.93


def test_dust_and_rims_of_bubbles_are_debris():
    grey = disc(40, 200, 5) | disc(200, 230, 4)
    rim = disc(120, 210, 32) & ~disc(120, 210, 28)
    picture = draw(section(HALF), grey | rim, (110, 112, 111))
    classes = find_tissue(picture, WHITE, LIMITS)
    assert shares(classes, grey | rim)[DEBRIS] > 0.9
    assert shares(classes, disc(120, 210, 25))[BACKGROUND] == 1
    assert iou(classes, HALF) > 0.95


def test_black_edges_are_no_tissue():
    edge = (X < 12) | (Y > 246) | (Y + X < 0)
    classes = find_tissue(draw(section(HALF), edge, (12, 12, 12)), WHITE, LIMITS)
    assert shares(classes, edge)[TISSUE] == 0 and iou(classes, HALF) > 0.93


def test_an_empty_slide_has_no_tissue_though_it_is_shaded():
    shade = 1 - 0.03 * ((Y / SIZE) ** 2 + (X / SIZE) ** 2) / 2
    classes = find_tissue(camera(np.array(WHITE)[:, None, None] * shade), WHITE, LIMITS)
    assert classes.shape == (SIZE, SIZE) and not classes.any()


def test_a_full_picture_is_all_tissue():
    everywhere = np.ones((SIZE, SIZE), bool)
    assert (find_tissue(section(everywhere), WHITE, LIMITS) == TISSUE).mean() > 0.99


def test_small_holes_are_filled_and_small_pieces_dropped():
    hole, small_hole = disc(128, 70, 12), disc(100, 110, 4)
    piece, small_piece = disc(128, 210, 15), disc(40, 210, 4)
    picture = section((HALF & ~hole & ~small_hole) | piece | small_piece)
    classes = find_tissue(picture, WHITE, Limits(area_px=150, hole_px=150))
    assert classes[128, 70] == BACKGROUND and classes[100, 110] == TISSUE
    assert classes[128, 210] == TISSUE and classes[40, 210] == BACKGROUND
    kept = find_tissue(picture, WHITE, Limits(area_px=5, hole_px=5))
    assert kept[100, 110] == BACKGROUND and kept[40, 210] == TISSUE


def bright(where, level=200.0, seed=0, noise=6.0):
    """A fluorescence channel: tissue with texture above a background of 100."""
    draws = rng(seed)
    texture = ndimage.gaussian_filter(draws.normal(size=(SIZE, SIZE)), 3)
    lit = 100 + where * level * (1 + 0.3 * texture / texture.std())
    return draws.normal(lit, noise)


@pytest.mark.parametrize("level", [30.0, 200.0, 3000.0])
def test_a_fluorescent_section_is_found(level):
    assert iou(find_tissue(bright(HALF, level)[None], None, LIMITS), HALF) > 0.93


def test_tissue_in_any_channel_is_tissue():
    other = disc(60, 200, 40)
    channels = np.stack([bright(HALF), bright(other, 50.0, 1)])
    assert iou(find_tissue(channels, None, LIMITS), HALF | other) > 0.95


def test_bright_debris_does_not_hide_dim_tissue():
    channel = bright(HALF, 60.0) + 20000 * disc(220, 220, 12)
    assert shares(find_tissue(channel[None], None, LIMITS), HALF)[TISSUE] > 0.95


def test_thin_walls_are_found():
    walls = ((X + 3 * np.sin(Y / 9)) % 40 < 5) & (abs(Y - 128) < 110)
    classes = find_tissue(bright(walls, 40.0)[None], None, LIMITS)
    assert iou(classes, walls) > 0.7


@pytest.mark.parametrize(
    "level",
    [
        np.full((SIZE, SIZE), 100.0),
        1000 - 300 * ((Y / SIZE - 0.5) ** 2 + (X / SIZE - 0.5) ** 2),
        1000 + X,
    ],
    ids=["even", "vignette", "gradient"],
)
@pytest.mark.parametrize("noise", [0.0, 3.0, 10.0])
def test_an_empty_field_has_no_tissue(level, noise):
    channel = rng(0).normal(level + 0 * X, noise)
    assert not find_tissue(channel[None], None, LIMITS).any()


def test_a_field_full_of_tissue_is_all_tissue():
    everywhere = np.ones((SIZE, SIZE), bool)
    assert (find_tissue(bright(everywhere)[None], None, LIMITS) == TISSUE).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (3, 3)])
def test_tiny_pictures_are_no_error(shape):
    assert find_tissue(np.full((3, *shape), 240.0), WHITE, LIMITS).shape == shape
    assert find_tissue(np.full((1, *shape), 240.0), None, LIMITS).shape == shape


def test_enlarging_interpolates_between_centres():
    classes = np.array([[0, 1], [0, 1]], np.uint8)
    whole = (slice(0, 8), slice(0, 8))
    assert enlarge(classes, 4.0, whole).tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]] * 8
    corner = np.array([[1, 0], [0, 0]], np.uint8)
    # the corner is rounded
    assert enlarge(corner, 4.0, whole)[:4, :4].tolist() == [
        [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 0],
    ]  # fmt: skip


@given(
    arrays(np.uint8, (5, 7), elements=st.integers(0, 3)),
    st.sampled_from([1.0, 2.0, 3.0, 6.0]),
    st.data(),
)
def test_a_window_is_enlarged_as_the_whole_is(classes, scale, data):
    size = tuple(int(n * scale) - data.draw(st.integers(0, int(scale) - 1)) for n in classes.shape)
    whole = enlarge(classes, scale, tuple(slice(0, n) for n in size))
    assert whole.shape == size
    starts = [data.draw(st.integers(0, n - 1)) for n in size]
    window = tuple(
        slice(start, data.draw(st.integers(start + 1, n)))
        for start, n in zip(starts, size, strict=True)
    )
    np.testing.assert_array_equal(enlarge(classes, scale, window), whole[window])
