"""A model's opinion at the screen: when it comes, where it lies in all three views, and what stays in the panel."""

import pytest

from quiz import jobs
from quiz.models import Attempt, Grounding, State
from tests.browser.test_journey import VIEWER, at
from tests.browser.waiting import frames, until
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
    frames(page, 3)  # the picture follows the viewer frame by frame, and may be one behind it


def until_glows(page, place):
    """What was asked for is fetched first, which takes its time."""
    until(page, lambda: glow(page, place) > 0, f"the model's picture covers {place}")


def until_dark(page, place):
    until(page, lambda: glow(page, place) == 0, f"the model's picture does not cover {place}")


def until_marked(page):
    """After submission the model's mask comes by itself, once the reference is there."""
    until(page, f"{VIEWER}.truth !== null && {VIEWER}.hint !== null")
    settled(page)


def cursor(page):
    place = page.evaluate(f"{VIEWER}.cursor")
    return tuple(place[axis] for axis in "kji")


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
    page.evaluate(f"{VIEWER}.ready")
    page.evaluate(f"{VIEWER}.k = 6")
    until(page, "!document.querySelector('canvas.hint-canvas')?.hidden")
    settled(page)
    assert glow(page, NODULE) > 60  # and is there again after a reload
    take(page, 5)
    page.evaluate(f"{VIEWER}.k = 6")
    settled(page)
    edge, middle, beside = (6, 20, 33), (6, 22, 35), (6, 18, 31)  # the model marks j 20 to 24, i 33 to 37
    until_dark(page, beside)
    assert glow(page, middle) > 0
    assert glow(page, edge) > 0
    page.click("[data-action=submit]")
    page.wait_for_selector("[data-model]")
    assert "Missed before and after it, although the model’s outline was on target" in page.text_content("[data-model]")
    until_marked(page)
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
    page = room()
    paint(page, NODULE)
    page.click("[data-action=submit]")
    page.wait_for_selector("#ask")
    jobs.say_alive("here", versions(), {})  # now: nobody believes for long in a worker that says no more
    assert Attempt.objects.get().state == State.SUBMITTED
    page.fill("#question", "something at the right base")
    page.click("[data-action=ask]")
    page.wait_for_selector(".question .busy")
    work(fake)
    page.wait_for_selector("[data-action=show-answer]")
    assert page.locator(".question .busy").count() == 0
    page.click("[data-action=show-answer]")
    until_glows(page, MIRRORED)
    assert page.evaluate(f"{VIEWER}.k") in range(4, 9)
    assert Grounding.objects.filter(finding=None).count() == 1


def answer(page, place=NODULE):
    paint(page, place)
    page.click("[data-action=submit]")
    page.wait_for_selector("#ask")
    until_marked(page)


def ask(page, fake, sentence):
    jobs.say_alive("here", versions(), {})
    before = page.locator(".question").count()
    page.fill("#question", sentence)
    page.click("[data-action=ask]")
    until(page, f"document.querySelectorAll('.question').length === {before + 1}")
    work(fake)
    until(page, "!document.querySelector('.question .busy')")


def pressed(page, selector):
    return page.get_attribute(selector, "aria-pressed")


def test_a_hidden_hint_does_not_hide_the_model_afterwards(room, fake):
    page = room()
    paint(page, MIRRORED)
    for rung in (1, 2, 3, 4):
        take(page, rung)
    page.evaluate(f"{VIEWER}.k = 6")
    until(page, "!document.querySelector('canvas.hint-canvas').hidden")
    page.evaluate(f"{VIEWER}.focus()")
    page.keyboard.press("l")
    settled(page)
    assert glow(page, NODULE) == 0
    assert "hidden" in page.text_content(".viewer-says")
    page.click("[data-action=submit]")
    page.wait_for_selector("[data-model]")
    until_marked(page)
    page.evaluate(f"{VIEWER}.k = 6")
    settled(page)
    assert pressed(page, "[data-action=toggle-model]") == "true"
    assert glow(page, NODULE) > 0
    for state in ("false", "true"):
        page.keyboard.press("l")
        settled(page)
        assert pressed(page, "[data-action=toggle-model]") == state
        assert page.evaluate(f"String({VIEWER}.show.hint)") == state
        assert (glow(page, NODULE) > 0) == (state == "true")


