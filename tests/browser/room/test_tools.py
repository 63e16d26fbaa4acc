"""Every tool at the screen, with the voxels it must paint. Voxels are 4 x 1 x 2 mm: k up, j back, i left."""

import pytest

from tests.browser.room.room import VIEWER, box
from tests.browser.room.scan import CORNER, NODULE, SIZE, SOLID

pytestmark = pytest.mark.browser

K, J, I = SIZE


def set_brush(room, mm):
    room.of(f"brushMm = {mm}")


def test_the_brush_is_round_in_millimetres(room):
    # Radius 3.3 mm around (6, 15, 10). In column i = 10: rows within 3 mm. One column off is 2 mm and leaves
    # sqrt(3.3^2 - 2^2) = 2.62 mm: rows within 2. Two columns off is 4 mm: nothing. 7 + 2 * 5 = 17 voxels.
    set_brush(room, 6.6)
    room.click(6, 15, 10)
    assert room.painted() == box(6, slice(12, 19), 10) | box(6, slice(13, 18), 9) | box(6, slice(13, 18), 11)
    assert room.page.text_content("[data-out=volume]") == "0.14 ml"  # 17 voxels of 8 mm³ are 136 mm³


def test_a_stroke_is_swept(room):
    # Radius 1.5 mm along row j = 15 from i = 5 to i = 12: rows 14 to 16 (1 mm off leaves 1.12 mm along, less than the
    # 2 mm to the next column), columns 5 to 12.
    set_brush(room, 3)
    room.drag((6, 15, 5), (6, 15, 12))
    assert room.painted() == box(6, slice(14, 17), slice(5, 13))


def test_the_smallest_brush_paints_the_voxel_under_it(room):
    set_brush(room, 1)
    room.click(6, 15.3, 10.4)  # not its centre
    assert room.painted() == {(6, 15, 10)}


def test_the_ball_goes_through_slices(room):
    # Radius 4.7 mm around (6, 15, 10). Own slice: columns 9 to 11 rows within 4 (2 mm off leaves 4.25), columns 8 and 12
    # (4 mm off leaves 2.47) rows within 2. Slices 5 and 7 are 4 mm off, which leaves 2.47 mm: column 10 rows within 2,
    # columns 9 and 11 (2 mm off leaves 1.45) rows within 1. Two slices off is 8 mm: nothing.
    room.action("ball")
    set_brush(room, 9.4)
    room.click(6, 15, 10)
    own = box(6, slice(11, 20), slice(9, 12)) | box(6, slice(13, 18), 8) | box(6, slice(13, 18), 12)
    beside = {
        voxel
        for k in (5, 7)
        for voxel in box(k, slice(13, 18), 10) | box(k, slice(14, 17), 9) | box(k, slice(14, 17), 11)
    }
    assert room.painted() == own | beside
    room.press("z")
    assert room.painted() == set()  # one stroke, whatever the slices


def test_the_ball_stops_at_the_end_of_the_scan(room):
    room.action("ball")
    set_brush(room, 9.4)
    room.of("k = 0")
    room.click(0, 15, 10)
    assert {k for k, _, _ in room.painted()} == {0, 1}


def test_the_eraser_and_holding_to_erase(room):
    set_brush(room, 3)
    room.drag((6, 15, 5), (6, 15, 12))
    full = box(6, slice(14, 17), slice(5, 13))
    set_brush(room, 1)
    room.action("eraser")
    room.click(6, 15, 7)
    assert room.painted() == full - {(6, 15, 7)}
    room.action("brush")
    for key, voxel in (("Control", (6, 14, 9)), ("Alt", (6, 16, 9))):
        room.click(*voxel, key)
        assert voxel not in room.painted(), key
    room.click(6, 14, 9)  # let go, it paints again
    assert room.painted() == full - {(6, 15, 7), (6, 16, 9)}


def test_the_eraser_paints_nothing_where_nothing_is(room):
    room.action("eraser")
    room.click(6, 15, 10)
    assert room.of("painted.runs") == {}
    room.press("z")  # and there is nothing to take back
    assert room.of("painted.runs") == {}


