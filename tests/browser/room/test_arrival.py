"""How slices come: the one on screen first, coarse before exact on a slow line, a GPU that goes, a volume in memory."""

import pytest

from tests.browser.room.room import VIEWER, Held, box
from tests.browser.room.scan import NODULE, ROD_AT
from tests.browser.waiting import until

pytestmark = pytest.mark.browser


class Line:
    """A line on which exact slices wait until they are let through."""

    def __init__(self, context):
        self.held, self.asked, self.open = [], [], False
        context.route("**/slices/**", self._request)

    def _request(self, route):
        url = route.request.url
        k = int(url.split("/slices/")[1].split("/")[0])
        self.asked.append((k, "preview" in url))
        if self.open or "preview" in url:
            return route.continue_()
        return self.held.append(route)

    def let_through(self):
        self.open = True
        for route in self.held:
            route.continue_()


def test_a_coarse_picture_comes_first_and_the_exact_one_takes_its_place(site):
    room = site.enter()
    page = room.context.new_page()
    line = Line(page)
    page.goto(room.url)
    until(page, f"{VIEWER}.stack?.coarse.has(6) && {VIEWER}.panes[0]?.ct[0] !== 0")
    assert "loading the exact slice" in page.evaluate(f"{VIEWER}.caption.value")
    # Before the first slice is there nothing else is asked for: the middle one, coarse and exact.
    assert set(line.asked) <= {(6, True), (6, False)}
    # Its coarse picture lies where the exact one will: air and not the nodule in row 25, and grey of tissue in row 12.
    means = page.evaluate(f"[{VIEWER}.panes[0].ct[25 * 20 + 15], {VIEWER}.panes[0].ct[12 * 20 + 8]]")
    assert means[0] < -700
    assert means[1] > -500
    assert page.evaluate(f"Promise.race([{VIEWER}.ready.then(() => 'exact'), Promise.resolve('not yet')])") == "not yet"
    line.let_through()
    page.evaluate(f"{VIEWER}.ready")
    assert page.evaluate(f"{VIEWER}.panes[0].ct[12 * 20 + 8]") == 50
    assert "loading" not in page.evaluate(f"{VIEWER}.caption.value")
    page.close(), room.page.close()


def test_what_is_looked_at_comes_before_what_is_far(site):
    """Slices are asked for nearest first in the direction of travel, and every one of them once."""
    room = site.enter()
    asked = []
    room.page.on("request", lambda request: asked.append(request.url) if "/slices/" in request.url else None)
    room.reload()
    order = [int(url.split("/slices/")[1].split("/")[0]) for url in asked if "preview" not in url]
    assert order[0] == 6
    assert sorted(set(order)) == list(range(12))
    assert set(order[:4]) <= {4, 5, 6, 7, 8, 9}
    room.page.close()


def test_the_picture_goes_on_when_the_gpu_is_taken_away(site):
    room = site.enter(renderer="webgl")
    assert room.of("scene.renderer.name") == "webgl"
    room.of("brushMm = 1")
    room.click(6, 12, 8)
    room.page.evaluate(f"{VIEWER}.scene.renderer.gl.getExtension('WEBGL_lose_context').loseContext()")
    room.until(f"{VIEWER}.scene.renderer.name === '2d'")
    room.frame()
    x, y = room.at(6, 12, 8)
    box = room.page.locator("ct-viewer").bounding_box()
    where = f"{x - box['x']}, {y - box['y']}, 1, 1"
    pixel = room.page.evaluate(f"[...{VIEWER}.scene.canvas.getContext('2d').getImageData({where}).data]")
    assert pixel[2] > pixel[0]  # the paint is there, blue
    room.click(6, 13, 8)
    assert room.painted() == {(6, 12, 8), (6, 13, 8)}
    room.page.close()


def test_every_slice_is_asked_for_once_by_the_version_of_this_import(site):
    """The page begins to load the first slice, coarse and exact, before the viewer asks for it: by the same address."""
    room = site.enter()
    asked = []
    room.page.on("request", lambda request: asked.append(request.url) if "/api/v1/volumes/" in request.url else None)
    room.reload()
    version = f"v={room.attempt.finding.volume.slices_version}"
    assert version in room.page.get_attribute("link[rel=preload][href*=preview]", "href")
    assert all(version in url for url in asked)
    assert len(asked) == len(set(asked))
    assert sum("/slices/6/" in url for url in asked) == 2
    room.page.close()


# -- what a picture lacks, and what is worked out from slices that are not there ---------------------------------------


