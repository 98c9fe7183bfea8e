"""Forecasts: what is known from headers, how work is counted, and how what was recorded goes over it."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scopemill.config import read_config
from scopemill.errors import DataError
from scopemill.forecast import machine
from scopemill.forecast.costs import COSTS, REFERENCE_FLOP, Cost, find_cost
from scopemill.forecast.facts import Facts, make_facts
from scopemill.forecast.forecaster import SAFETY, Forecast, Forecaster, reckon_seconds
from scopemill.forecast.headers import Header, HeaderStore, count_bytes, guess_header, read_header
from scopemill.forecast.history import Correction, compare, learn, read_history
from scopemill.forecast.machine import Machine, default_path
from scopemill.forecast.plan import batch_tasks, make_plan
from scopemill.forecast.tissue_share import share_of_tissue
from scopemill.forecast.work import Work, applies, cost_of, count_flop, measure_work, variant_of
from scopemill.manifests import Record, append_journal
from scopemill.models import speed
from scopemill.settings import ConfigError
from scopemill.sheet import Row
from scopemill.study import load_study

MODEL = Path(__file__).parents[2] / "models" / "nuclei"
CONFIG = {
    "study": "s",
    "channels": {"DNA": {"source": "dapi"}, "marker": {"source": 1, "required": False}},
    "images_per_batch": 2,
    "device": "cpu",
    "patch": {"all": {}},
    "segment": {
        "nuclei": {"method": {"name": "unet", "model": str(MODEL), "channels": ["DNA"], "diameter_um": 14}},
        "flat": {"method": {"name": "otsu", "channel": "DNA"}},
        "deep": {"method": {"name": "otsu", "channel": "marker"}, "z": "stack"},
        "cells": {"method": {"name": "grow", "seeds": "deep"}, "z": "stack"},
    },
    "detect": {
        "nuclei": {"method": {"name": "from-labels", "labels": "nuclei"}},
        "cells": {"method": {"name": "from-labels", "labels": "cells"}},
        "spots": {"method": {"name": "log-spots", "channel": "marker", "sigma_um": 0.3}},
    },
    "quantify": {"nuclei": {"objects": "nuclei"}},
}  # fmt: skip
IDS = ("a", "b", "c")


@pytest.fixture
def study(tmp_path):
    """Three images in two batches; the files are not there yet."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    lines = "".join(f"{one}\traw/{one}.tif\n" for one in IDS)
    (tmp_path / "images.tsv").write_text("id\tpath\n" + lines)
    return load_study(read_config(tmp_path / "config.yaml"), tmp_path / "config.yaml")


@pytest.fixture
def forecaster(study):
    return Forecaster(study)


def facts_of(size=(1000, 1000), **changes):
    """One plane of both channels, 0.5 um a pixel."""
    planes = changes.pop("planes", 1)
    return Facts((1, 2, planes, *size), 2, False, ("DNA", "marker"), 0.5, **changes)


def work_of(study, key, facts):
    return measure_work(study.tasks[key], study.tasks, facts)


def row(path, **changes):
    return Row(**({"id": "a", "path": str(path), "line": 2} | changes))


# ---- headers


