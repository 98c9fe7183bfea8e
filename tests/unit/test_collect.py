"""Collect: images and annotations, through the stages as rules call them -> a training set and its split."""

import json

import numpy as np
import pytest
import tifffile

from scopemill.__main__ import main
from scopemill.examples import Examples
from scopemill.splits import read_split

SIZE = (40, 60)


def picture(seed):
    """Pixels (2, Y, X) of two channels and labels (Y, X): a square of 10 x 10, and one of 6 x 6."""
    labels = np.zeros(SIZE, np.uint8)
    labels[5:15, 10:20], labels[25:31, 40:46] = 1, 2
    noise = np.random.default_rng(seed).poisson(20, (2, *SIZE))
    return (noise + 200 * (labels > 0)).astype(np.uint16), labels


@pytest.fixture
def study(tmp_path):
    """Writes images and labels, converts and annotates; returns what collects with given settings."""
    for folder in ("raw", "truth"):
        (tmp_path / folder).mkdir()
    lines = ["id\tpath\tsubject\ttruth"]
    for n in range(6):
        pixels, labels = picture(n // 2 if n == 1 else n)  # i1 is a copy of i0
        tifffile.imwrite(
            tmp_path / f"raw/i{n}.tif", pixels, imagej=True, resolution=(2.0, 2.0),
            metadata={"axes": "CYX", "unit": "um"},
        )  # fmt: skip
        tifffile.imwrite(tmp_path / f"truth/i{n}.tif", labels)
        truth = "" if n == 5 else f"truth/i{n}.tif"  # the last is not annotated
        lines.append(f"i{n}\traw/i{n}.tif\ts{n // 2}\t{truth}")
    sheet, root = tmp_path / "images.tsv", tmp_path / "results/s"
    sheet.write_text("\n".join(lines) + "\n")
    (root / "training/t").mkdir(parents=True)

    def call(stage, task, settings, inputs=()):
        out = root / f"manifests/{stage}.{task}".rstrip(".") / "b0000.jsonl"
        if stage == "collect":
            out = root / "training/t/examples.h5"
        words = [stage, "--sheet", sheet, "--out", out, "--settings", json.dumps(settings)]
        words += ["--task", task] if task else []
        code = main([str(word) for word in (*words, *(["--in", *inputs] if inputs else []))])
        return code, out

    channels = {"DNA": {"source": 0, "role": "nucleus"}, "actin": {"source": 1}}
    _, images = call("convert", "", {"channels": channels})
    _, annotations = call("annotate", "n", {"source": "{truth}"}, [images])

    def collect(**settings):
        chosen = {
            "annotations": "n",
            "channels": ["DNA"],
            "split": {"group": "subject", "validation": 0.34},
            **settings,
        }
        return call("collect", "t", chosen, [images, annotations])

    return collect


def test_annotated_images_become_examples_and_no_subject_is_parted(study):
    code, out = study(channels=["actin", "DNA"], roles={"DNA": "nucleus"})
    assert code == 0
    split = read_split(out.with_name("split.csv"))
    assert set(split) == {f"i{n}" for n in range(5)}
    assert split["i0"].split == split["i1"].split and split["i2"].split == split["i3"].split
    with Examples(out) as examples:
        assert [one.image for one in examples.all] == ["i0", "i1", "i2", "i3", "i4"]
        assert {one.image: one.part for one in examples.all} == {
            name: one.split for name, one in split.items()
        }
        pixels, truth = examples.read(2)
        expected, labels = picture(2)
        assert (pixels == expected[::-1, None]).all()  # channels in the order that was asked for
        assert ((truth[0] > 0) == (labels > 0)).all() and len(np.unique(truth)) == 3
        one = examples.all[2]
        assert one.n_objects == 2 and one.shape == (2, 1, *SIZE)
        assert examples.meta["channels"] == ["actin", "DNA"]
        assert examples.meta["split"]["found"] == {"identical": 1}


def test_the_same_images_give_the_same_training_set(study):
    hashes = set()
    for _ in range(2):
        _, out = study()
        with Examples(out) as examples:
            hashes.add(examples.meta["sha256"])
    assert len(hashes) == 1


def test_images_and_truth_are_brought_to_one_pixel_size(study):
    _, out = study(pixel_size_um=1.0)  # they are of 0.5 um
    with Examples(out) as examples:
        pixels, truth = examples.read(0)
        assert pixels.shape == (1, 1, 20, 30) and truth.shape == (1, 20, 30)
        labels = picture(0)[1]
        assert ((truth[0] > 0) == (labels[1::2, 1::2] > 0)).mean() > 0.97
        assert pixels[0, 0][truth[0] > 0].mean() > 3 * pixels[0, 0][truth[0] == 0].mean()


def test_large_images_are_cut_into_parts_that_make_up_the_whole(study):
    _, out = study(pixel_size_um=0.25)
    with Examples(out) as examples:
        whole = examples.read(0)
    _, out = study(pixel_size_um=0.25, largest_px=64)
    with Examples(out) as examples:
        parts = [i for i, one in enumerate(examples.all) if one.image == "i0"]
        assert len(parts) == 4
        for i in parts:
            pixels, truth = examples.read(i)
            _, y, x = examples.all[i].origin
            window = (..., slice(y, y + truth.shape[1]), slice(x, x + truth.shape[2]))
            assert (pixels == whole[0][window]).all() and (truth == whole[1][window]).all()
        assert sum(examples.read(i)[1].size for i in parts) >= whole[1].size
        # grey values are scaled alike in all parts: by the percentiles of the whole image
        assert len({examples.all[i].percentiles for i in parts}) == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"split": {}}, "column 'subject' says which belong together"),
        ({"split": {"group": "subjcet"}}, "did you mean 'subject'?"),
        ({"split": {"group": "subject", "validation": 0.4, "test": 0.6}}, "nothing is left to learn from"),
        ({"pixel_size_um": 0.05}, "collect: image i0: pixels of 0.5 µm cannot become 0.05 µm"),
    ],
)  # fmt: skip
def test_what_makes_no_training_set_is_refused_in_words(study, capsys, settings, words):
    code, out = study(**settings)
    assert code == 2 and words in capsys.readouterr().err
    assert not out.exists()
