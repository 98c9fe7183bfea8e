"""Evaluate class images: in pixels, block by block, with an interval for each slide and pictures of the mistakes."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import shapely
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scopemill import images, metrics, pictures, scoring, tables
from scopemill.__main__ import main
from scopemill.annotations.table import make_table, outline_row
from scopemill.evaluate import drawing_classes, painting, regions
from scopemill.evaluate.collect import Case
from scopemill.evaluate.drawing import MISSED, RIGHT, WRONG
from scopemill.evaluate.painting import OTHER, UNKNOWN
from scopemill.manifests import Record, write_manifest
from scopemill.settings import ConfigError

NAMES = ("background", "air", "tissue")


def case_of(truth, found, picture=None):
    return Case("a", 0, "a", lambda y, x: truth[None, y, x], lambda y, x: found[None, y, x], picture, (1, *truth.shape))  # fmt: skip


CLASSES = arrays(np.uint8, (13, 17), elements=st.sampled_from([0, 1, 2]))


@settings(max_examples=50, deadline=None)
@given(CLASSES, CLASSES, st.integers(1, 20), st.integers(1, 20))
def test_blocks_and_tiles_change_nothing(truth, found, tile, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(regions, "BLOCK_PX", block)
        score = regions.score_case(case_of(truth, found), 3, tile)
    assert (score.confusion == metrics.confusion(truth, found, 3)).all()
    assert (score.tiles.sum(axis=0) == score.confusion).all()
    for (y, x), counts in zip(score.places, score.tiles, strict=True):
        here = (slice(y, y + tile), slice(x, x + tile))
        assert (counts == metrics.confusion(truth[here], found[here], 3)).all()


def test_tiles_without_annotations_are_left_out_and_the_wrong_pixels_of_others_counted():
    truth, found = np.zeros((2, 4, 8), np.uint8)
    truth[:, :4], found[0, 4:7] = regions.IGNORE, 1
    score = regions.score_case(case_of(truth, found), 3, 4)
    assert score.places.tolist() == [[0, 4]] and score.wrong_px.tolist() == [3]


def test_a_slide_has_an_interval_of_its_own_from_four_tiles_on():
    truth, found = np.zeros((2, 4, 16), np.uint8)
    truth[:, ::2] = 1
    found[:, ::2], found[:, :4] = 1, 0
    score = regions.score_case(case_of(truth, found), 2, 4)
    value, low, high = scoring.summarise_tiles([score], ["no", "yes"])["Dice of yes"]
    assert value == pytest.approx(6 / 7) and low < value < high == 1
    few = regions.score_case(case_of(truth[:, :12], found[:, :12]), 2, 4)
    value, low, high = scoring.summarise_tiles([few], ["no", "yes"])["Dice of yes"]
    assert value == 0.8 and np.isnan(low) and np.isnan(high)


def test_an_image_without_a_counted_pixel_has_no_score():
    truth = np.full((4, 4), regions.IGNORE, np.uint8)
    score = regions.score_case(case_of(truth, np.zeros_like(truth)), 3, 4)
    line = regions.describe_case(score, NAMES, "a", "g", 0)
    assert line["counted_px"] == line["n_tiles"] == 0 and np.isnan(line["dice_air"])


def box(y0, x0, y1, x1, name):
    return outline_row("polygon", shapely.box(x0, y0, x1, y1), **{"class": name})


def test_annotated_classes_become_numbers_and_what_is_unknown_is_left_out():
    rows = make_table([box(0, 0, 2, 4, "tissue"), box(0, 1, 1, 2, "background"), box(0, 2, 1, 3, "fold"), box(0, 0, 2, 6, "Region*")])  # fmt: skip
    truth = regions.TrueClasses(NAMES, region="Region*", ignore=("fold",))
    drawn = truth(rows, (3, 7), (slice(0, 3), slice(0, 7)))
    assert drawn.tolist() == [
        [2, 0, 255, 2, 0, 0, 255],
        [2, 2, 2, 2, 0, 0, 255],
        [255, 255, 255, 255, 255, 255, 255],
    ]
    assert (truth(rows, (3, 7), (slice(1, 3), slice(3, 7))) == drawn[1:, 3:]).all()
    with pytest.raises(ConfigError, match=r"class 'fold', the task gives .*; correct it, or name it in `ignore`"):  # fmt: skip
        regions.TrueClasses(NAMES, region="Region*")(rows, (3, 7), (slice(0, 3), slice(0, 7)))


# pictures


def color(panel, y, x):
    return "#" + bytes((np.clip(panel[y, x], 0, 1) * 255).round().astype(np.uint8)).hex()


def paint(mask, on):
    """What a colour is on black."""
    opacity = painting.OPACITY.get(on, painting.STRONG)
    panel = np.zeros((1, 1, 3), np.float32)
    panel[0, 0] = opacity * pictures.to_rgb(on)
    return color(panel, 0, 0)


def test_mistakes_have_the_colour_of_their_kind_at_their_pixel():
    truth = np.array([[2, 2, 0, 2, 0, 255]], np.uint8)
    found = np.array([[2, 0, 2, 1, 0, 2]], np.uint8)
    black = np.zeros((1, 6, 3), np.float32)
    panel = painting.paint_mistakes(black, truth, found)
    kinds = [RIGHT, MISSED, WRONG, OTHER, None, UNKNOWN]
    assert [color(panel, 0, x) for x in range(6)] == ["#000000" if one is None else paint(0, one) for one in kinds]  # fmt: skip
    panel = painting.paint_class(black, truth, found, 2)
    kinds = [RIGHT, MISSED, WRONG, MISSED, None, UNKNOWN]
    assert [color(panel, 0, x) for x in range(6)] == ["#000000" if one is None else paint(0, one) for one in kinds]  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(1, 30))
def test_an_overview_shows_the_pixels_that_fit_would(height, width, at_most, block):
    truth = np.random.default_rng(0).integers(0, 250, (height, width)).astype(np.uint8)
    zoom = pictures.choose_zoom(truth.shape, at_most, at_most)
    ys, xs = (drawing_classes.middles(n, zoom) for n in truth.shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing_classes, "BLOCK_PX", block)
        sampled, _ = drawing_classes.sample(case_of(truth, truth), ys, xs)
    assert (sampled == pictures.fit(truth, zoom)).all()


def test_the_worst_tiles_come_first_and_perfect_ones_never():
    truth, found = np.zeros((2, 4, 16), np.uint8)
    found[0, 5], found[:2, 12] = 1, 1
    score = regions.score_case(case_of(truth, found), 2, 4)
    assert drawing_classes.choose_tiles(score, 3) == [3, 1]
    assert drawing_classes.choose_tiles(score, 1) == [3]


def test_image_truth_and_overlay_of_a_tile_lie_on_each_other(tmp_path):
    pixels = np.zeros((3000, 3000), np.uint16)
    pixels[2100:2200, 2300:2400] = 1000
    meta = images.Meta((1, 1, 1, 3000, 3000), ("DNA",), 0.5, None)
    images.write_image(tmp_path / "a.ome.tif", meta, np.uint16, images.reader_of(pixels[None, None]))  # fmt: skip
    truth = (pixels > 0).astype(np.uint8)
    case = case_of(truth, np.roll(truth, 10, axis=1), tmp_path / "a.ome.tif")
    score = regions.score_case(case, 2, 512)
    own = SimpleNamespace(pictures=1, channel=None, tile_px=512)
    drawn = drawing_classes.draw_regions(tmp_path / "p", [("worst", case, score)], ("no", "yes"), own)  # fmt: skip
    assert [(one["place"], one["file"]) for one in drawn] == [("worst", "p/a.png"), ("worst, tile 1", "p/a.tile1.png")]  # fmt: skip
    tile = read_png(tmp_path / "p/a.tile1.png")
    image, marked, overlay = (tile[:512, k * 518 : k * 518 + 512] for k in range(3))
    bright = image.sum(axis=2) > 300
    y0, x0 = 2100 - 2048, 2300 - 2048
    assert bright.sum() == 100 * 100 and bright[y0 : y0 + 100, x0 : x0 + 100].all()
    assert ((marked != image).any(axis=2) == bright).all()
    assert color(overlay / 255, y0, x0 + 5) != color(overlay / 255, y0, x0 + 15)
    assert (overlay[y0 - 1, x0:] == 0).all() and (overlay[y0, x0 + 110 :] == 0).all()
    assert (overlay[y0, x0 : x0 + 110] > 0).any(axis=1).all()
    small = read_png(tmp_path / "p/a.png")[:640]
    y, x = 2150 * 640 // 3000, 2350 * 640 // 3000
    assert small[y, x].min() > 250 and small[y, x + 646].max() > 100 and small[y, x - 30].max() == 0


def read_png(path):
    from PIL import Image

    return np.asarray(Image.open(path)).astype(int)


# from the command line


@pytest.fixture
def study(tmp_path):
    """Two images of class images, the second perfect, with annotations of both."""
    root = tmp_path / "results" / "s"
    truth = np.zeros((32, 48), np.uint8)
    truth[:, :24], truth[:16, 24:] = 2, 1
    shape, made = (1, 1, 32, 48), {key: [] for key in ("convert", "segment.tissue", "annotate.drawn")}  # fmt: skip
    meta = images.Meta((1, 1, 1, 32, 48), ("DNA",), 0.5, None)
    for image, found in (("a", np.where(truth == 1, 2, truth)), ("b", truth)):
        paths = dict(zip(made, (f"images/{image}.ome.tif", f"classes/tissue/{image}.ome.tif", f"annotations/drawn/{image}.parquet"), strict=True))  # fmt: skip
        for key, path in paths.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            made[key].append(Record(image, "ok", "f", artifact=path))
        read = images.reader_of(truth.astype(np.uint16)[None, None])
        images.write_image(root / paths["convert"], meta, np.uint16, read)
        images.write_classes(root / paths["segment.tissue"], images.reader_of(found[None, None]), shape, meta, NAMES, "f")  # fmt: skip
        rows = make_table([box(0, 0, 32, 24, "tissue"), box(0, 24, 16, 48, "air")])
        tables.write_table(root / paths["annotate.drawn"], rows, fingerprint="f")
        tifffile.imwrite(tmp_path / f"{image}.truth.tif", truth)
    for key, records in made.items():
        write_manifest(root / "manifests" / key / "b0.jsonl", records)
    (tmp_path / "images.tsv").write_text("id\tpath\na\ta.tif\nb\tb.tif\n")
    (root / "images.csv").write_text("image\na\nb\n")
    return root


def score_task(study, **chosen):
    manifests = [str(path) for path in sorted((study / "manifests").glob("*/b0.jsonl"))]
    out = study / "evaluation" / "tissue" / "summary.json"
    text = json.dumps({"of": "tissue", "annotations": "drawn", "tile_px": 16, **chosen})
    code = main(["evaluate", "--task", "tissue", "--in", *manifests, "--out", str(out), "--sheet", str(study.parents[1] / "images.tsv"), "--settings", text])  # fmt: skip
    return code, out


def test_a_class_task_is_scored_in_pixels_with_an_interval_a_slide(study):
    code, out = score_task(study)
    summary = json.loads(out.read_text())
    assert code == 0 and summary["classes"] == list(NAMES) and summary["counted_px"] == 2 * 32 * 48
    # of a, all 384 px of air are taken for tissue
    assert summary["scores"]["pixel accuracy"][0] == pytest.approx(1 - 384 / 3072)
    assert summary["scores"]["Dice of air"] == [pytest.approx(2 / 3), 0, 1]
    assert summary["scores"]["IoU of tissue"][0] == pytest.approx(1536 / 1920)
    table = pd.read_csv(out.parent / "scores.csv").set_index("image")
    assert table["mean_dice"].to_dict() == {"a": pytest.approx((1 + 0 + 0.8) / 3, abs=1e-4), "b": 1}
    assert table.loc["a", "n_tiles"] == 6 and table.loc["a", "dice_tissue_low"] < 0.8
    assert table.loc["a", ["true_px_air", "found_px_air"]].tolist() == [384, 0]
    page = (out.parent / "index.html").read_text()
    assert 'src="pictures/a.png"' in page and 'src="pictures/a.tile1.png"' in page
    assert page.index("<td>a</td>") < page.index("<td>b</td>")  # the worst first
    assert {path.name for path in (out.parent / "pictures").iterdir()} == {"a.png", "a.tile1.png", "a.tile2.png", "b.png"}  # fmt: skip


def test_one_slide_alone_has_an_interval_over_its_tiles(study):
    for key in ("segment.tissue", "annotate.drawn", "convert"):
        path = study / "manifests" / key / "b0.jsonl"
        path.write_text(path.read_text().splitlines()[0] + "\n")
    _, out = score_task(study)
    summary = json.loads(out.read_text())
    assert (summary["drawn_again"], summary["n_drawn"]) == ("tile", 6)
    value, low, high = summary["scores"]["Dice of tissue"]
    assert low < value == 0.8 < high


def test_a_lost_slide_counts_as_background(study):
    path = study / "manifests/segment.tissue/b0.jsonl"
    path.write_text(path.read_text().replace('"image": "b", "status": "ok"', '"image": "b", "status": "quarantined"'))  # fmt: skip
    _, out = score_task(study)
    summary = json.loads(out.read_text())
    assert summary["missed_images"] == ["b"]
    assert pd.read_csv(out.parent / "scores.csv").set_index("image").loc["b", "dice_tissue"] == 0


def test_only_the_region_that_was_annotated_is_scored(study):
    path = study / "annotations/drawn/a.parquet"
    rows = make_table([box(0, 0, 16, 48, "Region*"), box(0, 0, 16, 24, "tissue"), box(0, 24, 16, 48, "fold")])  # fmt: skip
    tables.write_table(path, rows, fingerprint="f")
    assert score_task(study)[0] == 2
    _, out = score_task(study, region="Region*", ignore=["fold"])
    table = pd.read_csv(out.parent / "scores.csv").set_index("image")
    assert table.loc["a", ["counted_px", "accuracy"]].tolist() == [16 * 24, 1]
    assert table.loc["b", "counted_px"] == 0  # has no region, and no score
    assert np.isnan(table.loc["b", "mean_dice"])


@pytest.mark.parametrize("truth", ["{image}.truth.tif", "{image}.geojson"])
def test_class_images_are_scored_by_hand(study, tmp_path, capsys, truth):
    if truth.endswith("geojson"):
        from scopemill.annotations.export_geojson import write_geojson

        for image in "ab":
            rows = tables.read_table(study / f"annotations/drawn/{image}.parquet")
            write_geojson(tmp_path / f"{image}.geojson", rows)
    arguments = ["evaluate", str(study), "--task", "tissue", "--kind", "semantic", "--truth", str(tmp_path / truth)]  # fmt: skip
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "2 images" in out and "Dice of air                  0.667" in out
    assert "Dice of tissue               0.889" in out


def test_truth_of_another_size_is_refused(study, tmp_path, capsys):
    tifffile.imwrite(tmp_path / "b.truth.tif", np.zeros((31, 48), np.uint8))
    arguments = ["evaluate", str(study), "--task", "tissue", "--kind", "semantic", "--truth", str(tmp_path / "{image}.truth.tif")]  # fmt: skip
    assert main(arguments) == 2
    assert "b.truth.tif: (1, 31, 48) pixels, the classes of b have (1, 32, 48)" in capsys.readouterr().err  # fmt: skip
