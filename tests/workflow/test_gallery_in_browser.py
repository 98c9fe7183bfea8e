"""The gallery of a large study as a person uses it: pictures that the page does not hold are read when they are wanted."""

import pytest
from browser_tools import chromium, expect
from PIL import Image

from scopemill.report import stage

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror=document.title='pwned'>"
NOTHING = {
    name: [] for name in ("quarantine", "figures", "comparison", "fits", "summary", "timing", "notes", "regions", "suspects", "region_figures", "seams")
}  # fmt: skip


@pytest.fixture
def tab(require_or_skip, tmp_path):
    """A page with one thumbnail of 72; the pictures of all but the last are beside it."""
    more = [(f"i{n:02d}", HOSTILE if n == 70 else "late" if n > 65 else "early") for n in range(71)]
    counts = {"all": 72, "ok": 72, "quarantined": 0, "skipped": 0}
    page = stage.render(
        **NOTHING, study="s", version="1", date="today", counts=counts, n_regions=0, particles=None,
        plates={"figures": [], "left_out": 0}, gallery=[{"image": "first", "group": "early", "data": ""}], more=more,
    )  # fmt: skip
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    (tmp_path / "qc").mkdir()
    for image, _ in more[:-1]:
        Image.new("RGB", (30, 20), "#ff0000").save(tmp_path / "qc" / f"{image}.png")
    with chromium(require_or_skip, tmp_path) as browser:
        opened = browser.new_page(viewport={"width": 1280, "height": 800})
        opened.goto((tmp_path / "report.html").as_uri())
        yield opened


def shown(tab):
    """Thumbnails that can be seen."""
    return tab.locator(".thumb:visible img")


def expect_shown(tab, *images):
    expect(shown(tab)).to_have_count(len(images))
    assert [one.get_attribute("alt") for one in shown(tab).all()] == [*images]


def test_more_are_shown_when_they_are_asked_for(tab):
    expect_shown(tab, "first")
    expect(tab.locator("#next")).to_have_text("Show 60 more of 71")
    tab.click("#next")
    expect(shown(tab)).to_have_count(61)
    expect(tab.locator("#next")).to_have_text("Show 11 more of 11")
    tab.click("#next")
    expect(shown(tab)).to_have_count(72)
    expect(tab.locator("#next")).to_be_hidden()


def test_a_search_finds_all_images_by_name_and_group(tab):
    tab.fill("#filter", "LATE")
    expect_shown(tab, "i66", "i67", "i68", "i69")
    expect(tab.locator("#matches")).to_have_text("4 of 72 images")
    picture = tab.locator(".thumb img[alt=i69]")
    picture.scroll_into_view_if_needed()
    picture.evaluate("one => one.decode()")
    assert picture.evaluate("one => one.naturalWidth") == 30
    assert picture.locator("..").get_attribute("href") == "qc/i69.png"
    tab.fill("#filter", "")
    expect_shown(tab, "first")
    expect(tab.locator("#next")).to_have_text("Show 60 more of 71")


def test_a_group_is_text_and_a_picture_that_is_gone_is_said(tab):
    tab.fill("#filter", "i70")
    tab.locator(".thumb img[alt=i70]").scroll_into_view_if_needed()
    tab.get_by_text("i70: not found in the folder qc/ beside this page").wait_for()
    assert tab.title() == "s – Scopemill"  # noqa: RUF001
