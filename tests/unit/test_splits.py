"""Splits: what leaks is found, what belongs together stays together, and what would part it is refused."""

import logging
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopemill.settings import ConfigError
from scopemill.splits import (
    Assignment,
    Leak,
    Split,
    describe_split,
    find_leaks,
    groups_of,
    make_split,
    mirror_hash,
    pixel_hash,
    read_split,
    write_split,
)

rng = np.random.default_rng


def texture(seed, shape=(64, 64), smooth=3.0):
    """A field of blobs, with a little noise that no two lines share."""
    from scipy.ndimage import gaussian_filter

    noise = rng(seed)
    field = gaussian_filter(noise.normal(size=shape), smooth)
    return 1000 + 200 * field / field.std() + noise.normal(0, 2, shape)


def rows(*cells, columns="image"):
    return [dict(zip(columns.split(), one.split(), strict=True)) for one in cells]


def images(n, **columns):
    return [{"image": f"i{k}", **{name: str(value(k)) for name, value in columns.items()}} for k in range(n)]  # fmt: skip


# what leaks


def test_copies_are_named_with_their_original():
    first, other = np.arange(6).reshape(2, 3), np.arange(6, 12).reshape(2, 3)
    found = find_leaks([("a", first), ("b", other), ("c", first.copy()), ("d", first.copy())])
    assert found == [Leak("identical", "a", "c"), Leak("identical", "a", "d")]


def test_equal_bytes_of_another_shape_are_no_copy():
    assert find_leaks([("a", np.arange(6).reshape(2, 3)), ("b", np.arange(6).reshape(3, 2))]) == []


WAYS = [lambda a, k=k, f=f: np.rot90(a[..., ::-1] if f else a, k, (-2, -1)) for k in range(4) for f in (0, 1)]  # fmt: skip


@pytest.mark.parametrize("way", WAYS[1:])
@pytest.mark.parametrize("shape", [(5, 5), (4, 7), (3, 4, 5)])
def test_every_flip_and_quarter_turn_is_found(way, shape):
    pixels = rng(0).integers(0, 99, shape)
    assert find_leaks([("a", pixels), ("b", way(pixels))]) == [Leak("mirrored", "a", "b")]


def test_swapped_channels_and_one_changed_pixel_are_no_mirror_image():
    pixels = rng(0).integers(0, 99, (3, 6, 6))
    changed = pixels[..., ::-1].copy()
    changed[0, 2, 2] += 1
    assert find_leaks([("a", pixels), ("b", pixels[::-1]), ("c", changed)]) == []


@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 4), st.sampled_from(WAYS))
def test_a_mirror_hash_is_that_of_all_ways_and_of_no_other_image(seed, height, width, way):
    # few values: the first lines of several ways are often equal
    pixels = rng(seed).integers(0, 2, (height, width), np.uint8)
    other = rng(seed + 1).integers(0, 2, (height, width), np.uint8)
    assert mirror_hash(pixels) == mirror_hash(way(pixels))
    same = any(np.array_equal(pixels, one(other)) for one in WAYS)
    assert (mirror_hash(pixels) == mirror_hash(other)) == same


def tiles(field, n):
    """An n x n grid of tiles of a square field, row by row."""
    return [(f"{i}{j}", part) for i, row in enumerate(np.split(field, n)) for j, part in enumerate(np.split(row, n, axis=1))]  # fmt: skip


def test_tiles_of_a_field_are_found_with_their_neighbours_only():
    found = find_leaks([*tiles(texture(1, (192, 192), 8), 3), *((f"x{k}", texture(k + 2, smooth=8)) for k in range(20))])  # fmt: skip
    across = {("neighbour", f"{i}{j}", f"{i}{j + 1}") for i in range(3) for j in range(2)}
    down = {("neighbour", f"{i}{j}", f"{i + 1}{j}") for i in range(2) for j in range(3)}
    assert set(found) == across | down
    assert set(groups_of(found).values()) == {"00"} and len(groups_of(found)) == 9


def test_two_tiles_alone_are_found_too():
    assert find_leaks(tiles(texture(1, (128, 128)), 2)[:2]) == [Leak("neighbour", "00", "01")]


def test_colour_tiles_of_other_heights_are_found():
    field = np.stack([texture(k, (60, 200)) for k in range(3)])
    found = find_leaks([("left", field[..., :90]), ("right", field[..., 90:])])
    assert found == [Leak("neighbour", "left", "right")]


def test_flat_edges_never_match():
    blob = np.zeros((40, 40))
    blob[10:30, 10:30] = texture(0, (20, 20))
    others = [blob + 0, blob * 2, blob + 5, np.zeros((40, 40)) + 7]
    assert find_leaks((str(k), one) for k, one in enumerate(others)) == []