def lasso(room, k, rows, cols, keys=()):
    """Around whole voxels, along their borders; rows and cols: first and last."""
    (top, bottom), (left, right) = rows, cols
    top, left, bottom, right = top - 0.5, left - 0.5, bottom + 0.5, right + 0.5
    room.drag((k, top, left), (k, top, right), (k, bottom, right), (k, bottom, left), keys=keys)


def test_surround_and_fill(room):
    # Left open on the left: it is closed by a straight line.
    room.action("lasso")
    lasso(room, 6, (10, 14), (5, 9))
    assert room.painted() == box(6, slice(10, 15), slice(5, 10))
    lasso(room, 6, (11, 12), (6, 8), keys=("Control",))  # erases inside
    assert room.painted() == box(6, slice(10, 15), slice(5, 10)) - box(6, slice(11, 13), slice(6, 9))
    room.press("z"), room.press("z")
    assert room.painted() == set()


def test_an_outline_may_leave_the_picture(room):
    room.action("lasso")
    room.of("zoomBy(0.7)")  # room around the picture
    lasso(room, 6, (-2, 1), (-2, 2))
    assert room.painted() == box(6, slice(0, 2), slice(0, 3))


def type_limits(room, **limits):
    """Type into the fields, in this order, and leave each."""
    for end, hu in limits.items():
        room.page.fill(f"[data-limit={end}]", hu)
        room.page.dispatch_event(f"[data-limit={end}]", "change")


def test_limits_of_hu(room):
    # A large brush in the middle of the nodule, on one of its slices: only its voxels are solid there (10 to 15 along j,
    # 6 to 9 along i). Radius 8 mm reaches them all: the farthest centre is 3 mm and 4 mm off, 5 mm.
    set_brush(room, 16)
    room.press("q")
    room.click(6, 12, 8)
    nodule = box(6, *NODULE[1:])
    assert room.painted() == nodule
    # Erasing knows no limits.
    set_brush(room, 1)
    room.click(6, 12, 8, "Control")
    assert room.painted() == nodule - {(6, 12, 8)}
    room.clear()
    # In the fields: 0 to 49 leaves solid tissue of 50 HU out; 51 as the lower limit takes the upper along, and 50 as the
    # upper takes the lower.
    set_brush(room, 16)
    for low, high, expected in (("0", "49", set()), ("51", "50", nodule)):
        type_limits(room, low=low, high=high)
        room.click(6, 12, 8)
        assert room.painted() == expected


def test_one_limit_moves_the_other_along_and_never_takes_its_place(room):
    # From -400 to 300 to 400 to 1500, one field after the other, either first.
    for limits in ({"low": "400", "high": "1500"}, {"high": "1500", "low": "400"}):
        room.clear()
        room.press("q")
        type_limits(room, **limits)
        assert room.of("painter.limits") == {"on": True, "low": 400, "high": 1500}
    type_limits(room, high="-900")
    assert [room.page.input_value(f"[data-limit={end}]") for end in ("low", "high")] == ["-900", "-900"]
    room.of("focus()")


def test_limits_hold_for_the_outline_and_for_the_ball(room):
    room.page.click("[data-limits=soft]")
    assert [room.page.input_value(f"[data-limit={end}]") for end in ("low", "high")] == ["-400", "300"]
    room.action("lasso")
    lasso(room, 6, (9, 16), (4, 11))
    assert room.painted() == box(6, *NODULE[1:])
    room.press("z")
    room.action("ball")
    set_brush(room, 30)  # 15 mm: the farthest voxel of the nodule from (6, 12, 8) is 8, 3 and 4 mm off: 9.4 mm
    room.click(6, 12, 8)
    assert room.painted() == box(*NODULE) | {CORNER}  # which is 8, 4 and 4 mm off: 9.8 mm


