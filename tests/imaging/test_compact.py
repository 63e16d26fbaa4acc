"""The compact form: golden bytes that the browser's twin shares, laws, and bytes that cannot be trusted."""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases.imaging import compact, masks

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "compact.json").read_text())
SIZE = (3, 4, 5)


def deflated(*numbers: int) -> bytes:
    """Small numbers, each its own varint."""
    return raw(bytes(numbers))


def raw(data: bytes) -> bytes:
    press = zlib.compressobj(6, zlib.DEFLATED, -15)
    return press.compress(data) + press.flush()


@pytest.mark.parametrize("case", GOLDEN, ids=[case["what"][:30] for case in GOLDEN])
def test_golden(case):
    size = tuple(case["mask"]["size"])
    expected = bytes.fromhex(case["varints"])
    mask = masks.from_wire(case["mask"], size)
    assert compact.to_varints(mask) == expected
    read = compact.decode(raw(expected), size)
    assert masks.digest(read) == masks.digest(mask)


@given(st.lists(st.integers(0, 59), max_size=30), st.booleans())
def test_reading_what_was_written_gives_the_same_mask(voxels, instances):
    dense = np.zeros(60, np.uint8)
    dense[voxels] = 1 + (np.arange(len(voxels)) % 3 if instances else 0)
    mask = masks.from_dense(dense.reshape(SIZE))
    assert masks.digest(compact.decode(compact.encode(mask), SIZE)) == masks.digest(mask.union())


@given(st.binary(max_size=60))
def test_any_bytes_are_a_mask_or_a_sentence(data):
    for sent in (data, raw(data), raw(b"\x01\x03\x04\x05" + data)):
        try:
            mask = compact.decode(sent, SIZE)
        except masks.MaskError:
            continue
        else:
            assert compact.to_varints(mask) == zlib.decompress(sent, -15)  # one mask has one form


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "cut short"),
        (b"not deflated", "cannot be inflated"),
        (deflated(1, 3, 4, 5)[:-1], "cut short"),
        (deflated(1, 3, 4, 5) + b"\x00", "after the end"),
        (deflated(2, 3, 4, 5), "version 1"),
        (deflated(1, 3, 4), "version 1"),
        (deflated(1, 3, 4, 6), "3 x 4 x 6 voxels, but this volume is 3 x 4 x 5"),
        (deflated(1, 3, 4, 5, 7), "ends within a run"),
        (deflated(1, 3, 4, 5, 7, 0), "Run 1 of the compact mask has no length"),
        (deflated(1, 3, 4, 5, 7, 1, 0, 1), "Run 2 of the compact mask touches"),
        (deflated(1, 3, 4, 5, 58, 3), "outside the volume"),  # voxels 58 to 60 of 60
        (raw(b"\x01\x03\x04\x05\x80"), "ends within a number"),
        (raw(b"\x01\x03\x04\x05\x81\x00\x01"), "shortest form"),
        (raw(b"\x01\x03\x04\x05\xff\xff\xff\xff\xff\x01\x01"), "longer than 5 bytes"),
        (raw(b"\x01\x03\x04\x05" + b"\xff\xff\xff\xff\x7f\x01" * 1000), "outside the volume"),
        (raw(b"\x01\x03\x04\x05" + b"\x01" * 2_000_002), "more than 1,000,000 runs"),
        (raw(bytes(5 * 2**20)), "inflates to more than 4 MB"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(data, sentence):
    with pytest.raises(masks.MaskError, match=sentence):
        compact.decode(data, SIZE)


def test_a_bomb_makes_four_megabytes_at_most():
    import tracemalloc

    bomb = raw(bytes(200 * 2**20))
    tracemalloc.start()
    with pytest.raises(masks.MaskError):
        compact.decode(bomb, SIZE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * 2**20  # the output's 4 MB, and what it grew from


def test_paint_on_every_voxel_is_one_run():
    mask = masks.from_dense(np.ones(SIZE, np.uint8))
    assert compact.to_varints(mask) == bytes([1, 3, 4, 5, 0, 60])
    assert compact.decode(compact.encode(mask), SIZE).voxels() == 60
