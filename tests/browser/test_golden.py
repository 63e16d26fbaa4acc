"""The viewer's modules against the files that Python is held against, too (tests/golden_cases.py)."""

import json

import pytest

from tests.golden_cases import FOLDER

pytestmark = pytest.mark.browser


def cases(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def test_runs(modules):
    """Reading gives the same voxels; writing the same runs."""
    got = modules.evaluate(
        """async (cases) => {
            const { decode, encode } = await import("/viewer/runs.js");
            const size = [3, 4, 5];
            return cases.map(({ sent }) => {
                const slices = decode({ size, runs: sent }, size);
                const voxels = [...slices.keys()].sort().flatMap((k) => ones(slices.get(k)).map((at) => k * 20 + at));
                return { mask: encode(slices, size), voxels };
            });
        }""",
        cases("runs"),
    )
    assert got == [{"mask": case["mask"], "voxels": case["voxels"]} for case in cases("runs")]


def test_slices(modules):
    got = modules.evaluate(
        """async (cases) => {
            const { decodeSlice } = await import("/viewer/slice_codec.js");
            return cases.map(({ hu, bytes }) => {
                const packed = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
                return [...decodeSlice(packed, hu.length, hu[0].length)];
            });
        }""",
        cases("slices"),
    )
    assert got == [[hu for row in case["hu"] for hu in row] for case in cases("slices")]


def test_windows(modules):
    """One by one, and by the table that the 2-D canvas uses."""
    got = modules.evaluate(
        """async (cases) => {
            const { grey, lookup } = await import("/viewer/window.js");
            return cases.map(({ level, width, hu }) => {
                const table = lookup(level, width, 0);
                return [hu.map((one) => grey(one, level, width)), hu.map((one) => table[one & 0xffff] & 255)];
            });
        }""",
        cases("window"),
    )
    assert got == [[case["grey"], case["grey"]] for case in cases("window")]


def test_geometry(modules):
    """Every picture of every plane, voxel by voxel and as it is cut for the screen; and the way back."""
    got = modules.evaluate(
        """async (cases) => {
            const { planeOf } = await import("/viewer/geometry.js");
            const { cut } = await import("/viewer/planes.js");
            return cases.map(({ view, size, spacing_mm }) => {
                const plane = planeOf(view, size, spacing_mm), [, J, I] = size;
                const number = ({ k, j, i }) => (k * J + j) * I + i;
                const slices = (k) => Int16Array.from({ length: J * I }, (_, at) => k * J * I + at);
                const shown = (reach) => times(plane.depth, (slice) => {
                    const out = new Int16Array(plane.rows * plane.cols);
                    cut(out, plane, slice, reach, slices);
                    return inRows(out, plane.cols);
                });
                const each = (make) =>
                    times(plane.depth, (slice) => times(plane.rows, (r) => times(plane.cols, (c) => make(r, c, slice))));
                const lines = each((row, col, slice) => {
                    const { k, start, step } = plane.line(row, slice);
                    return k * J * I + start + col * step;
                });
                const back = each((row, col, slice) => {
                    const { row: r, col: c, slice: s } = plane.place(plane.voxel(row, col, slice));
                    return r === row && c === col && s === slice;
                });
                return {
                    letters: plane.letters, mm: [plane.depthMm, plane.rowMm, plane.colMm],
                    voxels: each((row, col, slice) => number(plane.voxel(row, col, slice))), lines,
                    shown: shown(0), slab: shown(1), back: back.flat(2).every(Boolean),
                };
            });
        }""",
        cases("geometry"),
    )
    for case, one in zip(cases("geometry"), got, strict=True):
        assert one["letters"] == case["letters"]
        assert one["mm"] == [case["depth_mm"], case["row_mm"], case["col_mm"]]
        assert one["voxels"] == one["lines"] == one["shown"] == case["pictures"], case["view"]
        assert one["slab"] == case["slab_of_three"], case["view"]
        assert one["back"]


def test_between(modules):
    got = modules.evaluate(
        """async (cases) => {
            const { between } = await import("/viewer/between.js");
            const { Bitmap } = await import("/viewer/bitmap.js");
            const { atOnce } = await import("/viewer/steps.js");
            return cases.map(({ painted, row_mm, col_mm, depth_mm }) => {
                const drawn = Object.entries(painted);
                const rows = drawn[0][1].length, cols = drawn[0][1][0].length;
                const bitmap = (lines) => {
                    const made = new Bitmap(rows, cols);
                    [...lines.join("")].forEach((cell, at) => cell === "#" && made.set(at, 1, 1, 1));
                    return made;
                };
                const bitmaps = new Map(drawn.map(([n, lines]) => [Number(n), bitmap(lines)]));
                const plane = { rows, cols, rowMm: row_mm, colMm: col_mm, depthMm: depth_mm };
                const added = atOnce(between(bitmaps, plane));
                const text = (cells) => inRows(cellsOf(cells), cols).map((row) => row.map((on) => ".#"[on]).join(""));
                return Object.fromEntries([...added].map(([n, cells]) => [String(n), text(cells)]));
            });
        }""",
        cases("between"),
    )
    for case, added in zip(cases("between"), got, strict=True):
        assert added == case["added"], case["what"]


def test_compact(modules):
    """The bytes of the compact form, and the mask they are read as: its runs are cut where rows end."""
    got = modules.evaluate(
        """async (cases) => {
            const { fromVarints, toVarints } = await import("/viewer/compact.js");
            const { decode } = await import("/viewer/runs.js");
            const voxels = (mask) => [...decode(mask, mask.size)].map(([k, bitmap]) => [k, ones(bitmap)]);
            return cases.map(({ mask }) => {
                const bytes = toVarints(mask);
                return { bytes: [...bytes], sent: voxels(mask), read: voxels(fromVarints(bytes)) };
            });
        }""",
        cases("compact"),
    )
    for case, one in zip(cases("compact"), got, strict=True):
        assert bytes(one["bytes"]) == bytes.fromhex(case["varints"]), case["what"]
        assert one["read"] == one["sent"], case["what"]


def test_deflated_in_the_browser_is_inflated_by_the_server(modules):
    """By the browser's own compressor, and in stored blocks as a page that is being left sends it; one block holds 65,535."""
    import base64

    from cases.imaging import compact, masks

    size = (60, 200, 300)
    # Every second voxel of 45 rows on 5 slices: 33,750 runs of two numbers, more than one block of bytes.
    runs = {str(k): [n for j in range(45) for i in range(0, 300, 2) for n in (j * 300 + i, 1)] for k in range(5)}
    mask = {"size": list(size), "runs": runs}
    sent = modules.evaluate(
        """async (mask) => {
            const { deflate, storedBlocks, toVarints } = await import("/viewer/compact.js");
            const text = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
            const bytes = toVarints(mask);
            return [bytes.length, text(await deflate(bytes)), text(storedBlocks(bytes))];
        }""",
        mask,
    )
    assert sent[0] > 65535
    expected = masks.digest(masks.from_wire(mask, size))
    for one in sent[1:]:
        assert masks.digest(compact.decode(base64.b64decode(one), size)) == expected
