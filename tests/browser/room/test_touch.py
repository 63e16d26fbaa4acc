"""Fingers, pen and palm on a tablet, upright and lying."""

import pytest

from tests.browser.room.room import box

pytestmark = pytest.mark.browser

PORTRAIT, LANDSCAPE = (820, 1180), (1180, 820)


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


def pen(room, *voxels):
    for n, voxel in enumerate(voxels):
        x, y = room.at(*voxel)
        kind = "mousePressed" if n == 0 else "mouseMoved"
        room.fingers.send("Input.dispatchMouseEvent", {
            "type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1, "pointerType": "pen", "force": 0.5,
        })  # fmt: skip
    room.fingers.send("Input.dispatchMouseEvent", {
        "type": "mouseReleased", "x": x, "y": y, "button": "left", "buttons": 0, "clickCount": 1, "pointerType": "pen",
    })  # fmt: skip


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
    small = room.page.evaluate(
        """() => [...document.querySelectorAll("button, a, select, summary, input:not([type=hidden])")]
            .filter((one) => one.checkVisibility() && !one.matches(".skip"))
            .map((one) => (["radio", "checkbox"].includes(one.type) ? one.closest("label") : one))
            .filter((one) => one.getBoundingClientRect().height < 44 || one.getBoundingClientRect().width < 44)
            .map((one) => one.outerHTML.slice(0, 120))"""
    )
    assert small == []
    room.page.close()
