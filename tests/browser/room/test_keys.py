"""Keys: what the map says they do, a whole answer without a mouse, and names for those who hear the page."""

import re

import pytest

from quiz.models import Attempt, State
from tests.browser.room.room import VIEWER, box

pytestmark = pytest.mark.browser

# Key, what the page must then say (with the state it is pressed in: a cleared room at slice 6 of 0 to 11).
DOES = [
    ("ArrowUp", "viewer.k === 7"),
    ("ArrowDown", "viewer.k === 5"),
    ("Shift+ArrowUp", "viewer.k === 11"),
    ("Shift+ArrowDown", "viewer.k === 1"),
    ("PageUp", "viewer.k === 11"),
    ("PageDown", "viewer.k === 1"),
    ("Home", "viewer.k === 11"),
    ("End", "viewer.k === 0"),
    ("]", "viewer.brushMm === 8"),
    ("[", "viewer.brushMm === 4"),
    ("d", "viewer.tool === 'ball'"),
    ("e", "viewer.tool === 'eraser'"),
    ("s", "viewer.tool === 'lasso'"),
    ("a", "viewer.tool === 'grow'"),
    ("r", "viewer.tool === 'ruler'"),
    ("u", "viewer.tool === 'crosshair'"),
    ("w", "viewer.tool === 'window'"),
    ("g", "viewer.tool === 'pan'"),
    ("b", "viewer.tool === 'brush'"),
    ("q", "viewer.painter.limits.on"),
    ("1", "viewer.windowing.name === 'Lung'"),
    ("2", "viewer.windowing.name === 'Mediastinum'"),
    ("3", "viewer.windowing.name === 'Bone'"),
    ("4", "viewer.windowing.name === 'Narrow lung'"),
    ("v", "viewer.view === 'coronal'"),
    ("v v", "viewer.view === 'sagittal'"),
    ("v v v", "viewer.layout === 'three'"),
    ("v v v v", "viewer.layout === 'one' && viewer.view === 'axial'"),
    ("m", "viewer.slabMm === 5"),
    ("m m m m", "viewer.slabMm === 0"),
    ("k", "viewer.cine.on"),
    ("k k", "!viewer.cine.on"),
    ("+", "viewer.panes[0].camera.zoom === 1.25"),
    ("-", "viewer.panes[0].camera.zoom === 0.8"),
    ("+ + 0", "viewer.panes[0].camera.zoom === 1"),
    ("j", "viewer.keyboard.on"),
    ("j Escape", "!viewer.keyboard.on"),
    ("o", "!viewer.show.fill"),
    ("p", "true"),
    ("c 3", "document.querySelector('input[name=confidence][value=\"3\"]').checked"),
    ("x", "document.querySelector('input[name=absent]').checked"),
    ("x x", "!document.querySelector('input[name=absent]').checked"),
    ("i", "document.querySelector('.viewer-says').textContent.startsWith('Nothing to fill')"),
    ("Shift+?", "document.getElementById('keys').open"),
]

CONTROLS = {
    "button", "checkbox", "radio", "combobox", "slider", "spinbutton", "textbox", "link", "application", "toolbar",
}  # fmt: skip


def test_every_key_does_what_the_map_says(room):
    for keys, expected in DOES:
        room.clear()
        for key in keys.split():
            room.press(key)
        assert room.page.evaluate(f"(() => {{ const viewer = {VIEWER}; return {expected}; }})()"), keys
    room.press("Escape")
    assert not room.page.evaluate("document.getElementById('keys').open")


def test_undo_redo_clear_and_find_by_key(room):
    room.of("brushMm = 1")
    room.click(6, 10, 5)
    room.of("k = 2")
    room.press("f")  # back to the slice with most paint
    assert room.of("k") == 6
    for keys, expected in (
        ("z", set()), ("Shift+Z", {(6, 10, 5)}), ("Control+z", set()), ("y", {(6, 10, 5)}), ("Delete", set()),
        ("Control+z", {(6, 10, 5)}), ("Control+z", set()), ("Control+Shift+Z", {(6, 10, 5)}),
    ):  # fmt: skip
        room.press(keys)
        assert room.painted() == expected, keys