def test_what_the_model_marks_for_a_sentence_is_shown_and_hidden_by_its_own_button(room, fake):
    page = room()
    answer(page)
    ask(page, fake, "something at the right base")
    ask(page, fake, "something at the left base")
    right, left = (f".question:has-text('{side} base') [data-action=show-answer]" for side in ("right", "left"))
    page.keyboard.press("l")  # the model is off, which is another matter
    assert (pressed(page, right), pressed(page, left)) == ("false", "false")
    page.click(right)
    until_glows(page, MIRRORED)
    assert (pressed(page, right), pressed(page, left)) == ("true", "false")
    assert glow(page, NODULE) == 0
    page.click(left)
    until_glows(page, NODULE)
    assert (pressed(page, right), pressed(page, left)) == ("false", "true")
    assert glow(page, MIRRORED) == 0
    ask(page, fake, "something else")  # the list comes anew; what is shown is still said
    assert (pressed(page, right), pressed(page, left)) == ("false", "true")
    page.click(left)
    settled(page)
    assert (pressed(page, right), pressed(page, left)) == ("false", "false")
    assert glow(page, NODULE) == 0
    # It goes to the place, wherever the picture is zoomed in.
    page.evaluate(f"{VIEWER}.zoomBy(8); {VIEWER}.panBy(3000, 3000)")
    page.click(right)
    until(page, lambda: glow(page, cursor(page)) > 0, "the place gone to is one that is marked")
    k, j, i = cursor(page)
    assert k in range(4, 9)
    assert j in range(20, 25)
    assert i in range(10, 15)


BORDER = """([k, j0, j1, i0, i1]) => {
    const viewer = document.querySelector("ct-viewer"), canvas = document.querySelector("canvas.hint-canvas");
    const context = canvas.getContext("2d"), box = canvas.getBoundingClientRect(), ratio = canvas.width / box.width;
    const { data, width } = context.getImageData(0, 0, canvas.width, canvas.height);
    const solid = (x, y) => data[4 * (y * width + x) + 3] > 120;
    const at = (j, i) => {
        const { x, y } = viewer.clientAt(k, j, i);
        return [Math.round((x - box.left) * ratio), Math.round((y - box.top) * ratio)];
    };
    const [left, top] = at(j0 - 0.5, i0 - 0.5), [right, bottom] = at(j1 + 0.5, i1 + 0.5);
    let gaps = 0, widest = 0;
    for (const x of [left, right]) for (let y = top + 1; y < bottom; y++) {
        let wide = 0;
        for (let d = -8; d <= 8; d++) wide += solid(x + d, y) && y > top + 8 && y < bottom - 8;
        widest = Math.max(widest, wide);
        gaps += ![-1, 0, 1].some((d) => solid(x + d, y));
    }
    for (const y of [top, bottom]) for (let x = left + 1; x < right; x++) gaps += ![-1, 0, 1].some((d) => solid(x, y + d));
    return { gaps, widest, long: right - left };
}"""


@pytest.mark.parametrize("screen", [{}, {"width": 700, "height": 420}, {"ratio": 2}], ids=["plain", "small", "dense"])
def test_an_outline_is_a_closed_line_of_one_width_at_every_zoom(room, fake, screen):
    page = room(**screen)
    answer(page)
    ask(page, fake, "something at the right and at the left base")
    page.click("[data-action=show-answer]")
    until_glows(page, MIRRORED)
    page.evaluate(f"{VIEWER}.k = 6")
    for zoom in (0.5, 1, 4):
        page.evaluate(f"{VIEWER}.fit(); {VIEWER}.zoomBy({zoom}); {VIEWER}.reveal({{k: 6, j: 22, i: 12}})")
        settled(page)
        line = page.evaluate(BORDER, [6, 20, 24, 10, 14])
        assert line["long"] > 5
        assert line["gaps"] == 0, (zoom, line)
        # Between two places there is nothing.
        assert glow(page, (6, 22, 20)) == glow(page, (6, 19.5, 20)) == 0
        assert line["widest"] <= 2 * screen.get("ratio", 1) + 1, (zoom, line)


