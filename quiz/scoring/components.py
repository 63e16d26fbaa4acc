"""Connected components of a mask, worked out on its runs."""

from typing import Literal

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cases.imaging.masks import Ints, SparseMask

Connectivity = Literal[6, 18, 26]

_ROWS = ((0, 1), (1, -1), (1, 0), (1, 1))
"""Half of the neighbouring rows (dk, dj); the other half is the same seen from there."""


def label(mask: SparseMask, *, connectivity: Connectivity) -> tuple[Ints, int]:
    """Number of the component (from 0, in order of their first voxels) of each run of a mask, and how many there are.

    Runs of different values count as connected where they touch, so join instances first where that matters.
    """
    if mask.is_empty:
        return np.empty(0, dtype=np.int64), 0
    k, j, i = mask.kji
    width = mask.size[2] + 2  # so that a step beyond a row's end does not reach the next row
    row = k * mask.size[1] + j
    first, stop = row * width + i, row * width + i + mask.lengths
    numbers = np.arange(len(i), dtype=np.int32)
    touching = stop[:-1] == first[1:]
    ones, others = [numbers[:-1][touching]], [numbers[1:][touching]]
    for dk, dj in _ROWS:
        reach = _reach(dk, dj, connectivity)
        if reach is None:
            continue
        near = np.flatnonzero((j + dj >= 0) & (j + dj < mask.size[1]) & (k + dk < mask.size[0]))
        shift = (dk * mask.size[1] + dj) * width
        low = np.searchsorted(stop, first[near] + shift - reach, side="right")
        high = np.searchsorted(first, stop[near] + shift + reach, side="left")
        count = np.maximum(high - low, 0)
        ones.append(np.repeat(numbers[near], count))
        begin = np.repeat((low - np.cumsum(count) + count).astype(np.int32), count)
        others.append(begin + np.arange(len(begin), dtype=np.int32))
    one, other = np.concatenate(ones), np.concatenate(others)
    graph = coo_array((np.ones(len(one), dtype=np.int8), (one, other)), shape=(len(i), len(i)))
    count, labels = connected_components(graph, directed=False)
    return labels.astype(np.int64), int(count)


def _reach(dk: int, dj: int, connectivity: Connectivity) -> int | None:
    """How far beyond its ends a run touches a run of the row (dk, dj) away; None if it does not at all."""
    steps = abs(dk) + abs(dj)
    if connectivity == 26:
        return 1
    if connectivity == 18:
        return 1 if steps == 1 else 0
    return 0 if steps == 1 else None