def test_the_caption_says_what_a_picture_lacks(site):
    room = site.enter()
    held = Held(room)
    assert "loading" not in room.caption()
    # A slab of 20 mm reaches 10 mm to each side, which is 2.5 slices of 4 mm: three of them. 3 to 9 are seven slices.
    room.of("setSlab(20)")
    assert "loading 6 of 7 slices" in room.caption()
    for view in ("coronal", "sagittal"):
        room.of(f"view = '{view}'")
        assert "loading 11 of 12 slices" in room.caption()
    room.of("setSlab(0)")
    assert "loading 11 of 12 slices" in room.caption()
    room.of("lay('three')")
    assert "loading 11 of 12 slices" in room.caption()
    room.of("lay('one', 'axial')")
    assert "loading" not in room.caption()
    room.of("k = 9")
    assert "loading the exact slice" in room.caption()
    held.let_go()
    room.until(f"{VIEWER}.stack.loaded === 12")
    for look in ("view = 'axial'", "view = 'coronal'", "view = 'sagittal'", "setSlab(20)", "view = 'axial'"):
        room.of(look)
        assert "slice" not in room.caption()
    room.page.close()


def test_the_caption_says_what_cannot_be_read(site):
    room = site.enter(expected=("503",))
    damaged = {"detail": "This slice cannot be read.", "code": "damaged"}
    room.page.route("**/slices/2/**", lambda route: route.fulfill(status=503, json=damaged))
    room.page.goto(room.url)
    room.until(f"{VIEWER}.stack?.loaded === 11 && {VIEWER}.stack.failed.has(2)")
    room.of("view = 'coronal'")
    assert "1 of 12 slices cannot be read" in room.caption()
    room.of("view = 'axial'")
    room.of("k = 2")
    assert "the exact slice cannot be read" in room.caption()
    room.page.close()


def short_of_memory(site, slices):
    """A room whose memory holds so many of its 12 slices, when all of those have come."""
    room = site.enter()
    held = Held(room)
    room.of(f"stack.capacity = {slices}")
    held.let_go()
    room.until(f"{VIEWER}.stack.loaded === {slices} && !{VIEWER}.stack.flying.size")
    return room


def test_limits_find_the_slices_that_memory_had_no_room_for(site):
    room = short_of_memory(site, 6)
    room.of("moveTo({j: 3})")
    room.of("view = 'coronal'")
    assert "6 of 12 slices are not exact: memory holds 6" in room.caption()
    room.press("q")
    room.of("brushMm = 1")
    place = (1, *ROD_AT[1:])  # far from slice 6, which the other planes are at
    assert not room.of("stack.slices.has(1)")
    room.click(*place)
    assert room.painted() == set()
    room.until(f"{VIEWER}.says.textContent.includes('had not come. Now it is there')")
    assert room.of("stack.loaded") == 6
    room.click(*place)
    assert room.painted() == {place}
    room.page.close()


def test_an_outline_with_limits_on_a_slice_that_has_not_come_says_so(site):
    room = site.enter()
    held = Held(room)
    room.of("k = 5")
    room.press("q")
    room.action("lasso")
    # A cell around the nodule on every side: rows 9 to 16, columns 4 to 11.
    around = [(5, j, i) for j, i in ((9, 4), (9, 11), (16, 11), (16, 4))]
    room.drag(*around)
    assert "Some voxels were left out: their slice has not come yet." in room.says()
    assert room.painted() == set()
    held.let_go()
    room.until(f"{VIEWER}.says.textContent.includes('had not come. Now it is there')")
    room.drag(*around)
    assert room.painted() == box(5, *NODULE[1:])
    room.page.close()


def test_growing_farther_than_memory_reaches_is_said_and_nearer_works(site):
    room = short_of_memory(site, 10)
    room.action("grow")
    # Of ten three quarters can be held for it: seven. 20 mm are five slices of 4 mm and one more each way: all twelve.
    room.click(6, 12, 8)
    room.until(f"{VIEWER}.says.textContent.includes('A reach of 20 mm takes 12 slices, and memory has room for 7')")
    # 10 mm are two and one more each way: seven. The nodule's farthest voxel, (4, 15, 6), is 8, 3 and 4 mm off: 9.4 mm.
    room.page.select_option("[data-reach]", "10")
    room.click(6, 12, 8)
    room.until(f"{VIEWER}.mask.count === 96")
    assert room.painted() == box(*NODULE)
    room.page.close()


def test_growing_while_nothing_comes_is_said(site):
    room = site.enter(expected=("ERR_INTERNET_DISCONNECTED",))
    held = Held(room)
    room.context.set_offline(True)
    held.let_go()
    room.until(f"{VIEWER}.stack.line.down")
    room.action("grow")
    room.click(6, 12, 8)
    words = "The slices around the click have not come, so nothing was painted. There is no connection to the server."
    room.until(f"{VIEWER}.says.textContent === {words!r}")
    assert room.painted() == set()
    room.page.close()
