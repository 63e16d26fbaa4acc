"""Work is never lost: no network, no server, no session, another tab, another device, a page that is left."""

import base64
import json
import zlib

import pytest
from django.contrib.sessions.models import Session

from cases.imaging import compact
from quiz.models import State
from tests.browser import waiting
from tests.browser.room.room import VIEWER, places, voxels_of

pytestmark = pytest.mark.browser

A, B, C = (6, 12, 8), (6, 5, 5), (6, 25, 15)
OFFLINE = ("ERR_INTERNET_DISCONNECTED", "ERR_CONNECTION", "ERR_FAILED", "Failed to fetch")


def dab(room, *voxels):
    room.of("brushMm = 1")
    for voxel in voxels:
        room.of(f"moveTo({{k: {voxel[0]}}})")
        room.click(*voxel)


def stored(room):
    """The draft on the server."""
    room.attempt.refresh_from_db()
    mask = room.attempt.draft_mask()
    return set() if mask is None else places(mask)


def until_stored(room, expected):
    waiting.until(room.page, lambda: stored(room) == expected, f"the draft on the server is {expected}")


def says(room, text):
    room.page.wait_for_selector(f"[data-draft-notice]:has-text({text!r})")


def saved(room):
    room.page.wait_for_selector("[data-out=saved]:has-text('Draft saved')")


def test_the_network_goes_and_comes_back(site):
    room = site.enter(expected=OFFLINE)
    dab(room, A)
    saved(room)
    room.context.set_offline(True)
    dab(room, B)
    says(room, "No connection. Paint on")
    dab(room, C)  # painting goes on
    assert room.painted() == {A, B, C}
    assert stored(room) == {A}
    room.context.set_offline(False)
    until_stored(room, {A, B, C})
    saved(room)
    assert room.page.locator("[data-draft-notice]").inner_text() == ""
    room.page.close()


def test_an_answer_is_sent_when_the_network_is_back(site):
    room = site.enter(expected=OFFLINE)
    dab(room, A)
    saved(room)
    room.context.set_offline(True)
    room.action("submit")
    room.page.wait_for_selector("[role=status]:has-text('Your answer is kept and will be sent')")
    # One may think again: go on painting instead.
    room.action("cancel-submit")
    dab(room, B)
    room.action("submit")
    room.page.wait_for_selector("[role=status]:has-text('Your answer is kept and will be sent')")
    room.context.set_offline(False)
    room.page.wait_for_selector("[data-feedback]")
    room.until(f"{VIEWER}.truth !== null")
    room.attempt.refresh_from_db()
    assert room.attempt.state == State.SUBMITTED
    assert room.painted() == {A, B}
    room.page.close()


def test_the_server_restarts_in_the_middle(site):
    """It takes the draft and goes down before it has answered; then only what stands before it answers; then it is back."""
    room = site.enter(expected=(*OFFLINE, "502"))
    seen = []

    def down(route):
        seen.append(route.request.method)
        if len(seen) == 1:
            route.fetch()  # it arrived, but the answer never did
            return route.abort("connectionreset")
        if len(seen) == 2:
            return route.fulfill(status=502, body="")
        return route.continue_()

    room.page.route("**/draft/**", down)
    dab(room, A)
    says(room, "No connection. Paint on")
    dab(room, B)
    until_stored(room, {A, B})
    saved(room)
    assert len(seen) >= 3
    # That the first draft had arrived made no conflict of it.
    assert room.page.locator("[data-choice]").count() == 0
    dab(room, C)
    until_stored(room, {A, B, C})
    room.reload()
    assert room.painted() == {A, B, C}
    room.page.close()


def test_an_answer_whose_result_was_lost_is_asked_for_again(site):
    room = site.enter(expected=OFFLINE)
    lost = []

    def lose(route):
        if lost:
            return route.continue_()
        lost.append(route.fetch().status)
        return route.abort("connectionreset")

    dab(room, A)
    saved(room)
    room.page.route("**/submit/", lose)
    room.action("submit")
    room.page.wait_for_selector("[data-feedback]")
    assert lost == [200]
    room.attempt.refresh_from_db()
    assert room.attempt.state == State.SUBMITTED
    room.page.close()


