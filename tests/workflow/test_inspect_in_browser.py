"""Inspect as a person uses it: Chromium, clicks and keys; what they decide is in the tables of the next run."""

import csv
import json
import re
import subprocess
import sys
from contextlib import contextmanager

import pytest
from browser_tools import PATIENCE_MS, chromium, expect
from workflow_tools import (
    HOSTILE_GROUP,
    assert_settled,
    environment,
    results_of,
    run_study,
    said,
    snakemake,
)

from scopemill import tables

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SUSPICION = {"i0": 0.9, "i1": 0.1, "i2": 0.6}
HOSTILE_CLASS = "<b>odd</b> \"q\" 'n' & co"
NOBODY = "ERR_CONNECTION_REFUSED"  # what Chromium says when the server has been ended
SIZE = {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def browser(require_or_skip, tmp_path_factory):
    with chromium(require_or_skip, tmp_path_factory.mktemp("home")) as opened:
        yield opened


@contextmanager
def server(study):
    """A running `scopemill inspect`, and the address that it printed."""
    command = [sys.executable, "-m", "scopemill", "inspect", results_of(study), "--no-browser", "--user", "ann"]  # fmt: skip
    running = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
    try:
        yield running, running.stdout.readline().strip()
    finally:
        running.kill()
        running.wait(30)


@contextmanager
def page(browser, address):
    """The page at 1280 x 800; nothing may go wrong in it, and nothing may come from elsewhere."""
    context = browser.new_context(viewport=SIZE)
    one, wrong = context.new_page(), []
    one.set_default_timeout(PATIENCE_MS)
    one.on("console", lambda said: said.type == "error" and NOBODY not in said.text and wrong.append(said.text))  # fmt: skip
    one.on("pageerror", lambda error: wrong.append(str(error)))
    origin = address.split("?")[0]
    one.on("request", lambda asked: asked.url.startswith((origin, "data:", "blob:")) or wrong.append(asked.url))  # fmt: skip
    one.goto(address)
    one.wait_for_selector(".image")
    yield one
    context.close()
    assert wrong == []


@pytest.fixture
def suspected(study):
    """The study, with a suspicion of each image and cell that is known here."""
    root = results_of(study)
    named = tables.read_csv(root / "images.csv")
    tables.write_csv(root / "images.csv", named.assign(suspicion=named["image"].map(SUSPICION), suspicion_reason="<i>dark</i>"))  # fmt: skip
    cells = tables.read_table(root / "objects.parquet")
    tables.write_table(root / "objects.parquet", cells.assign(suspicion=cells["label"] / 10))
    return study


def names(one):
    return one.locator(".image b")


def chosen(one):
    return one.locator('.cell[aria-selected="true"] span').first


def label_of_chosen(one):
    return chosen(one).text_content().split()[1]


def set_least(one, value):
    one.locator(".filters .least").fill(value)


def test_images_come_by_suspicion_and_pass_filters(browser, suspected):
    with server(suspected) as (_, address), page(browser, address) as one:
        assert "token" not in one.url
        expect(names(one)).to_have_text(["i0", "i2", "i1"])
        set_least(one, "0.5")
        expect(names(one)).to_have_text(["i0", "i2"])
        one.keyboard.press("/")
        one.keyboard.type("i2")
        expect(names(one)).to_have_text(["i2"])
        one.locator("#text").fill("")
        set_least(one, "0")
        one.locator("#group").select_option("treated")
        expect(names(one)).to_have_text(["i1"])


def test_what_tables_say_is_text(browser, suspected):
    with server(suspected) as (_, address), page(browser, address) as one:
        expect(one.locator("#images")).to_contain_text(HOSTILE_GROUP)
        expect(one.locator("#images")).to_contain_text("<i>dark</i>")
        one.locator(".image", has_text="i2").click()
        one.wait_for_selector(".cell")
        for name in (HOSTILE_CLASS, "plain"):
            one.keyboard.press("j")
            one.keyboard.press("l")
            one.locator("#classes input").fill(name)
            one.keyboard.press("Enter")
            one.locator(".badge.relabel", has_text=name).first.wait_for()
        one.keyboard.press("l")
        expect(one.locator("#classes")).to_contain_text(HOSTILE_CLASS)
        expect(one).to_have_title("tiny \u2013 Scopemill inspect")
        expect(one.locator("main b:has-text('odd')")).to_have_count(0)


def test_channels_overlays_zoom_and_a_click_on_a_cell(browser, suspected):
    with server(suspected) as (_, address), page(browser, address) as one:
        one.keyboard.press("j")
        one.keyboard.press("Enter")
        one.wait_for_selector(".cell")
        first = one.locator(".toggle").first
        expect(first).to_have_attribute("aria-pressed", "true")
        one.keyboard.press("1")
        expect(first).to_have_attribute("aria-pressed", "false")
        one.keyboard.press("1")
        one.keyboard.press("o")
        expect(one.locator(".overlays .toggle").first).to_have_attribute("aria-pressed", "false")
        # at first all of the image is seen, as large as it fits
        cells = tables.read_table(results_of(suspected) / "objects.parquet")
        cell = cells[cells["image"] == "i0"].iloc[2]
        box = one.locator("#viewer").bounding_box()
        zoom = min(box["width"], box["height"]) / 96
        x = box["x"] + box["width"] / 2 + (cell["centroid_x"] + 0.5 - 48) * zoom
        y = box["y"] + box["height"] / 2 + (cell["centroid_y"] + 0.5 - 48) * zoom
        one.wait_for_timeout(1000)
        one.mouse.click(x, y)
        expect(chosen(one)).to_have_text(f"nuclei {cell['label']}")


def test_a_decision_that_cannot_be_kept_is_not_shown_as_made(browser, suspected):
    with server(suspected) as (running, address), page(browser, address) as one:
        one.locator(".image", has_text="i0").click()
        one.wait_for_selector(".cell")
        one.keyboard.press("j")
        one.wait_for_load_state("networkidle")
        running.kill()
        running.wait(30)
        one.keyboard.press("r")
        one.wait_for_selector("#saved.bad")
        expect(one.locator("#trouble")).to_contain_text("Start scopemill inspect again")
        expect(one.locator(".badge")).to_have_count(0)


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def planned(study):
    """Rules that the next run would run."""
    done = snakemake(study, "--dry-run")
    assert done.returncode == 0, said(done)
    return set(re.findall(r"^(\w+) +\d+$", said(done), re.MULTILINE)) - {"all", "total"}


def test_a_rejected_cell_is_remembered_and_leaves_the_tables(browser, suspected):
    root = results_of(suspected)
    with server(suspected) as (_, address), page(browser, address) as one:
        set_least(one, "0.5")
        one.locator(".image", has_text="i2").click()
        one.wait_for_selector(".cell")
        one.keyboard.press("j")
        rejected = label_of_chosen(one)
        one.keyboard.press("r")
        one.wait_for_selector("#saved.ok")
        one.keyboard.press("l")
        one.locator("#classes input").fill(HOSTILE_CLASS)
        relabelled = label_of_chosen(one)
        one.keyboard.press("Enter")
        one.wait_for_selector(".badge.relabel")
        # made and taken back: no trace in the tables
        undone = label_of_chosen(one)
        one.keyboard.press("r")
        one.locator(".badge.reject").nth(1).wait_for()
        one.keyboard.press("u")
        one.locator(".badge.reject").nth(1).wait_for(state="detached")
    with server(suspected) as (_, address), page(browser, address) as one:
        one.locator(".image", has_text="i2").click()
        badge = one.locator(".cell", has_text=f"nuclei {rejected}").locator(".badge")
        expect(badge).to_have_text("rejected")
        expect(one.locator("#progress")).to_contain_text("2 of 18 cells decided")

    assert planned(suspected) == {"gather", "report", "account"}
    run_study(suspected)
    left = {row["label"]: row for row in read(root / "objects.csv") if row["image"] == "i2"}
    assert rejected not in left and undone in left
    assert (left[relabelled]["class"], left[relabelled]["class_by"]) == (HOSTILE_CLASS, "ann")
    (gone,) = read(root / "rejected.csv")
    assert (gone["image"], gone["label"], gone["rejected_by"]) == ("i2", rejected, "ann")
    (new,) = read(root / "relabelled.csv")
    assert (new["image"], new["label"], new["class"]) == ("i2", relabelled, HOSTILE_CLASS)
    counts = {row["image"]: row["n_nuclei"] for row in read(root / "images.csv")}
    assert counts["i2"] == str(len(left)) == "5"
    assert_settled(suspected)
    # a gather that is killed leaves what follows from its tables, but not them
    (root / "images.csv").unlink()
    assert planned(suspected) == {"gather", "report", "account"}


def test_a_rejected_image_is_skipped_until_that_is_taken_back(browser, suspected):
    root = results_of(suspected)
    before = json.loads((root / "accounting.json").read_text())
    objects = (root / "objects.csv").read_bytes()
    decide_image(browser, suspected, "i1")
    run_study(suspected)
    standing = {row["image"]: (row["status"], row["code"]) for row in read(root / "images.csv")}
    assert standing == {"i0": ("ok", ""), "i1": ("skipped", "REJECTED"), "i2": ("ok", "")}
    assert json.loads((root / "accounting.json").read_text())["causes"] == {"REJECTED": 1}
    assert "rejected by ann" in (root / "quarantine.tsv").read_text()
    decide_image(browser, suspected, "i1")
    run_study(suspected)
    assert json.loads((root / "accounting.json").read_text()) == before
    assert (root / "objects.csv").read_bytes() == objects
    assert not (root / "decisions.csv").exists()


def decide_image(browser, study, image):
    """Reject an image, or take that back."""
    with server(study) as (_, address), page(browser, address) as one:
        one.locator(".image", has_text=image).click()
        one.wait_for_selector("#viewer")
        one.keyboard.press("i")
        one.wait_for_selector("#saved.ok")
