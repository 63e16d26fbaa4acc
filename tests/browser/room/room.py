"""The reading room as a test sees it: voxels in, voxels out."""

import itertools

from cases.imaging.masks import SparseMask
from tests.browser import waiting

VIEWER = "document.querySelector('ct-viewer')"
Voxel = tuple[int, int, int]

CLEAR = """() => {
    const viewer = document.querySelector("ct-viewer"), [K, J, I] = viewer.size;
    document.querySelectorAll("dialog[open]").forEach((one) => one.close());
    document.getElementById("answer").reset();
    viewer.strokeFails();
    viewer.discardProposal();
    if (viewer.cine.on) viewer.cine.toggle();
    if (viewer.keyboard.on) document.querySelector("[data-action=keyboard]").click();
    viewer.tools.clearRulers();
    viewer.mask.load(new Map());
    viewer.encoded.clear();
    Object.assign(viewer.painter.limits, { on: false, low: -400, high: 300 });
    viewer.tools.all.grow.radiusMm = 20;
    viewer.setSlab(0);
    viewer.brushMm = 6;
    Object.assign(viewer.show, { painted: true, truth: true, hint: true, fill: true });
    viewer.preset(0);
    viewer.setTool("brush");
    viewer.fit();
    viewer.lay("one", "axial");
    viewer.moveTo({ k: K >> 1, j: J >> 1, i: I >> 1 });
    viewer.touch();
    viewer.focus();
}"""


class Room:
    """problems: errors that the page has logged, but for those a test says it expects in ``expected``."""

    def __init__(self, site, attempt, session, *, context=None, expected=(), width=1366, height=768, ratio=1.0, **more):
        self.site, self.attempt, self.expected = site, attempt, list(expected)
        self.problems: list[str] = []
        self.context = context or site.browser.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=ratio, **more
        )
        if context is None:
            self.context.add_cookies([{"name": "sessionid", "value": session, "url": site.url}])
        self.context.set_default_timeout(waiting.PATIENCE_MS)
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self._note(str(error)))
        self.page.on("console", lambda message: self._note(message.text) if message.type == "error" else None)
        self.press, self.mouse = self.page.keyboard.press, self.page.mouse

    def _note(self, text: str) -> None:
        if not any(part in text for part in self.expected):
            self.problems.append(text)

    @property
    def url(self) -> str:
        return f"{self.site.url}/attempts/{self.attempt.pk}/"

    def open(self, renderer: str = "") -> None:
        self.page.goto(self.url + (f"?renderer={renderer}" if renderer else ""))
        self.ready()

    def ready(self) -> None:
        self.page.evaluate(f"{VIEWER}.ready")
        # Tools that ask for HU need their slices.
        self.until(f"{VIEWER}.stack.loaded === {VIEWER}.stack.goal")

    def reload(self) -> None:
        self.page.reload()
        self.ready()

    def close(self) -> None:
        self.context.close()

    def clear(self) -> None:
        self.page.evaluate(CLEAR)

    # -- what is there ------------------------------------------------------------------------------------------------

    def of(self, expression: str):
        """A property or method of the viewer, as ``k`` or ``step(1)``."""
        return self.page.evaluate(f"{VIEWER}.{expression}")

    def until(self, expression: str) -> None:
        """Wait for something to be true in the page."""
        waiting.until(self.page, expression)

    def painted(self) -> set[Voxel]:
        return voxels_of(self.of("painted"))

    def says(self) -> str:
        return self.page.text_content(".viewer-says")

    def caption(self) -> str:
        self.frame()
        return self.page.evaluate("document.querySelector('.viewer-caption').value").replace("\u00a0", " ")

    def frame(self) -> None:
        """Wait until what was asked for has been drawn."""
        waiting.frames(self.page)

    def pressed(self, action: str) -> str:
        return self.page.get_attribute(f"[data-action={action}]", "aria-pressed")

    # -- hands --------------------------------------------------------------------------------------------------------

    def at(self, k: float, j: float, i: float) -> tuple[float, float]:
        """Where the centre of a voxel is on the screen; fractions lie between voxels."""
        place = self.of(f"clientAt({k}, {j}, {i})")
        return place["x"], place["y"]

    def click(self, k: float, j: float, i: float, *keys: str) -> None:
        self.drag((k, j, i), keys=keys)

    def drag(self, *places: tuple[float, float, float], keys: tuple[str, ...] = (), button: str = "left") -> None:
        """Press at the first place, move over the others in a straight line each, release at the last."""
        for key in keys:
            self.page.keyboard.down(key)
        spots = [self.at(*place) for place in places]
        self.mouse.move(*spots[0])
        self.mouse.down(button=button)
        for spot in spots[1:]:
            self.mouse.move(*spot, steps=4)
        self.mouse.up(button=button)
        for key in keys:
            self.page.keyboard.up(key)

    def action(self, name: str) -> None:
        self.page.click(f"[data-action={name}]")


class Held:
    """The slices of a room that is opened again, but for the one it begins with, wait until they are let go."""

    def __init__(self, room):
        self.routes, self.shut = [], True
        room.page.route("**/slices/**", self._request)
        room.page.route("**/blocks/**", self._request)
        room.page.reload()
        room.page.evaluate(f"{VIEWER}.ready")
        room.until(f"{VIEWER}.stack.flying.size > 0")
        assert room.of("stack.loaded") == 1

    def _request(self, route):
        if self.shut and "/slices/6/" not in route.request.url:
            return self.routes.append(route)
        return route.continue_()

    def let_go(self):
        self.shut = False
        for route in self.routes:
            route.continue_()


def places(mask: SparseMask) -> set[Voxel]:
    """The voxels (k, j, i) of a mask as the server reads it."""
    return {tuple(int(n) for n in place) for place in zip(*mask.dense().nonzero(), strict=True)}


def voxels_of(wire: dict) -> set[Voxel]:
    """The voxels (k, j, i) of a wire mask, read by the letter of the format."""
    cols = wire["size"][2]
    return {
        (int(k), *divmod(at, cols))
        for k, flat in wire["runs"].items()
        for start, length in zip(flat[0::2], flat[1::2], strict=True)
        for at in range(start, start + length)
    }


def box(*ranges) -> set[Voxel]:
    """All voxels of a box given by a slice or a number along k, j and i."""
    spans = [range(one.start, one.stop) if isinstance(one, slice) else [one] for one in ranges]
    return set(itertools.product(*spans))
