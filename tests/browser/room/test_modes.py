"""How one answers: locate, slice or volume, "not present", confidence, the clock; and what is shown afterwards."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from quiz.models import State, Verdict
from tests.browser.room.room import VIEWER, box, voxels_of
from tests.browser.room.scan import NODULE, SECOND, SIZE

pytestmark = pytest.mark.browser


def submit(room):
    room.action("submit")
    room.page.wait_for_selector("[data-feedback]")
    room.until(f"{VIEWER}.truth !== null")
    room.attempt.refresh_from_db()
    assert room.attempt.state == State.SUBMITTED


def dab(room, *voxels):
    room.of("brushMm = 1")
    for voxel in voxels:
        room.of(f"moveTo({{k: {voxel[0]}}})")
        room.click(*voxel)


def marks(room):
    return room.page.text_content("[data-marks]")


def test_locating_counts_marks_and_says_when_they_are_too_many(site):
    room = site.enter(site.attempt(finding=site.findings[1], mode="locate"))
    assert marks(room) == ""
    dab(room, (6, 12, 8))
    assert marks(room) == "1 mark"
    dab(room, (7, 13, 9))  # touches it by a corner across slices: the same mark
    assert marks(room) == "1 mark"
    dab(room, (9, 21, 15), (2, 5, 5))
    assert marks(room) == "3 marks"
    assert room.page.text_content("[data-marks-note]") == ""
    dab(room, (2, 25, 18))
    assert marks(room) == "4 marks"
    assert "erase all but the 3" in room.page.text_content("[data-marks-note]")
    room.press("z")
    assert marks(room) == "3 marks"
    assert room.page.text_content("[data-marks-note]") == ""
    room.press("z")  # the wrong one
    submit(room)
    assert room.attempt.verdict == Verdict.FOUND
    assert room.attempt.score == 100
    assert voxels_of(room.of("painted")) == {(6, 12, 8), (7, 13, 9), (9, 21, 15)}
    room.page.close()


def test_the_mode_is_chosen_in_practice(site):
    room = site.enter(site.attempt(mode="slice"))
    dab(room, (6, 12, 8))
    assert marks(room) == ""
    room.page.click("#task label:has-text('Locate')")
    room.page.wait_for_selector("#task[data-mode=locate]")
    assert marks(room) == "1 mark"
    assert "One tap" in room.page.text_content("#task")
    room.page.click("#task label:has-text('Volume')")
    room.page.wait_for_selector("#task[data-mode=volume]")
    assert marks(room) == ""
    assert room.painted() == {(6, 12, 8)}  # what is painted stays
    room.attempt.refresh_from_db()
    assert room.attempt.mode == "volume"
    room.page.close()


def test_an_outline_on_one_slice(site):
    room = site.enter(site.attempt(mode="slice"))
    room.press("a")
    room.click(6, 12, 8)
    room.until(f"{VIEWER}.painted.runs[4] !== undefined")
    for k in (4, 5, 7):
        room.of(f"moveTo({{k: {k}}})")
        room.press("Delete")
    assert room.painted() == box(6, *NODULE[1:])
    submit(room)
    assert room.attempt.verdict == Verdict.FOUND
    assert room.attempt.score == 100
    room.page.close()


def test_not_present(site):
    room = site.enter(site.attempt())
    dab(room, (6, 12, 8))
    room.press("x")
    room.expected.append("400 (Bad Request)")
    room.action("submit")
    room.page.wait_for_selector("[role=alert]:has-text('not both')")
    dab(room, (6, 13, 8))  # painting on takes "not present" back
    assert not room.page.is_checked("input[name=absent]")
    room.press("z"), room.press("z")
    room.press("x")
    submit(room)
    assert room.attempt.absent
    assert room.attempt.verdict == Verdict.MISSED
    room.page.close()


def test_confidence_by_key_and_by_hand(site):
    for choose in (
        lambda room: (room.press("c"), room.press("2")),
        lambda room: room.page.click(".choices label >> nth=1"),
    ):
        room = site.enter(site.attempt())
        dab(room, (6, 12, 8))
        choose(room)
        submit(room)
        assert room.attempt.confidence == 2
        room.page.close()


def test_the_clock_can_be_put_away_and_stays_away(site):
    room = site.enter(site.attempt())
    assert ":" in room.page.text_content("[data-clock]")
    room.page.click("[data-clock]")
    assert room.page.text_content("[data-clock]") == "Show time"
    room.reload()
    assert room.page.text_content("[data-clock]") == "Show time"
    room.page.click("[data-clock]")
    room.page.close()


def test_what_is_shown_after_the_answer(site):
    """Found, missed and extra places to jump to; overlay, difference and side by side; linked scrolling; redo."""
    room = site.enter(site.attempt(finding=site.findings[1]))
    room.press("a")
    room.click(6, 12, 8)
    room.until(f"{VIEWER}.painted.runs[4] !== undefined")
    room.press("b")
    room.of("brushMm = 3")
    room.of("k = 2")
    room.drag((2, 25, 16), (2, 25, 18))
    extra = {voxel for voxel in room.painted() if voxel[0] == 2}
    submit(room)
    page = room.page
    page.wait_for_selector("[data-compare]:not([hidden])")
    stops = page.locator(".stops button").all_text_contents()
    assert [one.split()[0] for one in stops] == ["found", "missed", "extra"]
    # Each jump shows its place: slices are counted from the head, so k = 2 is slice 10 of 12.
    page.click(".stops button:has-text('extra')")
    assert room.of("k") == 2
    assert {tuple(room.of("cursor")[axis] for axis in "kji")} <= extra
    page.click(".stops button:has-text('missed')")
    assert room.of("k") in range(SECOND[0].start, SECOND[0].stop)
    seen = []
    for _ in range(3):
        room.press("n")
        seen.append(room.of("k"))
    assert len({k in range(4, 8) for k in seen}) == 2
    back = []
    for _ in range(3):
        room.press("Shift+N")
        back.append(room.of("k"))
    assert back == [seen[1], seen[0], seen[2]]
    # What every voxel means, by the palette on screen: missed, extra, both.
    for (k, j, i), bits in (((6, 12, 8), 3), ((9, 21, 15), 2), (next(iter(extra)), 1)):  # painted: 1, true: 2
        room.of(f"k = {k}")
        room.frame()
        assert room.of(f"panes[0].bits[{j * 20 + i}]") == bits
    page.click("[data-compare] label:has-text('Side by side')")
    assert room.of("panes.length") == 2
    assert room.of("panes.map((pane) => pane.role)") == ["you", "reference"]
    k = room.of("k")
    room.press("ArrowUp")  # scrolls; it does not choose the next way of comparing
    room.press("+")
    room.frame()
    assert room.of("panes.map((pane) => pane.slice)") == [k + 1, k + 1]
    assert room.of("panes.map((pane) => pane.camera.zoom)") == [1.25, 1.25]
    page.click("[data-compare] label:has-text('Difference')")
    assert room.of("panes.length") == 1
    # Nothing can be painted any more.
    before = room.painted()
    room.press("b")
    room.click(6, 5, 5)
    room.press("Delete"), room.press("z")
    assert room.painted() == before
    # How this was scored, and once more for practice: the first score stays.
    page.click("summary:has-text('How this was scored')")
    page.wait_for_selector(".explanation .tiles img")
    page.click("text=Paint it again")
    page.wait_for_url(lambda url: not url.endswith(f"/{room.attempt.pk}/"))
    page.close()


IN_VIEW = f"""{VIEWER}.panes.every(({{ plane, rect, ...pane }}, n) => {{
    const {{ row, col }} = plane.place({VIEWER}.cursor), at = {VIEWER}.panes[n].screen(row, col);
    return at.x > rect.x && at.y > rect.y && at.x < rect.x + rect.width && at.y < rect.y + rect.height;
}})"""


def test_a_place_jumped_to_is_in_view_whatever_the_zoom(site):
    room = site.enter(site.attempt(finding=site.findings[1]))
    page = room.page
    dab(room, (6, 12, 8))
    room.of("zoomBy(6)")
    room.of("panBy(2000, 1500)")  # far from anything
    submit(room)
    assert page.evaluate(IN_VIEW)
    page.click("summary:has-text('How this was scored')")
    page.wait_for_selector(".explanation .tiles button")
    for layout in ("one", "three", "side"):
        for go in (
            lambda: page.click(".stops button:has-text('missed')"),
            lambda: page.click(".explanation .tiles button >> nth=0"),
            lambda: room.press("n"),
        ):
            room.of(f"lay('{layout}')")
            room.page.evaluate(
                f"{VIEWER}.panes.forEach(({{ camera }}) => Object.assign(camera, {{ zoom: 6, panX: 2000, panY: -1500 }}))"
            )
            room.frame()
            assert not page.evaluate(IN_VIEW)
            go()
            assert page.evaluate(IN_VIEW), layout
    # What is in view stays where it is.
    cameras = room.of("panes.map(({ camera }) => ({ ...camera }))")
    k, j, i = (room.of("cursor")[axis] for axis in "kji")
    room.of(f"reveal({{k: {k}, j: {j}, i: {i}}})")
    assert room.of("panes.map(({ camera }) => ({ ...camera }))") == cameras
    page.close()


def test_what_was_on_screen_is_sent_with_the_answer(site):
    """Slices, windows and when the first mark was made."""
    room = site.enter()
    for _ in range(3):
        room.press("ArrowUp")
        room.page.wait_for_timeout(120)
    room.press("2")
    room.page.wait_for_timeout(120)
    room.press("1")
    room.of("k = 6")
    dab(room, (6, 12, 8))
    submit(room)
    log = room.attempt.telemetry
    slices = {k for look in log["looks"] for first, n in zip(look["slices"][::3], look["slices"][1::3], strict=True)
              for k in range(first, first + n)}  # fmt: skip
    assert {6, 7, 8, 9} <= slices <= set(range(12))
    assert {look["level"] for look in log["looks"]} == {-600, 50}  # 40, in steps of 50
    assert 0 < log["first_mark_ms"] <= log["duration_ms"]
    room.page.close()


def test_of_three_panes_each_is_on_screen(site):
    room = site.enter()
    room.of("lay('three')")
    # Three times as large as its pane, the axial picture would lie over the other two: only its middle is on screen.
    room.of("panes[0].camera.zoom = 3")
    room.of("moveTo({k: 6, j: 12, i: 8})")
    room.frame()
    room.page.evaluate("new Promise((done) => setTimeout(done, 1000))")  # looked at for a second
    dab(room, (6, 12, 8))
    submit(room)
    log = room.attempt.telemetry
    beside = [look for look in log["looks"] if look["panes"] == 3]
    spent = {}
    for look in beside:
        for n, ms in zip(look["slices"][1::3], look["slices"][2::3], strict=True):
            spent[look["view"]] = spent.get(look["view"], 0) + n * ms
    assert {look["view"] for look in beside} == {"axial", "coronal", "sagittal"}
    # Each for the same time, up to a tenth of a second of rounding, and none longer than the whole.
    assert max(spent.values()) - min(spent.values()) <= 100
    assert 500 <= min(spent.values()) <= max(spent.values()) <= log["duration_ms"] + 100
    longest = {view: max((look for look in beside if look["view"] == view), key=lambda look: sum(look["slices"][2::3]))
               for view in spent}  # fmt: skip
    assert longest["coronal"]["field"] == longest["sagittal"]["field"] == 65535
    corners = 1 << 0 | 1 << 3 | 1 << 12 | 1 << 15
    middle = 1 << 5 | 1 << 6 | 1 << 9 | 1 << 10
    assert longest["axial"]["field"] & corners == 0
    assert longest["axial"]["field"] & middle == middle
    assert longest["coronal"]["slices"][0] == 12
    assert longest["sagittal"]["slices"][0] == 8
    room.page.close()


def test_the_masks_open_on_the_scan(site, tmp_path):
    """Downloads: on the CT's own grid, painted voxels where they were painted, instances kept in the truth."""
    room = site.enter(site.attempt(finding=site.findings[1]))
    dab(room, (6, 12, 8), (2, 25, 18))
    submit(room)
    ct = nib.load(next((site.root / "ct").rglob("valid_9301_a_1.nii.gz")))
    read = {}
    for link in room.page.locator(".downloads a").all():
        with room.page.expect_download() as waiting:
            link.click()
        waiting.value.save_as(tmp_path / waiting.value.suggested_filename)
        name = waiting.value.suggested_filename
        gzip.decompress((tmp_path / name).read_bytes())
        mask = nib.load(tmp_path / name)
        assert mask.shape == ct.shape
        np.testing.assert_allclose(mask.affine, ct.affine)
        read["truth" if "truth" in name else "painted"] = np.asarray(mask.dataobj)
    # The file is [i, j, k].
    assert {tuple(int(n) for n in place[::-1]) for place in np.argwhere(read["painted"])} == {(6, 12, 8), (2, 25, 18)}
    expected = np.zeros(SIZE, int)
    expected[NODULE], expected[SECOND] = 1, 2
    np.testing.assert_array_equal(read["truth"].transpose(2, 1, 0), expected)
    room.page.close()


