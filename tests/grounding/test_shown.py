"""What people see of a model's answer: on the right side, never smaller than it may be, and what it is worth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases.imaging import masks
from cases.imaging.geometry import Grid
from quiz.grounding import shown
from quiz.grounding.base import EngineError, Grounding, Heat

SIZE, SPACING = (30, 64, 80), (5.0, 2.0, 2.5)
GRID = Grid(SIZE, SPACING, ((2.5, 0, 0, 0), (0, 2.0, 0, 0), (0, 0, 5.0, 0), (0, 0, 0, 1)))
CORNERS = {  # k up, j back, i left
    "low front right": (5, 10, 12),
    "low back left": (5, 52, 66),
    "high front left": (24, 10, 66),
    "high back right": (24, 52, 12),
}


def dot(place):
    dense = np.zeros(SIZE, np.uint8)
    dense[place] = 1
    return masks.from_dense(dense)


@pytest.mark.parametrize("place", CORNERS.values(), ids=CORNERS)
@pytest.mark.parametrize("source", ["mask", "heat"])
def test_the_glow_is_where_the_mark_is(place, source):
    cells = None
    if source == "heat":
        values = np.zeros((30, 22, 20), np.uint8)  # steps of 1, 3 and 4 voxels
        values[place[0], place[1] // 3, place[2] // 4] = 90
        cells = Heat(values, (1, 3, 4))
    heat = shown.shown_heat(dot(place) if source == "mask" else masks.empty(SIZE), cells, GRID)
    assert heat.step == (2, 5, 4)  # about 10 mm of 5, 2 and 2.5 mm
    off = np.abs(np.array(shown.peak(heat)) - place) * SPACING
    assert off.max() <= 10.0


def test_the_peak_of_a_flat_region_is_its_middle():
    values = np.zeros((12, 12, 12), dtype=np.uint8)
    values[2:7, 3:8, 4:9] = 255  # five cells along each axis: the one in the middle is (4, 5, 6)
    values[0, 0, 0] = 255  # a stray cell, which comes first in memory
    assert shown.peak(Heat(values, (2, 3, 1))) == (4 * 2 + 1, 5 * 3 + 1, 6)  # cell * step + step // 2


def test_the_peak_of_one_cell_is_that_cell():
    values = np.zeros((3, 3, 3), dtype=np.uint8)
    values[2, 0, 1], values[0, 0, 0] = 9, 8
    assert shown.peak(Heat(values, (1, 1, 1))) == (2, 0, 1)


def test_a_point_glows_as_a_ball_of_four_centimetres():
    heat = shown.shown_heat(dot((15, 32, 40)), None, GRID)
    cell_ml = 2 * 5 * 5 * 2.0 * 4 * 2.5 / 1000  # 1 ml
    assert heat.values.max() == 255
    # Ball of radius 20 mm: 33.5 ml. Cells of 1 cm cannot be exact, a fifth either way is.
    assert (heat.values >= 128).sum() * cell_ml == pytest.approx(33.5, rel=0.2)
    assert shown.heat_ml(heat, GRID) >= shown.LEAST_ML


def test_bits_by_hand():
    assert shown.location_bits(5000) == 0.0
    assert shown.location_bits(2500) == 1.0
    assert shown.location_bits(shown.LEAST_ML) == pytest.approx(7.22, abs=0.01)
    # A nodule of 6 mm: 0.113 ml, log2(5000 / 0.113) = 15.4.
    assert shown.location_bits(math.pi * 6**3 / 6 / 1000) == pytest.approx(15.43, abs=0.01)
    assert shown.location_bits(9999) == 0.0


def test_nothing_marked_is_nothing_shown():
    assert shown.shown_heat(masks.empty(SIZE), None, GRID) is None
    assert shown.shown_heat(masks.empty(SIZE), Heat(np.zeros((30, 22, 20), np.uint8), (1, 3, 4)), GRID) is None


@given(st.binary(min_size=24, max_size=24), st.tuples(*[st.integers(1, 9)] * 3))
def test_a_heat_comes_back_from_the_store(content, step):
    heat = Heat(np.frombuffer(content, np.uint8).reshape(2, 3, 4), step)
    back = shown.unpack_heat(shown.pack_heat(heat))
    assert (back.values == heat.values).all()
    assert back.step == step


@given(st.binary(max_size=80))
def test_damaged_bytes_are_refused(data):
    with pytest.raises(ValueError, match="damaged"):
        shown.unpack_heat(data)
    whole = shown.pack_heat(Heat(np.zeros((2, 3, 4), np.uint8), (1, 1, 1)))
    with pytest.raises(ValueError, match="damaged"):
        shown.unpack_heat(whole[:-3])


def answer(**changes):
    given = {"mask": dot((1, 1, 1)), "heat": None, "confidence": 0.5} | changes
    return Grounding("sentence", given["mask"], given["heat"], given["confidence"])


@pytest.mark.parametrize(
    "bad",
    [
        {"mask": masks.empty((30, 64, 81))},
        {"confidence": float("nan")},
        {"heat": Heat(np.zeros((30, 64, 79), np.uint8), (1, 1, 1))},
        {"heat": Heat(np.zeros((30, 64, 80), np.float32), (1, 1, 1))},  # type: ignore[arg-type]
    ],
)
def test_an_answer_that_does_not_fit_is_refused(bad):
    assert shown.checked(answer(), GRID)
    with pytest.raises(EngineError):
        shown.checked(answer(**bad), GRID)