@pytest.mark.parametrize(
    "screen", [{"width": 1440, "height": 900}, {"width": 820, "height": 1180}], ids=["wide", "upright"]
)
def test_one_long_word_stays_in_the_panel(room, fake, screen):
    page = room(**screen)
    answer(page)
    ask(page, fake, "x" * int(page.get_attribute("#question", "maxlength")))
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) == screen["width"]
    assert page.evaluate(
        "[...document.querySelectorAll('.panel, .panel .block')].every((one) => one.scrollWidth <= one.clientWidth)"
    )


def test_the_room_itself_cannot_be_scrolled_away(room, fake):
    """As finding in the page or the focus would do it."""
    page = room()
    answer(page)
    for sentence in ("something at the right base", "something at the left base", "and more"):
        ask(page, fake, sentence)
    page.focus("#question")
    page.evaluate("document.querySelector('#ask label').scrollIntoView(); document.scrollingElement.scrollTop = 500")
    assert page.evaluate("document.scrollingElement.scrollTop") == 0
    assert page.evaluate("document.querySelector('.panel').scrollTop") > 0
    assert page.evaluate("document.scrollingElement.scrollHeight <= innerHeight")


def test_waiting_goes_on_when_the_server_does_not_answer_for_a_while(room, fake):
    page = room(expected_error="503")
    answer(page)
    jobs.say_alive("here", versions(), {})
    page.fill("#question", "something at the right base")
    page.click("[data-action=ask]")
    page.wait_for_selector(".question .busy")
    refused = []

    def down(route):
        if len(refused) == 3:
            return route.continue_()
        refused.append(route.request.url)
        return route.fulfill(status=503, body="")

    with page.expect_response("**/questions/*/"):
        pass  # none is on its way now: what is asked next meets the server that is down
    page.route("**/questions/*/", down)
    work(fake)
    page.wait_for_selector("[data-action=show-answer]")
    assert len(refused) == 3


FRAMES = """() => {
    globalThis.asked = 0;
    const ask = window.requestAnimationFrame.bind(window);
    window.requestAnimationFrame = (act) => (globalThis.asked++, ask(act));
}"""


def test_no_frame_is_asked_for_while_nothing_moves(room, fake):
    page = room()
    paint(page, MIRRORED)
    for rung in (1, 2, 3, 4):
        take(page, rung)
    until(page, "!document.querySelector('canvas.hint-canvas').hidden")
    page.evaluate(f"{VIEWER}.k = 6")
    settled(page)
    assert glow(page, NODULE) > 0
    page.mouse.move(5, 5)
    settled(page)
    page.evaluate(FRAMES)
    frames(page, 5)  # asked for here: five, and one that finds none left
    assert page.evaluate("globalThis.asked") <= 6
    page.evaluate(f"{VIEWER}.step(1)")  # and it still follows
    settled(page)
    page.evaluate(f"{VIEWER}.k = 18")
    settled(page)
    assert glow(page, HIGHER) == 0


def test_the_key_of_the_model_obeys_the_filter_of_all_keys(room, fake):
    page = room()
    answer(page)
    button = "[data-action=toggle-model]"
    assert pressed(page, button) == "true"
    page.focus("#question")
    page.keyboard.press("l")  # a letter
    assert page.input_value("#question") == "l"
    assert pressed(page, button) == "true"
    page.evaluate(f"{VIEWER}.focus()")
    page.keyboard.press("Control+l")
    assert pressed(page, button) == "true"
    page.keyboard.down("l"), page.keyboard.down("l")  # a key that is held is one press
    assert pressed(page, button) == "false"
    page.keyboard.up("l")
    page.keyboard.press("l")
    assert pressed(page, button) == "true"