def test_a_page_that_is_left_keeps_its_last_stroke(site):
    room = site.enter()
    dab(room, A)
    room.reload()  # at once: nothing had been saved yet
    assert room.painted() == {A}
    until_stored(room, {A})
    dab(room, B)
    room.page.goto(f"{site.url}/")
    room.page.goto(room.url)
    room.ready()
    assert room.painted() == {A, B}
    until_stored(room, {A, B})
    room.page.close()


def test_two_tabs_overwrite_nothing_unseen(site):
    first = site.enter(expected=("409",))
    dab(first, A)
    saved(first)
    second = site.enter(first.attempt, context=first.context, expected=("409",))
    assert second.painted() == {A}
    for room in (first, second):
        says(room, "open in another tab")
    second.page.click("[data-choice=hush]")
    first.page.bring_to_front()
    dab(first, B)
    until_stored(first, {A, B})
    says(second, "Paint was saved in another tab")
    second.page.bring_to_front()
    dab(second, C)  # all the same
    says(second, "Nothing was overwritten: choose")
    assert stored(first) == {A, B}
    # Keeping mine is a choice, and then theirs is told.
    second.page.click("[data-choice=keep-mine]")
    until_stored(second, {A, C})
    first.page.bring_to_front()
    dab(first, (6, 20, 10))
    says(first, "Nothing was overwritten: choose")
    assert stored(first) == {A, C}
    with first.page.expect_navigation():
        first.page.click("[data-choice=take-theirs]")
    first.ready()
    assert first.painted() == {A, C}
    # One of them answers: the other says so and keeps nothing back.
    first.action("submit")
    first.page.wait_for_selector("[data-feedback]")
    says(second, "was submitted in another tab")
    second.page.bring_to_front()
    with second.page.expect_navigation():
        second.page.click("[data-choice=reload]")
    second.page.wait_for_selector("[data-feedback]")
    first.page.close(), second.page.close()


def test_the_draft_goes_on_on_another_device(site):
    first = site.enter(expected=("409",))
    dab(first, A)
    saved(first)
    second = site.enter(first.attempt, expected=("409",), width=1024, height=768)  # a browser of its own
    assert second.painted() == {A}
    dab(second, B)
    until_stored(second, {A, B})
    # Back at the first, which knows nothing of it.
    dab(first, C)
    says(first, "in another tab or on another device")
    assert stored(first) == {A, B}
    with first.page.expect_navigation():
        first.page.click("[data-choice=take-theirs]")
    first.ready()
    assert first.painted() == {A, B}
    # Submitting paint that is not the latest is stopped, too.
    dab(first, C)
    until_stored(first, {A, B, C})
    second.action("submit")
    says(second, "Nothing was overwritten: choose")
    second.attempt.refresh_from_db()
    assert second.attempt.state == State.OPENED
    first.page.close(), second.page.close()


def sign_in(room):
    dialog = room.page.locator("dialog.sign-in")
    dialog.locator("[name=login]").fill(room.attempt.user.username)
    dialog.locator("[name=password]").fill("a long enough password")
    dialog.locator("form[action] button, form:has([name=login]) button[type=submit]").first.click()
    dialog.wait_for(state="detached")


def test_the_session_ends_and_one_signs_in_again_in_place(site):
    room = site.enter(expected=("401", "403"))
    dab(room, A)
    saved(room)
    Session.objects.all().delete()
    dab(room, B)
    says(room, "You are signed out. Paint on")
    dab(room, C)
    assert stored(room) == {A}
    room.page.click("[data-choice=sign-in]")
    sign_in(room)
    until_stored(room, {A, B, C})
    assert room.painted() == {A, B, C}
    # And again with the answer: it is sent after the sign-in, in the same page.
    Session.objects.all().delete()
    room.action("submit")
    sign_in(room)
    room.page.wait_for_selector("[data-feedback]")
    room.until(f"{VIEWER}.truth !== null")
    assert voxels_of(room.of("truth.wire")) != set()
    room.attempt.refresh_from_db()
    assert room.attempt.state == State.SUBMITTED
    room.page.close()


