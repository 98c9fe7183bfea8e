"""Study: what tasks refer to is there, nothing waits for itself, and all of it is said before anything starts."""

import copy
import json

import pytest

from scopemill.config import merge
from scopemill.settings import ConfigError
from scopemill.study import load_study

BASE = {
    "study": "s",
    "channels": {"DNA": 0, "CD3": {"source": "CD3", "role": "marker"}},
    "segment": {
        "nuclei": {"method": {"name": "otsu", "channel": "DNA"}},
        "cells": {"method": {"name": "grow", "seeds": "nuclei"}},
    },
    "detect": {"cells": {"method": {"name": "from-labels", "labels": "cells"}}},
    "quantify": {"cells": {"objects": "cells"}},
    "classify": {
        "types": {
            "objects": "cells",
            "method": {"name": "gate", "rules": {"T": "intensity_mean_CD3 > 4"}},
        }
    },
}


@pytest.fixture
def study(tmp_path):
    """The study of BASE with changes laid over it, and 5 images."""
    lines = ["id\tpath\tdose", *(f"i{n}\ti{n}.tif\t{n}" for n in range(5))]
    (tmp_path / "images.tsv").write_text("\n".join(lines) + "\n")

    def run(**changes):
        return load_study(merge(copy.deepcopy(BASE), changes), tmp_path / "config.yaml")

    return run


@pytest.fixture
def complaint(study, tmp_path):
    """Lines of what is wrong, without the config's path."""

    def run(**changes):
        with pytest.raises(ConfigError) as caught:
            study(**changes)
        start = f"{tmp_path / 'config.yaml'}: "
        lines = str(caught.value).splitlines()
        assert all(line.startswith(start) for line in lines)
        return [line.removeprefix(start) for line in lines]

    return run


def test_a_right_study_has_all_its_tasks_in_order(study):
    assert list(study().tasks) == [
        "convert", "segment.nuclei", "segment.cells", "detect.cells", "quantify.cells",
        "classify.types", "qc", "gather", "report", "account",
    ]  # fmt: skip


def test_a_channel_may_be_given_by_its_source_alone(study):
    assert study().channels["DNA"].source == 0


def test_tasks_need_what_they_refer_to(study):
    tasks = study().tasks
    assert tasks["convert"].needs == ()
    assert tasks["segment.nuclei"].needs == ("convert",)
    assert tasks["segment.cells"].needs == ("convert", "segment.nuclei")
    assert tasks["detect.cells"].needs == ("convert", "segment.cells")
    assert tasks["classify.types"].needs == ("convert", "quantify.cells")


def test_quantify_needs_the_labels_of_what_it_measures(study):
    assert study().tasks["quantify.cells"].needs == ("convert", "detect.cells", "segment.cells")


@pytest.mark.parametrize("key", ["qc", "gather", "report", "account"])
def test_the_last_stages_need_every_task_but_qc(study, key):
    tasks = study().tasks
    assert tasks[key].needs == (
        "convert", "segment.nuclei", "segment.cells", "detect.cells", "quantify.cells", "classify.types",
    )  # fmt: skip
    assert key == "qc" or tasks[key].settings.tasks == tasks[key].needs


def test_an_unknown_channel_is_refused_with_the_nearest_one(complaint):
    assert complaint(segment={"nuclei": {"method": {"channel": "DNAA"}}}) == [
        "segment.nuclei.channel: there is no channel 'DNAA'; did you mean 'DNA'?"
    ]


def test_an_unknown_segment_task_is_refused_with_the_nearest_one(complaint):
    assert complaint(detect={"cells": {"method": {"labels": "cels"}}}) == [
        "detect.cells.labels: there is no segment task that gives labels 'cels'; did you mean 'cells'?"
    ]


def test_an_unknown_detect_task_is_refused_with_the_choice(complaint):
    assert complaint(quantify={"cells": {"spots": ["particles"]}}) == [
        "quantify.cells.spots: there is no detect 'particles'; choose from ['cells']"
    ]


def test_a_stage_without_tasks_offers_no_choice(complaint):
    assert complaint(
        segment={"nuclei": {"method": {"name": "unet", "model": "m", "patches": "p"}}}
    )[-1] == ("segment.nuclei.patches: there is no patch 'p'")


