"""What is on the screen is the paint of this very slice, however late its picture comes."""

import numpy as np
import pytest

from tests.browser.room.room import VIEWER, Held
from tests.browser.room.test_orientation import picture
from tests.browser.waiting import until

pytestmark = pytest.mark.browser

BEFORE, HERE = (6, 12, 8), (5, 22, 14)


def is_blue(pixel):
    red, _, blue = pixel
    return blue > red + 20


def shown_as_anew(room):
    """Only the paint of slice 5 is seen there, and the picture is the one of a full redraw."""
    room.mouse.move(5, 5)
    spots = [room.at(*HERE), room.at(*BEFORE)]
    shown = picture(room)
    assert [is_blue(shown(*spot)) for spot in spots] == [True, False]
    room.of("touch()")
    again = picture(room)
    assert [is_blue(again(*spot)) for spot in spots] == [True, False]
    size = room.page.locator("ct-viewer").bounding_box()
    for x in np.arange(size["x"] + 1, size["x"] + size["width"], 5):
        for y in np.arange(size["y"] + 1, size["y"] + size["height"], 5):
            assert (shown(x, y) == again(x, y)).all(), (x, y)


@pytest.mark.parametrize("renderer", ["2d", "webgl"])
def test_paint_of_another_slice_is_not_shown_on_one_that_comes_late(site, renderer):
    room = site.enter(renderer=renderer)
    held = Held(room)
    room.of("brushMm = 4")
    room.click(*BEFORE)
    room.frame()
    room.of("k = 5")
    room.frame()
    assert room.of("stack.get(5)") is None
    room.click(*HERE)
    room.frame()
    room.click(5, 24, 16)  # a second rectangle that is not drawn
    room.frame()
    held.let_go()
    until(room.page, f"{VIEWER}.stack.get(5) !== undefined")
    shown_as_anew(room)
    room.page.close()


@pytest.mark.parametrize("renderer", ["2d", "webgl"])
def test_paint_of_another_slice_is_not_shown_on_one_without_paint(site, renderer):
    room = site.enter(renderer=renderer)
    room.of("brushMm = 4")
    room.click(*BEFORE)
    room.frame()
    room.of("k = 5")
    room.frame()
    room.click(*HERE)
    room.frame()
    shown_as_anew(room)
    room.page.close()


@pytest.mark.parametrize("renderer", ["2d", "webgl"])
def test_a_pointer_that_only_moves_leaves_the_picture_alone(site, renderer):
    room = site.enter(renderer=renderer)
    room.mouse.move(*room.at(6, 12, 8))
    room.frame()
    room.page.evaluate(
        f"""() => {{
            const {{ renderer }} = {VIEWER}.scene, draw = renderer.draw.bind(renderer);
            globalThis.drawn = 0;
            renderer.draw = (...values) => (globalThis.drawn++, draw(...values));
        }}"""
    )
    room.mouse.move(*room.at(6, 20, 12), steps=5)
    room.frame()
    assert room.page.evaluate("globalThis.drawn") == 0
    room.click(6, 20, 12)
    room.frame()
    assert room.page.evaluate("globalThis.drawn") > 0
    shown = picture(room)
    x, y = room.at(6, 20, 12)
    assert is_blue(shown(x + 3, y + 3))
    room.mouse.move(*room.at(6, 4, 4), steps=3)
    room.frame()
    shown = picture(room)
    assert is_blue(shown(x + 3, y + 3))  # and what was drawn stays on the screen
    room.page.close()
