"""A stroke in hand, and what may come between: keys, the wheel, slices that come late, the end of the attempt."""

import pytest

from tests.browser.room.room import VIEWER, box
from tests.browser.room.scan import NODULE

pytestmark = pytest.mark.browser

FIRST, SECOND = (6, 15, 5), (6, 15, 8)
HALF = box(6, 15, slice(5, 9))  # the smallest brush along row 15, from the first place to the second
WHOLE = box(6, 15, slice(5, 13))


def half(room):
    """A stroke that is in hand."""
    room.mouse.up()  # had a test before failed
    room.of("brushMm = 1")
    room.mouse.move(*room.at(*FIRST))
    room.mouse.down()
    room.mouse.move(*room.at(*SECOND), steps=4)
    assert room.of("stroking !== null")


def rest(room):
    room.mouse.move(*room.at(6, 15, 12), steps=4)
    room.mouse.up()


@pytest.mark.parametrize("key", ["Delete", "i", "z", "y", "1", "]"])
def test_keys_that_change_paint_wait_for_the_end_of_a_stroke(room, key):
    half(room)
    room.press(key)
    if key == "]":
        room.press("[")
    rest(room)
    assert room.painted() == WHOLE
    room.press("z")
    assert room.painted() == set()


def test_a_proposal_is_not_accepted_into_a_stroke(room):
    room.of("brushMm = 6")
    for k in (4, 7):
        room.of(f"k = {k}")
        room.click(k, 25, 15)
    before = room.painted()
    room.of("k = 6")
    room.press("i")
    room.until(f"{VIEWER}.painter.proposal !== null")
    half(room)
    room.press("i")
    rest(room)
    assert room.painted() == before | WHOLE
    assert room.of("painter.proposal") is None  # painting on calls it off


@pytest.mark.parametrize("key", ["e", "b", "s", "g"])
def test_another_tool_ends_a_stroke_and_takes_nothing_back(room, key):
    half(room)
    room.press(key)
    assert room.painted() == HALF
    rest(room)  # the new tool is not in hand before it is pressed
    assert room.painted() == HALF
    room.press("z")
    assert room.painted() == set()


def test_a_stroke_ends_with_its_slice(room):
    for leave in (
        lambda: room.mouse.wheel(0, 120),
        lambda: room.press("ArrowDown"),
        lambda: room.press("PageUp"),
        lambda: room.press("v"),
    ):
        room.clear()
        half(room)
        leave()
        room.until(f"{VIEWER}.stroking === null")
        assert room.painted() == HALF
        rest(room)
        assert room.painted() == HALF


def test_the_cine_waits_for_a_stroke(room):
    room.press("k")
    room.until(f"{VIEWER}.k !== 6")
    room.mouse.move(*room.at(room.of("k"), *FIRST[1:]))
    room.mouse.down()
    k = room.of("k")
    room.page.wait_for_timeout(400)  # nearly five steps of the cine
    assert room.of("k") == k
    assert room.of("stroking !== null")
    room.mouse.up()
    room.until(f"{VIEWER}.k !== {k}")
    room.press("k")


# The slices around a click of Grow come when the test says so.
LATE = f"""() => {{
    const {{ stack }} = {VIEWER};
    stack.need = () => new Promise((done) => (window.come = () => (delete stack.need, done())));
}}"""


def test_growing_waits_for_the_stroke_that_was_begun_meanwhile(room):
    room.page.evaluate(LATE)
    room.action("grow")
    room.click(6, 12, 8)
    room.action("brush")
    half(room)
    room.page.evaluate("() => window.come()")
    room.frame()
    assert room.of("mask.count") == len(HALF)
    rest(room)
    room.until(f"{VIEWER}.painted.runs[4] !== undefined")
    assert room.painted() == box(*NODULE) | WHOLE
    room.press("z")
    assert room.painted() == WHOLE  # the last stroke is what grew
    room.press("z")
    assert room.painted() == set()


def test_growing_paints_nothing_after_the_answer(site):
    room = site.enter()
    room.of("brushMm = 1")
    room.click(6, 20, 15)
    room.page.evaluate(LATE)
    room.action("grow")
    room.click(6, 12, 8)
    room.action("submit")
    room.page.wait_for_selector("[data-feedback]")
    room.until(f"{VIEWER}.truth !== null")
    room.page.evaluate("() => window.come()")
    room.frame()
    assert room.painted() == {(6, 20, 15)}
    room.page.close()


def test_a_stroke_that_is_in_hand_when_the_result_comes_is_not_added_to_it(site):
    room = site.enter()
    room.of("brushMm = 1")
    room.click(6, 20, 15)
    half(room)
    room.page.evaluate("document.querySelector('[data-action=submit]').click()")
    room.page.wait_for_selector("[data-feedback]")
    room.until(f"{VIEWER}.truth !== null")
    before = room.painted()
    rest(room)
    assert room.painted() == before
    assert room.of("stroking") is None
    room.page.close()


def test_the_keyboards_stroke_and_another_tool(room):
    room.of("brushMm = 1")
    room.press("j")
    room.page.keyboard.down(" ")
    room.press("ArrowRight")
    room.press("e")
    room.press("ArrowRight"), room.press("ArrowRight")
    assert room.painted() == box(6, 15, slice(10, 12))  # from the middle of the scan, one step to the right
    room.page.keyboard.up(" ")
    room.press("b")
    room.page.keyboard.down(" ")
    room.press("ArrowRight")
    room.press("Escape")
    room.page.keyboard.down(" ")  # as the keyboard does by itself while a key is held
    room.press("ArrowRight")
    room.page.keyboard.up(" ")
    assert room.painted() == box(6, 15, slice(10, 12))
    room.press("j")


def test_the_mouse_takes_over_from_the_keyboard(room):
    room.of("brushMm = 1")
    room.press("j")
    room.page.keyboard.down(" ")
    room.press("ArrowRight")
    half(room)
    room.page.keyboard.up(" ")
    rest(room)
    assert room.painted() == WHOLE | box(6, 15, slice(10, 12))
    room.press("z")
    assert room.painted() == box(6, 15, slice(10, 12))
    room.press("j")
