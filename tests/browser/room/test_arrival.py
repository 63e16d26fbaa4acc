"""How slices come: the one on screen first, coarse before exact on a slow line, a GPU that goes, a volume in memory."""

import pytest

from tests.browser.room.room import VIEWER
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
