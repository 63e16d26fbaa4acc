"""Fingers, pen and palm on a tablet, upright and lying."""

import pytest
from django.test import Client

from tests.browser.conftest import FLAGS
from tests.browser.room.room import VIEWER, box
from tests.browser.waiting import PATIENCE_MS, until
from tests.run import find_chromium

pytestmark = pytest.mark.browser

PORTRAIT, LANDSCAPE, PHONE = (820, 1180), (1180, 820), (390, 844)


# However slow the machine, a stroke is not taken for a finger that rests.
PATIENT = """() => {
    const real = setTimeout;
    window.setTimeout = (what, ms, ...more) => real(what, ms === 550 ? 1e6 : ms, ...more);
}"""


def tablet(site, size=PORTRAIT, *, rests=False):
    width, height = size
    room = site.enter(width=width, height=height, has_touch=True, is_mobile=True)
    if not rests:
        room.page.evaluate(PATIENT)
    room.fingers = room.context.new_cdp_session(room.page)
    return room


def touch(room, kind, *spots):
    points = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(spots)]
    room.fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def stroke(room, *voxels):
    """One finger from voxel to voxel."""
    spots = [room.at(*voxel) for voxel in voxels]
    touch(room, "touchStart", spots[0])
    for spot in spots[1:]:
        touch(room, "touchMove", spot)
    touch(room, "touchEnd")


def glide(room, *fingers, steps=6):
    """Fingers from (x, y) to (x, y), all at once."""
    for n in range(steps + 1):
        at = [(x0 + (x1 - x0) * n / steps, y0 + (y1 - y0) * n / steps) for (x0, y0), (x1, y1) in fingers]
        if n == 0:
            # They never come down at the same instant.
            touch(room, "touchStart", at[0])
            touch(room, "touchStart", *at)
        else:
            touch(room, "touchMove", *at)
    touch(room, "touchEnd")


def nib(room, kind, voxel):
    """One event of the pen: "mousePressed", "mouseMoved" (with its tip down) or "mouseReleased"."""
    x, y = room.at(*voxel)
    down = kind != "mouseReleased"
    room.fingers.send("Input.dispatchMouseEvent", {
        "type": kind, "x": x, "y": y, "button": "left", "buttons": int(down), "clickCount": 1, "pointerType": "pen",
        "force": 0.5 * down,
    })  # fmt: skip


def pen(room, *voxels):
    for n, voxel in enumerate(voxels):
        nib(room, "mouseMoved" if n else "mousePressed", voxel)
    nib(room, "mouseReleased", voxels[-1])


def test_one_finger_paints_two_scroll_and_pinch(site):
    room = tablet(site)
    room.of("brushMm = 3")
    stroke(room, (6, 15, 5), (6, 15, 9), (6, 15, 12))
    painted = box(6, slice(14, 17), slice(5, 13))  # as with the mouse: radius 1.5 mm, rows of 1 mm, columns of 2 mm
    assert room.painted() == painted
    x, y = room.at(6, 20, 10)
    # Down by 60 pixels: five slices of 12 pixels towards the feet; what is needed to tell it from a pinch does not count.
    glide(room, ((x, y - 60), (x, y)), ((x + 90, y - 60), (x + 90, y)))
    assert room.of("k") < 6
    assert room.painted() == painted  # the first finger's dot was taken back
    assert room.of("panes[0].camera.zoom") == 1
    room.of("k = 6")
    glide(room, ((x - 40, y), (x - 120, y)), ((x + 40, y), (x + 120, y)))
    assert room.of("panes[0].camera.zoom") > 1.5
    assert room.of("k") == 6
    assert room.painted() == painted
    # And it goes on painting where it is touched.
    room.of("brushMm = 1")
    stroke(room, (6, 20, 10))
    assert room.painted() == painted | {(6, 20, 10)}
    room.page.close()


