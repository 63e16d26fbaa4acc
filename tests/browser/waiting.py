"""Waiting for the page: far longer than a quick machine needs, since a loaded one may take many times as long."""

import time
from collections.abc import Callable

import pytest

PATIENCE_S = 60
PATIENCE_MS = 1000 * PATIENCE_S


def until(page, holds: str | Callable[[], object], what: str = "") -> None:
    """Wait for something to be true: an expression in the page, whose content security policy allows no evaluated
    waiting there, or a function here, of which ``what`` says what it asks."""
    end = time.monotonic() + PATIENCE_S
    while True:
        late = time.monotonic() > end  # looked at once more after the time is over: this process may have been held up
        if page.evaluate(holds) if isinstance(holds, str) else holds():
            return
        if late:
            pytest.fail(f"this never came true: {what or holds}")
        page.wait_for_timeout(25)


def frames(page, number: int = 2) -> None:
    """Wait until so many frames have been drawn: what was asked for is then on the screen."""
    page.evaluate(
        """(number) => new Promise((done) => {
            const next = (left) => (left ? requestAnimationFrame(() => next(left - 1)) : done());
            next(number);
        })""",
        number,
    )