def test_only_what_is_not_judged_is_shown_as_that(site):
    """Where the reference is partial: paint beyond a found nodule is judged (too wide), a mark elsewhere is not."""
    room = site.enter(site.attempt(finding=site.partial[0], mode="slice"))
    room.of("brushMm = 16")  # radius 8 mm on a nodule that is 6 x 8 mm there
    room.of("k = 6")
    room.click(6, 12, 8)
    room.of("brushMm = 5")
    room.click(6, 28, 1)  # on the same side, more than a near miss away, larger than a slip
    submit(room)
    room.of("k = 6")
    room.frame()
    styles = room.page.evaluate(
        f"""async () => {{
            const module = document.querySelector("script[src$='room.js']").src.replace("room.js", "palette.js");
            const {{ paletteOf, STYLES }} = await import(module);
            const {{ show, panes, compare }} = {VIEWER}, palette = paletteOf({{ show, answered: true, compare, role: "" }});
            return [...panes[0].bits].map((bits) => STYLES[palette[bits]]?.name ?? "");
        }}"""
    )
    at = {(j, i): styles[j * 20 + i] for j in range(30) for i in range(20)}
    assert at[12, 8] == "both"
    assert at[12, 11] == "extra"  # 6 mm from the middle of the nodule, 4 mm beyond its border
    assert at[28, 1] == "unjudged"
    assert at[0, 0] == ""
    assert room.page.locator(".legend i").count() == 4
    room.page.close()


