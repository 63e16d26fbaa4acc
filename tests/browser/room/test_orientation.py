"""What is clicked is what is painted, and what is shown lies where it is: through zoom, pan, screens and views."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.browser.room.room import VIEWER, box
from tests.browser.room.scan import POINT, SIZE

pytestmark = pytest.mark.browser

K, J, I = SIZE
VIEWS = ("axial", "coronal", "sagittal")

ROUND_TRIPS = """() => {
    const viewer = document.querySelector("ct-viewer"), [K, J, I] = viewer.size, { k, j, i } = viewer.cursor, wrong = [];
    const held = { axial: "k", coronal: "j", sagittal: "i" }[viewer.view], range = { k: K, j: J, i: I };
    const within = (axis) => (axis === held ? [viewer.cursor[axis]] : [...Array(range[axis]).keys()]);
    let seen = 0;
    for (const k of within("k")) for (const j of within("j")) for (const i of within("i")) {
        const { x, y } = viewer.clientAt(k, j, i), hit = viewer.voxelAt(x, y);
        const box = viewer.getBoundingClientRect();
        if (x < box.left || y < box.top || x >= box.right || y >= box.bottom) continue;
        seen++;
        if (!hit || hit.k !== k || hit.j !== j || hit.i !== i) wrong.push([k, j, i, hit]);
    }
    return { seen, wrong };
}"""


def picture(room):
    """What the screen shows at CSS coordinates within the viewer: RGB."""
    room.frame()
    clip = room.page.locator("ct-viewer").bounding_box()
    pixels = pixels_of(room.page.screenshot(clip=clip))
    ratio = room.page.evaluate("devicePixelRatio")
    return lambda x, y: pixels[int((y - clip["y"]) * ratio), int((x - clip["x"]) * ratio)]


def pixels_of(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


@pytest.mark.parametrize(("ratio", "renderer"), [(1.0, "2d"), (1.5, "webgl"), (2.0, "2d"), (3.0, "2d")])
def test_every_screen(site, ratio, renderer):
    room = site.enter(renderer=renderer, ratio=ratio, width=980, height=560)
    assert room.of("scene.renderer.name") == renderer
    assert room.page.evaluate("devicePixelRatio") == ratio
    k, j, i = POINT
    mirrored = {"axial": (k, j, I - 1 - i), "coronal": (k, j, I - 1 - i), "sagittal": (k, J - 1 - j, i)}
    turned = {"axial": (k, J - 1 - j, i), "coronal": (K - 1 - k, j, i), "sagittal": (K - 1 - k, j, i)}
    for view in VIEWS:
        room.of(f"view = '{view}'")
        room.of(f"moveTo({{k: {k}, j: {j}, i: {i}}})")
        for zoom in (False, True):
            if zoom:
                # Twice as large, with the bright voxel shifted away from the middle.
                room.of("zoomBy(2)")
                x, y = room.at(*POINT)
                rect = room.page.locator("ct-viewer").bounding_box()
                room.of(
                    f"panBy({rect['x'] + rect['width'] / 2 - x + 41.5}, {rect['y'] + rect['height'] / 2 - y - 27.25})"
                )
            trips = room.page.evaluate(ROUND_TRIPS)
            assert trips["wrong"] == []
            assert trips["seen"] > 50
            # The bright voxel is white where clientAt says, and neither its mirror image nor upside down.
            shown = picture(room)
            assert shown(*room.at(*POINT)).min() > 200, (view, zoom)
            if not zoom:
                # Lung tissue of -800 HU in the window of -600 and 1500: (2 * -200 + 1500) * 255 / 3000 = 93.5.
                for other in (mirrored[view], turned[view]):
                    assert abs(shown(*room.at(*other)) - 93.5).max() < 2, (view, other)
            # Paint where it is clicked: the voxel's own corners are blue, beyond them it is not.
            room.of("brushMm = 1")
            room.click(*POINT)
            assert room.painted() == {POINT}
            room.mouse.move(5, 5)
            shown = picture(room)
            along = {"axial": (1, 2), "coronal": (0, 2), "sagittal": (0, 1)}[view]
            for down, across in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
                offset = np.zeros(3)
                offset[list(along)] = down, across
                red, _, blue = shown(*room.at(*(np.array(POINT) + 0.4 * offset)))
                assert blue > red + 20, (view, zoom, offset)
                red, green, blue = shown(*room.at(*(np.array(POINT) + 0.65 * offset)))
                assert red == green == blue, (view, zoom, offset)
            room.press("z")
        room.press("0")
    room.page.close()


def test_left_is_left_and_up_is_up(site):
    room = site.enter(renderer="2d")
    low, high = (2, 5, 4), (9, 25, 15)  # right, in front and low; left, at the back and high
    room.of("view = 'axial'")
    (x0, y0), (x1, y1) = room.at(*low), room.at(*high)
    assert x0 < x1, "the patient's right is on the left of the screen"
    assert y0 < y1, "the front is at the top"
    room.of("view = 'coronal'")
    (x0, y0), (x1, y1) = room.at(*low), room.at(*high)
    assert x0 < x1, "the patient's right is on the left of the screen"
    assert y0 > y1, "the head is at the top"
    room.of("view = 'sagittal'")
    (x0, y0), (x1, y1) = room.at(*low), room.at(*high)
    assert x0 < x1, "the front is on the left of the screen"
    assert y0 > y1, "the head is at the top"
    room.page.close()


def test_millimetres_are_as_long_in_every_direction(site):
    room = site.enter(renderer="2d")
    ends = {"axial": ((6, 0, 0), (6, 10, 5)), "coronal": ((0, 9, 0), (5, 9, 10)), "sagittal": ((0, 0, 9), (5, 20, 9))}
    for view, (a, b) in ends.items():  # 10 mm along both axes of the first, 20 mm of the others
        room.of(f"view = '{view}'")
        (x0, y0), (x1, y1) = room.at(*a), room.at(*b)
        assert abs(abs(x1 - x0) - abs(y1 - y0)) < 1e-6, view
    room.page.close()


def test_the_window_may_change_its_size(site):
    room = site.enter(renderer="2d", width=1300, height=800)
    for width, height in ((900, 700), (1500, 650)):
        room.page.set_viewport_size({"width": width, "height": height})
        room.frame()
        assert room.page.evaluate(ROUND_TRIPS)["wrong"] == []
    room.of("brushMm = 1")
    room.click(6, 3, 4)
    assert room.painted() == {(6, 3, 4)}
    room.page.close()


def test_both_renderers_draw_the_same_picture(site):
    """With paint, its outline, and a hatched proposal; zoomed so that pixels and voxels do not fall together."""
    pixels = {}
    for renderer in ("2d", "webgl"):
        room = site.enter(renderer=renderer, width=980, height=560)
        room.page.evaluate(
            f"""() => {{
                const viewer = {VIEWER};
                for (const part of viewer.children) if (part.className !== "viewer-picture") part.style.visibility = "hidden";
                for (const k of [4, 7]) {{
                    viewer.mask.begin();
                    for (const j of [9, 10, 11, 14]) viewer.mask.set(k, j * 20 + 6, 5, 1, 1);
                    viewer.mask.end();
                }}
                viewer.touch();
                viewer.zoomBy(1.37);
                viewer.panBy(13.3, -7.7);
            }}"""
        )
        shots = []
        for k in (4, 5):
            room.of(f"k = {k}")
            if k == 5:
                room.press("i")
                room.until(f"{VIEWER}.painter.proposal")
            room.frame()
            shots.append(pixels_of(room.page.locator("ct-viewer .viewer-picture").screenshot()))
        pixels[renderer] = shots
        room.page.close()
    for flat, gpu in zip(pixels["2d"], pixels["webgl"], strict=True):
        difference = np.abs(flat - gpu).max(axis=2)
        # A 2-D canvas blends in coarser steps, which shows where the picture is steep. Masks and patterns are the same to the
        # pixel: orange or blue beside grey would be 100 and more.
        assert difference.max() <= 32
        assert np.percentile(difference, 95) <= 4


def test_painting_through_zoom_and_pan_in_three_views(site):
    room = site.enter(renderer="2d")
    room.of("brushMm = 1")
    for view, voxel in (("axial", (6, 3, 17)), ("coronal", (10, 15, 2)), ("sagittal", (1, 27, 10))):
        room.of(f"view = '{view}'")
        room.of("fit()")  # it comes with the zoom of the view before
        x, y = room.at(*voxel)
        room.of(f"zoomBy(3, {x} - {VIEWER}.getBoundingClientRect().x, {y} - {VIEWER}.getBoundingClientRect().y)")
        room.click(*voxel)
    assert room.painted() == box(6, 3, 17) | box(10, 15, 2) | box(1, 27, 10)
    room.page.close()
