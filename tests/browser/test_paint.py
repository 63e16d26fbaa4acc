"""The painted mask by itself, on pictures of more than one tile: the voxels of numpy, and memory for what is painted."""

import numpy as np
import pytest

from cases.imaging import masks
from tests.between_reference import between

pytestmark = pytest.mark.browser

ROWS, COLS = 70, 45  # neither is a multiple of a tile's 32


def draw(rng):
    """A line of cells along rows (over their ends, too) or down a column: [start, length, step, value, even cells only]."""
    start = int(rng.integers(ROWS * COLS))
    if rng.random() < 0.5:
        length, step = min(int(rng.integers(1, 200)), ROWS * COLS - start), 1
    else:
        length, step = int(rng.integers(1, ROWS - start // COLS + 1)), COLS
    return [start, length, step, int(rng.random() < 0.6), bool(rng.random() < 0.3)]


def test_a_bitmap_holds_what_an_array_holds(modules):
    rng = np.random.default_rng(11)
    lines = [draw(rng) for _ in range(300)]
    flips = [
        [int(start := rng.integers(ROWS * COLS)), int(rng.integers(1, ROWS * COLS - start + 1))] for _ in range(20)
    ]
    got = modules.evaluate(
        """async ([rows, cols, lines, flips]) => {
            const { Bitmap } = await import("/viewer/bitmap.js");
            const bitmap = new Bitmap(rows, cols), states = [];
            const column = (at) => {
                const bits = new Uint8Array(rows).fill(4);
                bitmap.addTo(bits, 1, 0, at, rows, cols);
                return [...bits];
            };
            const state = () => {
                const bits = new Uint8Array(rows * cols);
                bitmap.addTo(bits, 1, 0, 0, rows * cols, 1);
                const { count } = bitmap;
                states.push({ cells: cellsOf(bitmap), bits: [...bits], runs: bitmap.runs(), count, column: column(7) });
            };
            lines.forEach(([start, length, step, value, even], n) => {
                bitmap.set(start, length, step, value, even ? (at) => at % 2 === 0 : null);
                if (n % 30 === 29) state();
            });
            for (const [start, length] of flips) bitmap.flip(start, length);
            state();
            bitmap.set(0, rows * cols, 1, 0);
            bitmap.set(500, 1, 1, 1);
            bitmap.tidy();
            return { states, tiles: bitmap.tiles.size };
        }""",
        [ROWS, COLS, lines, flips],
    )
    cells, expected = np.zeros(ROWS * COLS, int), []
    for n, (start, length, step, value, even) in enumerate(lines):
        at = start + step * np.arange(length)
        cells[at[at % 2 == 0] if even else at] = value
        if n % 30 == 29:
            expected.append(cells.copy())
    for start, length in flips:
        cells[start : start + length] ^= 1
    expected.append(cells)
    for state, cells in zip(got["states"], expected, strict=True):
        assert state["cells"] == state["bits"] == cells.tolist()
        assert state["count"] == cells.sum()
        # 4 was there and stays, 1 is added.
        assert state["column"] == (4 + cells[7::COLS]).tolist()
        wire = masks.to_wire(masks.from_dense(cells.reshape(1, ROWS, COLS).astype(np.uint8)))
        assert state["runs"] == wire["runs"]["0"]
    assert got["tiles"] == 1  # what holds nothing any more is given back


STROKE = """async (view) => {
    let bytes = 0;
    const made = globalThis.Uint8Array;
    // Every Uint8Array that is made from now on is counted.
    globalThis.Uint8Array = new Proxy(made, {
        construct(target, args) {
            const array = Reflect.construct(target, args);
            bytes += array.byteLength;
            return array;
        },
    });
    try {
        const { PaintedMask } = await import("/viewer/mask.js");
        const { planeOf } = await import("/viewer/geometry.js");
        const { Painter } = await import("/viewer/painter.js");
        const { discSpans } = await import("/viewer/disc.js");
        const { decode } = await import("/viewer/runs.js");
        const size = [1005, 1024, 1024], plane = planeOf(view, size, [0.3, 0.35, 0.35]);
        const mask = new PaintedMask(size), painter = new Painter(mask, null, () => {});
        painter.begin();
        painter.spans(plane, 512, discSpans(plane, { row: 10.5, col: 500.5 }, { row: 990.5, col: 505.5 }, 3), 1);
        painter.end();
        const painted = bytes, { count } = mask, wire = { size, runs: {} };
        for (const k of mask.painted()) wire.runs[k] = mask.slices.get(k).runs();
        // The same as a draft that is opened.
        const again = new PaintedMask(size);
        again.load(decode(wire, size));
        const opened = bytes - painted, same = again.count === count;
        const slices = mask.slices.size;
        mask.undo();
        const left = mask.slices.size;
        mask.redo();
        return { painted, opened, same, count, slices, left, redone: mask.count };
    } finally {
        globalThis.Uint8Array = made;
    }
}"""


@pytest.mark.parametrize("view", ["coronal", "sagittal"])
def test_a_stroke_through_every_slice_of_a_large_scan_costs_what_it_paints(modules, view):
    got = modules.evaluate(STROKE, view)
    # 980 rows from 10 to 990 and 3 mm / 0.3 mm = 10 more at each end, as far as the scan goes: rows 0 to 1000.
    assert got["slices"] == 1001
    assert got["redone"] == got["count"]
    assert got["same"]
    assert got["left"] == 0
    # The stroke is 6 mm wide, 17 or 18 columns: in tiles of 32 it lies in one or two, 1 KB each, a slice: 2 MB and not 1 GB.
    assert 1001 * 1024 <= got["painted"] <= 1001 * 2 * 1024
    assert got["opened"] <= 1001 * 2 * 1024


def test_filling_between_drawn_by_lot(modules):
    """Blobs of several slices, some of which fall apart or meet: larger than the worked cases, against scipy's distances."""
    from scipy import ndimage

    rng = np.random.default_rng(12)
    cases = []
    for _ in range(25):
        shape = (int(rng.integers(30, 60)), int(rng.integers(30, 60)))
        slices = sorted(int(n) for n in rng.choice(14, int(rng.integers(2, 5)), replace=False))
        painted = {n: ndimage.gaussian_filter(rng.normal(size=shape), 4) > 0.03 for n in slices}
        cases.append((painted, *(float(n) for n in rng.uniform(0.5, 2, 3))))
    got = modules.evaluate(
        """async (cases) => {
            const { between } = await import("/viewer/between.js");
            const { Bitmap } = await import("/viewer/bitmap.js");
            const { atOnce } = await import("/viewer/steps.js");
            return cases.map(([slices, rows, cols, rowMm, colMm, depthMm]) => {
                const painted = new Map(slices.map(([n, flat]) => {
                    const bitmap = new Bitmap(rows, cols);
                    flat.forEach((on, at) => on && bitmap.set(at, 1, 1, 1));
                    return [n, bitmap];
                }));
                const added = atOnce(between(painted, { rows, cols, rowMm, colMm, depthMm }));
                return [...added].map(([n, cells]) => [n, cellsOf(cells)]);
            });
        }""",
        [
            [
                [[n, cells.astype(int).ravel().tolist()] for n, cells in painted.items()],
                *next(iter(painted.values())).shape,
                *mm,
            ]
            for painted, *mm in cases
        ],
    )
    filled = 0
    for (painted, *mm), added in zip(cases, got, strict=True):
        expected = between(painted, *mm)
        assert dict(added) == {n: cells.astype(int).ravel().tolist() for n, cells in expected.items()}
        filled += len(expected)
    assert filled > 25


def test_long_work_is_done_in_slices_of_time(modules):
    """By a clock that goes on by 5 ms at every look a slice of 12 ms is three steps; the page has its turn after each."""
    got = modules.evaluate(
        """async () => {
            const { Work } = await import("/viewer/steps.js");
            const work = new Work(), said = [];
            const soon = setTimeout;
            let now = 0, made = 0, turns = 0;
            performance.now = () => (now += 5);
            globalThis.setTimeout = (act, ms) => (turns++, soon(act, ms));
            function* steps(n) {
                for (let at = 0; at < n; at++, made++) yield;
                return n;
            }
            try {
                const running = work.run(steps(30));
                said.push(work.on, made);
                said.push(await work.run(steps(1)).catch((error) => error.message));
                said.push(await running, work.on, made, turns);
                // Called off in the middle, and while it waits for something that never comes.
                made = 0;
                const stopped = work.run(steps(30));
                said.push(work.stop(), work.on, work.stop(), await stopped, made);
                const waits = work.run((function* () { yield new Promise(() => {}); })());
                work.stop();
                said.push(await waits);
                // What throws leaves it free.
                const breaks = work.run((function* () { throw new Error("broken"); })());
                said.push(await breaks.catch((error) => error.message), work.on);
                return said.map((one) => one ?? "nothing");
            } finally {
                delete performance.now;
                globalThis.setTimeout = soon;
            }
        }"""
    )
    # The first slice is done at once: a step of two and the beginning of the third. The thirty of them and the end of the
    # last are 31, three to a slice, so the page has its turn ten times.
    assert got[:7] == [True, 2, "The work before is not done.", 30, False, 30, 10]
    assert got[7:] == [True, False, False, "nothing", 2, "nothing", "broken", False]


def test_filling_and_growing_stop_often_enough(modules):
    """No step of theirs is large: the work between two yields is a row of a picture, or so many voxels."""
    got = modules.evaluate(
        """async () => {
            const { between } = await import("/viewer/between.js");
            const { Bitmap } = await import("/viewer/bitmap.js");
            const { grow } = await import("/viewer/grow.js");
            const { planeOf } = await import("/viewer/geometry.js");
            const count = (steps) => {
                for (let n = 0; ; n++) {
                    const { done, value } = steps.next();
                    if (done) return [n, value];
                }
            };
            const square = () => {
                const bitmap = new Bitmap(200, 200);
                for (let row = 50; row < 150; row++) bitmap.set(row * 200 + 50, 100, 1, 1);
                return bitmap;
            };
            const plane = planeOf("axial", [12, 200, 200], [1, 1, 1]);
            const [filling, added] = count(between(new Map([[0, square()], [10, square()]]), plane));
            const slice = new Int16Array(60 * 60), get = (k) => (k >= 0 && k < 60 ? slice : undefined);
            const size = [60, 60, 60], seed = { k: 30, j: 30, i: 30 };
            const [growing, found] = count(grow({ size, spacing: [1, 1, 1], seed, low: 0, high: 0, radiusMm: 25, get }));
            return { filling, added: added.size, growing, count: found.count };
        }"""
    )
    # 102 rows with the border: six passes over them for the distances, and 100 rows of each of the 9 slices between.
    assert got["added"] == 9
    assert got["filling"] >= 6 * 102 + 9 * 100
    # 65,267 places of whole numbers lie within 25 of one; 256 at a time.
    assert got["count"] == 65267
    assert got["growing"] >= 65267 / 256
