import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cases.imaging import masks
from quiz.scoring import nearness

SIZE, SPACING = (4, 5, 6), (2.0, 0.7, 1.1)
bitmaps = arrays(np.bool_, SIZE, elements=st.sampled_from([False, False, False, True]))


@given(bitmaps, st.floats(0.1, 6), st.booleans())
def test_within_is_what_measuring_every_pair_gives(array, tolerance, flat):
    everywhere = np.arange(array.size)
    near = nearness.within(masks.from_dense(array), everywhere, tolerance, SPACING, flat=flat)
    places = np.argwhere(np.ones(SIZE, bool)) * SPACING
    marked = places[array.ravel()]
    for place, got in zip(places, near, strict=True):
        steps = marked - place
        if flat:
            steps = steps[steps[:, 0] == 0]
        nearest = np.sqrt((steps**2).sum(axis=1)).min() if len(steps) else np.inf
        assert got == (nearest <= tolerance + 1e-6)


@given(bitmaps.filter(lambda a: a.any()), bitmaps.filter(lambda a: a.any()))
def test_distances(a, b):
    one, other = masks.from_dense(a), masks.from_dense(b)
    ways = (np.argwhere(a) * SPACING)[:, None] - (np.argwhere(b) * SPACING)[None]
    shortest = np.sqrt((ways**2).sum(axis=2)).min()
    assert nearness.distance_mm(one, other, SPACING) == pytest.approx(shortest)
    assert nearness.gap_mm(one, other, SPACING) <= shortest + 1e-9


def test_large_sets_are_sampled_inside_themselves():
    array = np.zeros((30, 60, 60), bool)
    array[5:25, 10:50, 3:55] = True
    drawn = nearness.sample(masks.from_dense(array))
    assert len(drawn) == nearness.SAMPLED_VOXELS
    assert array.ravel()[drawn].all()
    # Evenly: about half of them in the lower half of the slices (20 slices, 10 below k = 15).
    assert np.mean(drawn // 3600 < 15) == pytest.approx(0.5, abs=0.02)