@pytest.fixture
def raw(tmp_path):
    path = tmp_path / "raw" / "a.tif"
    path.parent.mkdir()
    facts = {"axes": "CYX", "Channel": {"Name": ["dapi", "gfp"]}, "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}  # fmt: skip
    tifffile.imwrite(path, np.ones((2, 30, 40), np.uint16), metadata=facts, ome=True)
    return path


def test_a_header_is_what_the_file_says(raw):
    header = read_header(row(raw), 10**9)
    assert header.shape == (1, 2, 1, 30, 40) and header.itemsize == 2 and not header.rgb
    assert header.names == ("dapi", "gfp") and header.pixel_size_um == 0.25
    assert header.tissue is None and not header.guessed


def test_a_header_is_kept_until_its_file_changes(raw, tmp_path):
    store, header = HeaderStore(tmp_path), read_header(row(raw), 10**9)
    store.add(row(raw), header)
    store.save()
    assert HeaderStore(tmp_path).find(row(raw)) == header
    assert HeaderStore(tmp_path).find(row(raw, scene="2")) is None
    raw.write_bytes(raw.read_bytes() + b" ")
    assert HeaderStore(tmp_path).find(row(raw)) is None


def test_a_header_is_found_from_any_working_directory(raw, tmp_path, monkeypatch):
    store = HeaderStore(tmp_path)
    store.add(row(raw), read_header(row(raw), 10**9))
    monkeypatch.chdir(raw.parent)
    assert store.find(row("a.tif")) is not None


def test_lines_that_another_version_wrote_are_passed_over(raw, tmp_path):
    store = HeaderStore(tmp_path)
    store.add(row(raw), read_header(row(raw), 10**9))
    store.save()
    store.path.write_text('{"path": "x"}\nnot JSON\n' + store.path.read_text())
    assert HeaderStore(tmp_path).find(row(raw)) is not None


def test_the_size_of_a_file_is_that_of_all_its_parts(tmp_path):
    for name, size in (("a_c0.tif", 10), ("a_c1.tif", 20), ("other.tif", 40), ("s.mrxs", 1)):
        (tmp_path / name).write_bytes(b"0" * size)
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "Data0001.dat").write_bytes(b"0" * 500)
    assert count_bytes(str(tmp_path / "other.tif")) == 40
    assert count_bytes(str(tmp_path / "a_c{channel}.tif")) == 30
    assert count_bytes(str(tmp_path / "s.mrxs")) == 501
    assert count_bytes(str(tmp_path / "none.tif")) == 0


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("a.tif", (1, 2, 1, 1000, 1000)),  # 2 values a byte, two channels
        ("a.svs", (1, 3, 1, 2581, 2581)),  # JPEG: 20 values a byte, three colours
        ("a.unknown", (1, 2, 1, 1000, 1000)),
    ],
)
def test_a_guess_from_the_size_of_a_file_is_large(tmp_path, name, shape):
    (tmp_path / name).write_bytes(b"0" * 10**6)
    header = guess_header(row(tmp_path / name), 2)
    assert header.shape == shape and header.guessed


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_guess_is_not_smaller_than_the_image(tmp_path, compression):
    pixels = np.random.default_rng(0).poisson(200, (2, 300, 300)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, compression=compression)
    guessed = guess_header(row(tmp_path / "a.tif"), 2)
    assert np.prod(guessed.shape) >= pixels.size


def test_a_file_that_is_not_there_is_guessed_to_be_nothing(tmp_path):
    assert guess_header(row(tmp_path / "none.tif"), 2).shape == (1, 2, 1, 0, 0)


def test_the_share_of_tissue_is_seen_in_a_small_copy():
    slide = np.full((3, 200, 200), 245, np.uint8)
    noise = np.random.default_rng(0).integers(-20, 20, (3, 100, 100))
    slide[:, 50:150, 50:150] = np.array([190, 120, 170])[:, None, None] + noise
    assert share_of_tissue(slide, True) == pytest.approx(0.25, abs=0.02)
    assert share_of_tissue(np.full((3, 200, 200), 245, np.uint8), True) == 0


def test_the_small_copy_of_a_slide_is_a_level_of_its_pyramid(tmp_path):
    slide = np.full((2048, 2048, 3), 245, np.uint8)
    rng = np.random.default_rng(0)
    slide[512:1536, 512:1536] = rng.integers([160, 100, 150], [210, 150, 200], (1024, 1024, 3))
    path = tmp_path / "slide.tif"
    options = {"photometric": "rgb", "tile": (256, 256)}
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(slide, subifds=1, **options)
        tiff.write(slide[::2, ::2], subfiletype=1, **options)
    assert read_header(row(path), 10**9).tissue == pytest.approx(0.25, abs=0.02)


def test_a_small_copy_that_is_broken_is_no_fault_of_the_image(raw, monkeypatch):
    def broken(_):
        raise DataError("DECODE", "half a thumbnail")

    monkeypatch.setattr("scopemill.forecast.tissue_share.read_small_copy", broken)
    assert read_header(row(raw), 10**9).tissue is None


# ---- facts