def test_faults_of_several_tasks_are_told_at_once(complaint):
    lines = complaint(
        segment={"nuclei": {"method": {"channel": "X"}}}, quantify={"cells": {"nucleus": "nucle"}}
    )
    assert [line.split(":")[0] for line in lines] == [
        "segment.nuclei.channel",
        "quantify.cells.nucleus",
    ]


def test_tasks_that_wait_for_each_other_are_refused(complaint):
    (line,) = complaint(
        segment={"nuclei": {"method": {"name": "grow", "seeds": "cells"}}},
    )
    assert line.startswith("these tasks wait for each other: [")
    assert "'segment.cells'" in line and "'segment.nuclei'" in line and "'convert'" not in line


def test_a_task_that_waits_for_itself_is_refused(complaint):
    (line,) = complaint(segment={"cells": {"method": {"name": "grow", "seeds": "cells"}}})
    assert "segment.cells" in line and "segment.nuclei" not in line


def test_a_gate_is_checked_when_the_config_is_read(complaint):
    rule = {"T": "intensity_mean_CD33 > 4"}
    assert complaint(classify={"types": {"method": {"rules": rule}}}) == [
        "classify.types.method.rules.T: no column 'intensity_mean_CD33' is measured; "
        "did you mean 'intensity_mean_CD3'?"
    ]


def test_a_gate_that_cannot_be_read_is_refused(complaint):
    (line,) = complaint(classify={"types": {"method": {"rules": {"T": "area_um2 >"}}}})
    assert line.startswith("classify.types.method.") and "cannot read the rule" in line


@pytest.fixture
def with_unet(study, complaint):
    unet = {
        "patch": {"p": {}},
        "segment": {"nuclei": {"method": {"name": "unet", "model": "models/lung", "patches": "p"}}},
    }
    return lambda ask: ask(**unet)


def test_an_absent_model_folder_is_named(with_unet, complaint):
    (line,) = with_unet(complaint)
    assert line.startswith("segment.nuclei.model: there is no model folder 'models/lung'")


def test_a_model_folder_beside_the_config_is_found(with_unet, study, tmp_path):
    (tmp_path / "models" / "lung").mkdir(parents=True)
    (tmp_path / "models" / "lung" / "model.yaml").write_text("a: 1\n")
    assert with_unet(study).tasks["segment.nuclei"].needs == ("convert", "patch.p")


@pytest.mark.parametrize("name", ["a b", "1st", "a.b", "../x", "$(x)", "-a"])
def test_a_task_name_that_cannot_be_a_folder_or_column_is_refused(complaint, name):
    (line,) = complaint(segment={name: {"method": {"name": "otsu", "channel": "DNA"}}})
    assert line.startswith(f"segment.{name}: a task's name has letters, digits, - and _ only")


@pytest.mark.parametrize("name", ["a b", "1st", "x.y", "Zellé", "a" * 33])
def test_a_channel_name_that_cannot_be_a_column_is_refused(complaint, name):
    (line,) = complaint(channels={name: 0})
    assert f"channels.{name}" in line and "letters, digits and _ only" in line


@pytest.mark.parametrize("source", [True, 1.5, [0]])
def test_a_channels_source_is_a_number_or_a_name(complaint, source):
    assert all(line.startswith("channels.X.source") for line in complaint(channels={"X": source}))


def test_an_unknown_section_is_refused_with_the_nearest_one(complaint):
    (line,) = complaint(segmnt={})
    assert line.endswith("segmnt: unknown key; did you mean 'segment'?")


def test_faults_of_the_sheet_name_the_sheet(study, tmp_path):
    with pytest.raises(ConfigError) as caught:
        (tmp_path / "images.tsv").write_text("id\tpath\na b\ta.tif\n")
        study()
    assert str(caught.value).startswith(f"{tmp_path / 'images.tsv'}, line 2, column id")


def test_the_batch_size_may_be_chosen(study):
    assert [len(batch) for batch in study(images_per_batch=3).batches.values()] == [3, 2]
    assert study().images_per_batch == 2  # few images: some batches for all cores


def test_shared_settings_reach_the_stages_that_use_them(study):
    tasks = study(pixel_size_um=0.3, max_quarantined=0.2, gather={"group_by": "dose"}).tasks
    assert tasks["convert"].settings.pixel_size_um == 0.3
    assert tasks["convert"].settings.channels["CD3"].source == "CD3"
    assert tasks["account"].settings.max_quarantined == 0.2
    assert tasks["report"].settings.group_by == "dose"