def test_the_map_names_every_key(room):
    room.press("Shift+?")
    named = set(room.page.locator("#keys kbd").all_text_contents())
    pressed = {key.removeprefix("Shift+") for keys, _ in DOES for key in keys.split()}
    words = {"ArrowUp": "↑", "ArrowDown": "↓", "Escape": "Esc"}
    unnamed = {words.get(key, key.upper()) for key in pressed} - named
    # Page keys, Home and End scroll as everywhere; 2 and 3 lie between 1 and 4; ? is how one came here.
    assert unnamed <= {"PAGEUP", "PAGEDOWN", "HOME", "END", "2", "3", "?"}
    room.press("Escape")


def test_typing_in_a_field_is_not_a_key(room):
    room.page.focus("[data-limit=low]")
    room.page.keyboard.type("-35")
    room.press("z"), room.press("k")
    assert not room.of("cine.on")
    room.page.focus("ct-viewer")


def test_painting_by_keyboard(room):
    # The crosshair starts in the middle, (6, 15, 10). The smallest brush: one voxel a step.
    room.of("brushMm = 1")
    room.press("j")
    for key in ("ArrowUp", "ArrowUp", "ArrowLeft"):
        room.press(key)
    assert room.of("cursor") == {"k": 6, "j": 13, "i": 9}
    room.page.keyboard.down(" ")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        room.press(key)
    room.page.keyboard.up(" ")
    assert room.painted() == box(6, 13, slice(9, 12)) | {(6, 14, 11)}
    room.press("ArrowDown")  # let go: it only moves
    assert len(room.painted()) == 4
    assert re.search(r"Row 16, column 12, slice 6, -800 HU$", room.page.text_content("ct-viewer .sr"))
    room.press("z")
    assert room.painted() == set()  # one stroke
    room.press("PageUp")
    assert room.of("k") == 11
    # In the coronal view up is towards the head.
    room.press("v"), room.press("ArrowDown")
    assert room.of("cursor") == {"k": 10, "j": 15, "i": 11}
    room.press("Control+ ")
    room.press("j")


def test_a_whole_answer_without_a_mouse(site):
    attempt = site.attempt(mode="volume")
    room = site.enter(attempt)
    press = room.press
    press("j")
    for _ in range(2):
        press("ArrowUp")
    for _ in range(2):
        press("ArrowLeft")
    assert room.of("cursor") == {"k": 6, "j": 13, "i": 8}
    press("a")  # grow from the crosshair: the nodule
    press(" ")
    room.until(f"{VIEWER}.painted.runs[4] !== undefined")
    press("j")
    press("c"), press("4")
    press("Enter")
    room.page.wait_for_selector("[data-feedback] .verdict.found")
    room.until(f"{VIEWER}.truth !== null")
    attempt.refresh_from_db()
    assert attempt.state == State.SUBMITTED
    assert attempt.confidence == 4
    assert attempt.dice == 1.0  # the nodule, to the voxel
    press("t")
    assert room.pressed("toggle-truth") == "false"
    press("p")
    assert room.pressed("toggle-paint") == "false"
    press("n")
    assert room.of("k") in range(4, 8)
    press(" ")
    room.page.wait_for_url(lambda url: not url.endswith(f"/{attempt.pk}/"))
    room.page.close()


def test_a_key_that_is_held_does_not_skip_the_result(site):
    attempt = site.attempt()
    room = site.enter(attempt)
    posts = []
    room.page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    mine = Attempt.objects.filter(user=attempt.user)
    for key in ("Enter", " "):
        room.of("brushMm = 1")
        room.click(6, 12, 8)
        hold, submit = room.page.keyboard.down, "Enter"
        if key == " ":
            hold(key)  # to pan; the answer goes out meanwhile
            room.action("submit")
        else:
            hold(submit)
        for _ in range(3):
            hold(key)  # as the keyboard does by itself
        room.page.wait_for_selector("[data-feedback]")
        room.until(f"{VIEWER}.truth !== null")
        for _ in range(3):
            hold(key)
        room.page.wait_for_timeout(200)
        assert not [url for url in posts if "/next/" in url]
        room.page.keyboard.up(key)
        # Pressed anew it goes on, once; and the next finding is not submitted by what is still held.
        finding = room.page.url
        hold(key), hold(key)
        room.page.wait_for_url(lambda url, before=finding: url != before)
        room.ready()
        for _ in range(3):
            hold(key)
        room.page.wait_for_timeout(200)
        assert len([url for url in posts if "/next/" in url]) == 1
        assert len([url for url in posts if "/submit/" in url]) == 1
        assert mine.filter(state=State.OPENED).count() == 1
        room.page.keyboard.up(key)
        posts.clear()
    room.page.close()