def test_a_hint_after_the_session_has_ended_leaves_the_page(site, settings):
    """On a developer's machine, too, where Django answers errors with long pages."""
    settings.DEBUG = True
    room = site.enter(expected=("401", "403"))
    dab(room, A)
    saved(room)
    room.context.clear_cookies()
    room.press("h")
    room.page.locator("dialog.sign-in [name=login]").wait_for()
    assert room.painted() == {A}
    sign_in(room)
    room.page.wait_for_selector("#hints li.taken")
    dab(room, B)
    until_stored(room, {A, B})
    room.page.close()


def test_a_wrong_password_is_said_and_later_is_possible(site):
    room = site.enter(expected=("401", "403"))
    Session.objects.all().delete()
    dab(room, A)
    says(room, "You are signed out")
    room.page.click("[data-choice=sign-in]")
    dialog = room.page.locator("dialog.sign-in")
    dialog.locator("[name=login]").fill(room.attempt.user.username)
    dialog.locator("[name=password]").fill("not this one")
    dialog.locator("form:has([name=login]) button[type=submit]").first.click()
    dialog.locator("text=/not correct|incorrect|did not/i").first.wait_for()
    dialog.locator("form[method=dialog] button").click()
    dialog.wait_for(state="detached")
    dab(room, B)
    assert room.painted() == {A, B}
    room.page.close()


def kept(room):
    """What this browser's own copies of the attempt hold, decoded on the server's side."""
    copies = room.page.evaluate("Object.entries(localStorage).filter(([key]) => key.startsWith('sightline:draft:'))")
    found = set()
    for key, text in copies:
        if f"/{room.attempt.pk}/" in key:
            deflater = zlib.compressobj(wbits=-15)
            body = deflater.compress(base64.b64decode(json.loads(text)["paint"])) + deflater.flush()
            mask = compact.decode(body, tuple(room.of("size")))
            found |= places(mask)
    return found


# What this browser keeps when a timer of 300 ms in the page has run out: one of 250 ms has run by then, however slow
# the machine, and none of 700 ms and more.
A_MOMENT = "new Promise((done) => setTimeout(done, 300))"
LINE = {(6, 25, i) for i in range(4, 15)}


def test_every_stroke_is_kept_in_this_browser_while_nothing_can_be_sent(site):
    """The tab crashes in the middle of an outage: none of the strokes is gone."""
    room = site.enter(expected=OFFLINE)
    room.context.set_offline(True)
    dab(room, A)
    says(room, "kept in this browser and saved when the connection is back")
    dab(room, B, C, *LINE)
    room.page.evaluate(A_MOMENT)
    assert kept(room) == {A, B, C, *LINE}
    # What is left of a tab that crashed is what the browser had stored.
    again = site.enter(room.attempt, context=site.browser.new_context(storage_state=room.context.storage_state()))
    assert again.painted() == {A, B, C, *LINE}
    until_stored(again, {A, B, C, *LINE})
    again.page.wait_for_selector("[data-out=saved]:has-text('Draft saved')")
    again.page.evaluate(A_MOMENT)
    assert kept(again) == set()  # what the server has needs no second copy
    room.page.close(), again.close()


def test_a_browser_that_keeps_nothing_is_not_said_to_keep_it(site):
    room = site.enter(expected=OFFLINE)
    room.page.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full'); }; }")
    room.context.set_offline(True)
    dab(room, A)
    says(room, "This browser keeps no copy, so leave this page open until it is saved.")
    assert "kept in this browser" not in room.page.text_content("[data-draft-notice]")
    room.context.set_offline(False)
    until_stored(room, {A})
    room.page.close()


def test_strokes_without_a_pause_are_saved_all_the_same(site):
    room = site.enter()
    room.of("brushMm = 1")
    room.of("moveTo({k: 6})")
    room.page.evaluate(
        f"""() => {{
            const viewer = {VIEWER}, pane = viewer.active;
            let n = 0;
            window.painting = setInterval(() => {{ // a stroke every 100 ms, back and forth over the slice
                const erase = n >= 400, at = pane.screen((n % 400) / 20, n % 20);
                if (viewer.strokeBegins(pane, at, erase)) viewer.strokeEnds();
                n = (n + 1) % 800;
            }}, 100);
        }}"""
    )
    waiting.until(room.page, lambda: stored(room) != set(), "a draft on the server while strokes go on")
    room.page.evaluate("clearInterval(window.painting)")
    until_stored(room, room.painted())
    room.page.close()


