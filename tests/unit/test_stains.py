"""Stains: colours are taken apart as scikit-image does it, and stains are found in mixtures that are known."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage import color

from scopemill import frames
from scopemill.config import Staining
from scopemill.convert.staining import find_stains
from scopemill.errors import DataError
from scopemill.settings import ConfigError, load
from scopemill.stains import (
    PRESETS,
    Stains,
    angle_deg,
    estimate_vectors,
    estimate_white,
    separate,
)
from scopemill.study import load_study

WHITE = (240.0, 234.0, 246.0)
HE = tuple(PRESETS["he"].values())
rng = np.random.default_rng


def unit(vectors):
    vectors = np.array(vectors)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def mix(amounts, vectors=HE, white=WHITE):
    """Optical densities (..., stains) -> colours (..., 3)."""
    return np.array(white) * 10 ** -(np.array(amounts) @ unit(vectors))


def as_stains(vectors, white=WHITE):
    return Stains(tuple(f"s{i}" for i, _ in enumerate(vectors)), tuple(vectors), white)


def test_a_known_mixture_comes_apart():
    amounts = np.array([[[0.0, 0.0], [1.0, 0.0]], [[0.0, 0.5], [0.3, 1.2]]])
    found = separate(mix(amounts), as_stains(HE))
    assert found.shape == (2, 2, 2) and found.dtype == np.float32
    np.testing.assert_allclose(found, np.moveaxis(amounts, -1, 0), atol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 3])
@given(data=st.data())
def test_any_mixture_of_up_to_three_stains_comes_apart(n, data):
    vectors = [(0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78)][:n]
    amounts = data.draw(arrays(np.float64, (2, 3, n), elements=st.floats(0, 1)))
    found = separate(mix(amounts, vectors), as_stains(vectors))
    np.testing.assert_allclose(found, np.moveaxis(amounts, -1, 0), atol=1e-4)


@pytest.mark.parametrize("name", ["hed", "bpx", "hpx", "hax"])
def test_stains_are_those_of_scikit_image(name):
    vectors = getattr(color, f"rgb_from_{name}")
    vectors = vectors if name == "hed" else vectors[:2]
    third = np.cross(*vectors[:2]) if len(vectors) == 2 else vectors[2]
    picture = rng(0).random((20, 30, 3))
    theirs = color.separate_stains(picture, np.linalg.inv(unit([*vectors[:2], third])))
    ours = separate(picture, as_stains(vectors.tolist(), (1.0, 1.0, 1.0)))
    # scikit-image counts in sixths of a decade and cuts off what is below 0
    np.testing.assert_allclose(
        np.maximum(ours, 0), 6 * np.moveaxis(theirs, -1, 0)[: len(vectors)], atol=1e-5
    )


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32"])
def test_whole_numbers_give_what_floats_give(dtype):
    picture = rng(1).integers(1, 250, (7, 9, 3))
    stains = as_stains(HE)
    found = separate(picture.astype(dtype), stains)
    np.testing.assert_allclose(found, separate(picture.astype(float), stains), atol=1e-5)


def test_black_is_finite_and_brighter_than_white_is_below_0():
    picture = np.array([[[0, 0, 0], [250, 240, 255]]], np.uint8)
    found = separate(picture, as_stains(HE))
    assert np.isfinite(found).all() and found[:, 0, 0].sum() > 2
    assert (separate(picture, as_stains([(1.0, 1.0, 1.0)]))[0, 0, 1]) < 0


def section(n=20000, vectors=HE, seed=0):
    """Pixels (N, 3) of cells and their surroundings: mixtures that include nearly pure stains."""
    draws = rng(seed)
    share = draws.beta(0.4, 0.4, n)
    amounts = draws.uniform(0.25, 1.0, n)[:, None] * np.stack([share, 1 - share], axis=1)
    noisy = mix(amounts, vectors) + draws.normal(0, 1, (n, 3))
    return noisy.clip(0, 255).round().astype(np.uint8)


# another laboratory's stains, 6 to 9 degrees from the defaults
OTHERS = {"hematoxylin": (0.56, 0.76, 0.33), "eosin": (0.25, 0.86, 0.44)}


def test_vectors_are_estimated_and_named_as_expected():
    found = estimate_vectors(section(vectors=tuple(OTHERS.values())), WHITE, PRESETS["he"])
    assert list(found) == ["hematoxylin", "eosin"]
    for name, vector in found.items():
        assert angle_deg(vector, OTHERS[name]) < 2.5 < angle_deg(vector, PRESETS["he"][name])
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-4)


def test_the_order_of_the_stains_is_that_of_the_expected_ones():
    swapped = dict(reversed(PRESETS["he"].items()))
    found = estimate_vectors(section(), WHITE, swapped)
    assert list(found) == ["eosin", "hematoxylin"]
    assert angle_deg(found["eosin"], HE[1]) < 2.5


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (section(1000), "only [0-9]+ pixels are stained"),
        (np.full((9000, 3), 238, np.uint8), "only 0 pixels are stained"),
        (mix(rng(0).uniform(0.3, 1, (9000, 1)), HE[:1]), "the hue of one stain"),
        (section(vectors=((0.9, 0.4, 0.1), (0.3, 0.3, 0.9))), "what should be .* degrees from it"),
    ],
)
def test_what_does_not_tell_is_not_estimated(pixels, reason):
    with pytest.raises(ValueError, match=reason):
        estimate_vectors(pixels, WHITE, PRESETS["he"])


def glass(n, white=(243, 240, 245), spread=1.5, seed=3):
    return rng(seed).normal(white, spread, (n, 3)).clip(0, 255).round().astype(np.uint8)


def test_white_is_the_brightest_peak():
    pale = glass(9000, (228, 226, 229))  # fat, say: more of it than of empty background
    picture = np.concatenate([section(9000), pale, glass(2000)])
    np.testing.assert_allclose(estimate_white(picture), (243, 240, 245), atol=1)


@pytest.mark.parametrize(
    ("picture", "white"),
    [
        (section(), 255.0),
        (section().astype(np.uint16), 255.0),
        (section().astype(np.uint16) * 16, 4095.0),
        (section().astype(np.uint16) * 250, 65535.0),
        (section().astype(np.float32) / 255, 1.0),
    ],
)
def test_where_all_is_tissue_white_is_what_the_camera_can_hold(picture, white):
    assert estimate_white(picture) == (white, white, white)


def test_every_preset_can_be_named():
    (methods,) = [get_args(get_type_hints(Staining)["method"])]
    assert set(methods) == {*PRESETS, "given"}
    for name, vectors in PRESETS.items():
        assert load(Staining, {"method": name}, "stains").expected == vectors
        assert np.linalg.norm(list(vectors.values()), axis=1) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("stains", "complaint"),
    [
        ({"method": "h-da"}, "stains.method: .*did you mean 'h-dab'"),
        ({"method": "given"}, "stains: vectors belong to method: given"),
        ({"method": "he", "vectors": {"a": [1, 0, 0]}}, "stains: vectors belong to method: given"),
        ({"method": "given", "vectors": {}}, "stains: .* one to three stains apart, not 0"),
        ({"method": "given", "vectors": {"a": [0, 0, 0]}}, "stains: .* its vector is 0"),
        ({"method": "given", "vectors": {"a b": [1, 0, 0]}}, "stains.vectors.a b: a name has"),
        ({"method": "given", "vectors": {"a": [1, -1, 0]}}, "stains.vectors.a.1: expected"),
        (
            {"method": "given", "vectors": {"a": [1, 1, 0], "b": [2, 2, 0.1]}},
            "stains: stains must differ in hue",
        ),
        (
            {"method": "given", "vectors": {"a": [1, 1, 0]}, "estimate": True},
            "stains: estimate: two stains can be estimated",
        ),
        ({"method": "he", "white": [0, 240, 240]}, "stains.white.0: expected"),
    ],
)
def test_a_wrong_staining_is_refused(stains, complaint):
    with pytest.raises(ConfigError, match=complaint):
        load(Staining, stains, "stains")


@pytest.fixture
def study(tmp_path):
    """A study of stained sections, with changes."""
    (tmp_path / "images.tsv").write_text("id\tpath\ns1\ts1.svs\n")
    base = {
        "study": "s", "channels": {"red": 0, "green": 1, "blue": 2}, "stains": {"method": "he"},
        "segment": {"nuclei": {"method": {"name": "otsu", "channel": "hematoxylin"}}},
    }  # fmt: skip
    return lambda **changes: load_study({**base, **changes}, tmp_path / "config.yaml")


def test_stains_are_channels_of_the_study_but_not_of_the_file(study):
    made = study()
    assert list(made.channels) == ["red", "green", "blue", "hematoxylin", "eosin"]
    assert made.channels["hematoxylin"].role == "nucleus"
    convert = made.tasks["convert"].settings
    assert list(convert.channels) == ["red", "green", "blue"]
    assert convert.stains == Staining(method="he")


def test_a_stain_that_is_not_there_is_refused_with_the_nearest(study):
    method = {"name": "otsu", "channel": "hematoxilin"}
    with pytest.raises(ConfigError, match="no channel 'hematoxilin'; did you mean 'hematoxylin'"):
        study(segment={"nuclei": {"method": method}})
    with pytest.raises(ConfigError, match="no channel 'hematoxylin'"):
        study(stains=None)


@pytest.mark.parametrize(
    ("channels", "complaint"),
    [
        ({"red": 0, "green": 1, "blue": 2, "eosin": 3}, "only a colour picture"),
        ({"DNA": 0}, "only a colour picture"),
        ({"red": 2, "green": 1, "blue": 0}, "only a colour picture"),
        ({"red": 0, "green": 1, "eosin": 2}, "'eosin' is a channel already"),
    ],
)
def test_stains_need_the_colours_and_names_of_their_own(study, channels, complaint):
    with pytest.raises(ConfigError, match=f"stains: .*{complaint}"):
        study(channels=channels)


@dataclass
class Picture:
    """Stands in for a raw file; counts what is decoded."""

    pixels: np.ndarray  # (3, Y, X)
    pieces: str = "tiles"
    rgb: bool = True
    path: Path = Path("slide.svs")
    decoded: list = field(default_factory=list)

    @property
    def shape(self):
        return (1, 3, 1, *self.pixels.shape[1:])

    def read_rgb(self, t, z, y, x):
        self.decoded.append((y, x))
        return self.pixels[:, y, x]


def slide(height=600, width=524):
    """Tissue left, empty glass right."""
    vectors = tuple(OTHERS.values())
    pixels = np.empty((height, width, 3), np.uint8)
    half = width // 2
    pixels[:, :half] = section(height * half, vectors).reshape(height, half, 3)
    pixels[:, half:] = glass(height * (width - half), WHITE).reshape(height, -1, 3)
    return np.moveaxis(pixels, -1, 0)


SLIDE = slide()


@pytest.fixture(autouse=True)
def small_samples(monkeypatch):
    """So that slides of this test are too large to be looked at whole."""
    monkeypatch.setattr(frames, "SMALL_PX", 10**5)
    monkeypatch.setattr(frames, "SAMPLE_PX", 48)


def test_given_stains_are_taken_as_they_are():
    wanted = Staining(method="h-dab", white=(240.0, 241.0, 242.0))
    picture = Picture(SLIDE)
    assert find_stains(picture, wanted) == Stains(
        ("hematoxylin", "dab"), tuple(PRESETS["h-dab"].values()), (240.0, 241.0, 242.0)
    )
    assert picture.decoded == []
    assert find_stains(picture, None) is None


def test_white_and_vectors_are_estimated_alike_however_a_file_is_decoded():
    wanted, notes = Staining(method="he", estimate=True), []
    pictures = [Picture(SLIDE, pieces) for pieces in ("tiles", "rows", "plane")]
    found = [find_stains(one, wanted, notes.append) for one in pictures]
    assert found[0] == found[1] == found[2] and notes == []
    assert [len(one.decoded) for one in pictures] == [64, 8, 1]
    np.testing.assert_allclose(found[0].white, WHITE, atol=1)
    for name, vector in zip(found[0].names, found[0].vectors, strict=True):
        assert angle_deg(vector, OTHERS[name]) < 3


def test_what_cannot_be_estimated_is_said():
    notes, empty = [], Picture(np.full((3, 50, 50), 240, np.uint8))
    found = find_stains(empty, Staining(method="masson", estimate=True), notes.append)
    assert found.vectors == tuple(PRESETS["masson"].values()) and found.white == (240, 240, 240)
    assert notes == ["stain vectors are those of masson, not estimated: only 0 pixels are stained"]


def test_ink_does_not_turn_the_vectors():
    inked = SLIDE.copy()
    inked[:, :170, :250] = (inked[:, :170, :250] * [[[0.2]], [[0.55]], [[0.4]]]).astype(np.uint8)
    wanted = Staining(method="he", estimate=True)
    clean, found = find_stains(Picture(SLIDE), wanted), find_stains(Picture(inked), wanted)
    for a, b in zip(clean.vectors, found.vectors, strict=True):
        assert angle_deg(a, b) < 1


def test_a_file_without_colours_has_no_stains():
    with pytest.raises(DataError, match=r"slide\.svs: no colour picture.*exclude it") as caught:
        find_stains(Picture(SLIDE, rgb=False), Staining(method="he"))
    assert caught.value.code == "CHANNELS"
