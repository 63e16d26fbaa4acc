"""The viewer's pure modules by themselves: small cases by hand, and many drawn by lot against numpy and scipy."""

import numpy as np
import pytest
from scipy import ndimage

pytestmark = pytest.mark.browser

FACES = ndimage.generate_binary_structure(3, 1)
CORNERS = np.ones((3, 3, 3))


def from_spans(spans, shape):
    """Spans (row, first, stop; flat) as an array; overlapping spans would be counted twice."""
    cells = np.zeros(shape, int)
    for row, first, stop in zip(*(spans[n::3] for n in range(3)), strict=True):
        cells[row, first:stop] += 1
    assert cells.max(initial=0) <= 1
    return cells == 1


def rows_of(cells):
    return ["".join(".#"[int(cell)] for cell in row) for row in cells]


DISC = """async ([plane, a, b, radius]) => (await import("/viewer/disc.js")).discSpans(plane, a, b, radius)"""


def test_the_brush_is_round_in_millimetres(modules):
    # Rows of 1 mm, columns of 2 mm; radius 3.3 mm around the centre of cell (4, 3). One column off is 2 mm, which leaves
    # sqrt(3.3^2 - 2^2) = 2.6 mm of rows: 2 each way. In its own column 3 rows each way; two columns off is 4 mm: nothing.
    plane = {"rows": 9, "cols": 7, "rowMm": 1, "colMm": 2}
    centre = {"row": 4.5, "col": 3.5}
    spans = modules.evaluate(DISC, [plane, centre, centre, 3.3])
    assert rows_of(from_spans(spans, (9, 7))) == [
        ".......", "...#...", "..###..", "..###..", "..###..", "..###..", "..###..", "...#...", ".......",
    ]  # fmt: skip


def test_a_stroke_is_a_sweep_without_gaps(modules):
    # Radius 1.2 mm from cell (2, 1) to cell (2, 7), pixels of 1 mm: the row itself one cell beyond each end, the rows
    # beside it (1 mm off, so 0.66 mm are left along) from column 1 to column 7.
    plane = {"rows": 5, "cols": 10, "rowMm": 1, "colMm": 1}
    spans = modules.evaluate(DISC, [plane, {"row": 2.5, "col": 1.5}, {"row": 2.5, "col": 7.5}, 1.2])
    assert rows_of(from_spans(spans, (5, 10))) == ["..........", ".#######..", "#########.", ".#######..", ".........."]


def test_a_brush_smaller_than_a_voxel_paints_the_one_under_it(modules):
    plane = {"rows": 5, "cols": 5, "rowMm": 3, "colMm": 3}
    corner = {"row": 2.95, "col": 1.05}
    assert modules.evaluate(DISC, [plane, corner, corner, 0.5]) == [2, 1, 2]
    outside = {"row": -0.2, "col": 1.5}
    assert modules.evaluate(DISC, [plane, outside, outside, 0.1]) == []


def test_sweeps_drawn_by_lot(modules):
    rng = np.random.default_rng(1)
    shape, cases = (17, 23), []
    for _ in range(60):
        row_mm, col_mm, radius = (float(rng.uniform(low, high)) for low, high in ((0.4, 3), (0.4, 3), (0.3, 8)))
        ends = rng.uniform(-4, 26, (2, 2)).tolist()
        cases.append([row_mm, col_mm, radius, ends])
    got = modules.evaluate(
        """async (cases) => {
            const { discSpans } = await import("/viewer/disc.js");
            return cases.map(([rowMm, colMm, radius, [a, b]]) => discSpans(
                { rows: 17, cols: 23, rowMm, colMm }, { row: a[0], col: a[1] }, { row: b[0], col: b[1] }, radius));
        }""",
        cases,
    )
    for (row_mm, col_mm, radius, (a, b)), spans in zip(cases, got, strict=True):
        mm = np.array([row_mm, col_mm])
        cells = (np.moveaxis(np.indices(shape), 0, -1) + 0.5) * mm
        start, along = np.array(a) * mm, (np.array(b) - np.array(a)) * mm
        t = np.clip(((cells - start) @ along) / (along @ along), 0, 1)
        expected = np.linalg.norm(cells - start - t[..., None] * along, axis=-1) <= radius
        row, col = (int(np.floor(n)) for n in b)
        if 0 <= row < shape[0] and 0 <= col < shape[1]:
            expected[row, col] = True
        np.testing.assert_array_equal(from_spans(spans, shape), expected)


