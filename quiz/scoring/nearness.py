"""How near voxels are to a mask, in millimetres, without distance maps: by looking along the mask's rows."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cases.imaging.masks import Ints, SparseMask
from quiz.scoring.rules import SAMPLED_VOXELS

Spacing = tuple[float, float, float]


def sample(mask: SparseMask) -> Ints:
    """All voxels of a mask (flat, ascending), or SAMPLED_VOXELS of them."""
    if mask.voxels() <= SAMPLED_VOXELS:
        return mask.flat()
    chosen = np.sort(np.random.default_rng(0).integers(0, mask.voxels(), SAMPLED_VOXELS))
    stops = np.cumsum(mask.lengths)
    run = np.searchsorted(stops, chosen, side="right")
    drawn: Ints = mask.starts[run] + chosen - (stops[run] - mask.lengths[run])
    return drawn


def within(mask: SparseMask, asked: Ints, tolerance_mm: float, spacing_mm: Spacing, *, flat: bool) -> NDArray[np.bool_]:
    """Whether each asked voxel lies within a tolerance of the mask (the border included); in its own slice if ``flat``."""
    near: NDArray[np.bool_] = mask.at(asked) != 0
    if mask.is_empty:
        return near
    for dk, dj, reach in _rows(tolerance_mm, spacing_mm, flat=flat):
        left = np.flatnonzero(~near)
        if left.size == 0:
            break
        near[left] = _row_has(mask, asked[left], dk, dj, reach)
    return near


def _rows(tolerance_mm: float, spacing_mm: Spacing, *, flat: bool) -> list[tuple[int, int, int]]:
    """Rows (dk, dj) that a ball of the tolerance reaches, nearest first, and how many voxels along each."""
    dk_mm, dj_mm, di_mm = spacing_mm
    limit = (tolerance_mm + 1e-6) ** 2
    deepest, widest = 0 if flat else int(math.sqrt(limit) / dk_mm), int(math.sqrt(limit) / dj_mm)
    rows = []
    for dk in range(-deepest, deepest + 1):
        for dj in range(-widest, widest + 1):
            rest = limit - (dk * dk_mm) ** 2 - (dj * dj_mm) ** 2
            if rest >= 0:
                rows.append((dk, dj, int(math.sqrt(rest) / di_mm)))
    return sorted(rows, key=lambda row: -row[2])


def _row_has(mask: SparseMask, asked: Ints, dk: int, dj: int, reach: int) -> NDArray[np.bool_]:
    """Whether a stretch of the row (dk, dj) from each voxel, ``reach`` to either side, holds any of the mask."""
    K, J, I = mask.size
    rows, i = np.divmod(asked, I)
    k, j = np.divmod(rows, J)
    k, j = k + dk, j + dj
    row = (k * J + j) * I
    run = np.searchsorted(mask.starts, row + np.minimum(i + reach, I - 1), side="right") - 1
    found: NDArray[np.bool_] = (run >= 0) & (mask.stops[run] > row + np.maximum(i - reach, 0))
    found &= (k >= 0) & (k < K) & (j >= 0) & (j < J)
    return found


def millimetres(flat: Ints, size: tuple[int, int, int], spacing_mm: Spacing) -> NDArray[np.float64]:
    """Rows of (k, j, i) in mm from the volume's first voxel."""
    places: NDArray[np.float64] = np.stack(np.unravel_index(flat, size), axis=1) * np.array(spacing_mm)
    return places


def gap_mm(a: SparseMask, b: SparseMask, spacing_mm: Spacing) -> float:
    """Shortest way between boxes of two masks: no voxels of theirs are nearer. inf if one is empty."""
    if a.is_empty or b.is_empty:
        return math.inf
    steps = [
        max(0, one.start - other.stop + 1, other.start - one.stop + 1) * mm
        for one, other, mm in zip(a.box, b.box, spacing_mm, strict=True)
    ]
    return math.hypot(*steps)


def distance_mm(a: SparseMask, b: SparseMask, spacing_mm: Spacing) -> float:
    """Shortest distance between voxels of two masks; between samples of them if they are large. inf if one is empty."""
    if a.is_empty or b.is_empty:
        return math.inf
    tree = cKDTree(millimetres(sample(a), a.size, spacing_mm))
    return float(tree.query(millimetres(sample(b), b.size, spacing_mm))[0].min())
