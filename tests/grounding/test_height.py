import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiz.grounding.height import Height, height_of

SHARES = st.floats(0, 1)


def profile(base, apex):
    """Areas of ten slices, feet first; the fullest has 1,000 cells."""
    return np.array([round(1000 * base), *[1000] * 8, round(1000 * apex)])


def test_a_whole_chest():
    height = height_of(profile(0.1, 0.15), 250.0)
    assert height == Height(from_base=True, from_apex=True)
    assert (height.doubt(np.linspace(0, 1, 5, dtype=np.float32)) == 0).all()


def test_cut_below_the_height_is_told_from_the_apex():
    # 150 mm from the apex to where the scan ends; most adults' lungs are 235 mm high, so 85 mm are missing below.
    height = height_of(profile(1.0, 0.1), 150.0)
    assert height == Height(pytest.approx(85.0), 0.0, from_base=False, from_apex=True)
    # At the apex nothing is unsure; half-way down it is half of a tenth, at the base a tenth.
    assert height.doubt(np.array([1, 0.5, 0], dtype=np.float32)) == pytest.approx([0, 0.05, 0.1])


def test_cut_above_the_height_is_told_from_the_base():
    height = height_of(profile(0.1, 1.0), 150.0)
    assert height == Height(0.0, pytest.approx(85.0), from_base=True, from_apex=False)
    assert height.doubt(np.array([1, 0.5, 0], dtype=np.float32)) == pytest.approx([0.1, 0.05, 0])


def test_high_lungs_that_are_cut_are_higher_than_what_is_seen():
    # 1.08 x 250 mm = 270 mm, more than the 235 mm of most adults.
    assert height_of(profile(1.0, 0.0), 250.0).below_mm == pytest.approx(20.0)


def test_an_end_that_lies_just_outside():
    # The end slice shows 0.3 of the fullest: a third of that, a tenth of the height, is missing above. With the base seen,
    # the 180 mm that are seen are nine tenths of 200 mm.
    height = height_of(profile(0.0, 0.3), 180.0)
    assert height == Height(0.0, pytest.approx(20.0), from_base=True, from_apex=True)
    assert height.doubt(np.array([1, 0], dtype=np.float32)) == pytest.approx([0.05, 0.05])
    # With the base far outside, the apex still tells: a tenth of 235 mm above, and 235 - 23.5 - 90 mm below.
    height = height_of(profile(1.0, 0.3), 90.0)
    assert height == Height(pytest.approx(121.5), pytest.approx(23.5), from_base=False, from_apex=True)


def test_a_slab_from_the_middle_tells_nothing():
    height = height_of(profile(0.9, 1.0), 120.0)
    assert not height.told
    assert height == Height()


@given(base=SHARES, apex=SHARES, seen_mm=st.floats(10, 400))
def test_up_and_down_are_alike(base, apex, seen_mm):
    there, back = height_of(profile(base, apex), seen_mm), height_of(profile(apex, base), seen_mm)
    assert (there.below_mm, there.from_base) == (back.above_mm, back.from_apex)
    assert (there.above_mm, there.from_apex) == (back.below_mm, back.from_base)
    up = np.linspace(0, 1, 7, dtype=np.float32)
    assert there.doubt(up) == pytest.approx(back.doubt(1 - up), abs=1e-6)


@given(base=SHARES, apex=SHARES, seen_mm=st.floats(10, 400))
def test_nothing_is_ever_missing_the_wrong_way(base, apex, seen_mm):
    height = height_of(profile(base, apex), seen_mm)
    assert height.below_mm >= 0
    assert height.above_mm >= 0
    if height.told and not (height.from_base and height.from_apex):
        assert seen_mm + height.below_mm + height.above_mm >= 235.0 - 1e-6