def test_the_ball_is_round_across_slices(modules):
    # Voxels of 1 mm, slices of 1.5 mm, radius 2.1 mm. One slice off leaves sqrt(2.1^2 - 1.5^2) = 1.47 mm: the cell and all
    # eight around it (the diagonal is 1.41). Two slices off is 3 mm: nothing. Its own slice: a disc of 2.1 mm.
    plane = {"rows": 7, "cols": 7, "rowMm": 1, "colMm": 1, "depthMm": 1.5}
    centre = {"row": 3.5, "col": 3.5}
    got = modules.evaluate(
        """async ([plane, at, radius]) => (await import("/viewer/disc.js")).ballSpans(plane, at, at, radius)""",
        [plane, centre, 2.1],
    )
    assert [offset for offset, _ in got] == [0, 1, -1]
    own, above, below = (rows_of(from_spans(spans, (7, 7))) for _, spans in got)
    assert own == [".......", "...#...", "..###..", ".#####.", "..###..", "...#...", "......."]
    assert above == below == [".......", ".......", "..###..", "..###..", "..###..", ".......", "......."]


LOOPS = """async (rows) => {
    const { loopsOf } = await import("/viewer/outline.js");
    return loopsOf((row, col) => rows[row][col] === "#", rows.length, rows[0].length);
}"""


def test_the_border_of_a_mask_in_closed_lines(modules):
    # An L: down the right side, where only corners count; clockwise from its upper left.
    assert modules.evaluate(LOOPS, ["#..", "#..", "##."]) == [[0, 0, 0, 1, 2, 1, 2, 2, 3, 2, 3, 0]]
    # A ring: the hole's border runs the other way round.
    assert modules.evaluate(LOOPS, ["###", "#.#", "###"]) == [[0, 0, 0, 3, 3, 3, 3, 0], [1, 1, 2, 1, 2, 2, 1, 2]]
    # Two cells that touch by a corner are two.
    assert modules.evaluate(LOOPS, ["#.", ".#"]) == [[0, 0, 0, 1, 1, 1, 1, 0], [1, 1, 1, 2, 2, 2, 2, 1]]
    assert modules.evaluate(LOOPS, ["..", ".."]) == []


def test_borders_drawn_by_lot_hold_what_they_surround(modules):
    rng = np.random.default_rng(3)
    masks = [rng.random((int(rng.integers(1, 9)), int(rng.integers(1, 9)))) < 0.55 for _ in range(60)]
    got = modules.evaluate(
        """async (masks) => {
            const { loopsOf } = await import("/viewer/outline.js");
            return masks.map((rows) => loopsOf((row, col) => rows[row][col], rows.length, rows[0].length));
        }""",
        [mask.tolist() for mask in masks],
    )
    for mask, loops in zip(masks, got, strict=True):
        # Even-odd along each row: a cell is inside if an odd number of upright sides lie to its left.
        crossings = np.zeros((mask.shape[0], mask.shape[1] + 1), int)
        for loop in loops:
            corners = list(zip(loop[::2], loop[1::2], strict=True))
            for (row, col), (row_to, col_to) in zip(corners, corners[1:] + corners[:1], strict=True):
                assert (row == row_to) != (col == col_to)
                if col == col_to:
                    crossings[min(row, row_to) : max(row, row_to), col] += 1
        np.testing.assert_array_equal(crossings.cumsum(axis=1)[:, :-1] % 2 == 1, mask)
        assert crossings.max(initial=0) <= 1


