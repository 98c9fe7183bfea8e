"""Report: the results folder of 10,000 images on plates of 384 wells, as gather leaves it -> report.html, opened in Chromium.

What tasks write is drawn by chance and written by the library's own writers; gather then makes the tables.
"""

import json
import multiprocessing
import os
import re
import resource
import shutil
import string
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from scipy import ndimage

from scopemill import manifests, pictures, tables
from scopemill.gather import stage as gather_stage
from scopemill.manifests import Record
from scopemill.report import stage as report_stage
from scopemill.sheet import make_batches, read_sheet

from .harness import Benchmark, Goal

ROWS, COLUMNS, FIELDS = 16, 24, 4  # wells of a plate, images of a well
PER_BATCH = 200
BROKEN = 100  # one image in so many
HEIGHT, WIDTH = 750, 1000  # of a picture
CLASSES = ("interphase", "mitotic", "dead")
CHANNELS = ("DNA", "actin", "marker")
SHAPES = {
    "area": 900, "area_um2": 225, "area_convex": 940, "perimeter": 110, "perimeter_um": 55, "axis_major_length": 36,
    "axis_minor_length": 30, "axis_major_length_um": 18, "axis_minor_length_um": 15, "equivalent_diameter_area": 33,
    "feret_diameter_max": 38, "eccentricity": 0.5, "solidity": 0.95, "extent": 0.75, "orientation": 0.1,
}  # fmt: skip
INTENSITIES = [f"intensity_{what}_{one}" for one in CHANNELS for what in ("mean", "std", "min", "max", "median")]  # fmt: skip
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage"]


class Study(NamedTuple):
    """A finished study without its report."""

    root: Path
    sheet: Path
    tasks: tuple[str, ...]
    n_images: int
    n_thumbnails: int
    gather_s: float
    gather_mb: float


def prepare(folder: Path, size: Mapping[str, Any]) -> Study:
    """Sheet, manifests, tables of features and classes, pictures; then gather, in a process of its own."""
    root, sheet = folder / "results" / "screen", folder / "images.tsv"
    write_sheet(sheet, size["images"])
    rng = np.random.default_rng(0)
    made = [write_image(root, row.id, i, size["objects"], rng) for i, row in enumerate(read_sheet(sheet))]  # fmt: skip
    tasks = tuple(made[0])
    for n, batch in enumerate(make_batches(read_sheet(sheet), PER_BATCH)):
        for key in tasks:
            records = [one[key] for one in made[n * PER_BATCH : (n + 1) * PER_BATCH]]
            manifests.write_manifest(root / "manifests" / key / f"{batch}.jsonl", records)
    write_pictures(root / "qc", [one["qc"].image for one in made if one["qc"].status == "ok"], size["pictures"], rng)  # fmt: skip
    study = Study(root, sheet, tasks[:-1], size["images"], size["thumbnails"], 0.0, 0.0)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        seconds, peak = pool.submit(run_gather, study).result()
    return study._replace(gather_s=seconds, gather_mb=peak)