def test_a_page_that_is_put_away_sends_what_it_has(site):
    """A phone may end it without another word. Nothing of what is sent later arrives before it."""
    room = site.enter()
    dab(room, A)
    saved(room)
    seen = []

    def slow(route):
        seen.append(route)
        if len(seen) > 1:
            route.continue_()

    room.page.route("**/draft/**", slow)
    room.of("moveTo({k: 6})")
    sent = room.page.evaluate(
        f"""([k, j, i]) => {{ // a stroke, and in the same moment the page is hidden
            const viewer = {VIEWER}, fetched = window.fetch;
            let sent = 0;
            window.fetch = (...request) => (sent++, fetched(...request));
            viewer.strokeBegins(viewer.active, viewer.active.screen(j, i));
            viewer.strokeEnds();
            Object.defineProperty(document, "hidden", {{ value: true, configurable: true }});
            document.dispatchEvent(new Event("visibilitychange"));
            delete document.hidden;
            window.fetch = fetched;
            return sent;
        }}""",
        B,
    )
    assert sent == 1
    assert kept(room) == {A, B}
    waiting.until(room.page, lambda: len(seen) == 1, "the request")
    dab(room, C)
    # The next save waits until the first has been answered: a timer of a second runs after that of 700 ms.
    room.page.evaluate("new Promise((done) => setTimeout(done, 1000))")
    assert len(seen) == 1
    seen[0].continue_()
    until_stored(room, {A, B, C})
    saved(room)
    room.page.close()


def graded(room):
    room.attempt.refresh_from_db()
    assert room.attempt.state == State.SUBMITTED
    return places(room.attempt.painted_mask())


ON_ITS_WAY = "“Go on painting” takes it back"


def test_nothing_is_painted_that_the_answer_on_its_way_does_not_hold(site):
    """What is on the screen is what is graded, by whatever means one tries to paint on."""
    room = site.enter(expected=OFFLINE)
    room.context.set_offline(True)
    dab(room, A, B)
    says(room, "No connection. Paint on")
    room.action("submit")
    room.page.wait_for_selector("[role=status]:has-text('Your answer is kept and will be sent')")
    assert "Paint on" not in room.page.inner_text("#panel")  # and not "Draft saved" either
    assert "saved" not in room.page.inner_text("#panel").lower()
    dab(room, C)
    assert ON_ITS_WAY in room.says()
    for key in ("z", "Delete", "i"):
        room.of("say('')")
        room.press(key)
        assert ON_ITS_WAY in room.says(), key
    assert room.painted() == {A, B}
    assert room.page.is_disabled("[name=confidence] >> nth=0")
    # A moment later one thinks again, and paints after all.
    room.action("cancel-submit")
    assert room.page.text_content("[data-said]") == ""
    says(room, "No connection. Paint on")
    dab(room, C)
    assert room.painted() == {A, B, C}
    assert room.page.is_enabled("[name=confidence] >> nth=0")
    room.action("submit")
    room.page.wait_for_selector("[data-action=cancel-submit]:visible")
    room.context.set_offline(False)
    room.page.wait_for_selector("[data-feedback]")
    assert graded(room) == {A, B, C}
    room.page.close()


def test_a_stroke_in_hand_belongs_to_the_answer(site):
    room = site.enter()
    dab(room, A)  # on the same slice, which is encoded already
    saved(room)
    (x, y), (to_x, to_y) = room.at(6, 25, 4), room.at(6, 25, 14)
    room.mouse.move(x, y)
    room.mouse.down()
    room.mouse.move(to_x, to_y, steps=4)
    room.press("Enter")
    room.mouse.move(*room.at(6, 5, 5), steps=4)
    room.mouse.up()
    room.page.wait_for_selector("[data-feedback]")
    assert graded(room) == {A, *((6, 25, i) for i in range(4, 15))}
    room.page.close()


