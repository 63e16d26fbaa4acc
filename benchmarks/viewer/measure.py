"""One viewer, measured once in a browser of its own: what a reader does, with real input, and what it costs."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.viewer.stage import PAGES, Stage

# As Chromium runs where there is no GPU: pages are put together by the processor; NiiVue and Cornerstone3D need the last
# flag, an imitated WebGL, to draw at all.
FLAGS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-gpu-compositing", "--enable-unsafe-swiftshader",
]  # fmt: skip
SCREEN = {"width": 1366, "height": 768}
PICTURE = (1056, 640)  # of ct-viewer on that screen, and of the peers' canvases
STEPS = 40
PATIENCE_MS = 900_000


@dataclass(frozen=True)
class Viewer:
    name: str
    title: str
    path: str
    ours: bool = False


VIEWERS = [
    Viewer("sightline", "Sightline", "", ours=True),
    Viewer("niivue", "NiiVue", "/niivue.html"),
    Viewer("cornerstone", "Cornerstone3D, slices", "/cornerstone.html?slices"),
    Viewer("cornerstone-nifti", "Cornerstone3D, .nii.gz", "/cornerstone.html?nifti"),
]


def opened(playwright: Any, chromium: str, viewer: Viewer, stage: Stage, port: int) -> tuple[Any, Any, str]:
    """A fresh browser and page, and the address to go to through this port."""
    browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
    page = browser.new_page(viewport=SCREEN)
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script(path=PAGES / "probe.js")
    origin = f"http://127.0.0.1:{port}"
    if viewer.ours:
        page.add_init_script(path=PAGES / "ours.js")
        page.context.add_cookies([{"name": "sessionid", "value": stage.session, "url": origin}])
        return browser, page, origin + stage.room
    joint = "&" if "?" in viewer.path else "?"
    return browser, page, f"{origin}{viewer.path}{joint}w={PICTURE[0]}&h={PICTURE[1]}"


def arrival(page: Any, address: str) -> dict[str, float]:
    """Milliseconds from the navigation to the first picture and to the first exact one."""
    page.goto(address, wait_until="commit", timeout=PATIENCE_MS)
    picture = page.evaluate("probe.picture")
    exact = page.evaluate("bench.first.then(() => performance.now())")
    return {"first picture, ms": picture, "first exact slice, ms": max(picture, exact)}


def measure(playwright: Any, chromium: str, viewer: Viewer, stage: Stage, shots: Path) -> dict[str, float | None]:
    """Everything but the slow line."""
    port = stage.ours if viewer.ours else stage.peers
    before = len(stage.sent(port))
    browser, page, address = opened(playwright, chromium, viewer, stage, port)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    try:
        spent = _cpu_s(browser)
        result: dict[str, float | None] = dict(arrival(page, address))
        result["processor until then, s"] = _cpu_s(browser) - spent
        result["bytes before it, MB"] = _mb(stage.sent(port)[before:])
        page.evaluate("bench.whole.then(() => 1)")
        result["whole volume scrollable, ms"] = page.evaluate("performance.now()")
        result["processor until whole, s"] = _cpu_s(browser) - spent
        sent = stage.sent(port)[before:]
        result["bytes in all, MB"] = _mb(sent)
        result["of it scripts, kB"] = sum(size for size, path in sent if path.endswith(".js")) / 1e3
        page.wait_for_timeout(1500)
        result["memory, MB"] = memory_mb(browser)
        page.screenshot(path=shots / f"{viewer.name}-open.png")
        result |= _handled(page)
        page.screenshot(path=shots / f"{viewer.name}-painted.png")
        if problems:
            print("   ", viewer.name, "logged:", problems[:3])
        return result
    finally:
        browser.close()


def first_on_a_slow_line(
    playwright: Any, chromium: str, viewer: Viewer, stage: Stage, port: int, line: str
) -> dict[str, float]:
    browser, page, address = opened(playwright, chromium, viewer, stage, port)
    try:
        return {f"{what[:-4]} at {line}, ms": ms for what, ms in arrival(page, address).items()}
    finally:
        browser.close()


def _handled(page: Any) -> dict[str, float | None]:
    """Scroll, window and stroke: from the input to other pixels, and the main thread's work for a step."""
    box = page.evaluate("bench.canvas().getBoundingClientRect().toJSON()")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.wait_for_timeout(300)

    def wheel(n: int) -> None:
        page.mouse.wheel(0, 100 if n < STEPS // 2 else -100)

    cost = page.context.new_cdp_session(page)
    cost.send("Performance.enable")
    scroll = _timed(page, "wheel", None, wheel)
    busy = _work(page, cost, wheel)
    page.mouse.down(button="right")
    page.mouse.move(x + 2, y)
    page.wait_for_timeout(200)
    window = _timed(page, "pointermove", None, lambda n: page.mouse.move(x + 5 + 3 * n, y + 2 * (n % 3)))
    page.mouse.up(button="right")
    page.evaluate("Promise.resolve(bench.startPainting()).then(() => 1)")
    page.wait_for_timeout(500)
    stroke: list[float | None] = []
    for row in range(2):
        left, top = x - 150, y - 60 + 90 * row
        page.mouse.move(left, top)
        page.mouse.down()
        for n in range(STEPS // 2):
            to = {"x": left + 15 * (n + 1), "y": top + 6 * (n % 2)}
            stroke += _timed(page, "pointermove", to, lambda _, to=to: page.mouse.move(to["x"], to["y"]), times=1)
        page.mouse.up()
    page.wait_for_timeout(300)
    return {
        "scroll p50, ms": _quantile(scroll, 0.5), "scroll p95, ms": _quantile(scroll, 0.95), "scroll, main thread, ms": busy,
        "window p50, ms": _quantile(window, 0.5), "stroke p50, ms": _quantile(stroke, 0.5),
    }  # fmt: skip


def _timed(page: Any, event: str, place: Any, act: Callable[[int], None], times: int = STEPS) -> list[float | None]:
    took = []
    for n in range(times):
        page.evaluate("([event, place]) => { window.armed = probe.arm(event, place); }", [event, place])
        act(n)
        took.append(page.evaluate("window.armed"))
        page.wait_for_timeout(30)
    return took


def _work(page: Any, cost: Any, act: Callable[[int], None]) -> float:
    """Milliseconds of the main thread for one step; what an idle page does in that time is taken off."""

    def spent(act: Callable[[int], None]) -> float:
        def now() -> float:
            return next(
                m["value"] for m in cost.send("Performance.getMetrics")["metrics"] if m["name"] == "TaskDuration"
            )

        began = now()
        for n in range(STEPS):
            act(n)
            page.wait_for_timeout(60)
        return (now() - began) * 1000 / STEPS

    return max(0.0, spent(act) - spent(lambda n: None))


def _quantile(values: list[float | None], q: float) -> float | None:
    """None where an input changed nothing on the screen more often than once in ten."""
    known = sorted(value for value in values if value is not None)
    if len(known) < 0.9 * len(values):
        return None
    return statistics.median(known) if q == 0.5 else known[min(len(known) - 1, int(q * len(known)))]


def _mb(sent: list[tuple[int, str]]) -> float:
    return sum(size for size, _ in sent) / 1e6


def _processes(browser: Any) -> list[dict[str, Any]]:
    session = browser.new_browser_cdp_session()
    try:
        return list(session.send("SystemInfo.getProcessInfo")["processInfo"])
    finally:
        session.detach()


def _cpu_s(browser: Any) -> float:
    """Seconds of processor that all of the browser's processes have had: the same however busy the machine is."""
    return float(sum(process["cpuTime"] for process in _processes(browser)))


def memory_mb(browser: Any) -> float:
    """Proportional set size of the page's and the GPU's processes."""
    total = 0
    for process in _processes(browser):
        if process["type"] in ("renderer", "GPU"):
            rollup = Path(f"/proc/{process['id']}/smaps_rollup").read_text()
            total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total / 1024
