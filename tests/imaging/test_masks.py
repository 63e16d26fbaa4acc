import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cases.imaging import masks

SIZE = (3, 4, 5)
bitmaps = arrays(np.uint8, SIZE, elements=st.integers(0, 1))


@given(bitmaps)
def test_wire_round_trip(bitmap):
    mask = masks.from_dense(bitmap)
    assert (masks.from_wire(masks.to_wire(mask), SIZE).dense() == bitmap).all()


@given(arrays(np.uint8, SIZE, elements=st.integers(0, 7)))
def test_packed_round_trip_keeps_instance_values(values):
    again = masks.unpack(masks.pack(masks.from_dense(values)))
    assert (again.dense() == values).all()


def test_wire_of_a_known_mask():
    # Slice 1, row 2, columns 1-3: start 2 * 5 + 1 = 11, length 3.
    bitmap = np.zeros(SIZE, np.uint8)
    bitmap[1, 2, 1:4] = 1
    assert masks.to_wire(masks.from_dense(bitmap)) == {"size": [3, 4, 5], "runs": {"1": [11, 3]}}


def test_a_run_may_cross_rows():
    # Start 3, length 4: columns 3, 4 of row 0 and 0, 1 of row 1.
    dense = masks.from_wire({"size": [3, 4, 5], "runs": {"0": [3, 4]}}, SIZE).dense()
    assert sorted(map(tuple, np.argwhere(dense))) == [(0, 0, 3), (0, 0, 4), (0, 1, 0), (0, 1, 1)]


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (None, "must be an object"),
        ([], "must be an object"),
        ({"runs": {}}, "three whole numbers"),
        ({"size": [3, 4], "runs": {}}, "three whole numbers"),
        ({"size": [3, 4, True], "runs": {}}, "three whole numbers"),
        ({"size": [4, 4, 5], "runs": {}}, "painted on another one"),
        ({"size": [3, 4, 5]}, '"runs" must be an object'),
        ({"size": [3, 4, 5], "runs": {}, "box": 1}, "unknown key 'box'"),
        ({"size": [3, 4, 5], "runs": {"3": [0, 1]}}, "outside the volume"),
        ({"size": [3, 4, 5], "runs": {"-1": [0, 1]}}, "not a slice number"),
        ({"size": [3, 4, 5], "runs": {"01": [0, 1]}}, "not a slice number"),
        ({"size": [3, 4, 5], "runs": {"x": [0, 1]}}, "not a slice number"),
        ({"size": [3, 4, 5], "runs": {"0": [0]}}, "pairs"),
        ({"size": [3, 4, 5], "runs": {"0": {"a": 1}}}, "pairs"),
        ({"size": [3, 4, 5], "runs": {"0": [0, 1.5]}}, "whole number"),
        ({"size": [3, 4, 5], "runs": {"0": [0, 10**30]}}, "outside the slice"),
        ({"size": [3, 4, 5], "runs": {"0": [-1, 2]}}, "outside the slice"),
        ({"size": [3, 4, 5], "runs": {"0": [0, 0]}}, "no length"),
        ({"size": [3, 4, 5], "runs": {"0": [18, 3]}}, "ends outside"),
        ({"size": [3, 4, 5], "runs": {"0": [0, 3, 2, 1]}}, "overlaps"),
        ({"size": [3, 4, 5], "runs": {"0": [5, 1, 0, 1]}}, "out of order"),
    ],
)
def test_what_cannot_be_read_is_said(payload, words):
    with pytest.raises(masks.MaskError, match=words):
        masks.from_wire(payload, SIZE)


def test_damaged_packed_bytes_are_an_error():
    data = masks.pack(masks.from_dense(np.ones(SIZE, np.uint8)))
    for damaged in (b"", data[:20], data[:-3], b"XXXX" + data[4:]):
        with pytest.raises(masks.MaskError):
            masks.unpack(damaged)


def test_window_reaches_beyond_the_box():
    bitmap = np.zeros(SIZE, np.uint8)
    bitmap[1, 1, 1] = 1
    seen = masks.from_dense(bitmap).window((slice(0, 2), slice(1, 3), slice(1, 2)))
    assert seen.tolist() == [[[0], [0]], [[1], [0]]]


valued = arrays(np.uint8, SIZE, elements=st.sampled_from([0, 0, 1, 1, 2, 200]))


@given(valued)
def test_what_is_counted_on_runs_is_what_is_there(array):
    mask = masks.from_dense(array)
    assert (mask.dense() == array).all()
    assert mask.voxels() == np.count_nonzero(array)
    assert mask.sizes() == {int(v): int((array == v).sum()) for v in np.unique(array) if v}
    assert mask.areas().tolist() == (array > 0).sum(axis=(1, 2)).tolist()
    assert mask.slices().tolist() == np.flatnonzero(array.any(axis=(1, 2))).tolist()
    assert mask.flat().tolist() == np.flatnonzero(array).tolist()
    assert mask.at(np.arange(array.size)).tolist() == array.ravel().tolist()
    assert (mask.only(2).dense() == np.where(array == 2, 2, 0)).all()
    assert (mask.union().dense() == (array > 0)).all()
    assert (mask.on_slices([0, 2]).dense()[[0, 2]] == array[[0, 2]]).all()
    assert not mask.on_slices([0, 2]).dense()[1].any()
    if array.any():
        assert mask.centroid() == pytest.approx(np.argwhere(array).mean(axis=0))
        assert (mask.cropped() == array[mask.box]).all()


@given(valued, valued)
def test_overlaps_count_every_shared_voxel(a, b):
    left, right = masks.from_dense(a), masks.from_dense(b)
    in_a, in_b, shared = masks.overlaps(left, right)
    assert (shared > 0).all()
    counted = {}
    for x, y, n in zip(left.values[in_a], right.values[in_b], shared, strict=True):
        counted[int(x), int(y)] = counted.get((int(x), int(y)), 0) + int(n)
    both = (a > 0) & (b > 0)
    expected = {}
    for x, y in zip(a[both], b[both], strict=True):
        expected[int(x), int(y)] = expected.get((int(x), int(y)), 0) + 1
    assert counted == expected


@given(valued)
def test_masks_of_version_0_1_are_still_read(array):
    if not array.any():
        return
    box = masks.from_dense(array).box
    values = np.ascontiguousarray(array[box])
    header = struct.pack("<4s9I", b"SLM1", *SIZE, *(s.start for s in box), *values.shape)
    assert (masks.unpack(header + zlib.compress(values.tobytes())).dense() == array).all()


@pytest.mark.parametrize("runs", [[3, 4], [3, 2, 5, 2], [3, 17]])
def test_runs_over_row_ends_and_runs_that_touch_are_the_same_mask(runs):
    mask = masks.from_wire({"size": [3, 4, 5], "runs": {"1": runs}}, SIZE)
    assert (mask.starts // 5 == (mask.stops - 1) // 5).all()
    assert (masks.from_dense(mask.dense()).starts == mask.starts).all()
