"""An afternoon's work in half a minute: nothing is logged and nothing is left behind in memory."""

import pytest

pytestmark = pytest.mark.browser

STROKES, STEPS, ROUNDS = 300, 2000, 3

# Strokes of every painting tool by real pointer events, with undo and redo between; each is drawn before the next.
WORK = """async ([strokes, steps]) => {
    const viewer = document.querySelector("ct-viewer"), [K, J, I] = viewer.size;
    const surface = viewer.querySelector(".viewer-over");
    let seed = 1;
    const lot = (n) => ((seed = (seed * 48271) % 2147483647) / 2147483647) * n;
    const pause = () => new Promise((done) => setTimeout(done));
    const event = (type, { x: clientX, y: clientY }, buttons = 1) =>
        surface.dispatchEvent(new PointerEvent(type, { clientX, clientY, pointerId: 1, buttons, bubbles: true }));
    surface.setPointerCapture = () => {};
    const tools = ["brush", "ball", "eraser", "lasso"], views = ["axial", "coronal", "sagittal"];
    for (let n = 0; n < strokes; n++) {
        viewer.setTool(tools[n % tools.length]);
        if (n % 60 === 0) viewer.view = views[(n / 60) % 3];
        viewer.moveTo({ k: lot(K), j: lot(J), i: lot(I) });
        viewer.brushMm = 2 + lot(10);
        const { k, j, i } = viewer.cursor;
        const place = () => viewer.clientAt(lot(K), lot(J), lot(I)); // its depth does not matter on the screen
        event("pointerdown", viewer.clientAt(k, j, i));
        for (let m = 0; m < 6; m++) event("pointermove", place());
        event("pointerup", place(), 0);
        viewer.scene.draw();
        if (n % 5 === 0) viewer.undo(), viewer.redo();
        if (n % 20 === 0) await pause();
    }
    const { count } = viewer.mask;
    viewer.view = "axial";
    for (let n = 0; n < steps; n++) {
        viewer.step(Math.floor(n / K) % 2 ? 1 : -1);
        if (n % 100 === 0) viewer.preset((n / 100) % 4), viewer.setSlab([0, 5, 10][(n / 100) % 3]);
        viewer.scene.draw();
        if (n % 50 === 0) await pause();
    }
    return count;
}"""


def test_memory_and_console_after_hundreds_of_strokes(site):
    room = site.enter()
    session = room.context.new_cdp_session(room.page)
    session.send("Performance.enable")

    def left():
        """Bytes of objects and of arrays, numbers of nodes and of listeners, after the garbage was collected."""
        room.clear()  # what was painted, and all that could be undone
        room.page.wait_for_selector("[data-out=saved]:has-text('Draft saved')")
        room.page.wait_for_timeout(1000)  # and what was sent is let go of
        session.send("HeapProfiler.collectGarbage")
        metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        heap = session.send("Runtime.getHeapUsage")
        return heap["usedSize"], heap.get("backingStorageSize", 0), metrics["Nodes"], metrics["JSEventListeners"]

    seen = []
    for _ in range(ROUNDS):
        painted = room.page.evaluate(WORK, [STROKES // ROUNDS, STEPS // ROUNDS])
        assert painted > 100  # it did paint
        seen.append(left())
    session.detach()
    room.page.wait_for_selector("[data-out=saved]:has-text('Draft saved')")
    assert room.problems == []
    objects, arrays, nodes, listeners = (last - first for first, last in zip(seen[0], seen[-1], strict=True))
    # Between the first and the last round lie 200 strokes and 1,333 steps. A bitmap kept of each stroke would be 600 bytes
    # 200 times, a picture of each step 1,200 bytes 1,333 times. Seen here: 110 KB of objects (code that was compiled), and
    # not a byte of arrays.
    assert objects < 0.5e6, seen
    assert arrays < 50_000, seen
    assert nodes < 50, seen
    assert listeners < 20, seen
    room.page.close()
