"""While filling between and growing take their time the page answers, and nothing that is done meanwhile is lost."""

import pytest

from tests.browser.room.room import VIEWER, box
from tests.browser.room.scan import NODULE
from tests.browser.room.test_tools import painted_twice, set_brush

pytestmark = pytest.mark.browser

BETWEEN = box(slice(5, 7), slice(10, 15), slice(5, 10))  # of the two rectangles of painted_twice

# A clock of which every look costs a tenth of a second, so that all work takes many slices; and pauses between slices
# (time-outs without a time) that end only when the test says so.
SLOW = """() => {
    const clock = performance.now.bind(performance), soon = window.setTimeout.bind(window);
    let late = 0;
    globalThis.held = [];
    performance.now = () => clock() + (late += 100);
    window.setTimeout = (act, ms, ...more) => (ms === undefined ? globalThis.held.push(act) : soon(act, ms, ...more));
    globalThis.quick = () => {
        delete performance.now;
        window.setTimeout = soon;
        delete globalThis.quick;
        globalThis.held.splice(0).forEach((act) => act());
    };
    globalThis.oneMore = async () => {
        globalThis.held.splice(0).forEach((act) => act());
        await new Promise((done) => soon(done, 0));
    };
}"""
FILLING, GROWING = f"{VIEWER}.painter.filling.on", f"{VIEWER}.tools.all.grow.work.on"


@pytest.fixture
def slow(room):
    """The room, in which long work stands still after its first slice until ``on`` is called."""
    yield room
    room.page.evaluate("globalThis.quick?.()")
    room.until(f"!{FILLING} && !{GROWING}")


def stand(room):
    room.page.evaluate(SLOW)


def on(room):
    room.page.evaluate("globalThis.quick()")
    room.until(f"!{FILLING} && !{GROWING}")


def begin_filling(room):
    both = painted_twice(room)
    stand(room)
    room.press("i")
    assert room.page.evaluate(FILLING)
    assert "Escape stops it" in room.says()
    return both


def begin_growing(room):
    room.action("grow")
    stand(room)
    room.click(6, 12, 8)
    room.until(f"{GROWING} && globalThis.held.length > 0")


def test_the_page_answers_while_it_fills_and_the_result_is_the_same(slow):
    both = begin_filling(slow)
    # The other slice is looked at, in another view, while it works.
    slow.of("k = 2")
    slow.action("view-coronal")
    slow.of("step(3)")
    for _ in range(5):
        slow.page.evaluate("globalThis.oneMore()")
        assert slow.page.evaluate(FILLING)
        assert slow.of("painter.proposal") is None
    on(slow)
    assert "0.40 ml proposed" in slow.says()
    assert slow.painted() == both
    slow.press("i")
    assert slow.painted() == both | BETWEEN
    assert slow.says() == ""  # of a proposal that there is no more


def test_a_second_filling_does_not_start_over_the_first(slow):
    both = begin_filling(slow)
    slow.press("i")
    assert "still worked out" in slow.says()
    slow.action("fill-between")
    on(slow)
    assert "0.40 ml proposed" in slow.says()
    assert slow.painted() == both  # proposed once, and accepted by nobody


def test_escape_calls_filling_off(slow):
    both = begin_filling(slow)
    slow.press("Escape")
    slow.until("document.querySelector('.viewer-says').textContent.includes('called off')")
    on(slow)
    assert slow.of("painter.proposal") is None
    assert slow.painted() == both
    slow.press("i")
    slow.until(f"{VIEWER}.painter.proposal")  # it can be asked for again


def test_painting_on_calls_filling_off_and_is_kept(slow):
    both = begin_filling(slow)
    slow.action("brush")
    set_brush(slow, 1)
    slow.of("k = 5")
    slow.click(5, 2, 2)
    assert not slow.page.evaluate(FILLING)
    on(slow)
    assert slow.of("painter.proposal") is None
    assert slow.painted() == both | {(5, 2, 2)}


def test_a_stroke_that_is_taken_back_calls_filling_off_too(slow):
    """What had been read while it lay there may not be proposed."""
    both = begin_filling(slow)
    slow.action("brush")
    slow.mouse.move(*slow.at(7, 25, 15))
    slow.mouse.down()
    slow.press("Escape")
    slow.mouse.up()
    on(slow)
    assert slow.of("painter.proposal") is None
    assert slow.painted() == both


@pytest.mark.parametrize("key", ["z", "Delete"])
def test_undo_and_clearing_call_filling_off(slow, key):
    begin_filling(slow)
    slow.press(key)  # the last rectangle, on the slice in hand
    on(slow)
    assert slow.of("painter.proposal") is None
    assert slow.painted() == box(4, slice(10, 15), slice(5, 10))


def test_the_page_answers_while_it_grows_and_paints_the_same(slow):
    begin_growing(slow)
    assert slow.painted() == set()
    slow.action("brush")
    set_brush(slow, 1)
    slow.of("k = 2")
    slow.click(2, 2, 2)
    assert slow.painted() == {(2, 2, 2)}
    slow.page.evaluate(f"{VIEWER}.stack.slices.delete(5)")  # the memory's budget may take a slice away meanwhile
    on(slow)
    assert slow.painted() == {(2, 2, 2)} | box(*NODULE)
    slow.press("z")
    assert slow.painted() == {(2, 2, 2)}
    slow.reload()


def test_a_second_growing_does_not_start_over_the_first(slow):
    begin_growing(slow)
    slow.click(6, 3, 16)
    assert "still worked out" in slow.says()
    on(slow)
    assert slow.painted() == box(*NODULE)
    assert "Painted 0.77 ml on 4 slices" in slow.says()


def test_escape_calls_growing_off(slow):
    begin_growing(slow)
    slow.press("Escape")
    slow.until("document.querySelector('.viewer-says').textContent.includes('called off')")
    on(slow)
    assert slow.painted() == set()
    slow.click(6, 12, 8)
    slow.until(f"{VIEWER}.painted.runs[4] !== undefined")
    assert slow.painted() == box(*NODULE)


@pytest.mark.parametrize("begin", [begin_filling, begin_growing], ids=["filling", "growing"])
def test_what_comes_after_the_answer_is_given_changes_nothing(site, begin):
    room = site.enter()
    room.of("brushMm = 1")
    room.click(6, 20, 3)
    begin(room)
    before = room.painted()
    room.page.evaluate("document.querySelector('[data-action=submit]').click()")
    room.until(f"{VIEWER}.getAttribute('state') === 'submitted'")
    room.until(f"{VIEWER}.truth !== null")
    on(room)
    assert room.of("painter.proposal") is None
    assert room.painted() == before
    room.page.close()
