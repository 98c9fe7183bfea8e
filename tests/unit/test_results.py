"""Results: a study's tables in a notebook."""

import numpy as np
import pandas as pd
import pytest

import scopemill
from scopemill import images, tables


@pytest.fixture
def folder(tmp_path):
    """A small results folder, made up."""
    table = pd.DataFrame({"image": ["001", "001", "002"], "group": ["x", "x", "y"], "area_um2": [10.0, 60, 70]})  # fmt: skip
    tables.write_table(tmp_path / "objects.parquet", table)
    for name in ("images", "summary", "spots", "data_dictionary"):
        (tmp_path / f"{name}.csv").write_text(f"image,n\n001,{len(name)}\n")
    pixels = np.arange(24, dtype=np.uint16).reshape(1, 1, 2, 3, 4)
    meta = images.Meta(pixels.shape, ("DNA",), 0.5, 1.0)
    (tmp_path / "images").mkdir()
    (tmp_path / "labels" / "cells").mkdir(parents=True)
    images.write_image(tmp_path / "images" / "001.ome.tif", meta, pixels.dtype, images.reader_of(pixels))  # fmt: skip
    labels = pixels[:, 0, :1]
    path = tmp_path / "labels" / "cells" / "001.ome.tif"
    images.write_labels(path, images.reader_of(labels), labels.shape, meta, "")
    return tmp_path


def test_a_folder_without_results_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(FileNotFoundError, match="has the study run to its end"):
            scopemill.load(path)


def test_objects_are_queried_by_metadata(folder):
    study = scopemill.load(str(folder))
    assert study.objects.query("group == 'x' and area_um2 > 50")["area_um2"].tolist() == [60]
    assert study.objects is study.objects  # read once


@pytest.mark.parametrize(
    ("name", "n"), [("images", 6), ("summary", 7), ("spots", 5), ("dictionary", 15)]
)
def test_other_tables_are_read_with_ids_as_text(folder, name, n):
    table = getattr(scopemill.load(folder), name)
    assert table.to_dict("list") == {"image": ["001"], "n": [n]}


def test_pixels_and_labels_are_at_hand(folder):
    study = scopemill.load(folder)
    assert study.image("001", "DNA").shape == (2, 3, 4)
    assert study.image("001", "DNA", z="max").tolist() == [[12, 13, 14, 15], [16, 17, 18, 19], [20, 21, 22, 23]]  # fmt: skip
    assert study.labels("001", "cells").shape == (3, 4)