def test_what_an_outline_holds(modules):
    # A square from (1, 1) to (4, 5) with a bite: a triangle whose tip is at (2.6, 3). Cell centres decide. In row 1
    # (y = 1.5) the bite reaches from x = 2 + 0.5 / 1.6 = 2.31 to 3.69: the centres 2.5 and 3.5 are out. In row 2
    # (y = 2.5) from 2.94 to 3.06: it holds no centre.
    points = [(1, 1), (1, 2), (2.6, 3), (1, 4), (1, 5), (4, 5), (4, 1)]
    plane = {"rows": 6, "cols": 7}
    got = modules.evaluate(
        """async ([plane, points]) => (await import("/viewer/polygon.js")).polygonSpans(plane, points)""",
        [plane, [{"row": row, "col": col} for row, col in points]],
    )
    assert rows_of(from_spans(got, (6, 7))) == [".......", ".#..#..", ".####..", ".####..", ".......", "......."]


def test_outlines_drawn_by_lot(modules):
    """Even-odd, and whatever lies outside the plane is left out. Counted here by a ray from every centre."""
    rng = np.random.default_rng(2)
    cases = [rng.uniform(-3, 15, (int(rng.integers(3, 9)), 2)).tolist() for _ in range(40)]
    got = modules.evaluate(
        """async (cases) => {
            const { polygonSpans } = await import("/viewer/polygon.js");
            return cases.map((points) => polygonSpans({ rows: 11, cols: 12 }, points.map(([row, col]) => ({ row, col }))));
        }""",
        cases,
    )
    for points, spans in zip(cases, got, strict=True):
        inside = np.zeros((11, 12), bool)
        for (row0, col0), (row1, col1) in zip(points, points[1:] + points[:1], strict=True):
            for row in range(11):
                if (row0 > row + 0.5) != (row1 > row + 0.5):
                    crossing = col0 + (row + 0.5 - row0) / (row1 - row0) * (col1 - col0)
                    inside[row] ^= np.arange(12) + 0.5 >= crossing
        np.testing.assert_array_equal(from_spans(spans, (11, 12)), inside)


def test_distances_are_exact(modules):
    rng = np.random.default_rng(3)
    cases = []
    for _ in range(25):
        shape = tuple(int(n) for n in rng.integers(2, 12, 2))
        cells = rng.random(shape) < rng.uniform(0.1, 0.9)
        cells.flat[0], cells.flat[-1] = True, False
        cases.append([cells.astype(int).tolist(), *(float(n) for n in rng.uniform(0.3, 4, 2))])
    got = modules.evaluate(
        """async (cases) => {
            const { signedDistance } = await import("/viewer/distance.js");
            const { atOnce } = await import("/viewer/steps.js");
            return cases.map(([cells, rowMm, colMm]) => {
                const set = Uint8Array.from(cells.flat());
                return [...atOnce(signedDistance(set, cells.length, cells[0].length, rowMm, colMm))];
            });
        }""",
        cases,
    )
    for (cells, *mm), distances in zip(cases, got, strict=True):
        inside = np.array(cells, bool)
        expected = np.where(
            inside, ndimage.distance_transform_edt(inside, mm), -ndimage.distance_transform_edt(~inside, mm)
        )
        np.testing.assert_allclose(np.array(distances).reshape(inside.shape), expected, rtol=1e-12)


GROW = """async (cases) => {
    const { grow } = await import("/viewer/grow.js");
    const { atOnce } = await import("/viewer/steps.js");
    return cases.map(({ size, spacing, seed: [k, j, i], low, high, radius, hu }) => {
        const slices = hu.map((plane) => Int16Array.from(plane.flat()));
        const where = { size, spacing, seed: { k, j, i }, radiusMm: radius };
        const found = atOnce(grow({ ...where, low, high, get: (at) => slices[at] }));
        return found && { ...found, runs: [...found.runs] };
    });
}"""