def answered(site):
    """A room of its own, with one dab submitted and its feedback there."""
    room = site.enter()
    room.of("brushMm = 1")
    room.click(6, 12, 8)
    room.action("submit")
    room.page.wait_for_selector("[data-feedback]")
    return room


def test_going_on_is_asked_for_once(site):
    room = answered(site)
    posts = []
    room.page.on("request", lambda request: posts.append(request.url) if "/next/" in request.url else None)
    before = room.page.url
    room.page.evaluate(
        "() => { const go = document.querySelector('[data-action=next]'); go.click(); setTimeout(() => go.click()); }"
    )
    room.page.wait_for_url(lambda url: url != before)
    assert len(posts) == 1
    room.page.close()


def test_the_map_says_what_enter_and_space_do_before_and_after(room):
    room.press("Shift+?")
    for key in ("Enter", "Space"):
        row = room.page.locator(
            "#keys div", has=room.page.locator(f"dt:has(kbd:text-is('{key}')):not(:has(kbd + kbd))")
        ).last
        assert "after submission, next finding" in row.inner_text()
    room.press("Escape")


def test_the_result_is_said_to_those_who_hear_the_page(site):
    room = answered(site)
    room.attempt.refresh_from_db()
    said = room.page.text_content("ct-viewer [aria-live=polite]")
    assert said.startswith(f"{room.attempt.get_verdict_display()}. Grade {room.page.text_content('.grade')} of 100. ")
    assert room.page.locator(".sentences li").first.inner_text() in said
    room.page.close()


# How many buttons the toolbar has that the focus is in.
INSIDE = """() => [...(document.activeElement.closest('[role=toolbar]')?.querySelectorAll('button') ?? [])]
    .filter((one) => one.checkVisibility()).length"""


def test_tab_and_the_arrows_of_a_toolbar_reach_every_control(room):
    # Elements are compared, not their text: the clock's changes as the keys are pressed.
    room.page.evaluate("document.activeElement.blur(); document.querySelector('.skip').focus()")
    room.page.evaluate("() => { window.reached = new Set(); }")
    toolbars, k = 0, room.of("k")
    for _ in range(120):
        inside = room.page.evaluate(INSIDE)
        toolbars += inside > 0
        for n in range(inside or 1):
            room.page.evaluate("() => { window.reached.add(document.activeElement); }")
            if inside:
                room.press(("ArrowRight", "ArrowDown")[n % 2])
        room.press("Tab")
        if room.page.evaluate("document.activeElement === document.body"):
            break
    assert toolbars == 2  # each is one stop
    assert room.of("k") == k  # and its arrows are its own
    missed = room.page.evaluate(
        """() => [...document.querySelectorAll("main :is(button, input, select, summary, a[href])")]
            .filter((one) => one.checkVisibility() && !one.disabled && one.type !== "hidden")
            .filter((one) => one.type !== "radio")  // a group of these is one stop
            .filter((one) => !window.reached.has(one))
            .map((one) => one.outerHTML.slice(0, 160))"""
    )
    assert missed == []
    stops = """[...window.reached].filter((one) => one.tagName === "CT-VIEWER").length"""
    assert room.page.evaluate(stops) == 1
    room.of("focus()")


def test_the_picture_is_four_stops_from_the_beginning_of_the_page(room):
    """The way out, the tools, the view, the picture."""
    room.page.evaluate("document.activeElement.blur(); document.querySelector('.skip').focus()")
    for _ in range(4):
        room.press("Tab")
    assert room.page.evaluate("document.activeElement.tagName") == "CT-VIEWER"
    # And from a button back to it with one key. The toolbar comes back to where it was left.
    room.press("Shift+Tab"), room.press("End"), room.press("ArrowLeft"), room.press("Enter")
    assert room.of("panes[0].camera.zoom") == 1
    room.press("ArrowLeft"), room.press("Control+ArrowLeft"), room.press("Enter")  # with Ctrl it is no arrow of ours
    assert room.of("panes[0].camera.zoom") == 0.8
    room.press("Escape")
    assert room.page.evaluate("document.activeElement.tagName") == "CT-VIEWER"
    room.press("ArrowUp")
    assert room.of("k") == 7
    room.press("Shift+Tab")
    assert room.page.evaluate("document.activeElement.dataset.action") == "zoom-out"
    room.of("focus()")


