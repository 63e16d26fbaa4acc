"""Several slices in one piece."""

import struct

import pytest

from cases.imaging import blocks


@pytest.mark.parametrize(
    ("n", "count", "ks"),
    [
        (0, 20, [0, 1, 2, 3, 4, 5, 6, 7]),
        (1, 20, [8, 9, 10, 11, 12, 13, 14, 15]),
        (2, 20, [16, 17, 18, 19]),  # the last one is what is left
        (3, 20, []),
        (0, 1, [0]),
    ],
)
def test_every_slice_is_in_one_block(n, count, ks):
    assert list(blocks.within(n, count)) == ks


def test_lengths_come_before_the_bytes():
    # Three lengths of four bytes, little-endian: 2, 0 (cannot be read), 258 = 0x0102.
    packed = blocks.pack([b"ab", b"", b"c" * 258])
    assert packed[:12] == b"\x02\0\0\0\0\0\0\0\x02\x01\0\0"
    assert packed[12:] == b"ab" + b"c" * 258
    assert struct.unpack("<3I", packed[:12]) == (2, 0, 258)
