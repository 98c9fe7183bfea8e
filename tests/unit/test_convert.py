"""Convert: what is in the raw file is in the artifact, whatever pieces it is read in, and each is decoded once."""

from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from scopemill import readers
from scopemill.config import Channel, Staining
from scopemill.convert import pieces, stage
from scopemill.errors import DataError
from scopemill.images import Image, read_labels
from scopemill.jobs import Job
from scopemill.stains import separate

COLOURS = {"red": Channel(source=0), "green": Channel(source=1), "blue": Channel(source=2)}


@pytest.fixture
def convert(tmp_path):
    """File -> (facts, path of the artifact)."""

    def run(path, channels=None, **settings):
        channels = channels or {"DNA": Channel(source=0)}
        row = SimpleNamespace(path=str(path), scene="", pixel_size_um="0.5", z_step_um="")
        job = Job("i", tmp_path / "artifact" / "i.ome.tif", "mark", {}, row=row)
        job.output.parent.mkdir(exist_ok=True)
        return stage.carry(job, stage.Settings(channels=channels, **settings), None), job.output

    return run


def draw(shape, dtype="uint16"):
    return np.random.default_rng(0).integers(1, 4000, shape).astype(dtype)


def count_decodes(monkeypatch):
    """Regions (rows, columns) that readers are asked to decode, in turn."""
    asked, real = [], readers.Raw._region

    def region(raw, t, c, z, y, x):
        asked.append((t, c, z, y.start, y.stop, x.start, x.stop))
        return real(raw, t, c, z, y, x)

    monkeypatch.setattr(readers.Raw, "_region", region)
    return asked


def test_tiles_of_a_tiled_file_are_read_one_by_one(tmp_path, convert, monkeypatch):
    pixels = draw((300, 2060))
    tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(240, 240), compression="zlib")
    asked = count_decodes(monkeypatch)
    facts, artifact = convert(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_labels(artifact)[0, 0], pixels)
    starts = [0, 512, 1024, 1536, 2048]
    assert asked == [(0, 0, 0, 0, 300, x, min(x + 512, 2060)) for x in starts]
    assert facts["range"] == {"DNA": [1.0, float(pixels.max())]}


@pytest.mark.parametrize("options", [{"compression": "zlib", "rowsperstrip": 100}, {}])
def test_strips_are_read_in_bands_of_full_rows(tmp_path, convert, monkeypatch, options):
    pixels = draw((2, 1300, 2060))
    monkeypatch.setattr(pieces, "BAND_BYTES", 2060 * 2 * 1100)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, imagej=not options, metadata={"axes": "CYX"}, photometric="minisblack", **options)  # fmt: skip
    asked = count_decodes(monkeypatch)
    _, artifact = convert(path, {"DNA": Channel(source=1), "CD3": Channel(source=0)})
    with Image(artifact) as image:
        np.testing.assert_array_equal(image.read("DNA"), pixels[1])
        np.testing.assert_array_equal(image.read("CD3"), pixels[0])
    assert asked == [(0, c, 0, *rows, 0, 2060) for c in (1, 0) for rows in ((0, 1024), (1024, 1300))]  # fmt: skip


def test_one_decode_serves_three_colours_and_all_levels(tmp_path, convert, monkeypatch):
    pixels = draw((600, 2100, 3), "uint8")
    tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(256, 256), photometric="rgb", compression="zlib")  # fmt: skip
    from scopemill.readers._tiff_pixels import Pixels

    decoded, real = [], Pixels._decoded
    monkeypatch.setattr(Pixels, "_decoded", lambda self, page, i: decoded.append(i) or real(self, page, i))  # fmt: skip
    facts, artifact = convert(tmp_path / "a.tif", COLOURS)
    assert sorted(decoded) == list(range(27))
    with Image(artifact) as image:
        assert image.meta.rgb and image.n_levels == 3
        np.testing.assert_array_equal(image.colours(), pixels)
    assert list(facts["range"]) == ["red", "green", "blue"]


