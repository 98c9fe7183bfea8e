"""Segmenting block by block: what is found is what the whole image gives, and the certificate tells when it is not."""

import numpy as np
import pytest
import torch

from scopemill import images, stitching
from scopemill.class_images import fill_small
from scopemill.frames import Frame
from scopemill.jobs import Job
from scopemill.models.description import Channel, Description
from scopemill.models.folder import save_model
from scopemill.models.unet import UNet
from scopemill.patch import stage as patch
from scopemill.segment import stage
from scopemill.segment.methods import unet
from scopemill.settings import load_stage

SIZE = (416, 537)
TILE = 128


def place_discs():
    """Centres of discs 23 px wide, spread by chance, across all borders of blocks of 128 px; none touches another."""
    rng, places = np.random.default_rng(5), []
    for y, x in zip(rng.integers(12, SIZE[0] - 12, 4000), rng.integers(12, SIZE[1] - 12, 4000), strict=True):  # fmt: skip
        if all((y - row) ** 2 + (x - column) ** 2 > 26**2 for row, column in places):
            places.append((int(y), int(x)))
    return places


@pytest.fixture(scope="module")
def slide():
    """An image with objects across every border of the blocks, and its labels."""
    y, x = np.indices(SIZE)
    labels = np.zeros(SIZE, np.uint32)
    for i, (row, column) in enumerate(place_discs(), 1):
        labels[(y - row) ** 2 + (x - column) ** 2 <= 11**2] = i
    noise = np.random.default_rng(0).normal(0, 20, SIZE)
    return np.where(labels > 0, 1100, 100 + noise).astype(np.uint16), labels


def blurring_network(outputs=2):
    """A U-Net whose weights are drawn, that looks further than a pixel; its outputs are equally frequent."""
    torch.manual_seed(1)
    network = UNet(1, outputs, width=2, depth=1).eval()
    with torch.no_grad():
        logits = network(torch.rand(1, 1, 64, 64))
        spread = logits.std(dim=(0, 2, 3))
        network.head.weight /= spread[:, None, None, None]
        network.head.bias.copy_((network.head.bias - logits.mean(dim=(0, 2, 3))) / spread)
    return network


def threshold_network():
    """Looks at single pixels: foreground above half; objects are told apart by their shape."""
    network = UNet(1, 1, width=1, depth=0)
    with torch.no_grad():
        for part in (network.encoder[0].first, network.encoder[0].second):
            part[0].weight.zero_()
            part[0].weight[0, 0, 1, 1] = 1
        network.head.weight.fill_(40)
        network.head.bias.fill_(-20)
    return network


@pytest.fixture
def run(tmp_path, slide):
    """Image -> artifact and facts, by the stage itself."""

    def do(image=slide[0], tile_px=TILE, z="max", labels=None, within=None, **method):
        image = image[None, None, None] if image.ndim == 2 else image[None, None]
        meta = images.Meta(image.shape, ("DNA",), 0.5, 1.0, False, "")
        images.write_image(tmp_path / "i.ome.tif", meta, image.dtype, images.reader_of(image))
        inputs = {"convert": tmp_path / "i.ome.tif"}
        if labels is not None:
            images.write_labels(tmp_path / "s.ome.tif", images.reader_of(labels[None, None]), (1, 1, *SIZE), meta, "")  # fmt: skip
            inputs["segment.nuclei"] = tmp_path / "s.ome.tif"
        if within is not None:
            images.write_classes(tmp_path / "c.ome.tif", images.reader_of(within[None, None]), (1, 1, *SIZE), meta, ("background", "tissue"), "")  # fmt: skip
            inputs["segment.tissue"] = tmp_path / "c.ome.tif"
        if "patches" in method:
            cut = patch.Settings(patch_size_px=64, overlap_px=32)
            patch.carry(Job("i", tmp_path / "p.h5", "", inputs), cut)
            inputs["patch.set"] = tmp_path / "p.h5"
        section = {"method": method, "tile_px": tile_px, "z": z}
        section |= {} if within is None else {"within": "tissue"}
        own, chosen = load_stage("segment", section, "s")
        notes = []
        job = Job("i", tmp_path / "l.ome.tif", "", inputs, device="cpu", notes=notes)
        facts = stage.carry(job, own, chosen)
        assert not list(tmp_path.glob("*scratch"))
        return images.read_labels(tmp_path / "l.ome.tif")[0, 0], {**facts, "notes": notes}

    return do


