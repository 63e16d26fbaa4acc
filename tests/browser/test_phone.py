"""Pages other than the reading room on a phone: nothing scrolls sideways but wide tables, by themselves."""

import os
from pathlib import Path

import pytest

from quiz import attempts
from tests.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PICTURES = os.environ.get("SIGHTLINE_PICTURES")
"""A folder to keep pictures of the pages in, to be looked at."""


@pytest.fixture
def signed_in(live_server, open_page):
    def enter(username, **screen):
        page = open_page(**screen)
        page.goto(f"{live_server.url}/accounts/login/")
        page.fill("[name=login]", username)
        page.fill("[name=password]", PASSWORD)
        page.click("main button[type=submit]")
        page.wait_for_selector("text=Assigned to you")
        return page

    return enter


@pytest.fixture
def answers(assignment, trainee, library, paint):
    """One finding of the assignment answered, one begun; every page has rows to show."""
    trainee.first_name, trainee.last_name = "Maximiliana", "Featherstonehaugh-Worthington"
    trainee.save()
    done = attempts.open_attempt(trainee, library[0], assignment=assignment)
    attempts.submit_attempt(done, payload=paint(6, 22, 35), confidence=4)
    attempts.open_attempt(trainee, library[1], assignment=assignment)
    return {
        "assignment": assignment.pk,
        "case_set": assignment.case_set_id,
        "cohort": assignment.cohort_id,
        "done": done.pk,
    }


PAGES = {
    "trainee": ["/", "/progress/", "/progress/opinions/", "/assignments/{assignment}/", "/scoring/", "/recorded/", "/about/"],
    "faculty": [
        "/faculty/", "/faculty/case-sets/", "/faculty/case-sets/{case_set}/", "/faculty/case-sets/{case_set}/assign/",
        "/faculty/assignments/{assignment}/", "/faculty/cohorts/{cohort}/", "/faculty/attempts/{done}/",
        "/faculty/models/", "/accounts/password/change/",
    ],
}  # fmt: skip


@pytest.mark.parametrize("who", PAGES)
def test_nothing_scrolls_sideways_on_a_phone(signed_in, live_server, answers, faculty, who):
    page = signed_in(who, width=390, height=844)
    too_wide = {}
    for address in PAGES[who]:
        page.goto(live_server.url + address.format(**answers))
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 390:
            too_wide[address] = width
        keep(page, who, address, 390)
    assert too_wide == {}


def test_the_pages_before_signing_in_fit_too(open_page, live_server, db):
    page = open_page(width=390, height=844)
    for address in ("/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"):
        page.goto(live_server.url + address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        keep(page, "anybody", address, 390)


def keep(page, who, address, width):
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{who}{address.replace('/', '_')}{width}.png", full_page=True)


def test_the_header_has_two_rows_at_most(signed_in, answers, faculty):
    page = signed_in("faculty", width=390, height=844)
    heights = [page.locator(part).bounding_box()["height"] for part in (".top .brand", ".top nav", ".who", ".top")]
    brand, nav, who, header = heights
    assert header <= max(brand, who) + nav + 24  # its padding and the gap between the rows
