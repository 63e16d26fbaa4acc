"""A model's opinion at the screen: when it comes, where it lies in all three views, and what stays in the panel."""

import pytest

from quiz import jobs
from quiz.models import Attempt, Grounding, State
from tests.browser.test_journey import VIEWER, at, until
from tests.conftest import PASSWORD
from tests.fake_engine import Fake, versions

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NODULE, MIRRORED, HIGHER = (6, 22, 35), (6, 22, 12), (18, 22, 35)  # k, j, i


@pytest.fixture
def fake(library):
    fake = Fake()
    jobs.want(jobs.register(fake), library)
    work(fake)
    return fake


def work(fake):
    while (claimed := jobs.claim("test", versions())) is not None:
        jobs.perform(claimed, fake)


@pytest.fixture
def room(live_server, open_page, trainee, library):
    """The left lower nodule in the reading room, opened just now."""

    def enter(**options):
        page = open_page(**options)
        page.goto(f"{live_server.url}/accounts/login/")
        page.fill("[name=login]", "trainee")
        page.fill("[name=password]", PASSWORD)
        page.click("main button[type=submit]")
        page.wait_for_url(lambda url: "login" not in url)
        attempt = Attempt.objects.create(user=trainee, finding=library[0])
        page.goto(f"{live_server.url}/attempts/{attempt.pk}/")
        page.evaluate(f"{VIEWER}.ready")
        return page

    return enter


def glow(page, place):
    """How strongly the model's picture covers a voxel of the plane on screen, 0 to 255."""
    spot = at(page, *place)
    return page.evaluate(
        """([x, y]) => {
            const canvas = document.querySelector('canvas.hint-canvas');
            if (!canvas || canvas.hidden || !canvas.width) return 0;
            const box = canvas.getBoundingClientRect(), ratio = canvas.width / box.width;
            return canvas.getContext('2d').getImageData((x - box.left) * ratio, (y - box.top) * ratio, 1, 1).data[3];
        }""",
        [spot["x"], spot["y"]],
    )


def settled(page):
    page.wait_for_timeout(150)  # the picture follows the viewer frame by frame


def paint(page, place):
    page.evaluate(f"{VIEWER}.k = {place[0]}")
    spot = at(page, *place)
    page.mouse.click(spot["x"], spot["y"])
    page.wait_for_selector("text=Draft saved")


def take(page, rung):
    page.click("[data-action=hint]")
    page.wait_for_selector(f"#hints li.taken:nth-child({rung})")


def test_the_ladder_from_words_to_an_outline(room, fake):
    page = room()
    sent = []
    page.on("response", lambda response: sent.append(response.url))
    assert page.locator("#hints li").count() == 5
    assert "up to 7.2 bits" in page.text_content("#hints")
    take(page, 1), take(page, 2)
    page.click("[data-action=hint]")
    page.wait_for_selector("[role=alert]:has-text('mark where you think it is first')")
    paint(page, MIRRORED)
    take(page, 3)
    assert not [url for url in sent if url.endswith("/hints/")]  # no picture was asked for before there was one
    take(page, 4)
    until(page, "!document.querySelector('canvas.hint-canvas')?.hidden")
    assert "not measured yet" in page.text_content(".opinion")
    page.evaluate(f"{VIEWER}.k = 6")
    settled(page)
    assert glow(page, NODULE) > 60
    assert glow(page, MIRRORED) == 0  # left is left
    assert glow(page, (6, 3, 35)) == 0  # and back is back
    page.evaluate(f"{VIEWER}.k = 18")
    settled(page)
    assert glow(page, HIGHER) == 0
    for view in ("coronal", "sagittal"):
        page.evaluate(f"{VIEWER}.moveTo({{k: 6, j: 22, i: 35}})")
        page.click(f"[data-action=view-{view}]")
        settled(page)
        assert glow(page, NODULE) > 60, view
        assert glow(page, HIGHER) == 0, view  # up is up
    page.click("[data-action=view-coronal]")
    settled(page)
    assert glow(page, MIRRORED) == 0
    page.click("[data-action=view-axial]")
    page.evaluate(f"{VIEWER}.k = 6")
    page.keyboard.press("l")
    settled(page)
    assert glow(page, NODULE) == 0
    page.keyboard.press("l")
    page.evaluate(f"{VIEWER}.zoomBy(2); {VIEWER}.panBy(-200, 40)")
    settled(page)
    assert glow(page, NODULE) > 60  # it follows the picture
    page.reload()
    page.evaluate(f"{VIEWER}.ready; {VIEWER}.k = 6")
    until(page, "!document.querySelector('canvas.hint-canvas')?.hidden")
    settled(page)
    assert glow(page, NODULE) > 60  # and is there again after a reload
    take(page, 5)
    page.evaluate(f"{VIEWER}.k = 6")
    settled(page)
    edge, middle, beside = (6, 20, 33), (6, 22, 35), (6, 18, 31)  # the model marks j 20 to 24, i 33 to 37
    assert glow(page, beside) == 0
    assert glow(page, middle) > 0
    assert glow(page, edge) > 0
    page.click("[data-action=submit]")
    page.wait_for_selector("[data-model]")
    assert "The model was right and was not followed" in page.text_content("[data-model]")
    until(page, f"{VIEWER}.truth !== null")
    settled(page)
    page.evaluate(f"{VIEWER}.k = 6")
    settled(page)
    assert glow(page, middle) > 0
    page.click("[data-action=toggle-model]")
    settled(page)
    assert glow(page, middle) == 0


def test_a_missing_opinion_is_waited_for_in_words(room, library):
    page = room()
    fake = Fake()
    jobs.register(fake)
    page.reload()
    page.evaluate(f"{VIEWER}.ready")
    paint(page, MIRRORED)
    for rung in (1, 2, 3):
        take(page, rung)
    page.click("[data-action=hint]")
    page.wait_for_selector("[role=alert]:has-text('No worker for fake 1')")
    assert page.locator(".busy").count() == 0
    jobs.say_alive("here", versions(), {})
    page.click("[data-action=hint]")
    page.wait_for_selector("#hints .busy")
    work(fake)
    page.wait_for_selector("text=has answered")
    assert page.locator(".busy").count() == 0
    take(page, 4)


def test_asking_the_model_after_the_answer(room, fake):
    jobs.say_alive("here", versions(), {})
    page = room()
    paint(page, NODULE)
    page.click("[data-action=submit]")
    page.wait_for_selector("#ask")
    assert Attempt.objects.get().state == State.SUBMITTED
    page.fill("#question", "something at the right base")
    page.click("[data-action=ask]")
    page.wait_for_selector(".question .busy")
    work(fake)
    page.wait_for_selector("[data-action=show-answer]")
    assert page.locator(".question .busy").count() == 0
    page.click("[data-action=show-answer]")
    settled(page)
    assert page.evaluate(f"{VIEWER}.k") in range(4, 9)
    assert glow(page, MIRRORED) > 0
    assert Grounding.objects.filter(finding=None).count() == 1