def test_noise_alone_never_matches():
    assert find_leaks((str(k), rng(k).normal(100, 5, (40, 40))) for k in range(60)) == []


def test_images_with_one_illumination_are_no_neighbours():
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    light = 1000 * np.exp(-(x**2) - y**2)
    assert find_leaks((str(k), light + rng(k).normal(0, 5, light.shape)) for k in range(30)) == []


def test_uneven_illumination_does_not_hide_neighbours():
    light = np.tile(np.cos(np.linspace(-1, 1, 64)), (192, 3))
    field = texture(1, (192, 192), 6) * light + 500 * light
    others = [(f"x{k}", (texture(k + 2, smooth=6) + 500) * light[:64, :64]) for k in range(20)]
    assert Leak("neighbour", "00", "10") in find_leaks([*tiles(field, 3), *others])


def test_unrelated_fields_are_no_neighbours():
    assert find_leaks((str(k), texture(k, (48, 48), smooth=3)) for k in range(150)) == []


def test_small_images_are_compared_without_their_edges():
    assert find_leaks([("a", np.eye(2)), ("b", np.zeros((1, 1))), ("c", np.zeros((1, 1)))]) == [Leak("identical", "b", "c")]  # fmt: skip


# what belongs together


def counts(parts):
    return Counter(parts.values())


def test_images_without_groups_are_drawn_one_by_one():
    parts = make_split(images(10), Split(validation=0.2, test=0.1))
    assert counts(parts) == {"train": 7, "validation": 2, "test": 1}
    assert list(parts) == [f"i{k}" for k in range(10)]


def test_the_same_seed_draws_the_same_and_another_does_not():
    first = make_split(images(40), Split(seed=1))
    assert first == make_split(images(40), Split(seed=1)) != make_split(images(40), Split(seed=2))