def test_the_palm_does_not_paint_beside_a_pen(site):
    room = tablet(site)
    room.of("brushMm = 1")
    pen(room, (6, 15, 5), (6, 15, 7))
    drawn = room.painted()
    assert {(6, 15, 5), (6, 15, 7)} <= drawn
    stroke(room, (6, 25, 15), (6, 25, 17))
    assert room.painted() == drawn
    room.page.close()


def test_a_palm_that_comes_down_during_a_stroke_of_the_pen_changes_nothing(site):
    room = tablet(site)
    room.of("brushMm = 1")
    zoom, k = room.of("panes[0].camera.zoom"), room.of("k")
    palm = room.at(6, 26, 16)
    nib(room, "mousePressed", (6, 15, 5))
    nib(room, "mouseMoved", (6, 15, 7))
    touch(room, "touchStart", palm)
    touch(room, "touchMove", (palm[0] + 30, palm[1] + 40))
    nib(room, "mouseMoved", (6, 15, 9))
    touch(room, "touchEnd")
    nib(room, "mouseMoved", (6, 15, 11))
    nib(room, "mouseReleased", (6, 15, 11))
    # The smallest brush along row 15: the voxels under it, before, beside and after the palm.
    assert room.painted() == box(6, 15, slice(5, 12))
    assert (room.of("panes[0].camera.zoom"), room.of("k")) == (zoom, k)
    room.press("z")
    assert room.painted() == set()  # one stroke
    room.page.close()


@pytest.mark.parametrize("contacts", [1, 2])
def test_a_pen_paints_though_the_palm_came_first(site, contacts):
    """As people write: the hand lies down, in one place or two, and the pen follows."""
    room = tablet(site)
    room.of("brushMm = 1")
    palm = [room.at(6, 26, 16), room.at(6, 28, 18)][:contacts]
    for n in range(contacts):
        touch(room, "touchStart", *palm[: n + 1])
    nib(room, "mousePressed", (6, 15, 5))
    nib(room, "mouseMoved", (6, 15, 8))
    touch(room, "touchMove", *[(x + 40, y + 40) for x, y in palm])
    nib(room, "mouseMoved", (6, 15, 11))
    nib(room, "mouseReleased", (6, 15, 11))
    assert room.painted() == box(6, 15, slice(5, 12))  # and the dot that the palm had made is gone
    # It still lies there when the next stroke is made, and when it leaves.
    pen(room, (6, 20, 5), (6, 20, 8))
    touch(room, "touchMove", *[(x + 60, y - 40) for x, y in palm])
    touch(room, "touchEnd")
    assert room.painted() == box(6, 15, slice(5, 12)) | box(6, 20, slice(5, 9))
    assert room.of("k") == 6
    room.page.close()


def test_a_second_finger_takes_back_no_long_stroke(site):
    room = tablet(site)
    room.of("brushMm = 1")
    spots = [room.at(6, 15, i) for i in (5, 8, 12)]
    apart = room.at(6, 25, 16)
    zoom = room.of("panes[0].camera.zoom")
    touch(room, "touchStart", spots[0])
    touch(room, "touchMove", spots[1])
    began = room.page.evaluate("performance.now()")
    room.until(f"performance.now() > {began} + 200")
    touch(room, "touchMove", spots[1])
    touch(room, "touchStart", spots[1], apart)
    touch(room, "touchMove", spots[2], (apart[0] + 60, apart[1] + 60))
    touch(room, "touchEnd", spots[2])
    touch(room, "touchEnd")
    # The stroke went on under the first finger; the second was not attended to.
    assert room.painted() == box(6, 15, slice(5, 13))
    assert (room.of("panes[0].camera.zoom"), room.of("k")) == (zoom, 6)
    room.page.close()


def test_a_touch_that_the_system_takes_away_keeps_what_it_has_painted(site):
    room = tablet(site)
    room.of("brushMm = 1")
    spots = [room.at(6, 15, i) for i in (5, 8)]
    touch(room, "touchStart", spots[0])
    touch(room, "touchMove", spots[1])
    began = room.page.evaluate("performance.now()")
    room.until(f"performance.now() > {began} + 200")
    touch(room, "touchMove", spots[1])
    touch(room, "touchCancel")
    assert room.painted() == box(6, 15, slice(5, 9))
    touch(room, "touchStart", room.at(6, 20, 5))
    touch(room, "touchCancel")  # a dot: the system took a hand for what it is
    assert room.painted() == box(6, 15, slice(5, 9))
    room.page.close()


