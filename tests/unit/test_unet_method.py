"""The unet method, by a network whose weights are set by hand: what is brighter than half is an object."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from scopemill import images
from scopemill.errors import DataError
from scopemill.frames import Frame, open_frames
from scopemill.instances import Settings as InstanceSettings
from scopemill.instances import find_instances
from scopemill.models.description import Channel, Description
from scopemill.models.folder import save_model
from scopemill.models.unet import UNet
from scopemill.patch import stage as patch
from scopemill.runner import Job
from scopemill.scaling import take_nearest
from scopemill.segment import stage
from scopemill.segment.methods import unet
from scopemill.segment.sources import Known
from scopemill.settings import ConfigError, Method, load_method


def threshold_network(dims=2, n_channels=1):
    """Looks at single pixels: sigmoid(40 (mean of the channels - 0.5))."""
    network = UNet(n_channels, 1, dims=dims, width=1, depth=0)
    with torch.no_grad():
        for part in (network.encoder[0].first, network.encoder[0].second):
            part[0].weight.zero_()
            part[0].weight[(slice(None), slice(None), *[1] * dims)] = 1 / part[0].in_channels
        network.head.weight.fill_(40)
        network.head.bias.fill_(-20)
    return network


def describe(dims=2, n_channels=1, **more):
    return Description(
        architecture={
            "name": "unet", "dims": dims, "width": 1, "depth": 0,
            "in_channels": n_channels, "out_channels": 1,
        },
        channels=[Channel(role="nucleus")] * n_channels,
        output=["foreground"],
        **{"postprocessing": {"min_distance_px": 6.0}, **more},
    )  # fmt: skip


SIZE = (141, 203)
PLACES = [(20, 30), (70, 64), (70, 120), (120, 190), (5, 199)]


def discs(size=SIZE, radius=9, level=1000):
    """An image (Y, X) and its labels."""
    y, x = np.indices(size)
    labels = np.zeros(size, np.uint32)
    for i, (row, column) in enumerate(PLACES, 1):
        labels[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = i
    return np.where(labels > 0, level + 100, 100).astype(np.uint16), labels


@pytest.fixture
def run(tmp_path):
    """(T, C, Z, Y, X) -> label images (T, Z, Y, X), by the stages themselves."""

    def do(
        image,
        description=None,
        patches=None,
        patches_of="set",
        threads=1,
        pixel_size_um=0.5,
        **settings,
    ):
        description = description or describe()
        dims, n_channels = description.architecture["dims"], len(description.channels)
        save_model(tmp_path / "model", threshold_network(dims, n_channels), description)
        names = tuple(f"c{i}" for i in range(image.shape[1]))
        meta = images.Meta(image.shape, names, pixel_size_um, 1.0, False, "")
        images.write_image(tmp_path / "i.ome.tif", meta, image.dtype, images.reader_of(image))
        inputs = {"convert": tmp_path / "i.ome.tif"}
        cut = patch.Settings(**{"patch_size_px": 64, "overlap_px": 32, **(patches or {})})
        patch.carry(Job("i", tmp_path / "p.h5", "", inputs), cut)
        inputs["patch.set"] = tmp_path / "p.h5"
        chosen = {
            "name": "unet",
            "model": str(tmp_path / "model"),
            "patches": patches_of,
            **settings,
        }
        method = load_method("segment", chosen, "segment.nuclei.method")
        z = "stack" if dims == 3 else "max"
        job = Job("i", tmp_path / "l.ome.tif", "", inputs, device="cpu", threads=threads)
        stage.carry(job, stage.Settings(method=chosen, z=z), method)
        return images.read_labels(tmp_path / "l.ome.tif")

    return do


def same_objects(found, truth):
    """Whether two label images agree but for the numbers."""
    pairs = np.unique(np.stack([found.ravel(), truth.ravel()]), axis=1).T
    n = len(np.unique(truth))
    return len(pairs) == n == len(np.unique(found)) and [0, 0] in pairs.tolist()


def test_known_objects_are_found_on_an_odd_size(run):
    image, truth = discs()
    labels = run(image[None, None, None])
    assert labels.dtype == np.uint32
    assert labels.shape == (1, 1, *SIZE)
    assert same_objects(labels[0, 0], truth)
    assert labels.max() == len(PLACES)


def test_all_patches_or_only_those_with_cells_give_the_same(run):
    image = discs()[0][None, None, None]
    assert (run(image) == run(image, patches={"foreground": "all"})).all()
    assert (run(image) == run(image, batch_size=1)).all()


@pytest.mark.parametrize("wanted", [0.25, 0.8, 1.0])
def test_patches_of_another_pixel_size_come_back_to_the_images_own(run, wanted):
    image, truth = discs()
    labels = run(image[None, None, None], patches={"pixel_size_um": wanted}, min_distance_um=3.0)[
        0, 0
    ]
    assert labels.shape == SIZE
    assert labels.max() == len(PLACES)
    for i in range(1, len(PLACES) + 1):
        own = np.bincount(labels[truth == i])[1:].argmax() + 1
        both = ((labels == own) & (truth == i)).sum()
        assert both / ((labels == own) | (truth == i)).sum() > 0.85


def test_time_points_are_not_mixed_and_an_empty_one_is_empty(run):
    image, truth = discs()
    blank = np.full_like(image, 100)
    other, other_truth = image[:, ::-1], truth[:, ::-1]
    labels = run(np.stack([image, blank, other])[:, None, None])
    assert same_objects(labels[0, 0], truth)
    assert not labels[1].any()
    assert same_objects(labels[2, 0], other_truth)


def test_a_plane_network_sees_the_brightest_plane_and_a_stack_network_every_plane(run):
    image, truth = discs()
    stack = np.full((3, *SIZE), 100, np.uint16)
    stack[1] = image
    flat = run(stack[None, None])
    assert flat.shape == (1, 1, *SIZE)
    assert same_objects(flat[0, 0], truth)
    deep = run(np.stack([image] * 3)[None, None], describe(dims=3))
    assert deep.shape == (1, 3, *SIZE)
    assert same_objects(deep[0], np.stack([truth] * 3))
    assert not run(stack[None, None], describe(dims=3))[0, [0, 2]].any()


def test_the_users_threshold_goes_above_the_models(run):
    image = discs()[0].astype(np.float32)
    y, x = np.indices(SIZE)
    image[(y - 100) ** 2 + (x - 30) ** 2 <= 64] = 550  # 0.45 of the others: probability 0.12
    assert run(image[None, None, None]).max() == len(PLACES)
    assert run(image[None, None, None], foreground_threshold=0.05).max() == len(PLACES) + 1
    tuned = describe(postprocessing={"foreground_threshold": 0.05})
    assert run(image[None, None, None], tuned).max() == len(PLACES) + 1


def test_other_channels_or_another_scale_are_refused_with_the_cure(run):
    image = discs()[0]
    with pytest.raises(
        DataError, match=r"takes 1 channel \(nucleus\).* has 2 \(c0, c1\).*channels: \["
    ) as caught:
        run(np.stack([image, image])[None, :, None])
    assert caught.value.code == "MODEL_MISMATCH"
    assert run(np.stack([image, image])[None, :, None], patches={"channels": ["c1"]}).max() == 5
    assert run(np.stack([image, image])[None, :, None], describe(n_channels=2)).max() == 5
    with pytest.raises(DataError, match=r"patch: set: pixel_size_um: 0.6$") as caught:
        run(image[None, None, None], describe(pixel_size_um=0.6))
    assert caught.value.code == "MODEL_MISMATCH"
    assert run(image[None, None, None], describe(pixel_size_um=0.53)).max() == 5
    assert run(image[None, None, None], describe(pixel_size_um=0.6), pixel_size_um=None).max() == 5


def test_a_changed_model_is_read_again(run):
    image = discs()[0][None, None, None]
    assert run(image).max() == 5
    assert (
        run(image, describe(postprocessing={"min_area_px": 240})).max() == 4
    )  # one is cut by the border


def test_the_method_is_one_of_the_choices():
    assert isinstance(
        load_method("segment", {"name": "unet", "model": "m", "patches": "p"}, "x"), Method
    )
    assert unet.Settings(model="m", patches="p").batch_size == 8


def dumbbell():
    """Two touching discs, and one small one apart."""
    y, x = np.indices((40, 60))
    left, right = (y - 20) ** 2 + (x - 16) ** 2 <= 100, (y - 20) ** 2 + (x - 34) ** 2 <= 100
    return left, right, (y - 5) ** 2 + (x - 54) ** 2 <= 4


@pytest.mark.parametrize("head", ["foreground only", "border", "distance", "exclusive classes"])
def test_touching_objects_are_parted_and_small_ones_kept(head):
    from scipy import ndimage

    left, right, small = dumbbell()
    foreground = (left | right | small).astype(np.float32)
    inside = sum(
        ndimage.binary_erosion(one, iterations=3) for one in (left & ~right, right & ~left)
    )
    maps = {"foreground": foreground}
    if head == "border":
        maps["border"] = foreground - inside
    if head == "distance":
        maps["distance"] = sum(ndimage.distance_transform_edt(one) for one in (left, right)) / 10
    if head == "exclusive classes":
        maps = {"background": 1 - foreground, "foreground": inside, "border": foreground - inside}
        maps["foreground"] = maps["foreground"].astype(np.float32)
    labels = find_instances(maps, InstanceSettings(min_distance_px=8.0))
    assert labels.dtype == np.uint32
    assert sorted(np.unique(labels)) == [0, 1, 2, 3]
    assert ((labels > 0) == (foreground > 0)).all()
    centres = labels[20, 10], labels[20, 40], labels[5, 54]
    assert len(set(centres)) == 3
    fewer = find_instances(maps, replace(InstanceSettings(min_distance_px=8.0), min_area_px=50))
    assert sorted(np.unique(fewer)) == [0, 1, 2]


def test_nothing_above_the_threshold_is_no_object():
    labels = find_instances({"foreground": np.zeros((5, 7), np.float32)}, InstanceSettings())
    assert labels.shape == (5, 7)
    assert not labels.any()


def test_labels_are_resized_to_the_pixel_under_the_centre():
    labels = np.array([[1, 2], [3, 4]], np.uint32)
    assert take_nearest(labels, (4, 4)).tolist() == [[1, 1, 2, 2]] * 2 + [[3, 3, 4, 4]] * 2
    assert take_nearest(np.arange(6)[None], (1, 2)).tolist() == [[1, 4]]


def test_open_frames_hands_out_patch_sets(run, tmp_path):
    run(discs()[0][None, None, None])
    inputs = {"convert": tmp_path / "i.ome.tif", "patch.set": tmp_path / "p.h5"}
    with open_frames(Job("i", tmp_path / "x", "", inputs)) as frames:
        assert next(frames).patches("set").meta.source_size == SIZE


# whole images, at the scale that the model knows


def largest_shift(found, truth):
    """How far the centres of objects lie from those of the truth, in pixels."""
    from scipy import ndimage

    ids = np.unique(truth)[1:]
    centres = ndimage.center_of_mass(truth > 0, truth, ids)
    rows, columns = (np.round(one).astype(int) for one in zip(*centres, strict=True))
    matched = found[rows, columns]
    assert (matched > 0).all() and len(set(matched)) == len(ids)
    moved = np.array(ndimage.center_of_mass(found > 0, found, matched)) - np.array(centres)
    return np.abs(moved[:4]).max()  # the last one is cut by the border


def test_an_image_is_segmented_without_patches(run):
    image, truth = discs()
    labels = run(image[None, None, None], patches_of=None, channels=["c0"])[0, 0]
    assert same_objects(labels, truth)


@pytest.mark.parametrize(("diameter_um", "tolerance_px"), [(5.0, 0.5), (9.5, 0.5), (38.0, 1.5)])
def test_objects_are_brought_to_the_size_that_the_model_knows_and_back(
    run, diameter_um, tolerance_px
):
    image, truth = discs()
    known = describe(object_diameter_px=19.0)  # the discs are 19 pixels, 9.5 um, wide
    labels = run(image[None, None, None], known, patches_of=None, channels=["c0"], diameter_um=diameter_um)  # fmt: skip
    assert labels.shape == (1, 1, *SIZE)
    assert labels.max() == 5
    assert largest_shift(labels[0, 0], truth) < tolerance_px


def test_the_size_of_objects_is_estimated_and_said():
    from scopemill.models.diameter import estimate_diameter
    from scopemill.models.predict import prepare
    from scopemill.models.whole import Ready

    image, _ = discs()
    scaled = ((image - 100.0) / 1000)[None].astype(np.float32)
    ready = Ready(prepare(threshold_network(), torch.device("cpu")), describe(object_diameter_px=38.0), torch.device("cpu"))  # fmt: skip
    assert estimate_diameter(ready, scaled, InstanceSettings()) == pytest.approx(19, rel=0.15)
    notes = []
    frame = Frame.of({"c0": image}, note=notes.append)
    known = Known(((100, 100, 100, 1100, 1100),))
    zoom = unet.choose_zoom(frame, unet.Settings(model="m", channels=["c0"]), ready, known)
    assert zoom == pytest.approx(2, rel=0.15)
    assert notes == [f"objects were taken to be {38 / zoom:.0f} pixels wide (estimated)"]


def towers():
    """A stack (6, Y, X), planes 1 um apart: a disc of 3 planes above one of 2 at another place, and one in a single plane."""
    labels = np.zeros((6, 60, 90), np.uint32)
    y, x = np.indices(labels.shape[1:])
    for k, (planes, middle) in enumerate(
        [(slice(0, 3), (20, 20)), (slice(3, 5), (20, 34)), (slice(1, 2), (40, 70))], 1
    ):
        labels[planes, (y - middle[0]) ** 2 + (x - middle[1]) ** 2 <= 81] = k
    return np.where(labels > 0, 1100, 100).astype(np.uint16), labels


def test_of_a_stack_a_plane_network_sees_each_plane_and_objects_are_linked(tmp_path):
    image, truth = towers()
    save_model(tmp_path / "m", threshold_network(), describe())
    frame = Frame.of({"DNA": image}, um_per_px=0.5, z_step_um=1.0)
    own = {"model": str(tmp_path / "m"), "channels": ["DNA"]}
    found = unet.segment(frame, unet.Settings(**own))
    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found > 0, np.isin(truth, [1, 2]))
    assert same_objects(found, np.where(truth == 3, 0, truth))
    assert same_objects(unet.segment(frame, unet.Settings(**own, min_height_um=1.0)), truth)


def test_a_model_with_a_pixel_size_gets_its_own_scale_or_an_error(run):
    image, truth = discs()
    coarse = describe(pixel_size_um=1.0)
    labels = run(image[None, None, None], coarse, patches_of=None, channels=["c0"])[0, 0]
    assert labels.max() == 5 and largest_shift(labels, truth) < 0.6
    with pytest.raises(DataError, match="is for pixels of 1 µm; this image has an unknown size; give pixel_size_um"):  # fmt: skip
        run(image[None, None, None], coarse, patches_of=None, channels=["c0"], pixel_size_um=None)
    with pytest.raises(DataError, match=r"takes 1 channel \(nucleus\); it was given 2 \(c0, c1\); choose them"):  # fmt: skip
        both = np.stack([image, image])[None, :, None]
        run(both, patches_of=None, channels=["c0", "c1"])


def test_either_channels_or_patches():
    for chosen in ({}, {"channels": ["DNA"], "patches": "set"}):
        with pytest.raises(ConfigError, match="give either channels or patches"):
            unet.check(unet.Settings(model="m", **chosen), {"DNA": None})
    unet.check(unet.Settings(model="m", channels=["DNA"]), {"DNA": None})