@pytest.fixture
def model(tmp_path):
    def save(network, output, **more):
        depth = network.depth
        described = Description(
            architecture={
                "name": "unet", "width": 1 if depth == 0 else 2, "depth": depth,
                "in_channels": 1, "out_channels": len(output),
            },
            channels=[Channel(role="nucleus")], output=output, **more,
        )  # fmt: skip
        save_model(tmp_path / "model", network, described)
        return str(tmp_path / "model")

    return save


def same_objects(found, truth):
    pairs = np.unique(np.stack([found.ravel(), truth.ravel()]), axis=1).T
    return len(pairs) == len(np.unique(truth)) == len(np.unique(found))


@pytest.mark.parametrize("way", ["channels", "patches"])
def test_objects_across_every_border_are_whole_and_counted_once(run, model, slide, way):
    folder = model(threshold_network(), ["foreground"], postprocessing={"min_distance_px": 6.0})
    look = {"channels": ["DNA"]} if way == "channels" else {"patches": "set"}
    labels, facts = run(name="unet", model=folder, **look)
    assert facts["n_blocks"] == 4 * 5
    assert facts["n_objects"] == [len(place_discs())]
    assert same_objects(labels, slide[1])
    assert labels.max() == len(place_discs())
    assert all(any(abs(y - line) < 11 for y, _ in place_discs()) for line in (128, 256, 384))
    assert all(any(abs(x - line) < 11 for _, x in place_discs()) for line in (128, 256, 384, 512))
    assert facts["seams"]["passed"], facts["seams"]
    assert facts["seams"]["object_f1"] == 1.0
    assert facts["seams"]["foreground_disagreement"] == 0.0
    assert facts["seams"]["border_objects"] > 30


def test_a_stitcher_that_does_not_stitch_is_caught(run, model, monkeypatch):
    folder = model(threshold_network(), ["foreground"], postprocessing={"min_distance_px": 6.0})
    monkeypatch.setattr(stitching, "match_pieces", lambda known, found: np.empty((0, 2), np.int64))
    _, facts = run(name="unet", model=folder, channels=["DNA"])
    assert facts["n_objects"][0] > len(place_discs())
    assert not facts["seams"]["passed"]
    assert facts["seams"]["object_f1"] < 0.9
    assert facts["seams"]["density_ratio"] > 1.2
    assert facts["notes"][-1] == "blocks left marks at their borders (see Seams)"


@pytest.mark.parametrize(("least", "share"), [(378, 0), (377, 1)])
def test_objects_are_judged_when_they_are_whole(run, model, least, share):
    own = {"min_distance_px": 6.0, "min_area_px": least}
    folder = model(threshold_network(), ["foreground"], postprocessing=own)
    _, facts = run(name="unet", model=folder, channels=["DNA"])
    assert facts["n_objects"] == [share * len(place_discs())]


def test_doubtful_objects_are_dropped_when_they_are_whole(model):
    own = {"min_probability": 0.8, "foreground_threshold": 0.5}
    folder = model(threshold_network(), ["foreground"], postprocessing=own)
    objects = stitching.Objects(
        np.arange(2), np.array([10.0, 10.0]), np.zeros((2, 2)), np.array([[7.9, 8.0]])
    )
    frame = Frame.of({"DNA": np.zeros((4, 4))}, device="cpu")
    kept = unet.keep(objects, frame, unet.Settings(model=folder, channels=["DNA"]))
    assert kept.tolist() == [False, True]


@pytest.mark.parametrize("diameter_um", [11.0, 5.5, 22.0])
def test_blocks_give_what_the_whole_gives_at_any_scale(run, model, slide, diameter_um, monkeypatch):
    folder = model(threshold_network(), ["foreground"], object_diameter_px=22.0)
    look = {"name": "unet", "model": folder, "channels": ["DNA"], "diameter_um": diameter_um}
    blocks, facts = run(**look)
    monkeypatch.setattr(stage, "make_layout", lambda *_: None)
    whole, _ = run(**look)
    assert facts["n_blocks"] > 8
    assert same_objects(blocks, whole)