def test_what_has_not_come_is_not_guessed(room):
    """With limits only voxels whose HU are known are painted, and that is said."""
    room.page.evaluate(
        f"() => {{ const {{ slices }} = {VIEWER}.stack; globalThis.taken = slices.get(5); slices.delete(5); }}"
    )
    room.press("q")
    room.action("ball")
    set_brush(room, 10)  # 5 mm: one slice up and one down
    room.click(6, 12, 8)
    assert {k for k, _, _ in room.painted()} == {6, 7}
    # It is fetched then, though nobody looks at it, and the same stroke finds it.
    room.until("document.querySelector('.viewer-says').textContent.includes('had not come. Now it is there')")
    room.click(6, 12, 8)
    assert {k for k, _, _ in room.painted()} == {5, 6, 7}
    assert room.of("stack.loaded") == 12


def painted_twice(room):
    """The same rectangle of 25 voxels on slices 4 and 7, 12 mm apart."""
    room.action("lasso")
    for k in (4, 7):
        room.of(f"k = {k}")
        lasso(room, k, (10, 14), (5, 9))
    return box(4, slice(10, 15), slice(5, 10)) | box(7, slice(10, 15), slice(5, 10))


def fill(room):
    room.press("i")
    room.until(f"!{VIEWER}.painter.filling.on")


def test_filling_between_slices(room):
    both = painted_twice(room)
    new = box(slice(5, 7), slice(10, 15), slice(5, 10))
    fill(room)
    assert room.painted() == both  # only proposed
    assert "0.40 ml proposed" in room.says()  # 50 voxels of 8 mm³
    assert room.page.is_visible("[data-action=accept]")
    room.press("Escape")
    assert not room.page.is_visible("[data-action=accept]")
    assert room.painted() == both
    fill(room)
    room.action("discard")
    assert room.painted() == both
    fill(room), room.press("i")
    assert room.painted() == both | new
    room.press("z")
    assert room.painted() == both  # what was accepted is one stroke
    room.press("y")
    assert room.painted() == both | new
    # And with the buttons.
    room.press("z")
    room.action("fill-between")
    room.action("accept")
    assert room.painted() == both | new


def test_painting_on_calls_a_proposal_off(room):
    both = painted_twice(room)
    fill(room)
    room.action("brush")
    set_brush(room, 1)
    room.of("k = 5")
    room.click(5, 2, 2)
    assert room.painted() == both | {(5, 2, 2)}
    assert not room.page.is_visible("[data-action=accept]")
    assert room.of("painter.proposal") is None


def test_nothing_to_fill_is_said(room):
    room.action("lasso")
    for k in (3, 7):  # 16 mm apart, and the outline is 8 mm across: more than 12 mm and more than 0.6 of it
        room.of(f"k = {k}")
        lasso(room, k, (10, 14), (5, 9))
    fill(room)
    assert "Nothing to fill" in room.says()
    assert len(room.painted()) == 50


def test_filling_between_coronal_slices(room):
    # The brush on coronal slices 10 and 13, 3 mm apart; between them the same voxels.
    room.action("view-coronal")
    set_brush(room, 9.4)
    for j in (10, 13):
        room.of(f"moveTo({{j: {j}}})")
        room.click(6, j, 10)
    one = {(k, i) for k, _, i in room.painted()}
    fill(room), room.press("i")
    assert room.painted() == {(k, j, i) for k, i in one for j in range(10, 14)}


def test_growing_from_a_click(room):
    room.action("grow")
    room.click(6, 12, 8)
    # Limits -400 to 300: the whole nodule, 4 x 6 x 4 voxels, but not the voxel that touches it by a corner.
    room.until(f"{VIEWER}.painted.runs[4] !== undefined")
    assert room.painted() == box(*NODULE)
    assert "Painted 0.77 ml on 4 slices" in room.says()  # 96 voxels of 8 mm³
    room.press("z")
    assert room.painted() == set()
    room.press("y")
    room.click(6, 12, 8, "Control")
    room.until(f"!Object.keys({VIEWER}.painted.runs).length")