def test_an_answer_that_takes_long_can_be_taken_back(site):
    """First it has not arrived; then it has, and that is said before more is painted in vain."""
    room = site.enter(expected=(*OFFLINE, "409"))
    dab(room, A)
    saved(room)
    held = []
    room.page.route("**/submit/", lambda route: held.append(route))
    room.action("submit")
    room.page.wait_for_selector("[role=status]:has-text('Your answer is on its way.')")
    dab(room, B)
    assert room.painted() == {A}
    room.action("cancel-submit")
    dab(room, B)
    until_stored(room, {A, B})
    saved(room)
    room.action("submit")
    room.page.wait_for_selector("[data-action=cancel-submit]:visible")
    assert held[1].fetch().status == 200  # graded, but the page does not hear of it
    room.action("cancel-submit")
    says(room, "An answer to this attempt has arrived: the one that you took back")
    dab(room, C)
    assert room.painted() == {A, B} == graded(room)
    assert "An answer to this attempt has arrived" in room.says()
    with room.page.expect_navigation():
        room.page.click("[data-choice=reload]")
    room.page.wait_for_selector("[data-feedback]")
    room.page.close()


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (503, {}, "The server cannot save just now. Paint on: it is kept in this browser"),
        (429, {"Retry-After": "1"}, "The server asks to wait a little. Paint on: it is kept in this browser"),
    ],
)
def test_a_server_that_answers_is_not_called_no_connection(site, status, headers, words):
    room = site.enter(expected=(str(status),))
    told = []
    room.page.route("**/draft/**", lambda route: told.append(1) or route.fulfill(status=status, headers=headers))
    dab(room, A)
    says(room, words)
    assert "No connection" not in room.page.text_content("[data-draft-notice]")
    assert room.page.text_content("[data-out=saved]") != "Draft saved"
    room.page.unroute("**/draft/**")
    until_stored(room, {A})
    saved(room)
    assert told
    room.page.close()


def test_a_result_that_breaks_off_is_asked_for_again(site):
    """The answer has been graded and the page of the result begun when the connection ends."""
    room = site.enter(expected=(*OFFLINE, "ERR_CONTENT_LENGTH_MISMATCH", "network error"))
    dab(room, A)
    saved(room)
    room.page.evaluate(
        """() => {
            const fetched = window.fetch;
            window.fetch = async (...request) => {
                const response = await fetched(...request);
                if (!String(request[0]).includes("/submit/")) return response;
                window.fetch = fetched;
                Object.defineProperty(response, "text", { value: () => Promise.reject(new TypeError("network error")) });
                return response;
            };
        }"""
    )
    room.action("submit")
    room.page.wait_for_selector("[data-feedback]")
    assert graded(room) == {A}
    room.page.close()


def test_one_copy_that_cannot_be_read_hides_no_other(site):
    room = site.enter(expected=OFFLINE)
    room.context.set_offline(True)
    dab(room, A)
    says(room, "kept in this browser")
    room.page.evaluate(
        """() => {
            const key = Object.keys(localStorage).find((one) => one.startsWith("sightline:draft:"));
            localStorage.setItem(`${key}0`, "{");
        }"""
    )
    again = site.enter(room.attempt, context=site.browser.new_context(storage_state=room.context.storage_state()))
    assert again.painted() == {A}
    until_stored(again, {A})
    room.page.close(), again.close()


def test_a_portal_that_answers_for_the_server_is_not_believed(site):
    """Guest networks answer everything with a page of their own until one has agreed to something."""
    room = site.enter(expected=OFFLINE)
    room.page.route("**/draft/**", lambda route: route.fulfill(status=200, body="<h1>Welcome</h1>"))
    dab(room, A)
    says(room, "No connection. Paint on: it is kept in this browser")
    assert kept(room) == {A}
    room.page.unroute("**/draft/**")
    until_stored(room, {A})
    saved(room)
    room.page.route("**/submit/", lambda route: route.fulfill(status=200, body="<h1>Welcome</h1>"))
    room.action("submit")
    room.page.wait_for_selector("[role=status]:has-text('Your answer is kept and will be sent')")
    room.page.unroute("**/submit/")
    room.page.wait_for_selector("[data-feedback]")
    assert graded(room) == {A}
    room.page.close()
