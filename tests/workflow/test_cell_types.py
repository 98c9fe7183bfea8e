"""Cell types: simulated fields -> gates and labelled cells -> trained classifiers -> types of cells in images never seen."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from workflow_tools import (
    results_of,
    run_study,
    said,
    snakemake,
    write_config,
    write_image,
    write_sheet,
)

import scopemill
from scopemill.models.description import read_description
from scopemill.simulate.cytometry import Field, simulate_field
from scopemill.statistics import binomial_interval

N_IMAGES, N_TRAIN = 6, 4
TYPES = {"T": (0.55, 4.0), "B": (0.45, 4.0)}
FIELD = Field(
    shape_zyx=(5, 256, 256), pixel_size_um=0.4, n_cells=30, types=TYPES, n_unbound=2, bleed=0.1
)
FEATURES = ["intensity_mean_CD3", "intensity_mean_CD19", "area_um2"]
CONFIG = {
    "study": "types",
    "images_per_batch": N_IMAGES,
    "channels": {
        "DNA": {"source": "DNA", "role": "nucleus"},
        "cytoplasm": {"source": "cytoplasm", "role": "cytoplasm"},
        "CD3": {"source": "CD3", "role": "membrane"},
        "CD19": {"source": "CD19", "role": "membrane"},
    },
    "segment": {
        "nuclei": {
            "method": {"name": "otsu", "channel": "DNA", "threshold": "li", "split_um": 5.0},
            "min_size_um": 4.0,
        },
        "cells": {
            "method": {
                "name": "grow", "seeds": "nuclei", "channel": "cytoplasm", "max_distance_um": 4.0
            }
        },
    },
    "detect": {"cells": {"method": {"name": "from-labels", "labels": "cells"}}},
    "quantify": {"cells": {"objects": "cells", "nucleus": "nuclei"}},
}  # fmt: skip
SPLIT = {"column": "part"}
FEATURES_METHOD = {"name": "features", "trees": 50}
CROPS = {
    "collect": {
        "measured": {"objects": "cells", "labelled": "cells.csv"},
        "channels": ["CD3", "CD19"],
        "objects": {"crop_px": 32},
        "split": SPLIT,
    },
    "method": {"name": "classify"},
    "network": {"name": "densenet", "growth": 2, "blocks": [1], "width": 4},
    "training": {"steps": 2, "batch_size": 4, "validate_every": 2},
}


def plain(config):
    """Shared parts written out: YAML aliases are refused."""
    return json.loads(json.dumps(config))


def write_fields(folder: Path) -> pd.DataFrame:
    """Images, the sheet and a CSV of labelled cells; the true types of all cells."""
    rows, truth = [], []
    for n in range(N_IMAGES):
        field = simulate_field(FIELD, np.random.default_rng(100 + n))
        kept = [field.channel_names.index(name) for name in CONFIG["channels"]]
        write_image(
            folder / f"raw/f{n}.tif", field.image[kept].swapaxes(0, 1), axes="ZCYX",
            Channel={"Name": list(CONFIG["channels"])}, PhysicalSizeX=0.4, PhysicalSizeY=0.4,
            PhysicalSizeZ=0.5, PhysicalSizeZUnit="µm",
        )  # fmt: skip
        rows.append([f"f{n}", f"raw/f{n}.tif", "train" if n < N_TRAIN else "test"])
        own = pd.DataFrame(field.objects)[["y", "x", "class", "on_border"]]
        truth.append(own.assign(image=f"f{n}"))
    truth = pd.concat(truth, ignore_index=True)
    write_sheet(folder, rows, "id path part")
    labelled = truth[~truth["on_border"] & truth["image"].isin([f"f{n}" for n in range(5)])]
    labelled[["image", "class", "y", "x"]].to_csv(folder / "cells.csv", index=False)
    return truth


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Where it lies, and the truth."""
    folder = tmp_path_factory.mktemp("types")
    return folder, write_fields(folder)


@pytest.mark.slow
def test_a_classifier_that_learnt_from_a_gate_or_a_csv_knows_cells_of_unseen_images(study):
    folder, truth = study
    # strict: what is between the gates is not learnt from
    gates = {
        "T": "intensity_mean_CD3 > 2 * intensity_mean_CD19",
        "B": "intensity_mean_CD19 > 2 * intensity_mean_CD3",
    }
    gated = {
        "measured": {"objects": "cells", "gated": "gate", "features": FEATURES},
        "split": SPLIT,
    }
    labelled = {
        "measured": {"objects": "cells", "labelled": "cells.csv", "features": FEATURES},
        "split": SPLIT,
    }
    gate = {"gate": {"objects": "cells", "method": {"name": "gate", "rules": gates}}}
    train = {
        "gated": {"collect": gated, "method": FEATURES_METHOD},
        "labelled": {"collect": labelled, "method": FEATURES_METHOD},
        "crops": CROPS,
    }
    config = plain({**CONFIG, "classify": gate, "train": train})
    write_config(folder, config)
    done = snakemake(folder, "train")
    assert done.returncode == 0, said(done) + "".join(p.read_text() for p in folder.rglob("*.log"))
    models = results_of(folder) / "models"
    described = read_description(models / "gated")
    assert described.features == FEATURES and described.output == ["B", "T"]
    assert [one.name for one in described.channels] == ["CD3", "CD19"]
    assert described.training["classes from"] == "classify task gate"
    card = (models / "labelled/card.md").read_text()
    assert "- images: test\n" in card and "| accuracy |" in card
    assert read_description(models / "crops").classifier.crop_px == 32
    by_model = {
        name: {"objects": "cells", "method": {"name": "features", "model": f"{models / name}"}}
        for name in ("gated", "labelled")
    }
    write_config(folder, {**config, "classify": plain({**gate, **by_model})})
    run_study(folder)
    for task in by_model:
        right, n = count_right(results_of(folder), truth, task)
        low, high = binomial_interval(right, n)
        print(f"{task}: {right} of {n} cells right, {low:.3f} to {high:.3f}")  # noqa: T201
        assert n > 20 and right / n >= 0.9, (task, right, n)


def count_right(results: Path, truth: pd.DataFrame, task: str) -> tuple[int, int]:
    """Cells of the test images, found under their true middles, whose class is the true one."""
    objects = pd.read_csv(results / "objects.csv").set_index(["image", "label"])
    assert {f"probability_{task}", f"probability_T_{task}"} <= set(objects)
    right = n = 0
    for image in (f"f{k}" for k in range(N_TRAIN, N_IMAGES)):
        labels = scopemill.load(results).labels(image, "cells")
        cells = truth[(truth["image"] == image) & ~truth["on_border"]]
        for y, x, name in zip(cells["y"], cells["x"], cells["class"], strict=True):
            label = labels[round(y), round(x)]
            if label:
                n += 1
                right += objects.loc[(image, label), f"class_{task}"] == name
    return right, n
