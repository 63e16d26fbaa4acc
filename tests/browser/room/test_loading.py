"""Connection, server and session go while scan or reference come: what is missing is said, and comes by itself."""

import pytest
from django.contrib.sessions.models import Session

from tests.browser.room.room import VIEWER, Held, voxels_of
from tests.browser.room.test_connection import OFFLINE, A, dab, saved, sign_in

pytestmark = pytest.mark.browser

TROUBLE = "document.querySelector('.viewer-trouble:not([hidden])')?.textContent ?? ''"


def troubled(room, *words):
    for part in words:
        room.until(f"({TROUBLE}).includes({part!r})")


def until_whole(room):
    """Every slice is there, exact, the one on screen too, and nothing is said any more."""
    room.until(f"{VIEWER}.stack.loaded === 12")
    assert room.of("stack.failed.size") == 0
    room.until(f"({TROUBLE}) === ''")
    assert "loading" not in room.caption()


def test_the_network_goes_while_the_scan_comes(site):
    room = site.enter(expected=OFFLINE)
    held = Held(room)
    room.context.set_offline(True)
    held.let_go()
    troubled(room, "There is no connection to the server.", "comes by itself")
    room.of("moveTo({k: 9})")  # one that has not come
    room.until(f"{VIEWER}.stack.line.tries >= 2")
    room.of("stack.line.after = Infinity")  # so that nothing but the browser's own word begins it again
    room.context.set_offline(False)
    until_whole(room)
    room.page.close()


def test_the_server_goes_while_the_scan_comes(site):
    """Nobody is told when it is back."""
    room = site.enter(expected=("502",))
    held = Held(room)
    down = [0]

    def proxy(route):
        down[0] += 1
        return route.fulfill(status=502, body="<h1>Bad Gateway</h1>")

    room.page.route("**/volumes/**", proxy)
    held.let_go()
    troubled(room, "The server is not answering just now.")
    room.of("moveTo({k: 9})")
    asked = down[0]
    # Those that were out together, five at most, and one for each time the line was tried since: however many slices are
    # still to come, and though one of them is looked at.
    assert asked <= 5 + room.of("stack.line.tries")
    room.page.unroute("**/volumes/**", proxy)
    until_whole(room)
    room.page.close()


def test_a_scan_opens_though_its_first_slice_fails_at_first(site):
    """What the page had begun to load before the viewer asked for it fails as well."""
    room = site.enter(expected=("ERR_CONNECTION", "Failed to load resource"))
    lost = []

    def lose(route):
        lost.append(route.request.url)
        return route.abort("connectionreset") if len(lost) <= 4 else route.continue_()

    room.page.route("**/slices/6/**", lose)
    room.page.goto(room.url)
    room.page.evaluate(f"{VIEWER}.ready")
    assert len(lost) > 4
    until_whole(room)
    room.page.close()


def test_the_session_ends_while_the_scan_comes(site):
    room = site.enter(expected=("401", "403"))
    held = Held(room)
    Session.objects.all().delete()
    held.let_go()
    troubled(room, "You are signed out.")
    room.of("stack.line.after = Infinity")  # so that nothing but the sign-in begins it again
    room.page.click(".viewer-trouble button")
    sign_in(room)
    until_whole(room)
    room.page.close()


def test_the_reference_comes_late(site):
    """Its connection is lost, then what stands before the server answers, then it comes, and with it the comparison."""
    room = site.enter(expected=(*OFFLINE, "502"))
    asked = []

    def lose(route):
        asked.append(route.request.url)
        if len(asked) in (1, 4):
            return route.abort("connectionreset")
        if len(asked) == 2:
            return route.fulfill(status=502, body="")
        return route.continue_()

    room.page.route("**/truth/", lose)
    dab(room, A)
    saved(room)
    room.action("submit")
    troubled(room, "The reference has not come.", "comes by itself")
    room.until(f"{VIEWER}.truth !== null && ({TROUBLE}) === ''")
    assert len(asked) == 3
    room.page.wait_for_selector("[data-compare]")
    assert voxels_of(room.of("truth.wire")) != set()
    # Seen again later the same holds; and what fails does not keep the scan from being looked at.
    room.page.reload()
    room.ready()
    room.until(f"{VIEWER}.truth !== null && ({TROUBLE}) === ''")
    assert len(asked) == 5
    room.page.close()


def test_a_reference_that_is_not_there_is_said(site):
    room = site.enter(expected=("404",))
    room.page.route("**/truth/", lambda route: route.fulfill(status=404, json={"detail": "Not found."}))
    dab(room, A)
    saved(room)
    room.action("submit")
    troubled(room, "The reference has not come. It is not there any more; reload the page.")
    assert "by itself" not in room.page.evaluate(TROUBLE)