def test_a_fit_of_what_is_not_there_is_refused(complaint):
    fit = {"object": "cells", "y": "ring_ratio_CD4", "x": "dosis"}
    lines = complaint(gather={"fits": [fit], "group_by": "arm"})
    assert [line.split(";")[0] for line in lines] == [
        "gather.group_by: the sheet has no column 'arm'",
        "gather.fits.x: the sheet has no column 'dosis'",
        "gather.fits.y: no column 'ring_ratio_CD4' is measured",
    ]


def test_a_recipe_lies_under_the_config(study, tmp_path):
    (tmp_path / "own.yaml").write_text("segment: {nuclei: {min_size_um: 7}}\n")
    assert study(recipe="own").tasks["segment.nuclei"].settings.min_size_um == 7


def test_classes_that_a_task_does_not_have_are_refused(tmp_path):
    config = {
        "study": "s",
        "channels": {"DNA": 0},
        "segment": {
            "tissue": {"method": {"name": "tissue"}},
            "cells": {"method": {"name": "otsu", "channel": "DNA"}},
        },
        "detect": {"cells": {"method": {"name": "from-labels", "labels": "cells"}}},
        "quantify": {
            "cells": {"objects": "cells", "regions": ["tissue"], "within": {"tissue": ["tisue"]}},
            "area": {"classes": "tissue", "whole": ["air"]},
        },
    }
    (tmp_path / "images.tsv").write_text("id\tpath\ttissue\na\ta.tif\tlung\n")
    with pytest.raises(ConfigError) as error:
        load_study(config, tmp_path / "config.yaml")
    said = str(error.value)
    assert (
        "quantify.cells.within.tissue: 'tissue' has no class 'tisue'; did you mean 'tissue'?"
        in said
    )
    assert (
        "quantify.area.whole: 'tissue' has no class 'air'; choose from ['background', 'tissue']"
        in said
    )
    assert "quantify.cells.regions: the sheet has a column 'tissue' already" in said


SPOTS = {
    "detect": {"beads": {"method": {"name": "log-spots", "channel": "CD3", "within": "cells"}}},
    "quantify": {"cells": {"spots": ["beads"]}},
}


def test_particles_are_counted_by_a_task_that_knows_them(study, complaint):
    particles = {"beads": {"objects": "cells", "control": {"dose": 0}}}
    tasks = study(**SPOTS, gather={"group_by": "dose", "particles": particles}).tasks
    assert tasks["gather"].settings.particles["beads"].control == {"dose": 0}
    assert complaint(**SPOTS, gather={"particles": {"bead": {"objects": "cell"}}}) == [
        "gather.particles: there is no detect 'bead'; did you mean 'beads'?",
        "gather.objects: there is no quantify 'cell'; did you mean 'cells'?",
    ]
    gather = {"group_by": "dose", "particles": particles}
    assert complaint(detect=SPOTS["detect"], gather=gather) == [
        "gather.particles.beads.objects: quantify.cells does not count 'beads'; add it to its `spots`"
    ]


@pytest.mark.parametrize(
    ("control", "group_by", "words"),
    [
        ({"dosis": 0}, "dose", "the sheet has no column 'dosis'; did you mean 'dose'?"),
        ({"dose": 9}, "dose", "no image of the sheet is such a control"),
        ({"dose": 0}, "group", "the group '' holds control images and others; set gather.group_by to a column that tells them apart"),
    ],
)  # fmt: skip
def test_a_control_is_a_group_of_the_sheet(complaint, control, group_by, words):
    particles = {"beads": {"objects": "cells", "control": control}}
    gather = {"group_by": group_by, "particles": particles}
    assert complaint(**SPOTS, gather=gather) == [f"gather.particles.beads.control: {words}"]


def test_figures_of_detection_go_into_the_settings(study, complaint, tmp_path):
    gather = {"particles": {"beads": {"objects": "cells", "detection": "c.json"}}}
    assert complaint(**SPOTS, gather=gather) == [
        f"gather.particles.beads.detection: there is no file {tmp_path / 'c.json'}; `scopemill calibrate` writes one"
    ]
    figures = {"efficiency": 0.9, "efficiency_low": 0.8, "efficiency_high": 1, "false_per_megavoxel": 0, "false_low": 0, "false_high": 1}  # fmt: skip
    (tmp_path / "c.json").write_text(json.dumps(figures))
    found = study(**SPOTS, gather=gather).tasks["gather"].settings.particles["beads"].figures
    assert (found.efficiency, found.false_high) == (0.9, 1)