def test_facts_have_the_channels_that_a_file_has(study):
    both = Header((1, 3, 1, 9, 8), 2, names=("DAPI", "x", "y"), pixel_size_um=0.5)
    assert make_facts(study, row("a"), both).channels == ("DNA", "marker")
    one = dataclasses.replace(both, names=("other",), shape=(1, 1, 1, 9, 8))
    assert make_facts(study, row("a"), one).channels == ()
    guess = Header((1, 2, 1, 9, 8), 2, guessed=True)
    assert make_facts(study, row("a"), guess).channels == ("DNA", "marker")
    assert make_facts(study, row("a"), both).shape == (1, 2, 1, 9, 8)


@pytest.mark.parametrize(("stated", "size"), [("", 0.5), ("0.2", 0.2), ("unknown", None)])
def test_the_sheets_pixel_size_goes_over_the_files(study, stated, size):
    header = Header((1, 2, 1, 9, 8), 2, names=("dapi", "x"), pixel_size_um=0.5)
    assert make_facts(study, row("a", pixel_size_um=stated), header).um_per_px == size


def test_objects_are_those_of_tissue():
    assert facts_of((2000, 2000)).objects == 5000  # a square millimetre
    assert facts_of((2000, 2000), tissue=0.1).objects == pytest.approx(500)
    assert facts_of((2000, 2000), tissue=0.0).objects == 0


# ---- work


def test_work_counts_the_channels_that_a_task_reads(study):
    facts = facts_of((100, 200), planes=5)
    assert work_of(study, "convert", facts).values == 2 * 5 * 20_000
    assert work_of(study, "segment.flat", facts).values == 5 * 20_000
    assert work_of(study, "quantify.nuclei", facts).values == 2 * 5 * 20_000


def test_a_task_that_sees_stacks_makes_all_planes(study):
    facts = facts_of((100, 200), planes=5)
    assert work_of(study, "segment.flat", facts).pixels == 20_000
    assert work_of(study, "segment.deep", facts).pixels == 100_000
    assert work_of(study, "detect.nuclei", facts).pixels == 20_000
    assert work_of(study, "detect.cells", facts).pixels == 100_000
    assert work_of(study, "detect.spots", facts).pixels == 100_000


BLOCKWISE = ("patch.all", "segment.nuclei", "segment.flat", "detect.nuclei", "detect.spots", "quantify.nuclei", "qc")  # fmt: skip


@pytest.mark.parametrize("key", BLOCKWISE)
def test_a_larger_slide_needs_no_more_memory_than_its_blocks(forecaster, key):
    small, large = (
        dataclasses.replace(forecaster.of(key, facts_of((n, n), tissue=0.0)), cpu_s=0)
        for n in (8192, 65536)
    )
    assert large.memory_mb == small.memory_mb


def test_stacks_are_segmented_whole(forecaster):
    small, large = (forecaster.of("segment.deep", facts_of((n, n), planes=4)) for n in (4096, 8192))
    assert large.memory_mb > 3 * small.memory_mb


def test_more_objects_need_more_memory(forecaster):
    empty, full = (forecaster.of("quantify.nuclei", facts_of((9000, 9000), tissue=one)) for one in (0.0, 1.0))  # fmt: skip
    assert full.memory_mb > empty.memory_mb and full.cpu_s > empty.cpu_s


def test_files_that_are_decoded_whole_need_memory_for_it(forecaster):
    small, large = (forecaster.of("convert", facts_of((9000, 9000), pieces=one)) for one in ("tiles", "plane"))  # fmt: skip
    assert large.memory_mb > small.memory_mb + 300


def test_a_network_that_sees_an_image_enlarged_has_more_to_do(study):
    # models/nuclei knows nuclei of 28 px: 14 um at 0.5 um a pixel are 28 px, at 0.25 um they are 56 px
    same = work_of(study, "segment.nuclei", facts_of())
    assert same.network == pytest.approx(10**6, rel=0.01)
    shrunk = work_of(study, "segment.nuclei", dataclasses.replace(facts_of(), um_per_px=0.25))
    assert shrunk.network == pytest.approx(10**6 / 4, rel=0.01)
    assert work_of(study, "segment.flat", facts_of()).network == 0


