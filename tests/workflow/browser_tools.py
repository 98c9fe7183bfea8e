"""A real Chromium for the tests of pages, and questions that wait until the page has its answer."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from workflow_tools import environment

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage"]
PATIENCE_MS = 30_000  # machines of CI are slow and shared


def find_chromium(require_or_skip) -> str:
    """The program."""
    program = shutil.which("chromium")
    require_or_skip(program, "no chromium: apt-get install chromium")
    return program


@contextmanager
def chromium(require_or_skip, home: Path) -> Iterator:
    """A Playwright browser whose profile lies in `home`."""
    program = find_chromium(require_or_skip)
    require_or_skip(find_spec("playwright"), "no playwright: pip install 'scopemill[dev]'")
    from playwright import sync_api

    sync_api.expect.set_options(timeout=PATIENCE_MS)
    env = {**environment(), "HOME": str(home)}
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=FLAGS, env=env)
        yield browser
        browser.close()


def expect(locator):
    """What must become true of a locator or page: text is asked as it stands in the page.

    `inner_text` would be what is drawn, and that of a row with `content-visibility: auto` is empty
    until the browser has drawn it.
    """
    from playwright import sync_api

    return sync_api.expect(locator)
