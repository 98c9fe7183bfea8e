"""Points: places keep their part of a voxel, and tables of them are read as they are written."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from scopemill.annotations.formats import NAMES, choose
from scopemill.annotations.reading import open_file, read_annotations
from scopemill.collect.points import cut_points, read_points
from scopemill.errors import DataError, Skip
from scopemill.points import pack_points, unpack_points
from scopemill.settings import ConfigError


@given(
    st.lists(
        st.tuples(st.floats(-0.5, 2.49), st.floats(-0.5, 4.49), st.floats(-0.5, 6.49)),
        max_size=8,
        unique_by=lambda p: tuple(np.floor(np.array(p) + 0.5)),
    )
)
def test_points_come_back_from_a_volume(points):
    given = np.array(points).reshape(-1, 3)
    found = unpack_points(pack_points(given, (3, 5, 7)))
    order = np.lexsort(np.floor(given + 0.5).T[::-1]) if len(given) else []
    np.testing.assert_allclose(found, given[order], atol=1 / 2048 + 1e-9)


def test_a_voxel_without_a_point_is_0_and_points_outside_are_left_out():
    volume = pack_points(np.array([[0, 0, 0], [5, 0, 0], [0, -0.6, 0]]), (2, 2, 2))
    assert np.count_nonzero(volume) == 1 and volume[0, 0, 0] > 0


def test_a_cut_of_the_volume_holds_the_points_of_the_cut():
    volume = pack_points(np.array([[0, 2.25, 3.75], [0, 0, 0]]), (1, 5, 6))
    np.testing.assert_allclose(unpack_points(volume[:, 1:, 2:]), [[0, 1.25, 1.75]], atol=1e-3)


def write(folder, text):
    path = folder / "i1.csv"
    path.write_text(text)
    return path


def read(path, **more):
    return read_annotations(path, "points", image=("i1",), shape=(1, 4, 20, 30), **more)


def test_columns_z_y_x_are_points_whose_first_pixel_has_its_middle_at_0(tmp_path):
    table = read(write(tmp_path, "z,y,x,class\n1.4,2.25,3,single\n"))
    point = shapely.from_wkb(table["geometry"][0])
    assert (point.x, point.y, point.z) == (3.5, 2.75, 1.4)
    assert table[["kind", "class", "z", "t"]].iloc[0].tolist() == ["point", "single", 1, -1]


@pytest.mark.parametrize(
    "text", ["y,x\n1,2\n", "z\ty\tx\n1\t2\t3\n", "index,axis-0,axis-1,axis-2\n0,1,2,3\n"]
)
def test_tables_of_points_are_told_by_their_columns(tmp_path, text):
    path = write(tmp_path, text)
    assert choose(open_file(path)).__name__.endswith("points")
    assert len(read_annotations(path)) == 1


def test_the_format_is_known():
    assert "points" in NAMES


def test_an_image_takes_its_own_rows(tmp_path):
    path = write(tmp_path, "image,z,y,x\ni1,0,1,2\ni2,0,3,4\n")
    assert len(read(path)) == 1
    with pytest.raises(Skip):
        read_annotations(path, "points", image=("i9",))


def test_a_table_without_rows_says_that_there_is_nothing(tmp_path):
    assert len(read(write(tmp_path, "z,y,x\n"))) == 0


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("z,y,x\n0,a,1\n", "ANNOTATION", "row 1: y is 'a'"),
        ("z,y,x\n0,nan,1\n", "ANNOTATION", "row 1: y"),
        ("z,x\n0,1\n", "ANNOTATION", "no column 'y'"),
        ("z,y,x\n7,1,1\n", "ANNOTATION_FIT", "the image has 4"),
        ("z,y,x\n0,100,1\n", "ANNOTATION_FIT", "30 x 20"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path, text, code, said):
    with pytest.raises(DataError, match=said) as raised:
        read(write(tmp_path, text))
    assert raised.value.code == code


def test_a_training_set_takes_the_points_of_its_channel(tmp_path):
    table = read(write(tmp_path, "z,y,x,channel\n0.5,1,2,red\n2,3,4,green\n3,5,6,\n"))
    found = read_points(table, (4, 20, 30), ["green"])
    assert found.tolist() == [[2, 3, 4], [3, 5, 6]]


def test_points_of_a_projection_lie_in_its_plane(tmp_path):
    table = read(write(tmp_path, "z,y,x\n2.5,1,2\n"))
    assert read_points(table, (1, 20, 30), ["a"]).tolist() == [[0, 1, 2]]


def test_points_of_a_stack_must_say_their_plane(tmp_path):
    table = read(write(tmp_path, "y,x\n1,2\n"))
    assert read_points(table, (1, 20, 30), ["a"]).tolist() == [[0, 1, 2]]
    with pytest.raises(ConfigError, match="column z"):
        read_points(table, (4, 20, 30), ["a"])


def test_outlines_are_no_points(tmp_path):
    table = read(write(tmp_path, "z,y,x\n2,1,2\n"))
    with pytest.raises(ConfigError, match="outlines"):
        read_points(table.assign(kind="polygon"), (4, 20, 30), ["a"])


def test_examples_of_a_large_image_hold_the_points_of_their_part():
    pixels = np.zeros((1, 2, 100, 60))
    about = {"image": "i", "part": "train", "group": "g", "t": 0}
    points = np.array([[1, 10.25, 5], [0, 80, 50]])
    found = list(cut_points(points, pixels, (), (2, 100, 60), 64, about))
    assert [(one.origin, one.n_objects) for one, _, _ in found] == [((0, 0, 0), 1), ((0, 36, 0), 1)]
    np.testing.assert_allclose(unpack_points(found[0][2]), [[1, 10.25, 5]], atol=1e-3)


def test_points_move_with_the_pixels_of_an_image_that_is_rescaled():
    pixels = np.zeros((1, 1, 50, 50))  # of 100 x 100
    about = {"image": "i", "part": "train", "group": "g", "t": 0}
    ((_, _, truth),) = cut_points(np.array([[0, 20.5, 40.5]]), pixels, (), (1, 100, 100), 64, about)
    np.testing.assert_allclose(unpack_points(truth), [[0, 10, 20]], atol=1e-3)
