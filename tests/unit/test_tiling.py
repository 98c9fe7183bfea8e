"""Tiles cover, overlap as promised, and blend to what the whole image gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopemill.tiling import Blend, choose_tile, cut, tile_origins, tile_starts, usable_halo

GRIDS = [(32, 0, 1), (32, 8, 1), (33, 32, 1), (64, 16, 16), (64, 48, 16), (512, 64, 16)]


@pytest.mark.parametrize(("tile", "overlap", "align"), GRIDS)
def test_windows_cover_every_pixel_and_share_what_was_promised(tile, overlap, align):
    for size in [*range(1, 200), 511, 512, 513, 1000, 2049]:
        starts = tile_starts(size, tile, overlap, align)
        assert starts[0] == 0
        assert all(start % align == 0 for start in starts)
        steps = np.diff(starts)
        assert (steps > 0).all()
        assert (steps <= tile - overlap).all()
        assert size <= starts[-1] + tile < max(size, tile) + align


def test_no_window_is_superfluous():
    assert tile_starts(100, 40, 10) == [0, 30, 60]
    assert tile_starts(101, 40, 10) == [0, 20, 40, 61]
    assert tile_origins((40, 70), 40, 10).tolist() == [[0, 0], [0, 30]]


@pytest.mark.parametrize("grid", [(32, 32, 1), (32, -1, 1), (64, 56, 16)])
def test_impossible_grids_are_refused(grid):
    with pytest.raises(ValueError, match="overlap"):
        tile_starts(100, *grid)


def test_a_window_behind_the_border_is_mirrored():
    image = np.arange(3)[None] * np.ones((3, 1), int)
    assert cut(image, (0, 0), 8)[0].tolist() == [0, 1, 2, 1, 0, 1, 2, 1]
    assert cut(image, (0, 0), 3).tolist() == image.tolist()
    assert cut(np.full((1, 1), 7), (0, 0), 4).tolist() == [[7] * 4] * 4


@pytest.mark.parametrize("halo", [0, 5, 7, 100])
def test_a_constant_blends_to_itself(halo):
    shape = (101, 75)
    origins = tile_origins(shape, 32, 16)
    blend = Blend(2, shape, 32, 16, halo)
    blend.add(origins, np.full((len(origins), 2, 32, 32), 0.7, np.float32))
    assert np.allclose(blend.result(), 0.7, atol=1e-6)


def test_outside_all_windows_is_zero_and_a_lonely_window_counts_to_its_edge():
    blend = Blend(1, (64, 64), 32, 16, 5)
    blend.add([(0, 0)], np.ones((1, 1, 32, 32), np.float32))
    assert np.allclose(blend.result()[0, :32, :32], 1)
    assert not blend.result()[0, 32:].any()


def test_what_a_network_sees_wrongly_at_a_seam_is_not_used():
    shape, halo = (90, 110), 6
    origins = tile_origins(shape, 32, 16)
    tiles = np.ones((len(origins), 1, 32, 32), np.float32)
    for tile, (y, x) in zip(tiles, origins, strict=True):  # spoil the seams, not the borders
        tile[:, : halo if y else 0] = tile[..., : halo if x else 0] = 99
        tile[:, 32 - halo if y + 32 < shape[0] else 32 :] = 99
        tile[..., 32 - halo if x + 32 < shape[1] else 32 :] = 99
    blend = Blend(1, shape, 32, 16, halo)
    blend.add(origins, tiles)
    assert np.abs(blend.result() - 1).max() < 0.002  # 98 * hidden weight / least weight


def test_a_halo_that_does_not_fit_is_cut_to_a_quarter_of_the_overlap():
    assert usable_halo(7, 16) == 7
    assert usable_halo(8, 16) == 4
    assert usable_halo(0, 0) == 0


@given(st.integers(600, 6000), st.integers(0, 200), st.sampled_from([1, 8, 16, 32]))
def test_no_more_windows_than_the_largest_allows(n, overlap, align):
    tile = choose_tile((n, n), 600, overlap, align)
    starts = tile_starts(n, tile[0], overlap, align)
    shared = -(-overlap // align) * align
    largest = 600 // align * align
    fewest = 1 if n <= 600 else -(-(n - shared) // (largest - shared))
    assert tile[0] <= 600 + align - 1 and len(starts) == fewest


def test_a_window_less_than_a_pixel_of_the_grid_too_small_would_cost_a_row_of_windows():
    # 1104 px cover 2868 with an overlap of 216, but not where windows begin at multiples of 16
    assert choose_tile((2868, 2868), 1536, 216, 16) == (1120, 1120)
    assert tile_starts(2868, 1120, 216, 16) == [0, 880, 1760]
