import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from cases.imaging import masks
from quiz.scoring.components import label

SIZE = (3, 5, 6)


@pytest.mark.parametrize(("connectivity", "rank"), [(6, 1), (18, 2), (26, 3)])
@given(array=arrays(np.bool_, SIZE, elements=st.booleans()))
def test_components_are_those_of_the_dense_array(connectivity, rank, array):
    mask = masks.from_dense(array)
    numbers, count = label(mask, connectivity=connectivity)
    expected, expected_count = ndimage.label(array, ndimage.generate_binary_structure(3, rank))
    assert count == expected_count
    per_voxel = np.repeat(numbers, mask.lengths) + 1
    assert (per_voxel == expected[array]).all()  # numbered alike: in order of their first voxels


def test_rows_end():
    # The last voxel of a row and the first of the next are neighbours in memory, not in space.
    array = np.zeros(SIZE, bool)
    array[0, 0, 5] = array[0, 1, 0] = True
    assert label(masks.from_dense(array), connectivity=26)[1] == 2
