"""The report as a browser shows it: pictures and plots are there, and what a sheet says is text, never script."""

import html
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from browser_tools import FLAGS, find_chromium
from PIL import Image
from workflow_tools import HOSTILE_GROUP, IDS

pytestmark = pytest.mark.browser
QUIETLY = (
    "--headless --no-first-run --disable-background-networking --disable-component-update --disable-sync"
).split()


@pytest.fixture(scope="module")
def browse(require_or_skip, tmp_path_factory):
    """Open a page with more flags; what Chromium printed."""
    program = find_chromium(require_or_skip)
    user = tmp_path_factory.mktemp("chromium")

    def run(page: Path, *flags: str) -> str:
        own = [f"--user-data-dir={user}", *flags, page.as_uri()]
        env = {**os.environ, "HOME": str(user)}
        done = subprocess.run(
            [program, *FLAGS, *QUIETLY, *own], env=env, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return run


@pytest.fixture(scope="module")
def dom(browse, finished) -> str:
    """The page after its script has run."""
    return browse(finished.results / "report.html", "--dump-dom")


def test_every_image_has_a_thumbnail_that_is_in_the_page(dom):
    thumbs = re.findall(
        r'<a class="thumb"[^>]*>\s*<img[^>]*src="data:image/jpeg;base64,[^"]{500,}"', dom
    )
    assert len(thumbs) == len(IDS)


def test_plots_are_drawings_in_the_page(dom):
    assert dom.count("<svg") >= 2 and dom.count("<path") > 20


def test_counts_are_shown(dom):
    assert re.search(r"<b>3</b>\s*ok", dom)


def test_what_the_sheet_says_does_not_run(dom):
    assert re.search(r"<title>tiny . Scopemill</title>", dom)
    assert not re.search(r"<img\s+src=[\"']?x[\"' ]", dom)


def test_what_the_sheet_says_is_shown_as_text(dom):
    # dump-dom writes < and > of text as entities
    assert html.escape(HOSTILE_GROUP, quote=False) in dom


def test_an_image_that_does_run_would_be_seen(browse, tmp_path):
    page = tmp_path / "control.html"
    page.write_text(f"<title>quiet</title>{HOSTILE_GROUP}")
    assert "<title>pwned</title>" in browse(page, "--virtual-time-budget=2000", "--dump-dom")


def test_nothing_is_loaded_from_elsewhere(dom):
    assert not re.search(r"(src|href)=[\"']https?://", dom)


def test_the_picture_of_the_page_is_not_empty(browse, finished, tmp_path):
    shot = tmp_path / "report.png"
    browse(finished.results / "report.html", "--window-size=1200,1600", f"--screenshot={shot}")
    pixels = np.asarray(Image.open(shot).convert("RGB"))
    assert pixels.shape == (1600, 1200, 3)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100 and pixels.std() > 10