def test_the_reference_network_is_that_of_models_nuclei():
    architecture = {"name": "unet", "in_channels": 1, "out_channels": 2, "width": 16, "depth": 4}
    assert count_flop(architecture) == REFERENCE_FLOP
    # by hand: one level, one channel: 2 * (9 * (1 + 1) + 9 * (1 * 2 + 2 * 2) / 4 + (2 * 1 + 9 * 3) + 1)
    assert count_flop(architecture | {"width": 1, "depth": 1, "out_channels": 1}) == 2 * (18 + 13.5 + 29 + 1)  # fmt: skip
    assert count_flop({"name": "other"}) == REFERENCE_FLOP


def test_seconds_are_a_sum_over_what_there_is_to_do():
    cost = Cost(image_s=1, value_s=2, pixel_s=3, object_s=4)
    assert reckon_seconds(cost, Work(2e6, 1e6, 0, 0, objects=500)) == 1 + 4 + 3 + 2


def test_a_task_applies_to_images_with_its_channels(study):
    both = facts_of()
    one = dataclasses.replace(both, channels=("DNA",))
    tasks = batch_tasks(study.tasks.values())
    absent = {task.key for task in tasks if not applies(task, study.tasks, one)}
    assert absent == {"segment.deep", "segment.cells", "detect.cells", "detect.spots"}
    assert all(applies(task, study.tasks, both) for task in tasks)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(1, 40_000), st.integers(1, 40_000), st.integers(1, 3), st.integers(1, 30))
def test_a_larger_image_is_never_less_work(forecaster, height, width, times, planes):
    facts = Facts((times, 2, planes, height, width), 2, False, ("DNA", "marker"), 0.5)
    larger = dataclasses.replace(facts, shape=(times, 2, planes, height + 1, width))
    for key in ("convert", "segment.flat", "segment.deep", "quantify.nuclei", "qc"):
        one, other = (forecaster.of(key, each) for each in (facts, larger))
        assert one.cpu_s <= other.cpu_s and one.memory_mb <= other.memory_mb
        assert one.disk_mb <= other.disk_mb and one.blocks <= other.blocks


def test_every_cost_belongs_to_a_stage_or_method():
    from scopemill.settings import method_names
    from scopemill.tasks import BATCH_STAGES

    for key in COSTS:
        stage, _, method = key.partition(" ")[0].partition(".")
        assert stage in BATCH_STAGES
        assert not method or method in method_names(stage)


def test_what_a_tasks_settings_make_cheap_is_cheap(study):
    split, whole = (study.tasks["segment.flat"], study.tasks["segment.flat"])
    method = dataclasses.replace(whole.method, settings=dataclasses.replace(whole.method.settings, split_um=0))  # fmt: skip
    whole = dataclasses.replace(whole, method=method)
    assert variant_of(whole) == "without splitting" and variant_of(split) == ""
    assert cost_of(whole).pixel_s < cost_of(split).pixel_s
    # a method that splits nothing has no such variant
    assert find_cost("detect", "from-labels", "without splitting") == COSTS["detect.from-labels"]
    assert find_cost("segment", "a-plug-in") == COSTS["segment"]


# ---- machine


def test_a_slower_machine_takes_longer(study):
    slow = Forecaster(study, Machine(arrays=2, networks=3))
    facts = facts_of()
    assert (
        slow.of("segment.flat", facts).cpu_s
        == 2 * Forecaster(study).of("segment.flat", facts).cpu_s
    )
    one, other = (each.of("segment.nuclei", facts) for each in (Forecaster(study), slow))
    assert other.network_cpu_s == pytest.approx(3 * one.network_cpu_s)
    assert other.memory_mb == one.memory_mb


def test_a_calibration_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("SCOPEMILL_MACHINE", str(tmp_path / "m.json"))
    assert Machine.read() == Machine()
    Machine(2.0, 3.0, 4.0, "node7").write()
    assert Machine.read() == Machine(2.0, 3.0, 4.0, "node7")
    (tmp_path / "m.json").write_text('{"speed": 1}')
    with pytest.raises(ConfigError, match=r"m\.json: no calibration.*--calibrate"):
        Machine.read()