def grown(case):
    """The same by scipy: what is joined by faces among the voxels within limits and reach; does it go on beyond?"""
    hu, spacing = np.array(case["hu"]), np.array(case["spacing"])
    allowed = (hu >= case["low"]) & (hu <= case["high"])
    offsets = (np.moveaxis(np.indices(hu.shape), 0, -1) - case["seed"]) * spacing
    near = (offsets**2).sum(axis=-1) <= case["radius"] ** 2
    if not allowed[tuple(case["seed"])]:
        return None
    labels, _ = ndimage.label(allowed & near, FACES)
    region = labels == labels[tuple(case["seed"])]
    return region, bool((ndimage.binary_dilation(region, FACES) & allowed & ~near).any())


def test_growing_drawn_by_lot(modules):
    rng = np.random.default_rng(4)
    cases = []
    for _ in range(40):
        size = [int(n) for n in rng.integers(3, 9, 3)]
        cases.append({
            "size": size, "spacing": [float(n) for n in rng.uniform(0.5, 3, 3)], "low": -100, "high": 100,
            "seed": [int(rng.integers(n)) for n in size], "radius": float(rng.uniform(1, 12)),
            "hu": np.where(rng.random(size) < 0.6, rng.integers(-100, 101, size), 500).tolist(),
        })  # fmt: skip
    outcomes = set()
    for case, got in zip(cases, modules.evaluate(GROW, cases), strict=True):
        expected = grown(case)
        if expected is None:
            assert got is None
            outcomes.add("refused")
            continue
        region, leaks = expected
        cells = np.zeros(case["size"], bool)
        for k, flat in got["runs"]:
            for start, length in zip(flat[0::2], flat[1::2], strict=True):
                cells[k].flat[start : start + length] = True
        np.testing.assert_array_equal(cells, region)
        assert got["count"] == region.sum()
        assert got["leaked"] == leaks
        outcomes.add("leaks" if leaks else "grown")
    assert outcomes == {"refused", "leaks", "grown"}


def test_growing_stops_at_the_limits_themselves_and_at_corners(modules):
    # One slice of 1 x 7: the limits 0 to 40 belong to it, -1 and 41 do not; beyond -1 there is 20 again, not joined.
    row = {"size": [1, 1, 7], "spacing": [1, 1, 1], "seed": [0, 0, 3], "low": 0, "high": 40, "radius": 20}
    # Two voxels that touch by a corner only.
    corner = {**row, "size": [1, 2, 2], "seed": [0, 0, 0], "hu": [[[20, 99], [99, 20]]]}
    got = modules.evaluate(GROW, [{**row, "hu": [[[20, -1, 0, 20, 40, 41, 20]]]}, corner])
    assert got[0] == {"runs": [[0, [2, 3]]], "count": 3, "leaked": False}
    assert got[1] == {"runs": [[0, [0, 1]]], "count": 1, "leaked": False}


def test_marks_are_counted_as_the_scorer_counts_them(modules):
    from cases.imaging import masks

    rng = np.random.default_rng(5)
    volumes = [rng.random((5, 6, 7)) < share for share in rng.uniform(0.02, 0.5, 30)]
    wires = [masks.to_wire(masks.from_dense(volume.astype(np.uint8))) for volume in volumes]
    got = modules.evaluate(
        """async (wires) => {
            const { countMarks } = await import("/viewer/marks.js");
            return wires.map((wire) => countMarks(wire));
        }""",
        wires,
    )
    assert got == [ndimage.label(volume, CORNERS)[1] for volume in volumes]