def test_a_finger_moves_the_picture_where_a_pen_paints_and_may_paint_again(site):
    room = tablet(site)
    room.of("brushMm = 1")
    x, y = room.at(6, 15, 10)
    hover = {"type": "mouseMoved", "x": x, "y": y, "buttons": 0, "pointerType": "pen"}
    room.fingers.send("Input.dispatchMouseEvent", hover)  # seen before it touches
    room.until(f"{VIEWER}.penAt !== null")
    room.page.evaluate(f"() => {{ {VIEWER}.penAt = -1e6; }}")  # and away for long: a finger is told what it does
    touch(room, "touchStart", (x, y))
    for n in range(1, 7):
        touch(room, "touchMove", (x + 10 * n, y + 6 * n))
    touch(room, "touchEnd")
    assert room.painted() == set()
    moved = room.at(6, 15, 10)
    # It starts after 12 pixels, of which none is made up for: six steps of 10 and 6 pixels, the second is past that.
    assert (moved[0] - x, moved[1] - y) == (pytest.approx(50, abs=11), pytest.approx(30, abs=7))
    assert "finger" in room.says()
    # Tools that do not paint are a finger's as before.
    choose(room, "ruler")
    stroke(room, (6, 15, 5), (6, 15, 10))
    assert room.says() == "10.0 mm"  # five columns of 2 mm
    # A painting tool that is chosen with a finger is the finger's.
    choose(room, "brush")
    stroke(room, (6, 20, 10))
    assert room.painted() == {(6, 20, 10)}
    room.page.close()


def tap_until(room, action, done):
    """Tap a button. The browser may take the first tap after a drag for one that stops a fling, and makes no click of it."""

    def tapped():
        if not done():
            room.page.locator(f"[data-action={action}]").tap()
        return done()

    until(room.page, tapped, f"{action} is tapped")


def choose(room, tool):
    tap_until(room, tool, lambda: room.pressed(tool) == "true")


# The timer of a finger that rests rings when the test says so, unless it was called off.
RINGS = """() => {
    const set = setTimeout, clear = clearTimeout;
    window.setTimeout = (what, ms, ...more) => (ms === 550 ? ((window.rests = what), -1) : set(what, ms, ...more));
    window.clearTimeout = (id) => (id === -1 ? (window.rests = null) : clear(id));
}"""


def test_a_slow_finger_paints(site):
    room = tablet(site, rests=True)
    room.page.evaluate(RINGS)
    room.of("brushMm = 1")
    (x0, y), (x1, _) = room.at(6, 15, 5), room.at(6, 15, 12)
    steps = int((x1 - x0) / 2)  # two pixels each
    touch(room, "touchStart", (x0, y))
    assert room.page.evaluate("Boolean(window.rests)")
    for n in range(1, steps + 1):
        touch(room, "touchMove", (x0 + (x1 - x0) * n / steps, y))
    room.page.evaluate("() => window.rests?.()")
    touch(room, "touchEnd")
    assert room.painted() == box(6, 15, slice(5, 13))
    assert room.of("windowing.width") == 1500
    room.page.close()


def test_a_finger_that_rests_turns_the_window(site):
    room = tablet(site, rests=True)
    x, y = room.at(6, 15, 10)
    width = room.of("windowing.width")
    touch(room, "touchStart", (x, y))
    room.until("document.querySelector('.viewer-says').textContent.startsWith('Window')")
    for n in range(1, 6):
        touch(room, "touchMove", (x + 12 * n, y))
    touch(room, "touchEnd")
    assert room.of("windowing.width") > width
    assert room.painted() == set()
    room.page.close()