def test_a_picture_is_decoded_once(tmp_path, convert, monkeypatch):
    pixels = draw((300, 2100, 3), "uint8")
    Pillow.fromarray(pixels).save(tmp_path / "a.png")
    from scopemill.readers.pillow import _Picture

    loads, real = [], _Picture._load
    monkeypatch.setattr(_Picture, "_load", lambda self: loads.append(1) or real(self))
    _, artifact = convert(tmp_path / "a.png", COLOURS)
    with Image(artifact) as image:
        np.testing.assert_array_equal(image.colours(), pixels)
    assert loads == [1]


class OneByOne(readers.Raw):
    """A reader that says nothing of its pieces, such as one of a third party."""

    def _decode(self, t, c, z, y, x):
        return self.pixels[t, c, z, y, x]


@pytest.mark.parametrize("how", ["tiles", "rows", "plane"])
def test_all_pieces_give_the_same(tmp_path, convert, monkeypatch, how):
    pixels = draw((2, 3, 1, 530, 2050), "float32")
    raw = OneByOne(path=tmp_path / "a.raw", format="x", shape=pixels.shape, dtype="float32", pieces=how)  # fmt: skip
    raw.pixels = pixels
    monkeypatch.setattr(stage, "open_raw", lambda *_: raw)
    monkeypatch.setattr(pieces, "BAND_BYTES", 1)
    asked = count_decodes(monkeypatch)
    facts, artifact = convert(raw.path, {"b": Channel(source=1), "c": Channel(source=2)})
    with Image(artifact) as image:
        for t in range(2):
            np.testing.assert_array_equal(image.stack("b", t), pixels[t, 1])
            np.testing.assert_array_equal(image.stack("c", t), pixels[t, 2])
    assert facts["range"]["c"] == [pixels[:, 2].min(), pixels[:, 2].max()]
    assert len(asked) == len(set(asked)) == {"tiles": 4 * 10, "rows": 4 * 2, "plane": 4}[how]


def test_readers_that_say_nothing_are_asked_for_whole_planes():
    assert readers.Raw.__dataclass_fields__["pieces"].default == "plane"


def test_values_that_are_no_numbers_are_refused_with_their_place(tmp_path, convert):
    pixels = draw((900, 2100), "float32")
    pixels[600, 2000] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(256, 256), compression="zlib")
    with pytest.raises(DataError, match=r"a\.tif: 1 NaN or infinite pixels in rows 512 to 900") as caught:  # fmt: skip
        convert(tmp_path / "a.tif")
    assert caught.value.code == "NONFINITE"


def test_an_image_is_flat_only_if_all_of_its_tiles_are(tmp_path, convert):
    pixels = np.full((600, 2100), 7, np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, tile=(256, 256))
    with pytest.raises(DataError, match="every pixel is 7") as caught:
        convert(path)
    assert caught.value.code == "FLAT"
    assert convert(path, allow_flat=True)[0]["flat_channels"] == ["DNA"]
    pixels[-1, -1] = 8
    tifffile.imwrite(path, pixels, tile=(256, 256))
    assert convert(path)[0]["range"] == {"DNA": [7.0, 8.0]}


def test_stains_are_kept_with_the_picture(tmp_path, convert):
    pixels = draw((40, 50, 3), "uint8")
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
    staining = Staining(method="he", white=(250.0, 250.0, 250.0))
    facts, artifact = convert(tmp_path / "a.tif", COLOURS, stains=staining)
    with Image(artifact) as image:
        assert image.channel_names == ("red", "green", "blue", "hematoxylin", "eosin")
        found = image.read("eosin")
        np.testing.assert_allclose(found, separate(pixels, image.meta.stains)[1], rtol=1e-5)
    assert facts["stains"]["white"] == (250.0, 250.0, 250.0)


def test_stains_need_all_colours(tmp_path, convert):
    tifffile.imwrite(tmp_path / "a.tif", draw((40, 50, 3), "uint8"), photometric="rgb")
    with pytest.raises(DataError, match="all three colours") as caught:
        convert(tmp_path / "a.tif", stains=Staining(method="he", white=(250.0, 250.0, 250.0)))
    assert caught.value.code == "CHANNELS"