def test_a_toolbar_is_reached_when_its_first_tools_have_gone(site):
    room = answered(site)
    room.until(f"{VIEWER}.truth !== null")
    room.of("focus()")
    room.press("Shift+Tab"), room.press("Shift+Tab")
    assert room.page.evaluate("document.activeElement.dataset.action") == "crosshair"
    room.press("Home"), room.press("ArrowRight")
    assert room.page.evaluate("document.activeElement.dataset.action") == "ruler"
    room.page.close()


def test_keys_choose_in_a_field_and_stay_there(room):
    room.page.focus("[data-slab]")
    room.press("ArrowDown"), room.press("ArrowDown")
    assert room.page.evaluate("document.activeElement.matches('[data-slab]')")
    assert (room.of("slabMm"), room.of("k")) == (10, 6)
    room.page.focus("[data-opacity]")
    room.press("ArrowRight"), room.press("Home")
    assert (room.of("opacity"), room.of("k")) == (0, 6)
    room.press("e")  # a slider takes no letters
    assert room.of("tool") == "eraser"
    room.page.fill("[data-opacity]", "50")
    room.page.select_option("[data-slab]", "0")
    room.of("focus()")


def test_a_slider_moved_with_the_mouse_gives_the_keys_back(room):
    room.page.click("[data-opacity]")
    room.press("ArrowUp"), room.press("e")
    assert (room.of("k"), room.of("tool")) == (7, "eraser")
    room.page.fill("[data-opacity]", "50")
    room.of("focus()")


def test_letters_are_the_same_with_caps_lock(room):
    room.of("brushMm = 1")
    room.click(6, 10, 5)
    room.press("Z")  # without Shift
    assert room.painted() == set()
    room.press("Shift+Z")
    assert room.painted() == {(6, 10, 5)}
    room.press("E")
    assert room.of("tool") == "eraser"
    room.press("X")
    assert room.page.is_checked("input[name=absent]")


def test_space_is_let_go_when_another_window_takes_the_keys(room):
    room.of("brushMm = 1")
    room.page.keyboard.down(" ")
    room.page.evaluate("window.dispatchEvent(new Event('blur'))")
    room.drag((6, 15, 5), (6, 15, 8))
    assert room.painted() == box(6, 15, slice(5, 9))
    room.page.keyboard.up(" ")


def test_every_control_has_a_name(room):
    """As the browser tells it to a screen reader."""
    session = room.context.new_cdp_session(room.page)
    for view in ("one", "three"):
        room.of(f"lay('{view}')")
        nodes = session.send("Accessibility.getFullAXTree")["nodes"]
        controls = [node for node in nodes if not node["ignored"] and node["role"]["value"] in CONTROLS]
        assert len(controls) > 50
        nameless = [node for node in controls if not node.get("name", {}).get("value", "").strip()]
        assert nameless == []
    session.detach()


def test_reduced_motion(site):
    room = site.enter(reduced_motion="reduce")
    still = room.page.evaluate(
        """() => [...document.querySelectorAll("*")].filter((one) => {
            const { transitionDuration, animationName } = getComputedStyle(one);
            return transitionDuration !== "0s" || animationName !== "none";
        }).map((one) => one.outerHTML.slice(0, 80))"""
    )
    assert still == []
    room.page.close()


def test_nobody_elses_attempt_opens(site):
    """A room that is not mine is not there."""
    mine, theirs = site.attempt(), site.attempt()
    room = site.enter(mine)
    room.expected.append("404 (Not Found)")
    assert room.page.goto(room.url.replace(f"/{mine.pk}/", f"/{theirs.pk}/")).status == 404
    room.page.close()
    assert Attempt.objects.filter(pk=theirs.pk, state=State.OPENED).exists()