# What is too small for a finger.
SMALL = """() => [...document.querySelectorAll("button, a, select, summary, input:not([type=hidden])")]
    .filter((one) => one.checkVisibility() && !one.matches(".skip"))
    .map((one) => (["radio", "checkbox"].includes(one.type) ? one.closest("label") : one))
    .filter((one) => one.getBoundingClientRect().height < 44 || one.getBoundingClientRect().width < 44)
    .map((one) => one.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("size", [PORTRAIT, LANDSCAPE], ids=["portrait", "landscape"])
def test_a_tablet_shows_everything_large_enough(site, size):
    room = tablet(site, size)
    width, height = size
    # The picture has the larger part of the screen, the answer can be sent without scrolling, nothing sticks out.
    picture = room.page.locator("ct-viewer").bounding_box()
    assert picture["width"] * picture["height"] > 0.37 * width * height
    assert room.page.evaluate("document.documentElement.scrollWidth") == width
    send = room.page.locator("[data-action=submit]").bounding_box()
    assert send["y"] + send["height"] <= height
    assert room.page.evaluate(SMALL) == []
    # So it is with the result, whatever is unfolded.
    room.of("brushMm = 3")
    stroke(room, (6, 12, 8))
    room.page.locator("[data-action=submit]").tap()
    room.page.wait_for_selector("[data-feedback]")
    room.until(f"{VIEWER}.truth !== null")
    assert room.page.evaluate(SMALL) == []
    assert room.page.locator("summary").count() >= 1
    for summary in room.page.locator("summary").all():
        summary.click()
    room.page.wait_for_selector(".explained")
    assert room.page.evaluate(SMALL) == []
    assert room.page.evaluate("document.documentElement.scrollWidth") == width
    room.page.close()


def test_a_finger_removes_rulers(site):
    room = tablet(site)
    remove = room.page.locator("[data-action=clear-rulers]")
    assert not remove.is_visible()
    choose(room, "ruler")
    stroke(room, (6, 15, 5))  # no length, no ruler
    assert not remove.is_visible()
    stroke(room, (6, 15, 5), (6, 15, 10))
    assert room.of("tools.lines.length") == 1
    tap_until(room, "clear-rulers", lambda: room.of("tools.lines.length") == 0)
    assert not remove.is_visible()
    room.page.close()


def test_a_laptop_with_a_touch_screen_has_large_targets_and_keys(site, chromium):
    """It has a mouse first and fingers beside, as a tablet with a trackpad has."""
    # Blink's numbers of pointers: 4 is fine, 6 is coarse and fine.
    flags = [*FLAGS, "--blink-settings=primaryPointerType=4,availablePointerTypes=6"]
    browser = chromium.browser_type.launch(executable_path=find_chromium(), args=flags, timeout=2 * PATIENCE_MS)
    client, attempt = Client(), site.attempt()
    client.force_login(attempt.user)
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site.url}])
    room = site.enter(attempt, context=context)
    assert room.page.evaluate("matchMedia('(pointer: fine)').matches")
    assert room.page.evaluate(SMALL) == []
    assert room.page.locator("[data-action=submit] kbd").is_visible()
    send = room.page.locator("[data-action=submit]").bounding_box()
    assert send["y"] + send["height"] <= 768
    assert room.page.evaluate("document.documentElement.scrollWidth") == 1366
    site.rooms.remove(room)
    browser.close()
    assert room.problems == []


def test_help_names_what_is_on_the_screen(site):
    room = tablet(site)
    room.action("help")
    names = room.page.evaluate(
        "[...document.querySelectorAll('#keys .icons li')].map((one) => one.lastChild.textContent)"
    )
    assert names == [
        title.rsplit(" (", 1)[0]
        for title in room.page.evaluate(
            "[...document.querySelectorAll('.rail button')].filter((one) => one.checkVisibility()).map((one) => one.title)"
        )
    ]
    assert "Ruler" in names
    shown = "[...document.querySelectorAll('#keys kbd')].every((one) => one.checkVisibility())"
    assert room.page.evaluate(shown)  # some tablets have a keyboard
    assert room.page.evaluate("document.querySelector('#keys').scrollTop") == 0
    box = room.page.locator("#keys form button").bounding_box()
    assert box["y"] + box["height"] <= PORTRAIT[1]
    room.page.close()


def test_on_a_phone_the_page_scrolls_to_the_whole_panel(site):
    room = tablet(site, PHONE)
    assert room.page.evaluate(
        "document.querySelector('.panel').scrollHeight <= document.querySelector('.panel').clientHeight"
    )
    assert room.page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    picture = room.page.locator("ct-viewer").bounding_box()
    assert picture["height"] > 0.4 * PHONE[1]
    # The strips of tools scroll; what is needed at every turn lies in front, and what is asked for comes before it.
    for action in ("undo", "redo", "brush", "prev-slice", "next-slice"):
        place = room.page.locator(f"[data-action={action}]").bounding_box()
        assert 0 <= place["x"] <= PHONE[0] - place["width"], action
    room.page.evaluate(f"() => {VIEWER}.toggleAttribute('proposing', true)")
    place = room.page.locator("[data-action=accept]").bounding_box()
    assert place["x"] + place["width"] <= PHONE[0]
    room.page.evaluate(f"() => {VIEWER}.toggleAttribute('proposing', false)")
    room.of("brushMm = 3")
    stroke(room, (6, 12, 8))
    assert room.painted()
    room.page.locator("[data-action=submit]").tap()
    room.page.wait_for_selector("[data-feedback]")
    room.page.locator(".downloads").scroll_into_view_if_needed()
    assert room.page.locator(".downloads").bounding_box()["y"] < PHONE[1]
    room.page.close()


# What is written over the picture, as boxes of the screen: on the canvas, and the caption.
WRITTEN = """async () => {
    const viewer = document.querySelector("ct-viewer"), boxes = [], { prototype } = CanvasRenderingContext2D;
    const real = prototype.fillText;
    prototype.fillText = function (text, x, y) {
        const { width } = this.measureText(text);
        const left = x - { left: 0, start: 0, center: width / 2, right: width }[this.textAlign];
        boxes.push({ text, left, right: left + width, top: y - 11, bottom: y });
        return real.call(this, text, x, y);
    };
    viewer.scene.context.forget();
    viewer.redraw();
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    prototype.fillText = real;
    const origin = viewer.getBoundingClientRect();
    for (const one of viewer.querySelectorAll(".viewer-caption, .edge")) {
        if (getComputedStyle(one).opacity === "0") continue;
        const { left, right, top, bottom } = one.getBoundingClientRect();
        const [x, y] = [origin.x, origin.y];
        boxes.push({ text: one.textContent, left: left - x, right: right - x, top: top - y, bottom: bottom - y });
    }
    return boxes.filter(({ text }) => text);
}"""


@pytest.mark.parametrize("size", [PHONE, PORTRAIT, (1440, 900)], ids=["phone", "portrait", "desktop"])
def test_nothing_covers_the_letters(site, size):
    room = tablet(site, size)
    room.press("4"), room.press("m"), room.press("m")  # the longest caption
    room.of("pointAt({ x: 100, y: 200 }, false)")
    room.page.evaluate("() => { document.querySelector('ct-viewer').truth = null; }")
    for layout, letters in (("one", 4), ("three", 12)):
        room.of(f"lay('{layout}')")
        room.frame()
        written = room.page.evaluate(WRITTEN)
        names = [one for one in written if one["text"] in "APRLSI"]
        assert len(names) == letters, written
        for name in names:
            for other in written:
                apart = (
                    other["right"] <= name["left"] or other["left"] >= name["right"]
                    or other["bottom"] <= name["top"] or other["top"] >= name["bottom"]
                )  # fmt: skip
                assert other is name or apart, (layout, name, other)
    # Three planes, three numbers: each pane says its own. k = 6 of 12 is the sixth from the head.
    assert {one["text"] for one in written if " / " in one["text"]} == {"6 / 12", "16 / 30", "11 / 20"}
    room.page.close()
