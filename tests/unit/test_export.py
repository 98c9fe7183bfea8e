"""scopemill export: labels go out to other programs and come back the same."""

import numpy as np
import pytest
import tifffile

from scopemill.commands.export import main
from scopemill.settings import ConfigError

LABELS = np.array(
    [
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 7, 0],
        [0, 1, 0, 7, 7, 7],
        [0, 0, 0, 0, 7, 0],
    ],
    np.uint16,
)


@pytest.mark.parametrize("name", ["cells.geojson", "cells.geojson.gz", "cells.zip"])
def test_labels_come_back_the_same(tmp_path, capsys, name):
    tifffile.imwrite(tmp_path / "labels.tif", LABELS)
    assert main([str(tmp_path / "labels.tif"), str(tmp_path / name)]) == 0
    assert capsys.readouterr().out == f"{tmp_path / name}: 2 objects\n"
    again = tmp_path / "again.tif"
    assert main([str(tmp_path / name), str(again), "--size", "4", "6"]) == 0
    found = tifffile.imread(again)
    assert found.shape == (4, 6)
    assert len(np.unique(found)) == 3
    pairs = np.unique(np.stack([LABELS.ravel(), found.ravel()]), axis=1)
    assert pairs.shape[1] == 3  # background, and each object where it was


def test_what_cannot_be_written_is_said(tmp_path):
    tifffile.imwrite(tmp_path / "labels.tif", LABELS)
    source = str(tmp_path / "labels.tif")
    for target, message in {
        "x.svg": "cannot be written; .geojson, .geojson.gz",
        "x.tif": "--size HEIGHT WIDTH is missing",
    }.items():
        with pytest.raises(ConfigError, match=message):
            main([source, str(tmp_path / target)])
    with pytest.raises(ConfigError, match=r"labels\.tif: is there already"):
        main([source, source])
    with pytest.raises(ConfigError, match=r"MISSING: .*nothing\.tif: no such annotation file"):
        main([str(tmp_path / "nothing.tif"), str(tmp_path / "x.geojson")])