def test_growing_says_why_it_did_not(room):
    room.action("grow")
    room.page.select_option("[data-reach]", "10")
    room.click(6, 3, 16)  # the rod: 10 mm are two slices of it each way, and it goes on
    room.until("document.querySelector('.viewer-says').textContent.includes('leaks')")
    room.click(6, 20, 10)
    room.until("document.querySelector('.viewer-says').textContent.includes('-800 HU, outside the limits')")
    assert room.painted() == set()
    room.page.select_option("[data-reach]", "60")  # 44 mm are the whole rod; it ends at the ends of the scan
    room.click(6, 3, 16)
    room.until(f"{VIEWER}.painted.runs[11] !== undefined")
    assert room.painted() == box(slice(0, K), 3, 16)
    room.page.select_option("[data-reach]", "20")


def test_clearing_a_slice_and_the_way_back(room):
    set_brush(room, 1)
    steps = [set()]
    for k, j, i in ((6, 10, 5), (6, 12, 7), (7, 10, 5)):
        room.of(f"k = {k}")
        room.click(k, j, i)
        steps.append(steps[-1] | {(k, j, i)})
    room.of("k = 6")
    room.press("Delete")
    steps.append({(7, 10, 5)})
    assert room.painted() == steps[-1]
    for expected in reversed(steps[:-1]):
        room.press("z")
        assert room.painted() == expected
    for expected in steps[1:]:
        room.press("Control+Shift+Z")
        assert room.painted() == expected
    room.action("undo"), room.action("undo")
    assert room.painted() == steps[-3]
    room.of("k = 6")  # what is taken back on another slice is shown there
    room.click(6, 1, 1)
    room.action("redo")  # a new stroke has taken its place
    assert room.painted() == steps[-3] | {(6, 1, 1)}


@pytest.mark.parametrize(("view", "axis"), [("coronal", 1), ("sagittal", 2)])
def test_clearing_clears_the_slice_that_is_seen(room, view, axis):
    # Voxels on one axial slice and beyond: only those in the plane through (6, 15, 10) go.
    set_brush(room, 1)
    dabs = [(6, 15, 10), (6, 15, 4), (6, 9, 10), (6, 9, 4), (3, 15, 10)]
    for k, j, i in dabs:
        room.of(f"k = {k}")
        room.click(k, j, i)
    room.of("k = 6")
    room.action(f"view-{view}")
    room.press("Delete")
    left = {voxel for voxel in dabs if voxel[axis] != (6, 15, 10)[axis]}
    assert room.painted() == left
    room.of("moveTo({ j: 20, i: 17 })")  # nothing is painted there
    room.press("Delete")
    assert room.painted() == left
    room.press("z")
    assert room.painted() == set(dabs)


def test_to_the_slice_with_most_paint_of_the_plane_that_is_seen(room):
    # Voxels by slice k: one in 2, two in 9, three in 6; by row j: two in 9, three in 4, one in 20; by column i: four in 4.
    set_brush(room, 1)
    for k, j, i in [(2, 20, 4), (9, 4, 4), (9, 9, 4), (6, 4, 8), (6, 4, 4), (6, 9, 12)]:
        room.of(f"k = {k}")
        room.click(k, j, i)
    for view, cursor in (
        ("axial", {"k": 6, "j": 15, "i": 10}),
        ("coronal", {"k": 0, "j": 4, "i": 10}),
        ("sagittal", {"k": 0, "j": 15, "i": 4}),
    ):
        room.action(f"view-{view}")
        room.of("moveTo({ k: 0, j: 15, i: 10 })")
        room.press("f")
        assert room.of("cursor") == cursor, view


def test_painting_in_the_coronal_view(room):
    # Rows are slices of 4 mm, columns are i, 2 mm. Radius 4.7 mm around k = 6, i = 10: columns 9 to 11 (2 mm off leaves
    # 4.25 mm) one slice each way, columns 8 and 12 (4 mm off leaves 2.47) their own.
    room.action("view-coronal")
    set_brush(room, 9.4)
    room.click(6, 15, 10)
    assert room.painted() == box(slice(5, 8), 15, slice(9, 12)) | {(6, 15, 8), (6, 15, 12)}


