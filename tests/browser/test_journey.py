"""A trainee at the screen: sign in, scroll, paint, reload, submit, learn. And left is left, to the voxel."""

import pytest

from quiz.models import Attempt, State
from tests.browser.waiting import until
from tests.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

VIEWER = "document.querySelector('ct-viewer')"


@pytest.fixture
def room(live_server, open_page, trainee, library):
    """Sign in through the page and open the left lower nodule in the reading room."""

    def enter(*, expected_error="", **screen):
        page = open_page(expected_error=expected_error, **screen)
        page.goto(f"{live_server.url}/accounts/login/")
        page.fill("[name=login]", "trainee")
        page.fill("[name=password]", PASSWORD)
        page.click("main button[type=submit]")
        page.click("text=Any finding")
        page.wait_for_url("**/attempts/*/")
        attempt = Attempt.objects.get(state=State.OPENED)
        attempt.finding = library[0]
        attempt.save()
        page.reload()
        page.evaluate(f"{VIEWER}.ready")
        return page

    return enter


def at(page, k, j, i):
    return page.evaluate(f"{VIEWER}.clientAt({k}, {j}, {i})")


def dab(page, k, j, i):
    """Click the centre of a voxel with the smallest brush: 1 mm in voxels of 6 mm paints just that one."""
    page.evaluate(f"{VIEWER}.k = {k}")
    page.evaluate(f"{VIEWER}.brushMm = 1")
    place = at(page, k, j, i)
    page.mouse.click(place["x"], place["y"])


def test_paint_lands_on_the_voxel_under_the_pointer(room):
    page = room(ratio=1.5)  # other screens: room/test_orientation.py
    # Four corners that no flip or transposition maps onto themselves; start = j * 48 + i.
    for place in ((20, 5, 3), (20, 5, 44), (20, 35, 3), (3, 30, 40)):
        dab(page, *place)
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.evaluate(f"{VIEWER}.panBy(37, -21)")
    dab(page, 11, 19, 22)
    expected = {"3": [30 * 48 + 40, 1], "11": [19 * 48 + 22, 1], "20": [243, 1, 284, 1, 1683, 1]}
    assert page.evaluate(f"{VIEWER}.painted") == {"size": [24, 40, 48], "runs": expected}
    page.wait_for_selector("text=Draft saved")
    stored = Attempt.objects.get().draft_mask().dense()
    assert {tuple(int(n) for n in place) for place in zip(*stored.nonzero(), strict=True)} == {
        (20, 5, 3), (20, 5, 44), (20, 35, 3), (3, 30, 40), (11, 19, 22),
    }  # fmt: skip


def test_letters_and_directions_of_the_three_views(room):
    page = room()
    letters = {}
    for view in ("axial", "coronal", "sagittal"):
        page.click(f"[data-action=view-{view}]")
        letters[view] = [page.text_content(f"[data-edge={edge}]") for edge in ("top", "bottom", "left", "right")]
    assert letters == {"axial": ["A", "P", "R", "L"], "coronal": ["S", "I", "R", "L"], "sagittal": ["S", "I", "A", "P"]}
    page.click("[data-action=view-axial]")
    right, left = at(page, 12, 20, 5), at(page, 12, 20, 40)
    assert right["x"] < left["x"]  # the patient's right is on the left of the screen
    assert at(page, 12, 2, 20)["y"] < at(page, 12, 38, 20)["y"]  # front above back
    page.click("[data-action=view-coronal]")
    assert at(page, 22, 20, 20)["y"] < at(page, 2, 20, 20)["y"]  # head above feet


def test_from_sentence_to_lesson(room, trainee):
    page = room()
    assert "Solid nodule in the left lower lobe" in page.text_content("h1")
    start = page.evaluate(f"{VIEWER}.k")
    assert start == 12  # the middle of 24 slices, whatever the truth
    page.hover("ct-viewer")
    page.mouse.wheel(0, 100)
    until(page, f"{VIEWER}.k === 11")
    page.keyboard.press("ArrowUp")
    until(page, f"{VIEWER}.k === 12")
    page.keyboard.press("2")
    until(page, "document.querySelector('.viewer-caption').value.includes('Mediastinum')")
    page.keyboard.press("h")
    page.wait_for_selector("#hints li.taken")
    page.evaluate(f"{VIEWER}.k = 6; {VIEWER}.brushMm = 30")
    place = at(page, 6, 22, 35)
    page.mouse.click(place["x"], place["y"])
    page.mouse.click(place["x"] + 120, place["y"])
    page.keyboard.press("z")
    page.wait_for_selector("text=Draft saved")
    page.wait_for_timeout(1000)
    painted = page.evaluate(f"{VIEWER}.painted")
    page.reload()
    page.evaluate(f"{VIEWER}.ready")
    assert page.evaluate(f"{VIEWER}.painted") == painted
    page.click("text=Sure >> nth=-1")
    page.click("[data-action=submit]")
    page.wait_for_selector("[data-feedback] .verdict.found")
    until(page, f"{VIEWER}.truth !== null")
    assert page.evaluate(f"{VIEWER}.k") == 6
    assert "You found it." in page.text_content("#panel")
    attempt = Attempt.objects.get()
    assert attempt.state == State.SUBMITTED
    assert attempt.hint_bits == 0
    page.keyboard.press(" ")
    page.wait_for_url(lambda url: not url.endswith(f"/{attempt.pk}/"))


def test_submitting_nothing_is_said_and_loses_nothing(room):
    page = room(expected_error="400 (Bad Request)")
    page.click("[data-action=submit]")
    page.wait_for_selector("[role=alert]:has-text('Nothing is painted yet')")
    assert Attempt.objects.get().state == State.OPENED


def test_a_slice_that_cannot_be_read_leaves_the_rest(room, store, volume):
    (store / volume.slices_key / "0009.gz").unlink()
    page = room(expected_error="503 (Service Unavailable)")
    until(page, f"{VIEWER}.stack.failed.has(9) && {VIEWER}.stack.loaded === 23")
    page.evaluate(f"{VIEWER}.k = 9")
    page.evaluate(f"{VIEWER}.k = 8")
    assert page.evaluate(f"{VIEWER}.stack.get(8).length") == 40 * 48