def test_a_machine_is_measured(monkeypatch):
    monkeypatch.setattr(machine, "FIELD_PX", 128)
    monkeypatch.setattr(speed, "TILE", 64)
    found = machine.calibrate()
    assert found.arrays > 0 and found.networks > 0 and found.name
    monkeypatch.setitem(machine.REFERENCE, "networks", 1e-9)
    assert machine.calibrate().networks > 1000 * found.networks


def test_a_calibration_lies_in_the_users_cache(tmp_path, monkeypatch):
    monkeypatch.delenv("SCOPEMILL_MACHINE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_path().parent == tmp_path / "scopemill"


# ---- history and plan


def recorded(image, seconds, peak=100.0, size=0, notes=()):
    return Record(
        image, "ok", "f", artifact="x", size=size, seconds=seconds, cpu_seconds=seconds,
        peak_memory_mb=peak, facts={"notes": list(notes)},
    )  # fmt: skip


def test_what_was_recorded_goes_over_the_forecast(forecaster):
    facts = {one: facts_of((5000, 5000)) for one in IDS}
    expected = forecaster.of("segment.flat", facts["a"])
    # the first image of a job takes longer
    took = 3 * (expected.cpu_s + forecaster.load_s("segment.flat"))
    history = {"segment.flat": {"a": recorded("a", took, 2 * expected.memory_mb)}}
    off = learn(forecaster, "segment.flat", facts, history)
    assert off.cpu == pytest.approx(3) and off.images == 1
    assert off.memory == pytest.approx(2 * SAFETY)
    assert off.apply(expected).cpu_s == pytest.approx(3 * expected.cpu_s)


def test_memory_is_never_corrected_downwards(forecaster):
    facts = {"a": facts_of((5000, 5000))}
    history = {"segment.flat": {"a": recorded("a", 100.0, 1.0)}}
    assert learn(forecaster, "segment.flat", facts, history).memory == 1


def test_seconds_on_a_gpu_are_compared_with_those_of_gpus(forecaster):
    facts = {"a": facts_of((9000, 9000))}
    expected = forecaster.of("segment.nuclei", facts["a"])
    took = 2 * (expected.cpu_s + forecaster.load_s("segment.nuclei"))
    record = recorded("a", took, notes=["networks run on cuda"])
    off = learn(forecaster, "segment.nuclei", facts, {"segment.nuclei": {"a": record}})
    assert off.cpu == pytest.approx(2)
    assert off.gpu == pytest.approx(record.seconds / expected.gpu_s)


@pytest.mark.parametrize(
    ("pairs", "factor"),
    [([], 1), ([(0.2, 0.1)], 1), ([(4.0, 1.0), (2.0, 2.0)], 2), ([(4.0, 0.0)], 1)],
)
def test_few_seconds_tell_nothing(pairs, factor):
    assert compare(pairs) == factor


def test_images_that_failed_or_were_not_measured_tell_nothing(forecaster):
    facts = {"a": facts_of(), "b": facts_of()}
    history = {
        "segment.flat": {
            "a": dataclasses.replace(recorded("a", 50.0), status="skipped"),
            "b": dataclasses.replace(recorded("b", 50.0), cpu_seconds=0.0),
        }
    }
    assert learn(forecaster, "segment.flat", facts, history) == Correction()


def test_journals_of_killed_batches_count(tmp_path):
    append_journal(tmp_path / "provenance/segment.flat/b0000.jsonl", recorded("a", 5.0))
    (tmp_path / "provenance/headers.jsonl").write_text("{}\n")
    assert read_history(tmp_path)["segment.flat"]["a"].cpu_seconds == 5.0


def test_a_plan_says_what_is_left(study, forecaster, tmp_path):
    facts = {one: facts_of((3000, 3000)) for one in IDS}
    nothing = make_plan(forecaster, facts, {}, tmp_path)
    tasks = [task for task in nothing.jobs if task != "annotate"]
    assert len(nothing.lines) == 3 * len(tasks) and nothing.n_jobs == 2 * len(tasks) + 4
    history = {"convert": {"a": recorded("a", 7.0, 900.0, 5_000_000)}}
    plan = make_plan(forecaster, facts, history, tmp_path)
    (line,) = (one for one in plan.of_task("convert") if one.image == "a")
    assert line.done and line.forecast.cpu_s == 7 and line.forecast.memory_mb == 900
    assert line.forecast.disk_mb == 5
    assert len(plan.left) == len(nothing.left) - 1


def test_a_finished_batch_needs_no_job(forecaster, tmp_path):
    facts = {one: facts_of() for one in IDS}
    manifest = tmp_path / "manifests/convert/b0000.jsonl"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("")
    assert make_plan(forecaster, facts, {}, tmp_path).jobs["convert"] == 1


def test_the_wall_time_is_that_of_the_longest_batch_where_cores_are_many(forecaster, tmp_path):
    plan = make_plan(forecaster, {one: facts_of((9000, 9000)) for one in IDS}, {}, tmp_path)
    assert plan.wall_s(1) == plan.seconds_left()
    longest = plan.longest_batch_s()
    assert plan.wall_s(10_000) == longest < plan.seconds_left()
    # convert, unet, detect, quantify and qc of a batch of two images wait for each other
    chain = ("convert", "segment.nuclei", "detect.nuclei", "quantify.nuclei", "qc")
    lines = [one for one in plan.lines if one.task in chain and one.batch == "b0000"]
    least = sum(one.forecast.all_cpu_s for one in lines) + sum(plan.start_s[key] for key in chain)
    assert longest >= least * 0.999


def test_tasks_stand_behind_what_they_wait_for(study):
    seen = set()
    for task in batch_tasks(study.tasks.values()):
        assert set(task.needs) <= seen
        seen.add(task.key)
    assert "gather" not in seen and "qc" in seen


# ---- what rules ask


def test_a_job_of_equal_images_takes_as_long_as_all_of_them(study, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    asked = Forecaster.of_rules(study)
    rows = study.batches["b0000"]
    each = [asked.of("segment.flat", asked.facts(row)).all_cpu_s for row in rows]
    assert len(each) > len(set(each)) and len(asked.of_batch("segment.flat", "b0000")) < len(each)
    expected = asked.start_s("segment.flat") + sum(each)
    assert asked.job_seconds("segment.flat", "b0000") == pytest.approx(expected, rel=1e-12)


def test_rules_ask_without_opening_a_file(study, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    for one in IDS:
        (tmp_path / f"raw/{one}.tif").write_bytes(b"no image" * 10**6)
    monkeypatch.setattr("scopemill.forecast.headers.open_raw", forbidden)
    asked = Forecaster.of_rules(study)
    assert asked.job_memory_mb("segment.deep", "b0000") > 300
    assert (
        asked.job_seconds("segment.flat", "b0000") > asked.job_seconds("segment.flat", "b0001") > 1
    )


def test_rules_load_nothing_heavy():
    program = "import sys, scopemill.forecast.forecaster; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not {"torch", "scipy", "skimage", "tifffile", "pandas", "h5py"} & set(
        done.stdout.split()
    )


def forbidden(*_):
    raise AssertionError("a raw file was opened")


def test_rules_know_the_headers_that_were_read(study, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    for one in IDS:
        (tmp_path / f"raw/{one}.tif").write_bytes(b"0")
    before = Forecaster.of_rules(study).job_memory_mb("segment.deep", "b0000")
    store = HeaderStore(Path("results/s"))
    for one in study.rows:
        store.add(one, Header((1, 2, 10, 3000, 3000), 2, names=("dapi", "x")))
    store.save()
    assert Forecaster.of_rules(study).job_memory_mb("segment.deep", "b0000") > before + 1000


def test_a_gpus_libraries_need_memory(study):
    facts = facts_of()
    config = dataclasses.replace(study.config, device="auto")
    either = Forecaster(dataclasses.replace(study, config=config))
    found = [one.of("segment.nuclei", facts).memory_mb for one in (Forecaster(study), either)]
    assert found[1] > found[0] + 2000
    assert either.of("segment.flat", facts) == Forecaster(study).of("segment.flat", facts)


def test_a_header_that_cannot_be_read_is_the_images_fault(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0")
    with pytest.raises(DataError):
        read_header(row(tmp_path / "a.tif"), 10**9)


def test_forecasts_are_numbers_that_json_can_hold(forecaster):
    assert json.loads(json.dumps(dataclasses.asdict(forecaster.of("qc", facts_of()))))
    assert Forecast().all_cpu_s == 0
