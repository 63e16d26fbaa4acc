"""How near two sets of voxels are, in millimetres, without distance maps: a k-d tree of one set's surface."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

SAMPLE = 40_000
"""Voxels asked of a set at most; a share of that many is known to half a per cent."""

_CROSS = ndimage.generate_binary_structure(3, 1)


@dataclass(frozen=True)
class Points:
    """Voxels as rows of (k, j, i), in the coordinates of one box."""

    kji: NDArray[np.int64]

    @property
    def count(self) -> int:
        return len(self.kji)

    def sampled(self) -> "Points":
        """All voxels, or SAMPLE of them drawn with a fixed seed."""
        if self.count <= SAMPLE:
            return self
        chosen = np.random.default_rng(0).choice(self.count, SAMPLE, replace=False)
        return Points(self.kji[np.sort(chosen)])


def points(mask: NDArray[np.bool_]) -> Points:
    return Points(np.argwhere(mask))


def surface(mask: NDArray[np.bool_]) -> Points:
    """Voxels of a mask that have a neighbour outside it."""
    inner = ndimage.binary_erosion(mask, _CROSS) if mask.size else mask
    return Points(np.argwhere(mask & ~inner))


def distances_mm(
    asked: Points, target: NDArray[np.bool_], spacing_mm: tuple[float, float, float], *, limit_mm: float
) -> NDArray[np.float64]:
    """Distance of each asked voxel to the target mask of the same box: 0 inside it, inf beyond ``limit_mm``."""
    result = np.full(asked.count, np.inf)
    if asked.count == 0:
        return result
    inside = target[tuple(asked.kji.T)]
    result[inside] = 0.0
    border = surface(target)
    if border.count and not inside.all():
        scale = np.array(spacing_mm)
        found, _ = cKDTree(border.kji * scale).query(asked.kji[~inside] * scale, distance_upper_bound=limit_mm + 1e-6)
        result[~inside] = found
    return result


def share_within(
    asked: Points, target: NDArray[np.bool_], spacing_mm: tuple[float, float, float], *, tolerance_mm: float
) -> float:
    """Share of the asked voxels within a tolerance of the target; 0.0 if nothing is asked."""
    if asked.count == 0:
        return 0.0
    near = distances_mm(asked.sampled(), target, spacing_mm, limit_mm=tolerance_mm)
    return float(np.mean(np.isfinite(near)))