def test_every_stroke_is_taken_back_exactly(modules):
    """A hundred strokes drawn by lot, some called off; then all undone and all done again, each state compared."""
    rng = np.random.default_rng(6)
    strokes = [
        {
            "sets": [
                [int(rng.integers(4)), at := int(rng.integers(30)), int(rng.integers(1, 31 - at)), 1, int(rng.random() < 0.6)]
                for _ in range(int(rng.integers(1, 5)))
            ],
            "cancel": bool(rng.random() < 0.2),
            "only_even": bool(rng.random() < 0.3),
        }
        for _ in range(100)
    ]  # fmt: skip
    got = modules.evaluate(
        """async (strokes) => {
            const { PaintedMask } = await import("/viewer/mask.js");
            const mask = new PaintedMask([4, 5, 6]);
            const text = () => times(4, (k) => times(30, (at) => Number(mask.has(k, at))).join("")).join("/");
            const states = [text()], counts = [mask.count];
            for (const { sets, cancel, only_even } of strokes) {
                mask.begin();
                for (const one of sets) mask.set(...one, only_even ? (at) => at % 2 === 0 : null);
                if (cancel) mask.cancel();
                else if (!mask.end().length) continue;
                if (cancel && text() !== states.at(-1)) return "calling off left something";
                if (!cancel) { states.push(text()); counts.push(mask.count); }
            }
            const back = [text()], forth = [];
            while (mask.undo().length) back.push(text());
            const slicesLeft = mask.slices.size, left = mask.count;
            forth.push(text());
            while (mask.redo().length) forth.push(text());
            const { count } = mask;
            return { states, counts, back: back.reverse(), forth, left, slicesLeft, count, painted: mask.painted() };
        }""",
        strokes,
    )
    cells = np.zeros((4, 30), int)
    states = ["/".join("".join(map(str, plane)) for plane in cells)]
    for stroke in strokes:
        if stroke["cancel"]:
            continue
        before = cells.copy()
        for k, start, length, _, value in stroke["sets"]:
            at = np.arange(start, start + length)
            cells[k, at[at % 2 == 0] if stroke["only_even"] else at] = value
        if (cells != before).any():
            states.append("/".join("".join(map(str, plane)) for plane in cells))
    assert len(states) > 40
    assert got["states"] == got["back"] == got["forth"] == states
    assert got["counts"] == [state.count("1") for state in states]
    assert got["left"] == got["slicesLeft"] == 0
    assert got["count"] == cells.sum()
    assert got["painted"] == [k for k in range(4) if cells[k].any()]


def test_a_new_stroke_ends_what_could_be_redone_and_one_called_off_does_not(modules):
    got = modules.evaluate(
        """async () => {
            const { PaintedMask } = await import("/viewer/mask.js");
            const mask = new PaintedMask([1, 1, 9]), said = [];
            const stroke = (at) => (mask.begin(), mask.set(0, at, 1, 1, 1), mask.end());
            const painted = () => times(9, (at) => Number(mask.has(0, at))).join("");
            stroke(0), stroke(1), mask.undo();
            mask.begin(), mask.set(0, 5, 1, 1, 1), mask.cancel();
            said.push(painted(), mask.redo().length, painted());
            mask.undo(), stroke(2);
            said.push(painted(), mask.redo().length);
            return said;
        }"""
    )
    assert got == ["100000000", 1, "110000000", "101000000", 0]


def test_layers_show_the_same_cells_as_their_masks_in_every_view(modules):
    """A mask to look at (runs) and the painted one (bitmaps) lie in the same places of every plane."""
    rng = np.random.default_rng(7)
    from cases.imaging import masks

    volume = rng.random((3, 4, 5)) < 0.4
    got = modules.evaluate(
        """async (wire) => {
            const { planeOf } = await import("/viewer/geometry.js");
            const { Layer } = await import("/viewer/layer.js");
            const { PaintedMask } = await import("/viewer/mask.js");
            const { decode } = await import("/viewer/runs.js");
            const painted = new PaintedMask(wire.size), layer = new Layer(wire, wire.size);
            painted.load(decode(wire, wire.size));
            const views = {};
            for (const view of ["axial", "coronal", "sagittal"]) {
                const plane = planeOf(view, wire.size, [1, 1, 1]);
                const rect = { row0: 0, row1: plane.rows, col0: 0, col1: plane.cols };
                views[view] = [painted, layer].map((mask) => times(plane.depth, (slice) => {
                    const bits = new Uint8Array(plane.rows * plane.cols);
                    mask.addTo(bits, 2, plane, slice, rect);
                    return inRows(bits, plane.cols);
                }));
            }
            return views;
        }""",
        masks.to_wire(masks.from_dense(volume.astype(np.uint8))),
    )
    cells = 2 * volume.astype(int)
    expected = {"axial": cells, "coronal": cells[::-1].transpose(1, 0, 2), "sagittal": cells[::-1].transpose(2, 0, 1)}
    for view, planes in expected.items():
        assert got[view] == [planes.tolist(), planes.tolist()], view


