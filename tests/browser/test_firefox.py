"""The same room in the other engine: it opens, left is left, paint lands on its voxel, the answer is scored."""

import os
import shutil

import pytest
from django.test import Client

from quiz import attempts
from quiz.models import Attempt, State
from tests.browser.firefox import firefox

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

VIEWER = "document.querySelector('ct-viewer')"


@pytest.fixture
def browser():
    path = next((found for name in ("firefox-esr", "firefox") if (found := shutil.which(name))), None)
    if path is None:
        say = pytest.fail if os.environ.get("REQUIRE_FIREFOX") == "1" else pytest.skip
        say("Firefox is missing; run:  sudo apt-get install -y firefox-esr")
    with firefox(path) as started:
        yield started


def test_a_finding_is_painted_and_scored(browser, live_server, trainee, library):
    attempt = attempts.open_attempt(trainee, library[0])
    client = Client()
    client.force_login(trainee)
    browser.open(f"{live_server.url}/about/")
    browser(
        "WebDriver:AddCookie", cookie={"name": "sessionid", "value": client.cookies["sessionid"].value, "path": "/"}
    )
    browser.open(f"{live_server.url}/attempts/{attempt.pk}/")
    assert browser.run(f"{VIEWER}.ready.then(() => 'ready')") == "ready"

    letters = (
        "['top', 'bottom', 'left', 'right'].map((edge) => document.querySelector(`[data-edge=${edge}]`).textContent)"
    )
    assert browser.run(letters) == ["A", "P", "R", "L"]

    # One voxel towards the patient's left, on the right of the screen: 1 mm of brush in voxels of 6 mm.
    browser.run(f"Object.assign({VIEWER}, {{ k: 6, brushMm: 1 }}) && 1")
    middle, place = (browser.run(f"{VIEWER}.clientAt(6, 22, {i})") for i in (24, 35))
    assert place["x"] > middle["x"]
    browser.click(place["x"], place["y"])
    # start = j * 48 + i = 22 * 48 + 35
    browser.until(f"JSON.stringify({VIEWER}.painted.runs) === '{{\"6\":[1091,1]}}'")

    browser.run(f"({VIEWER}.undo(), {VIEWER}.brushMm = 30)")
    browser.click(place["x"], place["y"])
    browser.until("document.querySelector('[data-out=saved]').textContent.includes('saved')")
    browser.run("document.querySelector('[data-action=submit]').click()")
    browser.until("document.querySelector('[data-feedback] .verdict.found') !== null")
    browser.until(f"{VIEWER}.truth !== null")
    assert Attempt.objects.get().state == State.SUBMITTED
