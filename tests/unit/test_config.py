"""Config: YAML read strictly, and laid over a recipe."""

import pytest

from scopemill.config import find_recipe, merge, read_config
from scopemill.settings import ConfigError


@pytest.fixture
def read(tmp_path):
    def run(text):
        path = tmp_path / "config.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_config(path)

    return run


def test_a_plain_mapping_is_read(read):
    assert read("study: a\nchannels: {DNA: 0}\n") == {"study": "a", "channels": {"DNA": 0}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &x [1]\nb: *x\n", "aliases"),
        ("a: &x {k: 1}\nb:\n  <<: *x\n", "aliases"),
        ("a: 1\na: 2\n", "the key 'a' stands twice"),
        ("s: {cells: {z: max, z: mean}}\n", "the key 'z' stands twice"),
        ("a: !!python/object/apply:os.system [ls]\n", "could not determine a constructor"),
        ("a: !!python/name:os.system\n", "could not determine a constructor"),
        ("a: [1\n", "not valid YAML"),
        (b"a: \xff\xfe\n", "not valid YAML"),
        ("- a\n- b\n", "expected keys with values"),
        ("", "expected keys with values"),
        ("just text\n", "expected keys with values"),
    ],
)
def test_what_is_no_plain_mapping_is_refused(read, text, reason):
    with pytest.raises(ConfigError, match=rf"config\.yaml: .*{reason}"):
        read(text)


def test_a_double_key_names_its_line(read):
    with pytest.raises(ConfigError, match="line 3"):
        read("x: 1\nz:\n  b: 1\n  b: 2\n")


def test_the_same_key_in_two_mappings_is_no_double(read):
    assert read("a: {k: 1}\nb: {k: 2}\n") == {"a": {"k": 1}, "b": {"k": 2}}


def test_a_huge_file_is_no_config(read):
    with pytest.raises(ConfigError, match="this is no config"):
        read("a: 1\n" + "#" * 1_000_001)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file"):
        read_config(tmp_path / "none.yaml")


def test_the_config_goes_over_the_recipe():
    assert merge({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"c": 3}, "e": 4}) == {
        "a": 1, "b": {"c": 3, "d": 2}, "e": 4,
    }  # fmt: skip


def test_a_list_replaces_a_list():
    assert merge({"a": [1, 2]}, {"a": [3]}) == {"a": [3]}


def test_null_removes_what_the_recipe_has():
    assert merge({"segment": {"cells": {"z": "max"}, "nuclei": {}}}, {"segment": {"cells": None}}) == {
        "segment": {"nuclei": {}}
    }  # fmt: skip


def test_another_method_replaces_the_whole_method():
    recipe = {"method": {"name": "otsu", "split_um": 5}, "min_size_um": 4}
    assert merge(recipe, {"method": {"name": "unet", "model": "m"}}) == {
        "method": {"name": "unet", "model": "m"}, "min_size_um": 4,
    }  # fmt: skip


@pytest.mark.parametrize("over", [{"name": "otsu", "split_um": 8}, {"split_um": 8}])
def test_the_same_method_keeps_the_settings_that_are_not_named(over):
    recipe = {"method": {"name": "otsu", "channel": "DNA", "split_um": 5}}
    assert merge(recipe, {"method": over}) == {
        "method": {"name": "otsu", "channel": "DNA", "split_um": 8}
    }


def test_merging_leaves_the_recipe_as_it_was():
    recipe = {"a": {"b": 1}}
    merge(recipe, {"a": {"b": 2, "c": None}})
    assert recipe == {"a": {"b": 1}}


@pytest.fixture
def recipes(tmp_path):
    folder = tmp_path / "recipes"
    folder.mkdir()
    for name in ("cytometry", "tissue"):
        (folder / f"{name}.yaml").write_text("a: 1\n")
    return folder


def test_a_recipe_is_found_by_name(recipes):
    assert find_recipe("tissue", [recipes]) == recipes / "tissue.yaml"


def test_a_recipe_is_found_by_path(recipes, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("a: 1\n")
    assert find_recipe(str(own), [recipes]) == own
    assert find_recipe("own.yaml", [recipes, tmp_path]) == own


def test_the_first_folder_that_has_a_recipe_wins(recipes, tmp_path):
    (tmp_path / "tissue.yaml").write_text("a: 2\n")
    assert find_recipe("tissue", [tmp_path, recipes]) == tmp_path / "tissue.yaml"


def test_an_unknown_recipe_is_refused_with_the_nearest_one(recipes):
    with pytest.raises(
        ConfigError, match="there is no recipe 'cytometri'; did you mean 'cytometry'"
    ):
        find_recipe("cytometri", [recipes])