def test_the_first_jump_leaves_the_place_that_is_shown_first(site):
    room = site.enter(site.attempt(finding=site.findings[1]))
    dab(room, (6, 12, 8))
    submit(room)
    place = room.of("cursor")
    room.press("n")
    assert room.of("cursor") != place
    room.press("Shift+N")
    assert room.of("cursor") == place
    room.page.close()


def test_undo_and_redo_show_where(site):
    room = site.enter()
    dab(room, (6, 12, 8))
    room.of("moveTo({k: 2, j: 20, i: 3})")
    room.press("z")
    assert room.painted() == set()
    assert room.of("cursor") == {"k": 6, "j": 12, "i": 8}
    assert room.says() == "Undone on slice 6 / 12"  # k = 6 from the feet is the sixth of 12 from the head
    room.of("moveTo({k: 9})")
    room.press("Shift+Z")
    assert (room.painted(), room.of("k")) == ({(6, 12, 8)}, 6)
    assert room.says() == "Done again on slice 6 / 12"
    # Where it is seen already nothing moves: on its own slice, or in one of several panes.
    room.of("moveTo({k: 6, j: 20, i: 3})")
    room.press("z")
    assert room.of("cursor") == {"k": 6, "j": 20, "i": 3}
    room.of("view = 'coronal'")
    room.press("Shift+Z")
    assert room.of("cursor") == {"k": 6, "j": 12, "i": 8}
    room.of("lay('three')")
    room.of("moveTo({k: 2, j: 12, i: 3})")
    room.press("z")
    assert (room.painted(), room.of("cursor")) == (set(), {"k": 2, "j": 12, "i": 3})
    room.page.close()