def test_painting_in_the_sagittal_view(room):
    # Rows are slices of 4 mm, columns are j, 1 mm. Radius 4.7 mm around k = 6, j = 15: its own slice j within 4, one slice
    # off (4 mm, which leaves 2.47) j within 2.
    room.action("view-sagittal")
    set_brush(room, 9.4)
    room.click(6, 15, 10)
    beside = box(5, slice(13, 18), 10) | box(7, slice(13, 18), 10)
    assert room.painted() == box(6, slice(11, 20), 10) | beside


def test_the_ball_is_the_same_in_every_view(room):
    room.action("ball")
    set_brush(room, 9.4)
    balls = []
    for view in ("axial", "coronal", "sagittal"):
        room.action(f"view-{view}")
        room.click(6, 15, 10)
        balls.append(room.painted())
        room.press("z")
    assert balls[0] == balls[1] == balls[2]
    assert len(balls[0]) == 59  # 37 in its own slice, 11 in each beside it


def test_three_views_at_once_are_linked(room):
    room.action("view-three")
    room.action("crosshair")
    room.click(6, 12, 8)  # in the axial pane, which is the active one
    assert room.of("cursor") == {"k": 6, "j": 12, "i": 8}
    panes = room.of("panes.map((pane) => [pane.plane.view, document.querySelector('ct-viewer').sliceOf(pane)])")
    assert panes == [["axial", 6], ["coronal", 12], ["sagittal", 8]]
    # Point in the coronal pane: the others follow.
    spot = room.page.evaluate(
        f"""() => {{
            const viewer = {VIEWER}, box = viewer.getBoundingClientRect(), pane = viewer.panes[1];
            const {{ row, col }} = pane.plane.place({{ k: 9, j: 12, i: 3 }}), at = pane.screen(row, col);
            return [box.left + at.x, box.top + at.y];
        }}"""
    )
    room.mouse.click(*spot)
    assert room.of("cursor") == {"k": 9, "j": 12, "i": 3}
    # And paint there: the smallest brush, the voxel under the pointer.
    room.action("brush")
    set_brush(room, 1)
    room.mouse.click(*spot)
    assert room.painted() == {(9, 12, 3)}


def shown(room, row, col):
    """HU of a pixel of the picture as it was last drawn."""
    room.frame()
    return room.of(f"panes[0].ct[{row} * {VIEWER}.panes[0].plane.cols + {col}]")


def test_a_thick_slab_shows_its_brightest(room):
    # The bright voxel is (2, 20, 3). 10 mm are 5 mm to each side: one slice of 4 mm.
    room.of("k = 3")
    assert shown(room, 20, 3) == -800
    room.press("m"), room.press("m")
    assert room.of("slabMm") == 10
    assert shown(room, 20, 3) == 1000
    assert "10 mm slab" in room.caption()
    room.of("k = 4")
    assert shown(room, 20, 3) == -800
    # 20 mm are 10 mm to each side: three slices (10 / 4 = 2.5, rounded up), so slice 5 shows it and slice 6 does not.
    room.press("m")
    room.of("k = 5")
    assert shown(room, 20, 3) == 1000
    room.of("k = 6")
    assert shown(room, 20, 3) == -800
    room.of("k = 3")
    # Painting is on the slice itself.
    set_brush(room, 1)
    room.click(3, 20, 3)
    assert room.painted() == {(3, 20, 3)}
    room.page.select_option("[data-slab]", "0")
    assert room.of("slabMm") == 0


def test_cine_scrolls_by_itself_until_it_is_stopped(room):
    room.press("k")
    assert room.pressed("cine") == "true"
    room.until(f"{VIEWER}.k !== 6")
    room.press("Escape")
    assert room.pressed("cine") == "false"
    k = room.of("k")
    room.page.wait_for_timeout(400)  # five steps of the cine
    assert room.of("k") == k


def test_cine_turns_round_at_the_ends(room):
    room.of("k = 1")
    room.action("cine")
    room.until(f"{VIEWER}.k === 0")
    room.until(f"{VIEWER}.k === 2")
    room.action("cine")
    assert room.pressed("cine") == "false"


