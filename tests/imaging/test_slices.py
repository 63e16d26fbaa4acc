import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cases.imaging import slices


@given(arrays(np.int16, (5, 7), elements=st.integers(-1024, 3071)))
def test_round_trip(plane):
    assert (slices.decode(slices.encode(plane), rows=5, columns=7) == plane).all()


def test_the_filter_by_hand():
    # Row 0: -3 -> -3, then 1 - -3 = 4. Row 1: 1 - -3 = 4 (from the row above), then 0.
    # Zigzag: -3 -> 5, 4 -> 8, 4 -> 8, 0 -> 0. Low bytes 5 8 8 0, high bytes all 0.
    stored = slices.encode(np.array([[-3, 1], [1, 1]], np.int16))
    assert slices.gunzip(stored) == bytes([5, 8, 8, 0, 0, 0, 0, 0])


def test_raw_is_little_endian():
    stored = slices.encode(np.array([[-1024, 258]], np.int16))
    # -1024 = 0xFC00 -> 00 FC; 258 = 0x0102 -> 02 01.
    assert slices.to_raw(stored, rows=1, columns=2) == bytes([0x00, 0xFC, 0x02, 0x01])


def test_damage_is_an_error():
    stored = slices.encode(np.zeros((4, 4), np.int16))
    with pytest.raises(slices.SliceError):
        slices.decode(stored[:-6], rows=4, columns=4)
    with pytest.raises(slices.SliceError):
        slices.decode(stored, rows=4, columns=5)