def test_zooming_holds_still_what_lies_under_the_pointer(modules):
    got = modules.evaluate(
        """async () => {
            const { cellAt, frameOf, planeOf, screenAt, zoomAt } = await import("/viewer/geometry.js");
            const plane = planeOf("axial", [20, 300, 400], [5, 0.7, 0.9]), rect = { x: 40, y: 10, width: 801, height: 577 };
            let camera = { zoom: 1, panX: 0, panY: 0 }, most = 0;
            const at = { x: 233.25, y: 400.5 }, before = cellAt(frameOf(plane, rect, camera), at.x, at.y);
            for (const factor of [1.3, 1.3, 2, 9, 0.5, 0.7, 0.01, 1.1]) {
                camera = zoomAt(camera, factor, at.x, at.y, rect);
                const frame = frameOf(plane, rect, camera), cell = cellAt(frame, at.x, at.y);
                const back = screenAt(frame, cell.row - 0.5, cell.col - 0.5);
                const off = [cell.row - before.row, cell.col - before.col, back.x - at.x, back.y - at.y];
                most = Math.max(most, ...off.map(Math.abs));
            }
            return most;
        }"""
    )
    assert got < 1e-9


def test_panes_share_the_screen_without_overlap(modules):
    got = modules.evaluate(
        """async () => {
            const { arrange, rectAt } = await import("/viewer/layout.js");
            const made = [];
            for (const [width, height] of [[1000, 600], [601, 1001]]) {
                for (const [layout, n] of [["one", 1], ["three", 3], ["side", 2], ["side", 3]]) {
                    const rects = arrange(layout, width, height, n);
                    const middles = rects.map((r) => rectAt(rects, r.x + r.width / 2, r.y + r.height / 2));
                    made.push({ width, height, rects, middles, n });
                }
            }
            return made;
        }"""
    )
    for one in got:
        assert one["middles"] == list(range(one["n"]))
        covered = np.zeros((one["height"], one["width"]), int)
        for rect in one["rects"]:
            x, y = rect["x"], rect["y"]
            covered[y : y + rect["height"], x : x + rect["width"]] += 1
        assert covered.max() == 1
        # All of it but the gaps of 2 pixels.
        assert (covered == 0).sum() <= 2 * 2 * max(covered.shape)


def test_coarse_pictures_lie_where_the_exact_ones_do(modules):
    """A ramp is a ramp after its block means were blended: off by less than a voxel's step away from the edges."""
    got = modules.evaluate(
        """async () => {
            const { refine } = await import("/viewer/planes.js");
            const rows = 16, cols = 24, coarse = new Int16Array(4 * 6);
            // The value of voxel (row, col) is 10 row + 100 col; the mean of a block is the value at its middle.
            times(4, (r) => times(6, (c) => (coarse[r * 6 + c] = 10 * (4 * r + 1.5) + 100 * (4 * c + 1.5))));
            return [...refine(coarse, rows, cols)];
        }"""
    )
    rows, cols = np.mgrid[:16, :24]
    inner = (slice(2, 14), slice(2, 22))
    np.testing.assert_allclose(np.array(got).reshape(16, 24)[inner], (10 * rows + 100 * cols)[inner], atol=1)