def test_the_ruler_measures_millimetres(room):
    room.action("ruler")
    room.drag((6, 15, 5), (6, 15, 10))  # five columns of 2 mm
    assert room.says() == "10.0 mm"
    room.drag((6, 5, 8), (6, 13, 8))  # eight rows of 1 mm
    assert room.says() == "8.0 mm"
    room.action("view-coronal")
    room.drag((3, 15, 4), (6, 15, 10))  # three slices of 4 mm and six columns of 2 mm: 12 and 12, 16.97 mm
    assert room.says() == "17.0 mm"
    assert room.of("tools.lines.length") == 3
    room.press("Escape")
    assert room.of("tools.lines.length") == 0
    assert room.painted() == set()


def test_the_probe_reads_hu(room):
    for (k, j, i), hu in (((6, 12, 8), SOLID), ((6, 20, 10), -800), ((2, 20, 3), 1000)):
        room.of(f"k = {k}")
        room.mouse.move(*room.at(k, j, i))
        assert room.caption().endswith(f"{hu} HU")
    room.action("view-sagittal")
    room.of("moveTo({i: 16})")
    room.mouse.move(*room.at(9, 3, 16))
    assert room.caption().endswith("120 HU")


def test_window_pan_and_zoom_by_hand(room):
    room.drag((6, 15, 10), (6, 15, 14), button="right")
    assert room.of("windowing.width") > 1500  # to the right is wider
    assert room.of("windowing.level") == -600
    room.press("1")
    room.drag((6, 15, 10), (6, 20, 10), button="right")
    assert room.of("windowing.level") < -600  # down is a lower level
    before = room.at(6, 15, 10)
    room.drag((6, 15, 10), (6, 18, 11), button="middle")
    after = room.at(6, 15, 10)
    assert after != before
    room.press("+")
    assert room.of("panes[0].camera.zoom") == 1.25
    room.press("0")
    assert room.at(6, 15, 10) == before
    room.page.keyboard.down("Control")
    room.mouse.move(*room.at(6, 20, 15))
    room.mouse.wheel(0, -300)
    room.page.keyboard.up("Control")
    room.until(f"{VIEWER}.panes[0].camera.zoom > 1")
    assert room.painted() == set()


def middle(room):
    """The centre of the picture on the screen."""
    box = room.page.locator("ct-viewer").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_the_next_view_keeps_zoom_and_place(room):
    room.of("zoomBy(6)")
    x, y = room.at(6, 20, 4)
    room.of(f"panBy({middle(room)[0] - x}, {middle(room)[1] - y})")  # row 20, column 4 in the middle
    room.of("k = 9")
    camera = room.of("panes[0].camera")
    room.press("v")
    # Coronal: the column stays in the middle, and the slice that was looked at comes there.
    assert room.of("panes[0].camera.zoom") == 6
    assert room.at(9, 15, 4) == pytest.approx(middle(room), abs=1)
    room.press("v")  # sagittal: slice and row
    assert room.at(9, 20, 10) == pytest.approx(middle(room), abs=1)
    room.press("v")  # three: each has the place in its own middle
    for pane in room.of("panes.map(({ camera, rect, plane }) => ({ camera, rect, view: plane.view }))"):
        assert pane["camera"]["zoom"] == 6
    room.press("v")
    assert room.of("panes[0].camera") == pytest.approx(camera)
    # Moved on in one view, the others come along. A row of the coronal view is 4 mm, a column 2 mm.
    room.press("v")
    x, y = room.at(5, 15, 8)
    room.of(f"panBy({middle(room)[0] - x}, {middle(room)[1] - y})")
    room.press("v"), room.press("v"), room.press("v")
    assert room.at(9, 20, 8) == pytest.approx(middle(room), abs=1)