def write_sheet(path: Path, n: int) -> None:
    """Plate by plate, well by well; a well has one compound at one dose."""
    lines = ["id\tpath\tplate\twell\tgroup\tdose"]
    for i in range(n):
        plate, place = divmod(i // FIELDS, ROWS * COLUMNS)
        well = f"{string.ascii_uppercase[place // COLUMNS]}{place % COLUMNS + 1:02d}"
        name = f"P{plate + 1:02d}_{well}_f{i % FIELDS}"
        lines.append(f"{name}\traw/{name}.tif\tP{plate + 1:02d}\t{well}\tcompound {place // 8:02d}\t{10.0 ** (place % 8 - 3):g}")  # fmt: skip
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_image(root: Path, image: str, i: int, most: int, rng: np.random.Generator) -> dict[str, Record]:  # fmt: skip
    """Tables of one image, of up to twice `most` objects; what each task says of it."""
    if i % BROKEN == BROKEN // 2:
        bad = Record(image, "quarantined", "f", "TRUNCATED", f"raw/{image}.tif: page 2 of 3 ends before its pixels; copy it again")  # fmt: skip
        return dict.fromkeys(("convert", "quantify.cells", "classify.cycle", "qc"), bad)
    n = int(rng.poisson(most))
    rows = pd.DataFrame({"image": image, "t": 0, "label": np.arange(1, n + 1)})
    of = rng.normal(1, 0.1, (n, len(SHAPES) + len(INTENSITIES))) * rng.normal(1, 0.05)
    levels = [*SHAPES.values(), *[800.0] * len(INTENSITIES)]
    places = pd.DataFrame({name: rng.uniform(0, 500, n) for name in ("centroid_y", "centroid_x")})
    values = pd.DataFrame(of * levels, columns=[*SHAPES, *INTENSITIES])
    spots = pd.DataFrame({"n_foci": rng.poisson(3, n), "touches_border": rng.random(n) < 0.05})
    features = pd.concat([rows, places, values, spots], axis=1)
    classes = rows.assign(**{"class": rng.choice(CLASSES, n, p=(0.85, 0.1, 0.05))})
    paths = {"quantify.cells": f"features/cells/{image}.parquet", "classify.cycle": f"classified/cycle/{image}.parquet"}  # fmt: skip
    for path, table in zip(paths.values(), (features, classes), strict=True):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        tables.write_table(root / path, table, fingerprint="f", objects="cells", regions={})
    quality = {what: {one: float(rng.normal(1, 0.1)) for one in CHANNELS} for what in ("focus", "contrast")}  # fmt: skip
    facts = {"shape": [1, 3, 1, 520, 696], "pixel_size_um": 0.5, "quality": quality}
    run = {"version": "1", "commit": "0" * 40, "code": "0" * 64, "packages": {"numpy": "2.4.6"}, "host": "node"}  # fmt: skip
    files = {"convert": f"images/{image}.ome.tif", **paths, "qc": f"qc/{image}.png"}
    seconds = rng.gamma(4, 0.1, len(files))
    return {
        key: Record(image, "ok", "f", artifact=path, seconds=float(took), facts=facts if key == "convert" else {}, run=run)
        for (key, path), took in zip(files.items(), seconds, strict=True)
    }  # fmt: skip


def write_pictures(folder: Path, images: list[str], n: int, rng: np.random.Generator) -> None:
    """A picture an image: cells with camera noise, of which n are drawn and all others are links to them."""
    folder.mkdir(parents=True)
    for i, image in enumerate(images):
        path = folder / f"{image}.png"
        if i < n:
            pictures.write_png(path, draw_cells(rng), "f")
        else:
            os.link(folder / f"{images[i % n]}.png", path)


def draw_cells(rng: np.random.Generator) -> Image.Image:
    """Blurred blobs of three colours, and noise."""
    seeds = rng.random((HEIGHT, WIDTH, 3)) < 0.0003
    blobs = ndimage.gaussian_filter(seeds.astype(np.float32), (9, 9, 0)) * 60_000
    return Image.fromarray(np.clip(blobs + rng.normal(12, 5, blobs.shape), 0, 255).astype(np.uint8))


def run_gather(study: Study) -> tuple[float, float]:
    """CPU seconds and MB of gather."""
    begin = time.process_time()
    settings = gather_stage.Settings(tasks=study.tasks)
    gather_stage.run(settings, study.root / "objects.parquet", study.sheet, PER_BATCH)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return time.process_time() - begin, peak


def write_report(study: Study) -> Path:
    """Ours."""
    page = study.root / "report.html"
    settings = report_stage.Settings(tasks=study.tasks, max_thumbnails=study.n_thumbnails)
    report_stage.run(settings, page, study.sheet, PER_BATCH)
    return page


def check(case: Study, nothing: None, page: Path) -> list[str]:
    """Every image is counted once, shown, or named with the reason why not; numbers are those of the tables."""
    text = page.read_text(encoding="utf-8")
    images, summary = (tables.read_csv(case.root / name) for name in ("images.csv", "summary.csv"))
    good, bad = (images.loc[(images["status"] == "ok") == ok, "image"].tolist() for ok in (True, False))  # fmt: skip
    shown, ranked = list_shown(text), cells_of(text, "suspects")
    numbers = [row[5] for row in cells_of(text, "numbers")]
    expected = [report_stage.format_number(value) for value in summary["value"]]
    return [
        *(["counts of images"] if re.findall(r"<b>(\d+)</b>", text)[:3] != [str(n) for n in (case.n_images, len(good), len(bad))] else []),
        *(["images in the gallery"] if sorted(shown) != sorted(good) else []),
        *(["images that are not in the numbers"] if {row[0] for row in cells_of(text, "images")} - set(bad) or not cells_of(text, "images") else []),
        *(["numbers"] if not numbers or numbers != expected[: len(numbers)] else []),
        *(["images by suspicion"] if not ranked or {row[0] for row in ranked} - set(good) else []),
        *(["plots"] if text.count("<svg") < 10 else []),
    ]  # fmt: skip


def list_shown(text: str) -> Iterator[str]:
    """Images of the gallery: thumbnails in the page, and those that are read when they are wanted."""
    yield from re.findall(r'<a class="thumb" href="qc/([^"]+)\.png"', text)
    (more,) = re.findall(r'<script type="application/json" id="more">(.*?)</script>', text, re.S)
    yield from (image for image, _ in json.loads(more))


def cells_of(text: str, section: str) -> list[list[str]]:
    """Cells of the rows of a section's tables, as text."""
    part = text.split(f'<section id="{section}">')[1].split("</section>")[0]
    rows = re.findall(r"<tr[^>]*>(<td>.*?)</tr>", part)
    return [[unescape(re.sub("<[^>]+>", "", one)) for one in re.findall(r"<td>(.*?)</td>", row)] for row in rows]  # fmt: skip


def spoil(page: Path) -> Path:
    """One image is missing in the gallery."""
    other = page.with_name("spoiled.html")
    text = page.read_text(encoding="utf-8")
    first = next(iter(list_shown(text)))
    other.write_text(text.replace(f'href="qc/{first}.png" data', 'href="qc/another.png" data'), encoding="utf-8")  # fmt: skip
    return other


def describe(case: Study, page: Path) -> dict[str, float]:
    """Size of the page; seconds until Chromium has loaded it, and until a thumbnail that is not in it is there."""
    facts = {"page_mb": page.stat().st_size / 1e6, "gather_cpu_s": case.gather_s, "gather_peak_mb": case.gather_mb}  # fmt: skip
    program = shutil.which("chromium")
    if not program:
        return facts | {"load_s": float("nan"), "thumbnail_s": float("nan")}
    return facts | browse(program, page, list(list_shown(page.read_text(encoding="utf-8")))[-1])


def browse(program: str, page: Path, last: str) -> dict[str, float]:
    """Medians of five visits, each by a browser of its own."""
    from playwright import sync_api

    found = []
    with sync_api.sync_playwright() as driver:
        for _ in range(5):
            browser = driver.chromium.launch(executable_path=program, args=FLAGS)
            found.append(visit(browser.new_page(viewport={"width": 1280, "height": 900}), page.as_uri(), last))  # fmt: skip
            browser.close()
    return {name: float(np.median([one[name] for one in found])) for name in found[0]}


def visit(tab: Any, address: str, last: str) -> dict[str, float]:
    """Open, search for the last image of the gallery, and wait until its picture is there."""
    begin = time.perf_counter()
    tab.goto(address, wait_until="load")
    # two frames later what the window shows has been drawn
    tab.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    load = time.perf_counter() - begin
    begin = time.perf_counter()
    tab.fill("#filter", last)
    picture = tab.locator(f".thumb img[alt='{last}']")
    picture.scroll_into_view_if_needed()
    picture.evaluate("one => one.decode()")
    return {"load_s": load, "thumbnail_s": time.perf_counter() - begin}


BENCHMARK = Benchmark(
    name="report",
    task="report.html of 10,000 images in 384-well plates with 1,000,000 objects",
    against="no baseline",
    prepare=prepare,
    baseline=None,
    ours=write_report,
    check=check,
    spoil=spoil,
    full={"images": 10_000, "objects": 101, "pictures": 48, "thumbnails": 200},
    small={"images": 96, "objects": 6, "pictures": 3, "thumbnails": 30},
    goals=(
        Goal("seconds", lambda outcome: outcome.median("wall_s"), at_most=60),
        Goal("MB of the page", lambda outcome: outcome.facts["page_mb"], at_most=30),
        Goal("seconds to open in Chromium", lambda outcome: outcome.facts["load_s"], at_most=3),
        Goal("seconds to a searched thumbnail", lambda outcome: outcome.facts["thumbnail_s"], at_most=1),
        Goal("MB of memory", lambda outcome: outcome.median("peak_mb"), at_most=1000),
    ),
    facts=describe,
)  # fmt: skip
