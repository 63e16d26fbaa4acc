"""A real Chromium. A page that logs an error fails its test."""

import os
from collections.abc import Iterator

import pytest

from tests.browser.modules import open_modules
from tests.browser.waiting import PATIENCE_MS
from tests.run import find_chromium

# Playwright runs an event loop in this thread; Django would otherwise refuse to touch the database here.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

FLAGS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    from playwright.sync_api import sync_playwright

    path = find_chromium()
    if path is None:
        pytest.fail("Chromium is missing; run:  sudo apt-get install -y chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS, timeout=2 * PATIENCE_MS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def modules(chromium) -> Iterator:
    """A page to run static/viewer's modules in by themselves."""
    page = open_modules(chromium)
    yield page
    page.context.close()


@pytest.fixture
def open_page(chromium) -> Iterator:
    """Open pages of a given screen; at the end none may have logged an error."""
    contexts, problems = [], []

    def note(text: str, expected_error: str) -> None:
        if not expected_error or expected_error not in text:
            problems.append(text)

    def make(*, expected_error: str = "", ratio: float = 1.0, width: int = 1366, height: int = 768):
        context = chromium.new_context(viewport={"width": width, "height": height}, device_scale_factor=ratio)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: note(message.text, expected_error) if message.type == "error" else None)
        return page

    yield make
    for context in contexts:
        context.close()
    assert problems == []