def test_no_view_is_moved_out_of_sight(room):
    # A picture that fits is seen whole, though one was at the uppermost slice.
    room.of("k = 11")
    room.press("v"), room.press("v"), room.press("v")
    for pane in room.of("panes.map(({ camera }) => camera)"):
        assert pane == {"zoom": 1, "panX": 0, "panY": 0}
    room.clear()
    room.of("k = 11")
    room.of("zoomBy(4)")
    room.of("panBy(5000, 5000)")
    room.press("v")
    # The edges of the picture lie at the edges of the screen, or beyond: no corner of it is empty.
    box = room.page.locator("ct-viewer").bounding_box()
    (left, top), (right, bottom) = room.at(11.5, 15, -0.5), room.at(-0.5, 15, 19.5)
    assert (left, top) == (pytest.approx(box["x"]), pytest.approx(box["y"]))
    assert right > box["x"] + box["width"]
    assert bottom > box["y"] + box["height"]


# Safari's events of a trackpad's pinch, as nothing else sends them.
PINCH = """([scales, x, y]) => scales.map((scale, n) => {
    const kind = ["gesturestart", ...Array(scales.length - 2).fill("gesturechange"), "gestureend"][n];
    const event = Object.assign(new UIEvent(kind, { bubbles: true, cancelable: true }), { scale, clientX: x, clientY: y });
    document.querySelector(".viewer-over").dispatchEvent(event);
    return event.defaultPrevented;
})"""


def test_a_pinch_on_safaris_trackpad_zooms(room):
    spot = room.at(6, 20, 15)
    assert all(room.page.evaluate(PINCH, [[1, 1.5, 2, 2], *spot]))  # the page itself does not zoom
    assert room.of("panes[0].camera.zoom") == pytest.approx(2)
    assert room.at(6, 20, 15) == pytest.approx(spot)  # what is between the fingers stays there
    room.page.evaluate(PINCH, [[1, 0.75, 0.5, 0.5], *spot])
    assert room.of("panes[0].camera.zoom") == pytest.approx(1)


def test_opacity_and_outline(room):
    set_brush(room, 10)
    room.click(6, 15, 10)
    pixel = f"""() => {{
        const viewer = {VIEWER}, at = viewer.clientAt(6, 15, 10), canvas = viewer.querySelector(".viewer-picture");
        const box = canvas.getBoundingClientRect();
        return [...canvas.getContext("2d").getImageData(at.x - box.left, at.y - box.top, 1, 1).data];
    }}"""
    room.frame()
    filled = room.page.evaluate(pixel)
    room.press("o")  # outline only: the middle shows the scan
    room.frame()
    red, green, blue, _ = room.page.evaluate(pixel)
    assert red == green == blue
    assert filled[2] > filled[0]  # paint is blue
    room.press("o")
    room.page.fill("[data-opacity]", "0")
    room.frame()
    red, green, blue, _ = room.page.evaluate(pixel)
    assert red == green == blue
    room.page.fill("[data-opacity]", "100")
    room.frame()
    assert room.page.evaluate(pixel)[2] > filled[2]
    room.page.fill("[data-opacity]", "50")


def test_strokes_are_called_off_by_escape(room):
    room.mouse.move(*room.at(6, 15, 10))
    room.mouse.down()
    room.mouse.move(*room.at(6, 15, 14), steps=3)
    assert room.painted() != set()
    room.press("Escape")
    room.mouse.up()
    assert room.painted() == set()


def test_a_wheel_notch_is_a_slice_and_a_trackpad_adds_up(room):
    room.mouse.move(*room.at(6, 15, 10))
    for delta, expected in ((120, 5), (-120, 6), (-400, 7)):  # a notch, whatever the system makes of it
        room.mouse.wheel(0, delta)
        room.until(f"{VIEWER}.k === {expected}")
    for _ in range(3):  # 3 x 13 pixels are just not a slice of 40
        room.mouse.wheel(0, 13)
    room.page.wait_for_timeout(100)
    assert room.of("k") == 7
    room.mouse.wheel(0, 13)
    room.until(f"{VIEWER}.k === 6")
    room.page.keyboard.down("Shift")
    room.mouse.wheel(0, 120)
    room.page.keyboard.up("Shift")
    room.until(f"{VIEWER}.k === 1")