@pytest.mark.parametrize(
    "more", [{}, {"background_um": 20.0}, {"split_um": 0.0, "threshold": "li"}]
)
def test_otsu_by_blocks_is_otsu(run, more):
    method = {"name": "otsu", "channel": "DNA", "smooth_um": 1.0, **more}
    blocks, facts = run(**method)
    whole, _ = run(tile_px=1024, **method)
    assert facts["n_blocks"] == 20
    assert same_objects(blocks, whole)


def test_grown_cells_keep_the_numbers_of_their_nuclei(run, slide):
    seeds = np.where(slide[1] % 3 == 0, 0, slide[1] * 10).astype(np.uint32)
    method = {"name": "grow", "seeds": "nuclei", "max_distance_um": 4.0}
    blocks, facts = run(labels=seeds, **method)
    whole, _ = run(labels=seeds, tile_px=1024, **method)
    # a pixel as far from two seeds may go to either
    assert (blocks != whole).mean() < 0.001
    assert facts["n_objects"] == [len(np.unique(seeds)) - 1]
    assert facts["seams"]["passed"], facts["seams"]


def test_classes_of_blocks_are_those_of_the_whole(run, model, tmp_path):
    folder = model(blurring_network(3), ["background", "a", "b"])
    noise = np.random.default_rng(3).integers(0, 4000, SIZE).astype(np.uint16)
    look = {"name": "classes-unet", "model": folder, "channels": ["DNA"], "min_island_um2": 2.0}
    blocks, facts = run(noise, **look)
    whole, _ = run(noise, tile_px=1024, **look)
    assert facts["n_blocks"] == 20
    assert set(np.unique(whole)) == {0, 1, 2}
    # bf16 rounds where the two best classes are equally probable
    assert (blocks != whole).mean() < 0.005
    assert facts["seams"]["foreground_disagreement"] < 0.01
    with images.Image(tmp_path / "l.ome.tif") as image:
        assert image.meta.class_names == ("background", "a", "b")
        assert image.dtype == np.uint8


def test_a_lower_threshold_takes_more_of_a_class(run, model):
    folder = model(blurring_network(2), ["background", "a"])
    noise = np.random.default_rng(3).integers(0, 4000, SIZE).astype(np.uint16)
    shares = [
        (run(noise, name="classes-unet", model=folder, channels=["DNA"], thresholds={"a": level})[0] == 1).mean()
        for level in (0.7, 0.5, 0.3)
    ]  # fmt: skip
    assert shares[0] < shares[1] < shares[2]


def test_small_holes_and_islands_are_filled_and_large_ones_stay():
    classes = np.array(
        [
            [1, 1, 1, 1, 1, 0, 0, 0],
            [1, 0, 1, 1, 1, 0, 2, 0],
            [1, 1, 1, 0, 1, 0, 0, 0],
            [1, 1, 1, 0, 1, 0, 0, 0],
            [1, 1, 1, 1, 1, 0, 0, 0],
        ],
        np.uint8,
    )
    filled = fill_small(classes, min_hole_px=2, min_island_px=2)
    assert filled[1, 1] == 1
    assert (filled[2:4, 3] == 0).all()
    assert filled[1, 6] == 0
    assert (fill_small(classes, 3, 0)[:, :5] == 1).all()
    assert (fill_small(classes, 0, 0) == classes).all()


@pytest.mark.parametrize("tile_px", [128, 1024])
def test_outside_of_tissue_nothing_is_looked_at_and_nothing_is_found(run, slide, tile_px):
    tissue = np.zeros(SIZE, np.uint8)
    tissue[:200, :300] = 1
    method = {"name": "otsu", "channel": "DNA", "smooth_um": 0.5, "split_um": 0.0}
    _, facts = run(within=tissue, tile_px=tile_px, **method)
    truth = np.where(np.isin(slide[1], 1 + np.flatnonzero(
        [(tissue[slide[1] == i] > 0).mean() >= 0.5 for i in range(1, slide[1].max() + 1)]
    )), slide[1], 0)  # fmt: skip
    assert facts["n_objects"] == [len(np.unique(truth)) - 1]
    if tile_px == 128:
        assert facts["n_blocks"] == 2 * 3
        assert facts["seams"]["passed"], facts["seams"]