def test_a_budget_of_memory_is_kept(modules):
    """1,005 slices of 1,024 x 1,024 with 96 MB: no more is held, coarse pictures included, and what is looked at comes."""
    got = modules.evaluate(
        """async () => {
            const { Stack, budgetBytes } = await import("/viewer/stack.js");
            const MB = 1024 * 1024, stack = new Stack({ size: [1005, 1024, 1024], slices: "/{k}" }, () => {}, 96 * MB);
            const tick = () => new Promise((done) => setTimeout(done));
            const plane = new Int16Array(1);
            let most = 0, mostCoarse = 0;
            stack.loader.start = () => {};
            stack.loader.get = async () => {
                most = Math.max(most, stack.slices.size);
                mostCoarse = Math.max(mostCoarse, stack.coarse.size);
                await tick();
                return plane;
            };
            stack.open(502);
            for (let n = 0; n < 60; n++) await tick();
            for (const k of [503, 700, 1004]) {
                stack.look(k);
                for (let n = 0; n < 4000 && !stack.get(k); n++) await tick();
                if (!stack.get(k)) return `slice ${k} never came`;
            }
            const budgets = [[0.5], [4], [8], [undefined, true]].map((device) => budgetBytes(...device) / MB);
            for (let n = 0; n < 4000 && stack.flying.size; n++) await tick();
            return { most, mostCoarse, capacity: stack.capacity, budgets };
        }"""
    )
    # Of 96 MB a quarter, 24 MB, for coarse pictures of 256 x 256 x 2 bytes, 128 kB: 192. The rest, 72 MB, for slices of 2 MB.
    assert got["mostCoarse"] == 192
    assert got["capacity"] == got["most"] == 36
    assert got["budgets"] == [96, 384, 640, 320]


SPARING = """async () => {
    const { Sparing } = await import("/viewer/sparing.js");
    const canvas = Object.assign(document.createElement("canvas"), { width: 4, height: 4 }), real = canvas.getContext("2d");
    const context = new Sparing(real), alpha = (x) => real.getImageData(x, 0, 1, 1).data[3], seen = [];
    const frame = (x) => {
        context.begin();
        context.clearRect(0, 0, 4, 4);
        context.fillStyle = "#fff";
        context.fillRect(x, 0, 1, 1);
        context.end();
        seen.push([alpha(0), alpha(1)]);
    };
    frame(0);
    real.clearRect(0, 0, 4, 4);
    frame(0);
    frame(1);
    canvas.width = 4;
    context.forget();
    frame(1);
    return seen;
}"""


def test_what_lies_over_the_picture_is_drawn_only_when_it_differs(modules):
    # Drawn; the same again after somebody wiped it: left alone; another place: drawn; the same, but emptied: drawn.
    assert modules.evaluate(SPARING) == [[255, 0], [0, 0], [0, 255], [0, 255]]


PLACE = """async ([stroke, size]) => {
    const { placeOf, touches } = await import("/viewer/place.js");
    const all = Object.entries({ k: size[0], j: size[1], i: size[2] });
    const on = all.map(([axis, n]) => [...Array(n).keys()].filter((slice) => touches(stroke, axis, slice, size)));
    const { k, j, i } = placeOf(stroke, size);
    return { on, place: [k, j, i] };
}"""


def test_where_a_stroke_was(modules):
    # Slice 1 of 4 x 5 voxels: 8 to 11 are the end of row 1 and the begin of row 2; the middle one, 10, is (2, 0).
    # Slice 2 has less of it.
    found = modules.evaluate(PLACE, [[[2, [0, 1]], [1, [8, 4, 13, 1]]], [3, 4, 5]])
    assert found == {"on": [[1, 2], [0, 1, 2], [0, 1, 3, 4]], "place": [1, 2, 0]}


def test_strokes_drawn_by_lot_touch_what_they_changed(modules):
    rng = np.random.default_rng(7)
    size = (3, 6, 7)
    for _ in range(40):
        changed = rng.random(size) < rng.choice([0.02, 0.2, 0.9])
        changed[tuple(rng.integers(0, size))] = True
        stroke = []
        for k in np.flatnonzero(changed.any(axis=(1, 2))):
            edges = np.flatnonzero(np.diff(np.r_[0, changed[k].ravel().astype(int), 0]))
            stroke.append([int(k), [int(n) for a, b in zip(edges[::2], edges[1::2], strict=True) for n in (a, b - a)]])
        found = modules.evaluate(PLACE, [stroke, size])
        assert found["on"] == [np.unique(axis).tolist() for axis in changed.nonzero()]
        assert changed[tuple(found["place"])]