def test_a_donor_is_on_one_side_only():
    table = images(40, donor=lambda k: k // 4)
    parts = make_split(table, Split(group="donor"))
    sides = {(row["donor"], parts[row["image"]]) for row in table}
    assert len(sides) == 10 and counts(parts) == {"train": 32, "validation": 8}


def test_whole_groups_spread_a_class_as_well_as_they_can():
    # half of the donors are sick: 8 images each, so each side must have both
    table = images(80, donor=lambda k: k // 8, state=lambda k: "sick" if k // 8 % 2 else "well")
    parts = make_split(table, Split(group="donor", stratify="state", validation=0.2))
    held = Counter(row["state"] for row in table if parts[row["image"]] == "validation")
    assert held == {"sick": 8, "well": 8}


def test_a_rare_class_is_in_both_parts_without_groups():
    table = images(50, kind=lambda k: "rare" if k < 10 else "common")
    for seed in range(5):
        parts = make_split(table, Split(stratify="kind", seed=seed))
        assert sum(parts[f"i{k}"] == "validation" for k in range(10)) == 2


def test_copies_and_neighbours_stay_with_their_donor():
    table = images(12, donor=lambda k: k // 2)
    leaks = [Leak("mirrored", "i0", "i2"), Leak("neighbour", "i2", "i5"), Leak("identical", "i0", "gone")]  # fmt: skip
    for seed in range(10):
        parts = make_split(table, Split(group="donor", validation=0.4, seed=seed), leaks)
        assert len({parts[f"i{k}"] for k in range(6)}) == 1


def test_copies_stay_together_without_any_groups():
    leaks = [Leak("identical", "i0", f"i{k}") for k in (1, 2)]
    for seed in range(20):
        parts = make_split(images(6), Split(validation=0.5, seed=seed), leaks)
        assert parts["i0"] == parts["i1"] == parts["i2"] and len(counts(parts)) == 2


@given(st.lists(st.integers(0, 5), min_size=3, max_size=30), st.integers(0, 99))
def test_no_part_is_empty_and_no_group_is_parted(donors, seed):
    table = images(len(donors), donor=lambda k: donors[k])
    settings = Split(group="donor", validation=0.05, test=0.05, seed=seed)
    if len(set(donors)) < 3:
        with pytest.raises(ConfigError, match="at least 3 groups"):
            make_split(table, settings)
        return
    parts = make_split(table, settings)
    assert set(parts.values()) == {"train", "validation", "test"}
    assert len({(row["donor"], parts[row["image"]]) for row in table}) == len(set(donors))


# what is refused


def refuse(table, leaks=(), **settings):
    with pytest.raises(ConfigError) as error:
        make_split(table, Split(**settings), leaks)
    return str(error.value)


def test_too_few_groups_are_refused_with_their_number():
    message = refuse(images(9, donor=lambda k: 0), group="donor")
    assert "at least 2 groups by column 'donor', there are 1" in message
    copies = [Leak("identical", "i0", f"i{k}") for k in range(1, 4)]
    assert "at least 2 groups of images, there are 1" in refuse(images(4), copies)


@pytest.mark.parametrize("column", ["donor", "patient_id", "Field_Group", "plate", "mouse", "slides", "batch"])  # fmt: skip
def test_drawing_images_of_one_subject_apart_is_refused(column):
    message = refuse(images(6, **{column: lambda k: k // 2}))
    assert f"'{column}'" in message and f"set split.group to the column ({column})" in message
    assert "split.allow_random: true" in message


@pytest.mark.parametrize(("column", "value"), [("donor", lambda k: k), ("donor", lambda k: "same"), ("stain", lambda k: k // 2), ("platelets", lambda k: k // 2)])  # fmt: skip
def test_columns_that_cannot_group_do_not_object(column, value):
    assert len(make_split(images(6, **{column: value}), Split())) == 6


def test_a_random_split_can_be_insisted_on_and_is_written_down(caplog):
    table = images(10, donor=lambda k: k // 5)
    with caplog.at_level(logging.WARNING, "scopemill"):
        parts = make_split(table, Split(allow_random=True))
    assert counts(parts) == {"train": 8, "validation": 2}
    assert "allow_random" in caplog.text and "'donor'" in caplog.text
    assert describe_split(Split(allow_random=True), parts)["allow_random"] is True


GIVEN = rows("a Train u", "b val u", "c test v", columns="image part donor")


def test_a_given_split_is_taken_with_any_usual_word():
    assert make_split(GIVEN, Split(column="part")) == {"a": "train", "b": "validation", "c": "test"}


def test_a_given_split_that_parts_a_subject_is_refused_by_name():
    message = refuse(GIVEN, column="part", group="donor")
    assert "donor u is in train and validation" in message and "donor v" not in message


def test_a_given_split_that_parts_copies_is_refused_by_name():
    leaks = [Leak("mirrored", "a", "c"), Leak("identical", "a", "gone")]
    message = refuse(GIVEN, leaks, column="part")
    assert "a (train) and c (test) are the same image, mirrored or turned" in message
    parts = make_split(GIVEN, Split(column="part", allow_random=True), leaks)
    described = describe_split(Split(column="part", allow_random=True), parts, leaks)
    assert (described["found"], described["found_across_parts"]) == ({"mirrored": 1}, 1)


def test_many_problems_are_cut_short():
    leaks = [Leak("identical", f"i{k}", f"i{k + 20}") for k in range(20)]
    message = refuse(images(40, part=lambda k: "train" if k < 20 else "test"), leaks, column="part")
    assert message.count("are the same image") == 8 and "and 12 more" in message


@pytest.mark.parametrize(
    ("table", "settings", "message"),
    [
        ([], {}, "no images"),
        (rows("a", "a"), {}, "image a stands in several rows"),
        (rows("a u", "b v", columns="image donor"), {"group": "doner"}, "no column 'doner'; did you mean 'donor'?"),
        (rows("a train", "b dev", columns="image part"), {"column": "part"}, "found ['dev']"),
        (rows("a val", "b test", columns="image part"), {"column": "part"}, "no image has train"),
        (images(9), {"validation": 0.6, "test": 0.4}, "nothing is left to learn from"),
        ([{"image": "a", "donor": ""}, {"image": "b", "donor": "u"}], {"group": "donor"}, "1 images have no value in column 'donor', such as a"),
    ],
)  # fmt: skip
def test_what_cannot_be_split_is_refused(table, settings, message):
    assert message in refuse(table, **settings)


# on disk


def test_a_split_is_read_as_it_was_written(tmp_path):
    parts = make_split(images(5), Split())
    pixels = {name: np.full((2, 2), k) for k, name in enumerate(parts)}
    hashes = {name: pixel_hash(array) for name, array in pixels.items()}
    write_split(tmp_path / "split.csv", parts, {"i0": "u"}, hashes)
    assert (tmp_path / "split.csv").read_text().startswith("image,split,group,sha256\ni0,")
    expected = {name: Assignment(part, "u" if name == "i0" else "", hashes[name]) for name, part in parts.items()}  # fmt: skip
    assert read_split(tmp_path / "split.csv") == expected


@pytest.mark.parametrize(("text", "message"), [("image,part\na,train\n", "expected columns"), ("image,split\na,dev\n", "line 2: split 'dev'")])  # fmt: skip
def test_another_table_is_no_split(tmp_path, text, message):
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_split(tmp_path / "s.csv")
    with pytest.raises(ConfigError, match="no such split"):
        read_split(tmp_path / "none.csv")
