"""Connected components of a mask."""

from typing import Any, Literal

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SMALL_VOXELS = 100_000
"""Up to this many voxels scipy is as fast. cc3d 4.1 also underestimates its label table on some tiny boxes and raises."""

_RANK = {6: 1, 18: 2, 26: 3}


def label(mask: NDArray[np.bool_], *, connectivity: Literal[6, 18, 26]) -> tuple[NDArray[Any], int]:
    """Numbers 1..n of the components of a 3-D mask, and n."""
    if mask.size <= SMALL_VOXELS:
        labels, count = ndimage.label(mask, ndimage.generate_binary_structure(3, _RANK[connectivity]))
        return labels, int(count)
    labels, count = cc3d.connected_components(mask, connectivity=connectivity, return_N=True)
    return labels, int(count)
